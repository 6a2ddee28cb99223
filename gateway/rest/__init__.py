"""The HTTP interface for browsers and for the CRM's own servers: JSON in, one call to a service, JSON out.

One table of operations (see `operation`) registers the routes and makes the OpenAPI document, so that the two can't
disagree. It owns no state and no rule of the house: who may do what is decided by the services, which get the
caller's own token.
"""
