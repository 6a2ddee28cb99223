"""The image: what it contains, how it starts, and its user, ports and health check."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Final

import yaml

from deploy.local.services import SERVICES
from tests.docker.context import is_sent
from tests.docker.dockerfile import stages
from tests.docker.plan import ROOT, Plan

_UNINSTALL: Final = " uninstall "
_PROJECTS: Final = ("pyproject.toml", "clients/python/pyproject.toml")
_POD: Final = ROOT / "deploy" / "k8s" / "base" / "shape" / "pod.yaml"
_PRIVATE: Final = (".git/config", ".env", ".parley/secrets.json", ".venv/pyvenv.cfg", "deploy/docker/keys/auth.env")


def runs_as_the_pods_user(plan: Plan) -> Iterator[str]:
    """The image's user is the numeric, unprivileged user of the Kubernetes pods."""
    user = plan.image.last("USER")
    context = yaml.safe_load(_POD.read_text())["spec"]["template"]["spec"]["securityContext"]
    expected = f"{context['runAsUser']}:{context['runAsGroup']}"
    if user is None or user.value != expected:
        yield f"USER must be {expected}, the user of the pods"


def has_one_base_image(plan: Plan) -> Iterator[str]:
    """All stages have the same base image: the installed packages refer to its interpreter."""
    bases = {stage.base for stage in stages(plan.dockerfile)}
    if len(bases) != 1:
        yield f"stages start from different bases: {sorted(bases)}"


def installs_only_locked_packages(plan: Plan) -> Iterator[str]:
    """Packages are installed by hash and from wheels, so that no package's code runs during installation."""
    for command in _commands(plan, " install "):
        locked = {"--require-hashes", "--only-binary"} <= {*command.split()}
        own = {"--no-deps", "--no-build-isolation", "."} <= {*command.split()}
        if not locked and not own:
            yield f"{command}: installs packages without hashes"


def contains_no_build_tools(plan: Plan) -> Iterator[str]:
    """The image copies installed packages from the build stage, installs nothing itself, and contains no pip."""
    removed = {word for command in _commands(plan, _UNINSTALL) for word in command.partition(_UNINSTALL)[2].split()}
    if not {"setuptools", "pip"} <= removed:
        yield "pip and setuptools must be uninstalled in the build stage"
    deleted = {word for run in plan.image.of("RUN") if run.value.startswith("rm -rf ") for word in run.value.split()}
    for leftover in sorted(_pip_of(plan.image.base) - deleted):
        yield f"{leftover} of the base image must be deleted"
    for run in plan.image.of("RUN"):
        if re.search(r"\b(apt-get|apt|pip3?) .*\binstall\b", run.value):
            yield f"{run.value}: must be in the build stage"
    for copy in plan.image.of("COPY"):
        if copy.flags.get("from") not in {stage.name for stage in stages(plan.dockerfile)[:-1]}:
            yield f"COPY {copy.value}: must copy from a build stage"


def has_a_health_check(plan: Plan) -> Iterator[str]:
    """The health check runs an existing module, without a shell."""
    command = plan.image.health_command
    if command is None or command[:2] != ["python", "-m"] or find_spec(command[2]) is None:
        yield "HEALTHCHECK must run an existing module in exec form"


def runs_the_module_in_its_argument(plan: Plan) -> Iterator[str]:
    """The argument selects the module, which runs as the container's first process, so that signals reach it."""
    entry = plan.image.last("ENTRYPOINT")
    if entry is None or entry.arguments != ["python", "-m"]:
        yield "ENTRYPOINT must be python -m"
    if plan.image.of("CMD"):
        yield "CMD must not be set: there is no default process"


def imports_only_installed_packages(plan: Plan) -> Iterator[str]:
    """Python never imports from the working directory, and does not buffer its output."""
    for variable in ("PYTHONSAFEPATH", "PYTHONUNBUFFERED"):
        if plan.image.environment.get(variable) != "1":
            yield f"{variable} must be 1"


def exposes_its_ports(plan: Plan) -> Iterator[str]:
    """EXPOSE names the ports of all services."""
    exposed = {int(port) for instruction in plan.image.of("EXPOSE") for port in instruction.value.split()}
    listened = {listener.cluster_port for service in SERVICES for listener in service.listeners}
    if exposed != listened:
        yield f"EXPOSE names {sorted(exposed)}, but the services listen on {sorted(listened)}"


def is_built_without_private_files(plan: Plan) -> Iterator[str]:
    """No private file is sent to the build."""
    for path in _PRIVATE:
        if is_sent(path, plan.ignore):
            yield f"{path} would be sent to the build"


def is_built_with_every_program(plan: Plan) -> Iterator[str]:
    """All processes, the health check, and the `parley` command with its client are sent to the build."""
    health = (plan.image.health_command or [""])[-1].replace(".", "/")
    modules = [f"{service.module.replace('.', '/')}/__main__" for service in SERVICES]
    modules += [health, "cli/__main__", "chassis/process", "gen/parley/chat/v1/message_pb2"]
    modules += ["clients/python/parley_client/__init__", "deploy/envoy_edit"]
    for path in (*(f"{module}.py" for module in modules), *_PROJECTS):
        if not is_sent(path, plan.ignore):
            yield f"{path} is not sent to the build"


def _pip_of(base: str) -> set[str]:
    """Returns the base image's paths of pip and of what could reinstall it."""
    version = base.partition(":")[2].partition("-")[0]
    library = f"/usr/local/lib/python{version}"
    return {f"{library}/site-packages/*", f"{library}/ensurepip", "/usr/local/bin/pip*", "/usr/local/bin/wheel"}


def _commands(plan: Plan, word: str) -> list[str]:
    runs = [run.value for stage in stages(plan.dockerfile) for run in stage.of("RUN")]
    return [part.strip() for run in runs for part in run.split("&&") if word in part]
