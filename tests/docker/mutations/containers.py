"""Mutations of single containers."""

from __future__ import annotations

from typing import Final

from tests.docker.mutations.mutation import Mutation, drop, instruct, put
from tests.docker.policies import containers

MUTATIONS: Final = {
    "Envoy runs as its image likes": Mutation(containers.runs_as_an_unprivileged_user, drop("envoy", ("user",))),
    "MongoDB runs as root": Mutation(containers.runs_as_an_unprivileged_user, put("mongodb", ("user",), "0:0")),
    "chat runs as root": Mutation(containers.runs_as_an_unprivileged_user, put("chat", ("user",), "root")),
    "the image runs as root": Mutation(containers.runs_as_an_unprivileged_user, instruct("USER 10001:10001", "USER 0")),
    "auth's root file system is writable": Mutation(
        containers.writes_only_to_volumes, put("auth", ("read_only",), False)
    ),
    "Envoy's file is writable": Mutation(
        containers.writes_only_to_volumes,
        put("envoy", ("volumes",), ["../../gateway/envoy/envoy.yaml:/etc/envoy"]),
    ),
    "the engine's socket is mounted": Mutation(
        containers.writes_only_to_volumes, put("gateway", ("volumes",), ["/var/run/docker.sock:/var/run/docker.sock"])
    ),
    "notify keeps capabilities": Mutation(containers.cannot_gain_privileges, put("notify", ("cap_drop",), ["MKNOD"])),
    "presence may gain privileges": Mutation(
        containers.cannot_gain_privileges, put("presence", ("security_opt",), ["no-new-privileges:false"])
    ),
    "the gateway is privileged": Mutation(containers.cannot_gain_privileges, put("gateway", ("privileged",), True)),
    "Envoy has the machine's network": Mutation(
        containers.cannot_gain_privileges, put("envoy", ("network_mode",), "host")
    ),
    "chat has no memory limit": Mutation(containers.has_resource_limits, drop("chat", ("mem_limit",))),
    "chat has no process limit": Mutation(containers.has_resource_limits, drop("chat", ("pids_limit",))),
    "auth's log fills the disk": Mutation(containers.has_resource_limits, drop("auth", ("logging",))),
    "Valkey has no health check": Mutation(containers.has_a_health_check, drop("valkey", ("healthcheck",))),
    "chat has no health check": Mutation(
        containers.has_a_health_check, put("chat", ("healthcheck",), {"disable": True})
    ),
    "a one-off job has a health check": Mutation(containers.has_a_health_check, drop("mongodb-set", ("healthcheck",))),
    "the gateway is not restarted": Mutation(containers.restarts_after_a_failure, put("gateway", ("restart",), "no")),
    "the replica set is initiated for ever": Mutation(
        containers.restarts_after_a_failure, put("mongodb-set", ("restart",), "unless-stopped")
    ),
    "chat is killed while it drains": Mutation(
        containers.has_time_to_shut_down, put("chat", ("stop_grace_period",), "18s")
    ),
    "the gateway has ten seconds": Mutation(containers.has_time_to_shut_down, drop("gateway", ("stop_grace_period",))),
    "chat does not wait for the replica set": Mutation(
        containers.waits_for_its_stores, drop("chat", ("depends_on", "mongodb-set"))
    ),
    "auth does not wait for Valkey's data": Mutation(
        containers.waits_for_its_stores,
        put("auth", ("depends_on", "valkey", "condition"), "service_started"),
    ),
    "the replica set is initiated before mongod runs": Mutation(
        containers.waits_for_its_stores, drop("mongodb-set", ("depends_on",))
    ),
    "Envoy stops before the gateway": Mutation(containers.stops_before_what_it_calls, drop("gateway", ("depends_on",))),
    "MongoDB has no volume": Mutation(containers.stores_data_in_volumes, drop("mongodb", ("volumes",))),
    "MongoDB writes elsewhere": Mutation(
        containers.stores_data_in_volumes, put("mongodb", ("volumes",), ["mongodb:/data"])
    ),
    "Valkey stores nothing": Mutation(containers.stores_data_in_volumes, put("valkey", ("command", 3), "no")),
    "another MongoDB than in the cluster": Mutation(
        containers.runs_the_cluster_s_images, put("mongodb", ("image",), "docker.io/library/mongo:7.0")
    ),
    "any Envoy": Mutation(containers.runs_the_cluster_s_images, put("envoy", ("image",), "envoyproxy/envoy")),
    "chat is built from elsewhere": Mutation(
        containers.is_built_from_the_repository, put("chat", ("build", "context"), ".")
    ),
    "chat runs another image": Mutation(containers.is_built_from_the_repository, put("chat", ("image",), "parley:old")),
}
