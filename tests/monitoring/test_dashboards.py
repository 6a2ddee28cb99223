"""A real Prometheus on a real stack has data for every query of the dashboards and alerts."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest
from parley_client.errors import ParleyError
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from deploy.local.run_file import read_run_file
from deploy.local.seed import seed_demo
from deploy.local.stack import LocalStack
from deploy.monitoring.boards import DASHBOARDS
from deploy.monitoring.scrape import scrape_configuration
from tests.e2e.conftest import Company, new_company
from tests.monitoring.prometheus import Prometheus, running_prometheus
from tests.monitoring.rules import ROOT, alerts

pytestmark = [pytest.mark.prometheus, pytest.mark.timeout(300)]

WINDOW = "30s"
PATIENCE_SECONDS = 90.0
QUERIES = {
    f"{board.uid} / {row.title} / {panel.title} / {query.legend}": query.scoped_expression.replace(
        "$__rate_interval", WINDOW
    ).replace("$namespace", ".*")
    for board in DASHBOARDS
    for row in board.rows
    for panel in row.panels
    for query in panel.queries
}
SERIES = {
    alert.name: re.sub(r"\[\d+[mh]\]", f"[{WINDOW}]", alert.series)
    for alert in alerts()
    if "kube_" not in alert.series  # kube-state-metrics, which only a cluster has
}


@pytest.fixture(scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalStack]:
    stack = LocalStack(tmp_path_factory.mktemp("stack"))
    async with stack:
        await seed_demo(stack.grpc_target, stack.credentials)
        yield stack


@pytest.fixture(scope="module")
async def prometheus(stack: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Prometheus]:
    running = read_run_file(stack.directory.root)
    assert running is not None
    configuration = scrape_configuration(running, interval="1s")
    async with (
        running_prometheus(tmp_path_factory.mktemp("prometheus"), configuration) as server,
        new_company(stack) as company,
        asyncio.TaskGroup() as group,
    ):
        traffic = group.create_task(_talk(company))
        yield server
        traffic.cancel()


async def _talk(company: Company) -> None:
    """Keeps two users busy, with valid and invalid requests."""
    await company.create_user("ann")
    await company.create_user("bob", "employee")
    ann, bob = await company.client("ann"), await company.client("bob")
    conversation = (await ann.conversation_direct(user_id="bob")).conversation.conversation_id
    while True:
        sent = await ann.send_message(conversation, "hello")
        await bob.typing_set(conversation_id=conversation, active=True)
        await bob.receipt_read(conversation_id=conversation, seq=sent.seq)
        await bob.presence_set(status="dnd" if sent.seq % 2 else "online", text="")
        await ann.message_list(conversation_id=conversation)
        await ann.presence_get(user_ids=["bob"])
        await bob.notification_list()
        with pytest.raises(ParleyError):
            await ann.conversation_direct(user_id="nobody")
        await _send_invalid_requests(company)
        await asyncio.sleep(0.2)


async def _send_invalid_requests(company: Company) -> None:
    url = company.stack.url
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=30) as client:
        account = {"email": f"ann@{company.organization_id}.example", "password": "not it"}
        await client.post("/api/auth/login", json=account)
    with pytest.raises(InvalidStatus):
        async with connect(url.replace("http", "ws") + "/ws", proxy=None):
            pass


async def until(condition: Callable[[], Awaitable[list[str]]]) -> list[str]:
    """Waits until nothing is missing; returns what is still missing at the timeout."""
    deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
    while (missing := await condition()) and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(1.0)
    return missing


async def test_every_process_is_scraped(prometheus: Prometheus) -> None:
    jobs = {"auth", "chat", "presence", "notify", "gateway", "envoy"}

    async def not_scraped() -> list[str]:
        return sorted(jobs - {each["labels"]["job"] for each in await prometheus.targets() if each["health"] == "up"})

    assert await until(not_scraped) == []


@pytest.mark.parametrize("queries", [QUERIES, SERIES], ids=["dashboards", "alerts"])
async def test_every_query_has_data(prometheus: Prometheus, queries: dict[str, str]) -> None:
    async def without_data() -> list[str]:
        return [name for name, expression in queries.items() if not await prometheus.query(expression)]

    assert await until(without_data) == []


async def test_every_metric_that_is_shown_is_documented(prometheus: Prometheus) -> None:
    documented = set(re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "metrics.md").read_text(), re.MULTILINE))
    shown = {name for name in await prometheus.metrics() if name.startswith(("parley_", "grpc_server_"))}
    assert "parley_gateway_connections" in shown
    assert {name for name in shown if not {name, re.sub(r"_(bucket|count|sum)$", "", name)} & documented} == set()


async def test_every_rule_evaluates_and_none_fires_on_a_healthy_stack(prometheus: Prometheus) -> None:
    async def failing_rules() -> list[str]:
        return [
            f"{rule['name']}: {rule.get('lastError')}" for rule in await prometheus.rules() if rule["health"] != "ok"
        ]

    assert await until(failing_rules) == []
    firing = [rule["name"] for rule in await prometheus.rules() if rule.get("state") == "firing"]
    assert firing == []


async def test_a_service_that_is_away_is_noticed(stack: LocalStack, prometheus: Prometheus) -> None:
    """Runs last, since it stops notify. Pending suffices: an alert fires only after its `for` duration."""
    noticed = {"ParleyProcessDown", "ParleyUpstreamWithoutReplica", "ParleyStreamDown"}

    async def unnoticed() -> list[str]:
        raised = {rule["name"] for rule in await prometheus.rules() if rule.get("state") in {"pending", "firing"}}
        return sorted(noticed - raised)

    await stack.processes["notify-1"].stop()
    assert await until(unnoticed) == []
