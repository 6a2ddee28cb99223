"""Containers that can do little harm, each by itself, and that are started, watched and stopped as they need it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import yaml

from tests.docker.plan import ONCE, ROOT, SETTINGS, STORED, TOOLS, Plan

_NUMERIC: Final = re.compile(r"[1-9]\d*:[1-9]\d*")
_SECONDS: Final = re.compile(r"(\d+)s")
_SHARED_WITH_THE_MACHINE: Final = ("privileged", "pid", "ipc", "network_mode", "userns_mode", "devices", "cap_add")
_K8S: Final = ROOT / "deploy" / "k8s"
_MANIFESTS: Final = ("base/envoy/deployment.yaml", "overlays/dev/mongodb.yaml", "overlays/dev/valkey.yaml")


def runs_as_an_unprivileged_user(plan: Plan) -> Iterator[str]:
    """By number: what the image says, or its own line does."""
    ours = plan.image.last("USER")
    for name, container in plan.containers.items():
        user = container.get("user", ours.value if ours and "build" in container else "")
        if not _NUMERIC.fullmatch(str(user)):
            yield f"{name}: must run as a numeric user and group that are not root"


def writes_to_volumes_alone(plan: Plan) -> Iterator[str]:
    """The root is read-only, and so is every file of the repository that is mounted."""
    for name, container in plan.containers.items():
        if container.get("read_only") is not True:
            yield f"{name}: read_only must be true"
        for volume in container.get("volumes", []):
            source, _, options = str(volume).partition(":")
            if source not in plan.compose["volumes"] and not options.endswith(":ro"):
                yield f"{name}: {volume} must be a named volume, or read-only"


def cannot_gain_privileges(plan: Plan) -> Iterator[str]:
    """It has no capability, gets none, and shares nothing with the machine."""
    for name, container in plan.containers.items():
        if container.get("cap_drop") != ["ALL"] or container.get("security_opt") != ["no-new-privileges:true"]:
            yield f"{name}: must drop ALL capabilities, and gain no privileges"
        for key in _SHARED_WITH_THE_MACHINE:
            if key in container:
                yield f"{name}: {key} must not be set"


def takes_no_more_than_its_share(plan: Plan) -> Iterator[str]:
    """Of memory, of processes, and of the disk for what it says."""
    for name, container in plan.containers.items():
        if not container.get("mem_limit") or not container.get("pids_limit"):
            yield f"{name}: mem_limit and pids_limit must be set"
        if container.get("logging", {}).get("driver") != "local":
            yield f"{name}: its log must be of the driver that rotates"


def says_whether_it_serves(plan: Plan) -> Iterator[str]:
    """By a check of its own, or by the image's; what ends by itself has none."""
    for name, container in plan.containers.items():
        check: dict[str, Any] = container.get("healthcheck", {})
        inherited = "build" in container and plan.image.health_command is not None
        if name in ONCE | TOOLS:
            if check != {"disable": True}:
                yield f"{name}: ends by itself, and needs no health check"
        elif check.get("disable") or not (inherited or check.get("test", [""])[0] == "CMD"):
            yield f"{name}: needs a health check without a shell"


def comes_back_when_it_dies(plan: Plan) -> Iterator[str]:
    """Until somebody stops it; what ends by itself comes back if it failed."""
    for name, container in plan.containers.items():
        wanted = "no" if name in TOOLS else "on-failure" if name in ONCE else "unless-stopped"
        if container.get("restart") != wanted:
            yield f"{name}: restart must be {wanted}"


def has_time_to_end(plan: Plan) -> Iterator[str]:
    """What it takes to send everybody elsewhere, and to write what is left."""
    for name, container in plan.processes.items():
        told = plan.environment(name)
        fields = SETTINGS[name].model_fields
        names = [field for field in ("shutdown_delay_seconds", "drain_seconds") if field in fields]
        needed = sum(float(told.get(f"PARLEY_{field.upper()}", fields[field].default)) for field in names)
        period = _SECONDS.fullmatch(container.get("stop_grace_period", "10s"))
        if period is None or float(period[1]) <= needed:
            yield f"{name}: stop_grace_period must exceed {needed:g} s"


def starts_when_its_stores_take_writes(plan: Plan) -> Iterator[str]:
    """A replica set that is made, and a Valkey that has loaded what it had."""
    wanted = {"mongodb-set": "service_completed_successfully", "valkey": "service_healthy"}
    for name in sorted(STORED):
        awaited = {on: how["condition"] for on, how in plan.containers[name].get("depends_on", {}).items()}
        if not wanted.items() <= awaited.items():
            yield f"{name}: must wait for {wanted}"
    for name in sorted(ONCE):
        if plan.containers[name].get("depends_on") != {"mongodb": {"condition": "service_healthy"}}:
            yield f"{name}: must wait for mongodb to answer"


def stops_before_what_it_calls(plan: Plan) -> Iterator[str]:
    """A process that drains still calls others, through Envoy; Compose stops it before what it depends on."""
    for name, container in plan.processes.items():
        if "envoy" not in container.get("depends_on", {}):
            yield f"{name}: must depend on envoy"


def keeps_what_stores_hold(plan: Plan) -> Iterator[str]:
    """In a volume that outlives the container, where the store is told to put it."""
    for name, option in {"mongodb": "--dbpath", "valkey": "--dir"}.items():
        container = plan.containers[name]
        folder = dict(zip(container["command"], container["command"][1:], strict=False)).get(option)
        if f"{name}:{folder}" not in container.get("volumes", []) or name not in plan.compose["volumes"]:
            yield f"{name}: {folder} must be a volume of its own"
    if "yes" not in plan.containers["valkey"]["command"]:
        yield "valkey: must keep an append-only file"


def runs_what_the_cluster_runs(plan: Plan) -> Iterator[str]:
    """The same images of Envoy, MongoDB and Valkey as in Kubernetes, where others hold them to what is tested."""
    documents = [item for path in _MANIFESTS for item in yaml.safe_load_all((_K8S / path).read_text())]
    pods = [item["spec"]["template"]["spec"] for item in documents if item["kind"] in {"Deployment", "StatefulSet"}]
    images = {container["image"] for pod in pods for container in pod["containers"]}
    for name, container in plan.containers.items():
        if "build" not in container and container["image"] not in images:
            yield f"{name}: {container['image']} is none of {sorted(images)}"


def is_built_from_the_repository(plan: Plan) -> Iterator[str]:
    """All processes and the command are one image."""
    for name in [*plan.processes, *TOOLS]:
        container = plan.containers[name]
        if container.get("build") != {"context": "../..", "dockerfile": "deploy/docker/Dockerfile"}:
            yield f"{name}: must be built from the Dockerfile"
    if len({plan.containers[name]["image"] for name in [*plan.processes, *TOOLS]}) != 1:
        yield "processes run different images"
