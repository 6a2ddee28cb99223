"""The tracing edit of Envoy's configuration makes Envoy a step of a batch's trace, and changes nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.envoy_edit import CONFIG, UnexpectedConfigurationError
from deploy.local import plan
from deploy.local.options import StackOptions
from deploy.local.seed import seed_demo
from deploy.local.stack import LocalStack
from deploy.monitoring.envoy_tracing import with_tracing
from tests.e2e.conftest import new_company
from tests.e2e.waiting import until
from tests.monitoring.collector import collecting
from tests.monitoring.test_traces import METHOD, TRACED, spans_of


def test_all_other_lines_stay() -> None:
    before = CONFIG.read_text()
    after = with_tracing(before, "collector", 4317)
    lines = iter(after.splitlines())
    assert all(line in lines for line in before.splitlines())


def test_an_unknown_configuration_is_rejected() -> None:
    with pytest.raises(UnexpectedConfigurationError):
        with_tracing("static_resources: {}\n", "collector", 4317)


async def test_envoy_is_between_gateway_and_chat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with collecting() as collector:
        host, _, port = collector.endpoint.removeprefix("http://").rpartition(":")
        (tmp_path / "envoy.yaml").write_text(with_tracing(CONFIG.read_text(), host, int(port)))
        monkeypatch.setattr(plan, "CONFIG", tmp_path / "envoy.yaml")
        traced = {**TRACED, "PARLEY_OTLP_ENDPOINT": collector.endpoint}
        options = StackOptions(settings={"gateway": traced, "chat": traced})
        stack = LocalStack(tmp_path / "stack", options=options)
        async with stack:
            await seed_demo(stack.grpc_target, stack.credentials)
            async with new_company(stack) as company:
                await company.create_user("ann")
                await company.create_user("bob")
                ann = await company.client("ann")
                await ann.send_message(
                    (await ann.conversation_direct(user_id="bob")).conversation.conversation_id, "hello"
                )
                (called,) = await spans_of(collector, "gateway", METHOD)
                (served,) = await spans_of(collector, "chat", METHOD)

                async def passed_on() -> bool:
                    return any(span.process == "envoy" for span in collector.spans)

                await until(passed_on)
    between = [span for span in collector.spans if span.process == "envoy"]
    assert [(span.trace, span.parent) for span in between] == [(called.trace, called.span)]
    assert (served.trace, served.parent) == (called.trace, between[0].span)
