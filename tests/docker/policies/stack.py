"""A stack whose parts find each other, are told what they need, and are reached through one port."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
import yaml
from pydantic import SecretStr, ValidationError

from deploy.k8s.keys import MONGODB_URI, REDIS_URL
from tests.docker.plan import FOLDER, ONCE, PROCESSES, ROOT, SETTINGS, STORED, STORES, TOOLS, Plan, generated

_ENVOY: Final = ROOT / "gateway" / "envoy" / "envoy.yaml"
_PUBLIC_PORT: Final = 8080
_LOOPBACK: Final = "${PUBLISHED_AT:-127.0.0.1:8080}:8080"
_OURS: Final = "PARLEY_"


def runs_every_process(plan: Plan) -> Iterator[str]:
    """A container of a process's name runs it."""
    for name, process in PROCESSES.items():
        container = plan.containers.get(name, {})
        if container.get("command") != [process.module] or "entrypoint" in container:
            yield f"{name}: must run {process.module}"


def refers_to_what_is_there(plan: Plan) -> Iterator[str]:
    """Files of variables that somebody wrote, or that keys.py makes."""
    for name, container in plan.containers.items():
        for source in container.get("env_file", []):
            if source not in generated() and not (FOLDER / source).is_file():
                yield f"{name}: there is no {source}"


def is_told_what_it_knows(plan: Plan) -> Iterator[str]:
    """Nothing that its settings class would pass over: a slip of the pen is noticed."""
    for name in plan.processes:
        known = {_OURS + field.upper() for field in SETTINGS[name].model_fields}
        for variable in sorted(_told(plan, name).keys() - known):
            yield f"{name}: knows no {variable}"


def is_told_what_it_needs(plan: Plan) -> Iterator[str]:
    """Without these it would not start."""
    for name in plan.processes:
        fields = SETTINGS[name].model_fields.items()
        required = {_OURS + field.upper() for field, info in fields if info.is_required()}
        for variable in sorted(required - _told(plan, name).keys()):
            yield f"{name}: {variable} is missing"


def is_told_valid_values(plan: Plan) -> Iterator[str]:
    """The process's own class reads them."""
    for name in plan.processes:
        with pytest.MonkeyPatch.context() as environment:
            for variable in [variable for variable in os.environ if variable.startswith(_OURS)]:
                environment.delenv(variable)
            for variable, value in _told(plan, name).items():
                environment.setenv(variable, value)
            try:
                SETTINGS[name]()
            except ValidationError as error:
                yield from (f"{name}: {problem['loc']}: {problem['msg']}" for problem in error.errors())


def has_secrets_from_its_own_file(plan: Plan) -> Iterator[str]:
    """No secret stands in the repository, and no process is given another's."""
    for name, container in plan.processes.items():
        for source in container.get("env_file", []):
            if source.startswith("keys/") and source != f"keys/{name}.env":
                yield f"{name}: {source} is another's"
        plain = container.get("environment", {}).keys() | {
            variable
            for source in container.get("env_file", [])
            if not source.startswith("keys/") and (FOLDER / source).is_file()
            for variable in re.findall(r"^\w+", (FOLDER / source).read_text(), re.MULTILINE)
        }
        for variable in sorted(plain & _secret_variables(name)):
            yield f"{name}: {variable} must come from keys/"


def shows_the_name_that_auth_knows(plan: Plan) -> Iterator[str]:
    """With the secret that auth knows of it."""
    known: dict[str, Any] = json.loads(plan.environment("auth").get("PARLEY_SERVICE_CREDENTIALS", "{}"))
    for name in plan.processes.keys() - {"auth"}:
        told = plan.environment(name)
        shown = told.get("PARLEY_SERVICE_NAME"), told.get("PARLEY_SERVICE_SECRET")
        if shown != (name, known.get(name, {}).get("secret")):
            yield f"{name}: auth does not know what it shows"


def publishes_envoy_s_port_alone(plan: Plan) -> Iterator[str]:
    """To this machine alone, unless somebody says otherwise."""
    for name, container in plan.containers.items():
        if container.get("ports", []) != ([_LOOPBACK] if name == "envoy" else []):
            yield f"{name}: publishes {container.get('ports', 'nothing')}"


def reaches_stores_from_where_data_is_kept(plan: Plan) -> Iterator[str]:
    """The stores ask for no password, so nobody else is in their network, and nothing outside is."""
    if plan.compose["networks"]["stores"] != {"internal": True}:
        yield "stores must be internal"
    members = {name for name, container in plan.containers.items() if "stores" in container.get("networks", [])}
    if members != STORED | STORES | ONCE | TOOLS:
        yield f"in the network of the stores: {sorted(members)}"
    for name in STORES | ONCE:
        if plan.containers[name].get("networks") != ["stores"]:
            yield f"{name}: must be in the network of the stores alone"


