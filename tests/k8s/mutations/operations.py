"""Mutations of the operations jobs."""

from __future__ import annotations

from typing import Final

from tests.k8s.edits import POD, Path, drop, put, remove
from tests.k8s.mutations.mutation import Mutation
from tests.k8s.policies import network, operations, pods

_POD: Final[Path] = ("spec", "jobTemplate", *POD)
_CONTAINER: Final[Path] = (*_POD, "containers", 0)

MUTATIONS: Final = {
    "no backups": Mutation(operations.is_backed_up_each_night, remove("CronJob", "backup")),
    "backups on Sundays": Mutation(
        operations.is_backed_up_each_night, put("CronJob", "backup", ("spec", "schedule"), "20 1 * * 0")
    ),
    "concurrent backups": Mutation(
        operations.is_backed_up_each_night, put("CronJob", "backup", ("spec", "concurrencyPolicy"), "Allow")
    ),
    "backups nowhere": Mutation(operations.is_backed_up_each_night, remove("PersistentVolumeClaim", "backups")),
    "a scheduled restore": Mutation(
        operations.is_restored_only_on_demand, put("CronJob", "restore", ("spec", "suspend"), value=False)
    ),
    "a restore that is retried": Mutation(
        operations.is_restored_only_on_demand,
        put("CronJob", "restore", ("spec", "jobTemplate", "spec", "backoffLimit"), 3),
    ),
    "a restore from elsewhere": Mutation(
        operations.is_restored_only_on_demand,
        put("CronJob", "restore", (*_CONTAINER, "volumeMounts", 0, "mountPath"), "/data"),
    ),
    "no store URI": Mutation(
        operations.reads_the_store_s_uri_from_a_secret, drop("CronJob", "backup", (*_CONTAINER, "env", 0))
    ),
    "a backup without a group": Mutation(
        pods.declares_an_unprivileged_user_and_group,
        drop("CronJob", "backup", (*_POD, "securityContext", "runAsGroup")),
    ),
    "a backup without access to MongoDB": Mutation(
        network.reaches_exactly_its_stores,
        put(
            "NetworkPolicy",
            "mongodb-clients",
            ("spec", "podSelector"),
            {"matchLabels": {"app.kubernetes.io/component": "service"}},
        ),
    ),
}
