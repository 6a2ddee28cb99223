"""What would be wrong with a container by itself."""

from __future__ import annotations

from typing import Final

from tests.docker.mutations.mutation import Mutation, drop, instruct, put
from tests.docker.policies import containers

MUTATIONS: Final = {
    "Envoy runs as its image likes": Mutation(containers.runs_as_an_unprivileged_user, drop("envoy", ("user",))),
    "MongoDB runs as root": Mutation(containers.runs_as_an_unprivileged_user, put("mongodb", ("user",), "0:0")),
    "chat runs as root": Mutation(containers.runs_as_an_unprivileged_user, put("chat", ("user",), "root")),
    "the image of all is root's": Mutation(
        containers.runs_as_an_unprivileged_user, instruct("USER 10001:10001", "USER 0")
    ),
    "auth's root can be written": Mutation(containers.writes_to_volumes_alone, put("auth", ("read_only",), False)),
    "Envoy's file can be written": Mutation(
        containers.writes_to_volumes_alone,
        put("envoy", ("volumes",), ["../../gateway/envoy/envoy.yaml:/etc/envoy"]),
    ),
    "the engine's socket is mounted": Mutation(
        containers.writes_to_volumes_alone, put("gateway", ("volumes",), ["/var/run/docker.sock:/var/run/docker.sock"])
    ),
    "notify keeps capabilities": Mutation(containers.cannot_gain_privileges, put("notify", ("cap_drop",), ["MKNOD"])),
    "presence may gain privileges": Mutation(
        containers.cannot_gain_privileges, put("presence", ("security_opt",), ["no-new-privileges:false"])
    ),
    "the gateway is privileged": Mutation(containers.cannot_gain_privileges, put("gateway", ("privileged",), True)),
    "Envoy has the machine's network": Mutation(
        containers.cannot_gain_privileges, put("envoy", ("network_mode",), "host")
    ),
    "chat takes all memory": Mutation(containers.takes_no_more_than_its_share, drop("chat", ("mem_limit",))),
    "chat forks without end": Mutation(containers.takes_no_more_than_its_share, drop("chat", ("pids_limit",))),
    "auth's log fills the disk": Mutation(containers.takes_no_more_than_its_share, drop("auth", ("logging",))),
    "nobody asks Valkey for its health": Mutation(containers.says_whether_it_serves, drop("valkey", ("healthcheck",))),
    "nobody asks chat for its health": Mutation(
        containers.says_whether_it_serves, put("chat", ("healthcheck",), {"disable": True})
    ),
    "what ends is asked for its health": Mutation(
        containers.says_whether_it_serves, drop("mongodb-set", ("healthcheck",))
    ),
    "the gateway stays dead": Mutation(containers.comes_back_when_it_dies, put("gateway", ("restart",), "no")),
    "the replica set is made for ever": Mutation(
        containers.comes_back_when_it_dies, put("mongodb-set", ("restart",), "unless-stopped")
    ),
    "chat is killed while it drains": Mutation(containers.has_time_to_end, put("chat", ("stop_grace_period",), "18s")),
    "the gateway has ten seconds": Mutation(containers.has_time_to_end, drop("gateway", ("stop_grace_period",))),
    "chat does not wait for the replica set": Mutation(
        containers.starts_when_its_stores_take_writes, drop("chat", ("depends_on", "mongodb-set"))
    ),
    "auth does not wait for Valkey's data": Mutation(
        containers.starts_when_its_stores_take_writes,
        put("auth", ("depends_on", "valkey", "condition"), "service_started"),
    ),
    "the set is made before there is a server": Mutation(
        containers.starts_when_its_stores_take_writes, drop("mongodb-set", ("depends_on",))
    ),
    "Envoy stops before the gateway": Mutation(containers.stops_before_what_it_calls, drop("gateway", ("depends_on",))),
    "MongoDB's data dies with it": Mutation(containers.keeps_what_stores_hold, drop("mongodb", ("volumes",))),
    "MongoDB writes elsewhere": Mutation(
        containers.keeps_what_stores_hold, put("mongodb", ("volumes",), ["mongodb:/data"])
    ),
    "Valkey keeps nothing": Mutation(containers.keeps_what_stores_hold, put("valkey", ("command", 3), "no")),
    "another MongoDB than in the cluster": Mutation(
        containers.runs_what_the_cluster_runs, put("mongodb", ("image",), "docker.io/library/mongo:7.0")
    ),
    "any Envoy": Mutation(containers.runs_what_the_cluster_runs, put("envoy", ("image",), "envoyproxy/envoy")),
    "chat is built from elsewhere": Mutation(
        containers.is_built_from_the_repository, put("chat", ("build", "context"), ".")
    ),
    "chat runs another image": Mutation(containers.is_built_from_the_repository, put("chat", ("image",), "parley:old")),
}