def reaches_the_outside_where_it_must(plan: Plan) -> Iterator[str]:
    """Envoy is reached from there, auth asks issuers there; nobody else has business there."""
    if plan.compose["networks"]["calls"] != {"internal": True}:
        yield "calls must be internal"
    members = {name for name, container in plan.containers.items() if "outside" in container.get("networks", [])}
    if members != {"envoy", "auth"}:
        yield f"in the network to the outside: {sorted(members)}"


def calls_others_through_envoy(plan: Plan) -> Iterator[str]:
    """At the port on which it listens, in a network that both are in."""
    for name, container in plan.processes.items():
        for variable, value in plan.environment(name).items():
            if variable.endswith("_TARGET") and value != f"envoy:{_PUBLIC_PORT}":
                yield f"{name}: {variable} must be Envoy's public port"
        if "calls" not in container.get("networks", []):
            yield f"{name}: Envoy can't reach it"
    if "calls" not in plan.containers["envoy"].get("networks", []):
        yield "envoy: can't reach anybody"


def is_where_envoy_looks_for_it(plan: Plan) -> Iterator[str]:
    """Envoy's addresses are names of containers, and ports on which these listen on all addresses."""
    for host, port in _endpoints():
        if host not in plan.processes:
            yield f"Envoy looks for {host}, which is no container"
            continue
        listens = {value for variable, value in plan.environment(host).items() if variable.endswith("LISTEN")}
        if f"0.0.0.0:{port}" not in listens:
            yield f"{host}: Envoy expects it on port {port}"


def runs_envoy_s_file_as_it_is(plan: Plan) -> Iterator[str]:
    """The file of the repository, where its arguments say, and to be read alone."""
    container = plan.containers["envoy"]
    path = dict(zip(container["command"], container["command"][1:], strict=False)).get("--config-path")
    (mounted,) = container.get("volumes") or ["::"]
    source, target, options = mounted.split(":")
    if (FOLDER / source).resolve() != _ENVOY or (target, options) != (path, "ro"):
        yield f"envoy: must run gateway/envoy/envoy.yaml, and runs {mounted}"


def finds_its_stores(plan: Plan) -> Iterator[str]:
    """Addresses lead to containers, and the replica set has the name that clients and members know."""
    server = plan.containers["mongodb"]["command"]
    initiated = re.findall(r'_id: "(\w+)".*host: "([\w:]+)"', "".join(plan.containers["mongodb-set"]["command"]))
    for name in [*sorted(STORED), *TOOLS]:
        told = plan.environment(name)
        mongodb = urlsplit(told.get(MONGODB_URI, ""))
        named = mongodb.query.removeprefix("replicaSet=")
        if [(named, mongodb.netloc)] != initiated or f"--replSet {named} " not in " ".join(server):
            yield f"{name}: {MONGODB_URI} leads to no replica set"
        if name not in TOOLS and urlsplit(told.get(REDIS_URL, "")).hostname != "valkey":
            yield f"{name}: {REDIS_URL} leads nowhere"


def can_be_administered(plan: Plan) -> Iterator[str]:
    """The parley command knows the operator's secret, and is not started with the others."""
    tool = plan.containers["parley"]
    if tool.get("profiles") != ["tools"] or tool.get("entrypoint") != ["parley"]:
        yield "parley: must run the command, when somebody calls it"
    if "PARLEY_OPERATOR_SECRET" not in plan.environment("parley"):
        yield "parley: does not know the operator's secret"


def _told(plan: Plan, name: str) -> dict[str, str]:
    return {variable: value for variable, value in plan.environment(name).items() if variable.startswith(_OURS)}


def _secret_variables(name: str) -> set[str]:
    fields = SETTINGS[name].model_fields.items()
    secret = {field for field, info in fields if SecretStr.__name__ in repr(info.annotation)}
    return {_OURS + field.upper() for field in secret | {"service_credentials"}} | {MONGODB_URI, REDIS_URL}


def _endpoints() -> set[tuple[str, int]]:
    configuration = yaml.safe_load(_ENVOY.read_text())
    clusters = [c for c in configuration["static_resources"]["clusters"] if c["type"] != "STATIC"]
    groups = [group for cluster in clusters for group in cluster["load_assignment"]["endpoints"]]
    addresses = [end["endpoint"]["address"]["socket_address"] for group in groups for end in group["lb_endpoints"]]
    return {(address["address"], int(address["port_value"])) for address in addresses}
