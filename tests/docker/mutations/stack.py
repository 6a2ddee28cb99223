"""Mutations of how containers fit together."""

from __future__ import annotations

from typing import Final

from tests.docker.mutations.mutation import Mutation, drop, open_network, put
from tests.docker.policies import stack

_SERVICE: Final = "../k8s/base/shape/service.env"

MUTATIONS: Final = {
    "notify runs presence": Mutation(stack.runs_every_process, put("notify", ("command",), ["services.presence"])),
    "chat is started otherwise": Mutation(stack.runs_every_process, put("chat", ("entrypoint",), ["sh"])),
    "an env file is missing": Mutation(
        stack.refers_to_existing_sources, put("parley", ("env_file", 0), "keys/administrator.env")
    ),
    "a variable is misspelt": Mutation(
        stack.has_only_known_settings, put("gateway", ("environment",), {"PARLEY_CHAT_SHARD": "8"})
    ),
    "the gateway has the services' settings": Mutation(
        stack.has_only_known_settings, put("gateway", ("env_file", 0), _SERVICE)
    ),
    "chat has no keys": Mutation(stack.has_all_required_settings, drop("chat", ("env_file", 3))),
    "the gateway knows no targets": Mutation(stack.has_all_required_settings, drop("gateway", ("env_file", 1))),
    "the number of shards is invalid": Mutation(
        stack.has_valid_settings, put("gateway", ("environment", "PARLEY_CHAT_SHARDS"), "many")
    ),
    "a secret is in compose.yaml": Mutation(
        stack.has_secrets_from_its_own_file, put("chat", ("environment",), {"PARLEY_SERVICE_SECRET": "x" * 32})
    ),
    "a store's address is in compose.yaml": Mutation(
        stack.has_secrets_from_its_own_file, put("chat", ("environment",), {"PARLEY_REDIS_URL": "redis://valkey:6379"})
    ),
    "notify has chat's keys": Mutation(
        stack.has_secrets_from_its_own_file, put("notify", ("env_file", 3), "keys/chat.env")
    ),
    "notify presents chat's secret": Mutation(
        stack.presents_its_own_service_name, put("notify", ("env_file", 3), "keys/chat.env")
    ),
    "presence presents another name": Mutation(
        stack.presents_its_own_service_name, put("presence", ("environment",), {"PARLEY_SERVICE_NAME": "chat"})
    ),
    "MongoDB is published": Mutation(stack.publishes_only_envoy_s_port, put("mongodb", ("ports",), ["27017:27017"])),
    "Envoy is published on all addresses": Mutation(
        stack.publishes_only_envoy_s_port, put("envoy", ("ports",), ["8080:8080"])
    ),
    "Envoy's admin is published": Mutation(
        stack.publishes_only_envoy_s_port,
        put("envoy", ("ports",), ["${PUBLISHED_AT:-127.0.0.1:8080}:8080", "9901:9901"]),
    ),
    "nothing is published": Mutation(stack.publishes_only_envoy_s_port, drop("envoy", ("ports",))),
    "stores reach the outside": Mutation(stack.isolates_the_stores, open_network("stores")),
    "the gateway reaches stores": Mutation(
        stack.isolates_the_stores, put("gateway", ("networks",), ["calls", "stores"])
    ),
    "MongoDB is among the callers": Mutation(
        stack.isolates_the_stores, put("mongodb", ("networks",), ["stores", "calls"])
    ),
    "calls leave the machine": Mutation(stack.isolates_calls_from_outside, open_network("calls")),
    "chat reaches the outside": Mutation(
        stack.isolates_calls_from_outside, put("chat", ("networks",), ["calls", "stores", "outside"])
    ),
    "auth reaches no issuer": Mutation(
        stack.isolates_calls_from_outside, put("auth", ("networks",), ["calls", "stores"])
    ),
    "the gateway calls chat itself": Mutation(
        stack.calls_services_through_envoy, put("gateway", ("environment",), {"PARLEY_CHAT_TARGET": "chat:50051"})
    ),
    "Envoy is in no network of callers": Mutation(
        stack.calls_services_through_envoy, put("envoy", ("networks",), ["outside"])
    ),
    "notify is in no network of callers": Mutation(
        stack.calls_services_through_envoy, put("notify", ("networks",), ["stores"])
    ),
    "chat listens on another port": Mutation(
        stack.matches_envoy_s_clusters, put("chat", ("environment",), {"PARLEY_LISTEN": "0.0.0.0:50052"})
    ),
    "the gateway listens on loopback": Mutation(
        stack.matches_envoy_s_clusters, put("gateway", ("environment",), {"PARLEY_HTTP_LISTEN": "127.0.0.1:8082"})
    ),
    "Envoy reads another path": Mutation(
        stack.runs_envoy_s_file_unchanged, put("envoy", ("command", 1), "/etc/envoy/other.yaml")
    ),
    "Envoy runs another file": Mutation(
        stack.runs_envoy_s_file_unchanged, put("envoy", ("volumes",), ["./envoy.yaml:/etc/envoy/envoy.yaml:ro"])
    ),
    "Envoy runs its image's file": Mutation(stack.runs_envoy_s_file_unchanged, drop("envoy", ("volumes",))),
    "the replica set has another name": Mutation(
        stack.has_working_store_addresses, put("mongodb", ("command", 1), "rs0")
    ),
    "the member has another name": Mutation(
        stack.has_working_store_addresses,
        put(
            "mongodb-set", ("command", 0), 'rs.initiate({ _id: "parley", members: [{ _id: 0, host: "mongo:27017" }] })'
        ),
    ),
    "the command looks for MongoDB elsewhere": Mutation(
        stack.has_working_store_addresses,
        put("parley", ("environment",), {"PARLEY_MONGODB_URI": "mongodb://localhost/"}),
    ),
    "chat looks for Valkey elsewhere": Mutation(
        stack.has_working_store_addresses, put("chat", ("environment",), {"PARLEY_REDIS_URL": "redis://redis:6379/0"})
    ),
    "the command starts with the others": Mutation(stack.can_be_administered, drop("parley", ("profiles",))),
    "the command has no secret": Mutation(stack.can_be_administered, drop("parley", ("env_file",))),
}
