"""The local stack runs the edge's own configuration, with other addresses and nothing else changed."""

import re
from itertools import groupby

import pytest

from deploy.envoy_edit import CONFIG
from deploy.local.envoy import ADMIN, PUBLIC, STATUS, Address, render
from deploy.local.errors import StackError
from deploy.local.services import SERVICES

TEMPLATE = CONFIG.read_text()
ADDRESS = re.compile(r"address: (\S+), port_value: (\d+)")
PORT = re.compile(r"port_value: \d+")


def ports(replicas: int = 1) -> dict[Address, list[int]]:
    """Returns distinct ports for each replica of each address, as a stack would."""
    addresses: list[Address] = [PUBLIC, STATUS, ADMIN]
    counts = [1, 1, 1]
    for service in SERVICES:
        for listener in service.listeners:
            addresses.append((service.name, listener.cluster_port))
            counts.append(replicas)
    return {
        address: [21000 + 100 * index + replica for replica in range(count)]
        for index, (address, count) in enumerate(zip(addresses, counts, strict=True))
    }


def without_addresses(text: str) -> list[str]:
    """Returns the lines with hosts and ports masked and repeated endpoints merged."""
    lines = [PORT.sub("port_value: ?", ADDRESS.sub("address: ?, port_value: ?", line)) for line in text.splitlines()]
    return [line for line, _ in groupby(lines)]


@pytest.mark.parametrize("replicas", [1, 3])
def test_nothing_but_addresses_differs(replicas: int) -> None:
    assert without_addresses(render(TEMPLATE, ports(replicas))) == without_addresses(TEMPLATE)


def test_lines_without_an_address_are_the_same_to_the_byte() -> None:
    rendered = render(TEMPLATE, ports()).splitlines(keepends=True)
    for ours, theirs in zip(rendered, TEMPLATE.splitlines(keepends=True), strict=True):
        assert ours == theirs or "socket_address" in theirs


def test_every_address_becomes_one_of_this_machine() -> None:
    rendered = render(TEMPLATE, ports(2))
    addresses = ADDRESS.findall(rendered)
    assert {host for host, _ in addresses} == {"127.0.0.1"}
    assert {int(port) for _, port in addresses} <= {port for group in ports(2).values() for port in group}


def test_no_port_escapes_the_form_that_is_replaced() -> None:
    # An address written in another form would keep its cluster port, and two stacks would meet on it.
    rendered = render(TEMPLATE, ports())
    assert all(int(port) >= 21000 for port in re.findall(r"port_value: (\d+)", rendered))
    assert "port_value:\n" not in TEMPLATE


def test_each_replica_gets_an_endpoint_and_its_own_health_check_port() -> None:
    addresses = ports(2)
    rendered = render(TEMPLATE, addresses)
    for websocket, http in zip(addresses["gateway", 8081], addresses["gateway", 8082], strict=True):
        assert re.search(rf"port_value: {websocket} }} }}, health_check_config: {{ port_value: {http} }}", rendered)
    for port in addresses["chat", 50051]:
        assert rendered.count(f"port_value: {port} ") == 1


def test_an_upstream_that_the_stack_does_not_run_is_named() -> None:
    incomplete = {address: group for address, group in ports().items() if address[0] != "notify"}
    with pytest.raises(StackError, match="notify:50051"):
        render(TEMPLATE, incomplete)


def test_every_service_has_a_route_in_the_edge() -> None:
    for service in SERVICES:
        if service.serves_grpc:
            assert f"{{ prefix: /parley.{service.name}.v1. }}" in TEMPLATE
            assert f"    - name: {service.name}\n      type: STRICT_DNS" in TEMPLATE
