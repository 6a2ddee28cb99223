"""What an operator relies on when all else is gone."""

from __future__ import annotations

from collections.abc import Iterator

from tests.k8s.environment import MissingReferenceError, environment
from tests.k8s.manifests import Manifest, Manifests, Workload

_URI = "PARLEY_MONGODB_URI"


def is_backed_up_each_night(manifests: Manifests) -> Iterator[str]:
    """One backup at a time, not for ever, onto a volume that there is, and every day."""
    job = manifests.get("CronJob", "backup")
    if job is None or job["spec"].get("suspend"):
        yield "nothing is backed up"
        return
    if job["spec"]["schedule"].split()[2:] != ["*", "*", "*"]:
        yield "backup: must run every day"
    if (
        job["spec"].get("concurrencyPolicy") != "Forbid"
        or "activeDeadlineSeconds" not in job["spec"]["jobTemplate"]["spec"]
    ):
        yield "backup: must end before another begins"
    if "parley backup " not in _script(Workload(job)) or _volume(manifests, Workload(job)) is None:
        yield "backup: must make a backup on a volume that is claimed"


def is_restored_when_somebody_says_so(manifests: Manifests) -> Iterator[str]:
    """From where backups are; never by the clock, and never again by itself."""
    job, backup = manifests.get("CronJob", "restore"), manifests.get("CronJob", "backup")
    if job is None or not job["spec"].get("suspend"):
        yield "restore: must be there, and suspended"
        return
    restore = Workload(job)
    if restore.spec.get("backoffLimit") != 0 or restore.pod.get("restartPolicy") != "Never":
        yield "restore: must not be tried again by itself"
    if "parley restore " not in _script(restore):
        yield "restore: must restore"
    if backup and _volume(manifests, restore) != _volume(manifests, Workload(backup)):
        yield "restore: must read where backups are"


def knows_where_the_store_is(manifests: Manifests) -> Iterator[str]:
    """By a Secret of their own that keys.py makes."""
    for workload in manifests.workloads("operations"):
        for container in workload.containers:
            try:
                told = environment(manifests, container)
            except MissingReferenceError as error:
                yield f"{workload.name}: {error}"
                continue
            if _URI not in told or not _is_secret(container):
                yield f"{workload.name}: {_URI} must come from a Secret"


def _is_secret(container: Manifest) -> bool:
    return any(v["name"] == _URI and "secretKeyRef" in v.get("valueFrom", {}) for v in container["env"])


def _script(workload: Workload) -> str:
    return " ".join(workload.containers[0].get("command", []))


def _volume(manifests: Manifests, workload: Workload) -> str | None:
    """The claim that stands behind /backups."""
    mounts = {mount["mountPath"]: mount["name"] for mount in workload.containers[0].get("volumeMounts", [])}
    for volume in workload.pod.get("volumes", []):
        claim = volume.get("persistentVolumeClaim", {}).get("claimName")
        if claim and volume["name"] == mounts.get("/backups") and manifests.get("PersistentVolumeClaim", claim):
            return str(claim)
    return None
