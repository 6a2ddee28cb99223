"""What would be wrong with backups, one thing at a time."""

from __future__ import annotations

from typing import Final

from tests.k8s.edits import POD, Path, drop, forget, put
from tests.k8s.mutations.mutation import Mutation
from tests.k8s.policies import network, operations, pods

_POD: Final[Path] = ("spec", "jobTemplate", *POD)
_CONTAINER: Final[Path] = (*_POD, "containers", 0)

MUTATIONS: Final = {
    "no backups": Mutation(operations.is_backed_up_each_night, forget("CronJob", "backup")),
    "backups on Sundays": Mutation(
        operations.is_backed_up_each_night, put("CronJob", "backup", ("spec", "schedule"), "20 1 * * 0")
    ),
    "backups side by side": Mutation(
        operations.is_backed_up_each_night, put("CronJob", "backup", ("spec", "concurrencyPolicy"), "Allow")
    ),
    "backups nowhere": Mutation(operations.is_backed_up_each_night, forget("PersistentVolumeClaim", "backups")),
    "a restore each year": Mutation(
        operations.is_restored_when_somebody_says_so, put("CronJob", "restore", ("spec", "suspend"), value=False)
    ),
    "a restore that is tried again": Mutation(
        operations.is_restored_when_somebody_says_so,
        put("CronJob", "restore", ("spec", "jobTemplate", "spec", "backoffLimit"), 3),
    ),
    "a restore from elsewhere": Mutation(
        operations.is_restored_when_somebody_says_so,
        put("CronJob", "restore", (*_CONTAINER, "volumeMounts", 0, "mountPath"), "/data"),
    ),
    "a store that nobody names": Mutation(
        operations.knows_where_the_store_is, drop("CronJob", "backup", (*_CONTAINER, "env", 0))
    ),
    "a backup as root": Mutation(
        pods.runs_as_an_unprivileged_user,
        put("CronJob", "backup", (*_POD, "securityContext", "runAsUser"), 0),
    ),
    "a backup shut in": Mutation(
        network.reaches_its_stores,
        put(
            "NetworkPolicy",
            "mongodb-clients",
            ("spec", "podSelector"),
            {"matchLabels": {"app.kubernetes.io/component": "service"}},
        ),
    ),
}
