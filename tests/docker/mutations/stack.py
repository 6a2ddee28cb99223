"""What would be wrong with how containers go together."""

from __future__ import annotations

from typing import Final

from tests.docker.mutations.mutation import Mutation, drop, open_network, put
from tests.docker.policies import stack

_SERVICE: Final = "../k8s/base/shape/service.env"

MUTATIONS: Final = {
    "notify runs presence": Mutation(stack.runs_every_process, put("notify", ("command",), ["services.presence"])),
    "chat is started otherwise": Mutation(stack.runs_every_process, put("chat", ("entrypoint",), ["sh"])),
    "variables are looked for where none are": Mutation(
        stack.refers_to_what_is_there, put("parley", ("env_file", 0), "keys/administrator.env")
    ),
    "a variable is misspelt": Mutation(
        stack.is_told_what_it_knows, put("gateway", ("environment",), {"PARLEY_CHAT_SHARD": "8"})
    ),
    "the gateway is told what services are": Mutation(
        stack.is_told_what_it_knows, put("gateway", ("env_file", 0), _SERVICE)
    ),
    "chat has no keys": Mutation(stack.is_told_what_it_needs, drop("chat", ("env_file", 3))),
    "the gateway knows no targets": Mutation(stack.is_told_what_it_needs, drop("gateway", ("env_file", 1))),
    "shards are no number": Mutation(
        stack.is_told_valid_values, put("gateway", ("environment", "PARLEY_CHAT_SHARDS"), "many")
    ),
    "a secret stands in the file": Mutation(
        stack.has_secrets_from_its_own_file, put("chat", ("environment",), {"PARLEY_SERVICE_SECRET": "x" * 32})
    ),
    "a store's address stands in the file": Mutation(
        stack.has_secrets_from_its_own_file, put("chat", ("environment",), {"PARLEY_REDIS_URL": "redis://valkey:6379"})
    ),
    "notify has chat's keys": Mutation(
        stack.has_secrets_from_its_own_file, put("notify", ("env_file", 3), "keys/chat.env")
    ),
    "notify shows chat's secret": Mutation(
        stack.shows_the_name_that_auth_knows, put("notify", ("env_file", 3), "keys/chat.env")
    ),
    "presence shows another name": Mutation(
        stack.shows_the_name_that_auth_knows, put("presence", ("environment",), {"PARLEY_SERVICE_NAME": "chat"})
    ),
    "MongoDB is published": Mutation(stack.publishes_envoy_s_port_alone, put("mongodb", ("ports",), ["27017:27017"])),
    "Envoy is published to everybody": Mutation(
        stack.publishes_envoy_s_port_alone, put("envoy", ("ports",), ["8080:8080"])
    ),
    "Envoy's admin is published": Mutation(
        stack.publishes_envoy_s_port_alone,
        put("envoy", ("ports",), ["${PUBLISHED_AT:-127.0.0.1:8080}:8080", "9901:9901"]),
    ),
    "nothing is published": Mutation(stack.publishes_envoy_s_port_alone, drop("envoy", ("ports",))),
    "stores reach the outside": Mutation(stack.reaches_stores_from_where_data_is_kept, open_network("stores")),
    "the gateway reaches stores": Mutation(
        stack.reaches_stores_from_where_data_is_kept, put("gateway", ("networks",), ["calls", "stores"])
    ),
    "MongoDB is among the callers": Mutation(
        stack.reaches_stores_from_where_data_is_kept, put("mongodb", ("networks",), ["stores", "calls"])
    ),
    "calls leave the machine": Mutation(stack.reaches_the_outside_where_it_must, open_network("calls")),
    "chat reaches the outside": Mutation(
        stack.reaches_the_outside_where_it_must, put("chat", ("networks",), ["calls", "stores", "outside"])
    ),
    "auth reaches no issuer": Mutation(
        stack.reaches_the_outside_where_it_must, put("auth", ("networks",), ["calls", "stores"])
    ),
    "the gateway calls chat itself": Mutation(
        stack.calls_others_through_envoy, put("gateway", ("environment",), {"PARLEY_CHAT_TARGET": "chat:50051"})
    ),
    "Envoy is in no network of callers": Mutation(
        stack.calls_others_through_envoy, put("envoy", ("networks",), ["outside"])
    ),
    "notify is in no network of callers": Mutation(
        stack.calls_others_through_envoy, put("notify", ("networks",), ["stores"])
    ),
    "chat listens on another port": Mutation(
        stack.is_where_envoy_looks_for_it, put("chat", ("environment",), {"PARLEY_LISTEN": "0.0.0.0:50052"})
    ),
    "the gateway listens on loopback": Mutation(
        stack.is_where_envoy_looks_for_it, put("gateway", ("environment",), {"PARLEY_HTTP_LISTEN": "127.0.0.1:8082"})
    ),
    "Envoy reads another place": Mutation(
        stack.runs_envoy_s_file_as_it_is, put("envoy", ("command", 1), "/etc/envoy/other.yaml")
    ),
    "Envoy runs another file": Mutation(
        stack.runs_envoy_s_file_as_it_is, put("envoy", ("volumes",), ["./envoy.yaml:/etc/envoy/envoy.yaml:ro"])
    ),
    "Envoy runs its image's file": Mutation(stack.runs_envoy_s_file_as_it_is, drop("envoy", ("volumes",))),
    "the replica set has another name": Mutation(stack.finds_its_stores, put("mongodb", ("command", 1), "rs0")),
    "the member has another name": Mutation(
        stack.finds_its_stores,
        put(
            "mongodb-set", ("command", 0), 'rs.initiate({ _id: "parley", members: [{ _id: 0, host: "mongo:27017" }] })'
        ),
    ),
    "the command looks for MongoDB elsewhere": Mutation(
        stack.finds_its_stores, put("parley", ("environment",), {"PARLEY_MONGODB_URI": "mongodb://localhost/"})
    ),
    "chat looks for Valkey elsewhere": Mutation(
        stack.finds_its_stores, put("chat", ("environment",), {"PARLEY_REDIS_URL": "redis://redis:6379/0"})
    ),
    "the command starts with the others": Mutation(stack.can_be_administered, drop("parley", ("profiles",))),
    "the command has no secret": Mutation(stack.can_be_administered, drop("parley", ("env_file",))),
}
