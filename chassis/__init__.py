"""The microservice chassis: the parts that every process needs, without business rules.

It has settings, logs, metrics, errors and their gRPC form, identities and access rules, the server and its life cycle,
channels to other services, the event log on Redis Streams, and the fan-out of its events to subscribers.
"""
