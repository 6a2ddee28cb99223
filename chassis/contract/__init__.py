"""The contract as the descriptors state it: how each RPC is called, what each field may hold, what its JSON name is.

Everything that would otherwise repeat the protos reads them here: validation in every service, the gateway's WebSocket
ops and HTTP paths, the OpenAPI document, the documents' tables and the clients' generated methods.
"""
