"""An image that holds what is needed to run, runs as nobody in particular, and says whether it serves."""

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

_NUMERIC: Final = re.compile(r"[1-9]\d*:[1-9]\d*")
_TAGGED: Final = re.compile(r"[^:@]+:(?!latest\b)[\w][\w.-]*(@sha256:[0-9a-f]{64})?")
_UNINSTALL: Final = " uninstall "
_PROJECTS: Final = ("pyproject.toml", "clients/python/pyproject.toml")
_POD: Final = ROOT / "deploy" / "k8s" / "base" / "shape" / "pod.yaml"
_PRIVATE: Final = (".git/config", ".env", ".parley/secrets.json", ".venv/pyvenv.cfg", "deploy/docker/keys/auth.env")


def runs_as_the_user_that_pods_have(plan: Plan) -> Iterator[str]:
    """By number, and not as root."""
    user = plan.image.last("USER")
    context = yaml.safe_load(_POD.read_text())["spec"]["template"]["spec"]["securityContext"]
    if user is None or not _NUMERIC.fullmatch(user.value):
        yield "the image's user must be two numbers, and not root's"
    elif user.value != f"{context['runAsUser']}:{context['runAsGroup']}":
        yield f"{user.value} is not the user that pods have"


def starts_from_a_named_version(plan: Plan) -> Iterator[str]:
    """And the same in each stage, since what is installed refers to the interpreter that installed it."""
    bases = {stage.base for stage in stages(plan.dockerfile)}
    if len(bases) != 1:
        yield f"stages start from different bases: {sorted(bases)}"
    for base in bases:
        if not _TAGGED.fullmatch(base):
            yield f"{base} is no named version"


def installs_what_is_locked(plan: Plan) -> Iterator[str]:
    """By hash, and from wheels, so that nothing of a package runs while it is installed."""
    for command in _commands(plan, " install "):
        locked = {"--require-hashes", "--only-binary"} <= {*command.split()}
        own = {"--no-deps", "--no-build-isolation", "."} <= {*command.split()}
        if not locked and not own:
            yield f"{command}: installs what no hash names"


def leaves_what_builds_behind(plan: Plan) -> Iterator[str]:
    """The image takes over what was installed, and installs nothing; whatever could install has been removed."""
    removed = {word for command in _commands(plan, _UNINSTALL) for word in command.partition(_UNINSTALL)[2].split()}
    if not {"setuptools", "pip"} <= removed:
        yield "pip and setuptools must be removed from what the image takes over"
    swept = {word for run in plan.image.of("RUN") if run.value.startswith("rm -rf ") for word in run.value.split()}
    for leftover in sorted(_pip_of(plan.image.base) - swept):
        yield f"{leftover} of the base must be removed"
    for run in plan.image.of("RUN"):
        if re.search(r"\b(apt-get|apt|pip3?) .*\binstall\b", run.value):
            yield f"{run.value}: belongs into a stage of its own"
    for copy in plan.image.of("COPY"):
        if copy.flags.get("from") not in {stage.name for stage in stages(plan.dockerfile)[:-1]}:
            yield f"COPY {copy.value}: must come from a stage"


def says_whether_it_serves(plan: Plan) -> Iterator[str]:
    """By a program that it has, without a shell."""
    command = plan.image.health_command
    if command is None or command[:2] != ["python", "-m"] or find_spec(command[2]) is None:
        yield "HEALTHCHECK must run a module of ours"


def lets_the_argument_choose(plan: Plan) -> Iterator[str]:
    """And the process is the first one of its container, so that signals reach it."""
    entry = plan.image.last("ENTRYPOINT")
    if entry is None or entry.arguments != ["python", "-m"]:
        yield "ENTRYPOINT must be python -m, and the argument the module"
    if plan.image.of("CMD"):
        yield "no process may be the one that runs by default"


def imports_from_nowhere_else(plan: Plan) -> Iterator[str]:
    """Not from the folder it happens to run in; and it says its last words."""
    for variable in ("PYTHONSAFEPATH", "PYTHONUNBUFFERED"):
        if plan.image.environment.get(variable) != "1":
            yield f"{variable} must be 1"


def names_the_ports_that_it_has(plan: Plan) -> Iterator[str]:
    """Those of the table of processes."""
    exposed = {int(port) for instruction in plan.image.of("EXPOSE") for port in instruction.value.split()}
    listened = {listener.cluster_port for service in SERVICES for listener in service.listeners}
    if exposed != listened:
        yield f"EXPOSE names {sorted(exposed)}, and processes listen on {sorted(listened)}"


def is_built_from_nothing_private(plan: Plan) -> Iterator[str]:
    """What stays on the machine that builds."""
    for path in _PRIVATE:
        if is_sent(path, plan.ignore):
            yield f"{path} would be part of the build"


def is_built_from_what_runs(plan: Plan) -> Iterator[str]:
    """The modules of every process, of the health check, and the client that the `parley` command uses."""
    health = (plan.image.health_command or [""])[-1].replace(".", "/")
    modules = [f"{service.module.replace('.', '/')}/__main__" for service in SERVICES]
    modules += [health, "cli/__main__", "chassis/process", "gen/parley/chat/v1/message_pb2"]
    modules += ["clients/python/parley_client/__init__", "deploy/envoy_edit"]
    for path in (*(f"{module}.py" for module in modules), *_PROJECTS):
        if not is_sent(path, plan.ignore):
            yield f"{path} is not part of the build"


def _pip_of(base: str) -> set[str]:
    """Where the base has pip, and what could bring it back."""
    version = base.partition(":")[2].partition("-")[0]
    library = f"/usr/local/lib/python{version}"
    return {f"{library}/site-packages/*", f"{library}/ensurepip", "/usr/local/bin/pip*", "/usr/local/bin/wheel"}


def _commands(plan: Plan, word: str) -> list[str]:
    runs = [run.value for stage in stages(plan.dockerfile) for run in stage.of("RUN")]
    return [part.strip() for run in runs for part in run.split("&&") if word in part]
