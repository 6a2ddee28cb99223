"""The environment variables of each process."""

import json
from collections.abc import Mapping
from types import MappingProxyType

import pytest

from deploy.local.credentials import Credentials
from deploy.local.environment import StackEnvironment, plain_environment, secret_names, service_settings
from deploy.local.options import StackOptions
from deploy.local.services import METRICS, OUTSIDE_CALLERS, RPC, SERVICES, Needs, Service

CRM = Service("crm_bridge", "services.crm_bridge", (RPC, METRICS), Needs.STORES, ("chat.read",))
PORTS = {"grpc": 1, "metrics": 2, "websocket": 3, "http": 4}


def stack_environment(
    services: tuple[Service, ...] = SERVICES,
    replicas: Mapping[str, int] = MappingProxyType({}),
    options: StackOptions | None = None,
) -> StackEnvironment:
    """Returns the shared configuration of a stack of these services."""
    secrets = {name: f"secret of {name}" for name in secret_names(services, OUTSIDE_CALLERS)}
    return StackEnvironment(
        services,
        replicas,
        OUTSIDE_CALLERS,
        Credentials(secrets, "key"),
        "mongodb://127.0.0.1:5/",
        "redis://127.0.0.1:6/0",
        8080,
        options or StackOptions(),
    )


def settings_of(name: str, shared: StackEnvironment | None = None) -> Mapping[str, str]:
    """Returns the settings of a service's first replica."""
    shared = shared or stack_environment()
    service = next(service for service in shared.services if service.name == name)
    return service_settings(service, f"{name}-1", PORTS, shared)


@pytest.mark.parametrize("name", [service.name for service in SERVICES])
def test_every_process_knows_itself_and_reaches_the_others_through_envoy(name: str) -> None:
    settings = settings_of(name)
    assert settings["PARLEY_REPLICA"] == f"{name}-1"
    assert settings["PARLEY_METRICS_LISTEN"] == "127.0.0.1:2"
    assert (settings["PARLEY_SERVICE_NAME"], settings["PARLEY_SERVICE_SECRET"]) == (name, f"secret of {name}")
    for target in ("AUTH", "CHAT", "PRESENCE", "NOTIFY"):
        assert settings[f"PARLEY_{target}_TARGET"] == "127.0.0.1:8080"
    assert "PARLEY_GATEWAY_TARGET" not in settings


@pytest.mark.parametrize("name", ["auth", "chat", "presence", "notify"])
def test_a_grpc_service_has_a_listener_and_a_database_of_its_own(name: str) -> None:
    settings = settings_of(name)
    assert settings["PARLEY_LISTEN"] == "127.0.0.1:1"
    assert settings["PARLEY_MONGODB_URI"] == "mongodb://127.0.0.1:5/"
    assert settings["PARLEY_MONGODB_DATABASE"] == f"parley_{name}"
    assert settings["PARLEY_REDIS_URL"] == "redis://127.0.0.1:6/0"


def test_the_gateway_reaches_no_database() -> None:
    settings = settings_of("gateway")
    assert settings["PARLEY_WEBSOCKET_LISTEN"] == "127.0.0.1:3"
    assert settings["PARLEY_HTTP_LISTEN"] == "127.0.0.1:4"
    assert "http://localhost:8080" in json.loads(settings["PARLEY_ALLOWED_ORIGINS"])
    assert not {"PARLEY_LISTEN", "PARLEY_MONGODB_URI", "PARLEY_REDIS_URL"} & settings.keys()


def test_auth_alone_knows_everyones_secrets() -> None:
    holders = [service.name for service in SERVICES if "PARLEY_SERVICE_CREDENTIALS" in settings_of(service.name)]
    assert holders == ["auth"]


def test_the_scopes_are_those_that_each_caller_needs_and_no_more() -> None:
    credentials = json.loads(settings_of("auth")["PARLEY_SERVICE_CREDENTIALS"])
    assert {name: entry["scopes"] for name, entry in credentials.items()} == {
        "gateway": ["users.act", "streams.subscribe", "revocations.watch", "directory.read"],
        "chat": ["directory.read", "chat.read", "revocations.watch"],
        "presence": ["directory.read", "chat.read", "revocations.watch"],
        "notify": ["directory.read", "chat.read", "revocations.watch"],
        "operator": ["organizations.write", "users.write"],
        "crm": ["notifications.write", "directory.read"],
    }
    assert {tuple(entry["organizations"]) for entry in credentials.values()} == {("*",)}
    assert credentials["operator"]["secret"] == "secret of operator"


def test_a_line_in_the_table_is_all_that_a_new_service_needs() -> None:
    shared = stack_environment((*SERVICES, CRM))
    assert settings_of("crm_bridge", shared)["PARLEY_MONGODB_DATABASE"] == "parley_crm_bridge"
    assert settings_of("gateway", shared)["PARLEY_CRM_BRIDGE_TARGET"] == "127.0.0.1:8080"
    credentials = json.loads(settings_of("auth", shared)["PARLEY_SERVICE_CREDENTIALS"])
    assert credentials["crm_bridge"]["scopes"] == ["chat.read"]


@pytest.mark.parametrize(("replicas", "shards"), [(1, 1), (2, 8), (32, 64)])
def test_the_gateway_spreads_its_calls_over_the_replicas_of_chat(replicas: int, shards: int) -> None:
    shared = stack_environment(replicas={"chat": replicas, "gateway": 5})
    assert settings_of("gateway", shared)["PARLEY_CHAT_SHARDS"] == str(shards)


def test_settings_of_a_service_can_be_added_and_replaced() -> None:
    options = StackOptions(settings={"auth": {"PARLEY_PASSWORD_MEMORY_KIB": "1024", "PARLEY_LOG_LEVEL": "debug"}})
    shared = stack_environment(options=options)
    assert settings_of("auth", shared)["PARLEY_PASSWORD_MEMORY_KIB"] == "1024"
    assert settings_of("auth", shared)["PARLEY_LOG_LEVEL"] == "debug"
    assert settings_of("chat", shared)["PARLEY_LOG_LEVEL"] == "info"


def test_services_inherit_no_settings_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_LISTEN", "0.0.0.0:1")
    monkeypatch.setenv("LANG_OF_THE_USER", "de")
    environment = plain_environment()
    assert "PARLEY_LISTEN" not in environment
    assert environment["LANG_OF_THE_USER"] == "de"
