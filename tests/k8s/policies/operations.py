"""Backups, restores and migrations."""

from __future__ import annotations

from collections.abc import Iterator

from tests.k8s.environment import MissingReferenceError, environment
from tests.k8s.manifests import Manifest, Manifests, Workload

_URI = "PARLEY_MONGODB_URI"


def is_backed_up_each_night(manifests: Manifests) -> Iterator[str]:
    """A daily job backs up to an existing volume, one at a time and with a deadline."""
    job = manifests.get("CronJob", "backup")
    if job is None or job["spec"].get("suspend"):
        yield "no backup job, or it is suspended"
        return
    if job["spec"]["schedule"].split()[2:] != ["*", "*", "*"]:
        yield "backup: must run every day"
    if (
        job["spec"].get("concurrencyPolicy") != "Forbid"
        or "activeDeadlineSeconds" not in job["spec"]["jobTemplate"]["spec"]
    ):
        yield "backup: must have a deadline, and must not run concurrently"
    if "parley backup " not in _script(Workload(job)) or _volume(manifests, Workload(job)) is None:
        yield "backup: must run `parley backup` to a claimed volume"


def is_restored_only_on_demand(manifests: Manifests) -> Iterator[str]:
    """The restore job reads the backups' volume, is suspended, and is never retried."""
    job, backup = manifests.get("CronJob", "restore"), manifests.get("CronJob", "backup")
    if job is None or not job["spec"].get("suspend"):
        yield "restore: must exist and be suspended"
        return
    restore = Workload(job)
    if restore.spec.get("backoffLimit") != 0 or restore.pod.get("restartPolicy") != "Never":
        yield "restore: must not be retried"
    if "parley restore " not in _script(restore):
        yield "restore: must run `parley restore`"
    if backup and _volume(manifests, restore) != _volume(manifests, Workload(backup)):
        yield "restore: must read the backups' volume"


def reads_the_store_s_uri_from_a_secret(manifests: Manifests) -> Iterator[str]:
    """The operations jobs read the store's URI from their own Secret, which keys.py generates."""
    for workload in manifests.workloads("operations"):
        for container in workload.containers:
            try:
                variables = environment(manifests, container)
            except MissingReferenceError as error:
                yield f"{workload.name}: {error}"
                continue
            if _URI not in variables or not _is_secret(container):
                yield f"{workload.name}: {_URI} must come from a Secret"


def _is_secret(container: Manifest) -> bool:
    return any(v["name"] == _URI and "secretKeyRef" in v.get("valueFrom", {}) for v in container["env"])


def _script(workload: Workload) -> str:
    return " ".join(workload.containers[0].get("command", []))


def _volume(manifests: Manifests, workload: Workload) -> str | None:
    """Returns the claim mounted at /backups, or None."""
    mounts = {mount["mountPath"]: mount["name"] for mount in workload.containers[0].get("volumeMounts", [])}
    for volume in workload.pod.get("volumes", []):
        claim = volume.get("persistentVolumeClaim", {}).get("claimName")
        if claim and volume["name"] == mounts.get("/backups") and manifests.get("PersistentVolumeClaim", claim):
            return str(claim)
    return None
