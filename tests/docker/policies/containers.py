"""Single containers: privileges, limits, health, restart and shutdown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import yaml

from tests.docker.plan import ONCE, ROOT, SETTINGS, STORED, TOOLS, Plan

_NUMERIC: Final = re.compile(r"[1-9]\d*:[1-9]\d*")
_SECONDS: Final = re.compile(r"(\d+)s")
_HOST_OPTIONS: Final = ("privileged", "pid", "ipc", "network_mode", "userns_mode", "devices", "cap_add")
_K8S: Final = ROOT / "deploy" / "k8s"
_MANIFESTS: Final = ("base/envoy/deployment.yaml", "overlays/dev/mongodb.yaml", "overlays/dev/valkey.yaml")


def runs_as_an_unprivileged_user(plan: Plan) -> Iterator[str]:
    """Containers run as a numeric user and group that are not root, from the image or compose.yaml."""
    image_user = plan.image.last("USER")
    for name, container in plan.containers.items():
        user = container.get("user", image_user.value if image_user and "build" in container else "")
        if not _NUMERIC.fullmatch(str(user)):
            yield f"{name}: must run as a numeric user and group that are not root"


def writes_only_to_volumes(plan: Plan) -> Iterator[str]:
    """The root file system and all mounted files of the repository are read-only."""
    for name, container in plan.containers.items():
        if container.get("read_only") is not True:
            yield f"{name}: read_only must be true"
        for volume in container.get("volumes", []):
            source, _, options = str(volume).partition(":")
            if source not in plan.compose["volumes"] and not options.endswith(":ro"):
                yield f"{name}: {volume} must be a named volume, or read-only"


def cannot_gain_privileges(plan: Plan) -> Iterator[str]:
    """Containers have no capabilities, cannot gain privileges, and share no namespace or device with the host."""
    for name, container in plan.containers.items():
        if container.get("cap_drop") != ["ALL"] or container.get("security_opt") != ["no-new-privileges:true"]:
            yield f"{name}: must drop ALL capabilities and set no-new-privileges"
        for key in _HOST_OPTIONS:
            if key in container:
                yield f"{name}: {key} must not be set"


def has_resource_limits(plan: Plan) -> Iterator[str]:
    """Memory, processes and log size are limited."""
    for name, container in plan.containers.items():
        if not container.get("mem_limit") or not container.get("pids_limit"):
            yield f"{name}: mem_limit and pids_limit must be set"
        if container.get("logging", {}).get("driver") != "local":
            yield f"{name}: must use the rotating log driver `local`"


def has_a_health_check(plan: Plan) -> Iterator[str]:
    """Every permanent container has a health check, from compose.yaml or the image; others disable it."""
    for name, container in plan.containers.items():
        check: dict[str, Any] = container.get("healthcheck", {})
        inherited = "build" in container and plan.image.health_command is not None
        if name in ONCE | TOOLS:
            if check != {"disable": True}:
                yield f"{name}: must disable its health check, because it exits by itself"
        elif check.get("disable") or not (inherited or check.get("test", [""])[0] == "CMD"):
            yield f"{name}: needs a health check in exec form"


def restarts_after_a_failure(plan: Plan) -> Iterator[str]:
    """Permanent containers restart unless stopped, one-off containers on failure."""
    for name, container in plan.containers.items():
        wanted = "no" if name in TOOLS else "on-failure" if name in ONCE else "unless-stopped"
        if container.get("restart") != wanted:
            yield f"{name}: restart must be {wanted}"


def has_time_to_shut_down(plan: Plan) -> Iterator[str]:
    """The stop grace period covers shutdown delay and drain."""
    for name, container in plan.processes.items():
        environment = plan.environment(name)
        fields = SETTINGS[name].model_fields
        names = [field for field in ("shutdown_delay_seconds", "drain_seconds") if field in fields]
        needed = sum(float(environment.get(f"PARLEY_{field.upper()}", fields[field].default)) for field in names)
        period = _SECONDS.fullmatch(container.get("stop_grace_period", "10s"))
        if period is None or float(period[1]) <= needed:
            yield f"{name}: stop_grace_period must exceed {needed:g} s"


def waits_for_its_stores(plan: Plan) -> Iterator[str]:
    """Services start once the replica set is initiated and Valkey has loaded its data."""
    wanted = {"mongodb-set": "service_completed_successfully", "valkey": "service_healthy"}
    for name in sorted(STORED):
        conditions = {on: item["condition"] for on, item in plan.containers[name].get("depends_on", {}).items()}
        if not wanted.items() <= conditions.items():
            yield f"{name}: must wait for {wanted}"
    for name in sorted(ONCE):
        if plan.containers[name].get("depends_on") != {"mongodb": {"condition": "service_healthy"}}:
            yield f"{name}: must wait until mongodb is healthy"


def stops_before_what_it_calls(plan: Plan) -> Iterator[str]:
    """Processes depend on Envoy, so that Compose stops them first: while draining they still call others through it."""
    for name, container in plan.processes.items():
        if "envoy" not in container.get("depends_on", {}):
            yield f"{name}: must depend on envoy"


def stores_data_in_volumes(plan: Plan) -> Iterator[str]:
    """Each store's data folder is a named volume."""
    for name, option in {"mongodb": "--dbpath", "valkey": "--dir"}.items():
        container = plan.containers[name]
        folder = dict(zip(container["command"], container["command"][1:], strict=False)).get(option)
        if f"{name}:{folder}" not in container.get("volumes", []) or name not in plan.compose["volumes"]:
            yield f"{name}: {folder} must be its named volume"
    if "yes" not in plan.containers["valkey"]["command"]:
        yield "valkey: must write an append-only file"


def runs_the_cluster_s_images(plan: Plan) -> Iterator[str]:
    """The images of Envoy, MongoDB and Valkey are those of the Kubernetes manifests, which other policies check."""
    documents = [item for path in _MANIFESTS for item in yaml.safe_load_all((_K8S / path).read_text())]
    pods = [item["spec"]["template"]["spec"] for item in documents if item["kind"] in {"Deployment", "StatefulSet"}]
    images = {container["image"] for pod in pods for container in pod["containers"]}
    for name, container in plan.containers.items():
        if "build" not in container and container["image"] not in images:
            yield f"{name}: {container['image']} is not one of {sorted(images)}"


def is_built_from_the_repository(plan: Plan) -> Iterator[str]:
    """All processes and the parley command use one image, built from this repository."""
    for name in [*plan.processes, *TOOLS]:
        container = plan.containers[name]
        if container.get("build") != {"context": "../..", "dockerfile": "deploy/docker/Dockerfile"}:
            yield f"{name}: must be built from deploy/docker/Dockerfile"
    if len({plan.containers[name]["image"] for name in [*plan.processes, *TOOLS]}) != 1:
        yield "the processes use different images"
