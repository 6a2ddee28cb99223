"""Tracing: free when off, and the spans of a commit of several batches."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest
from opentelemetry.trace import SpanContext
from pydantic import SecretStr

from chassis.process.settings import ProcessSettings
from chassis.process.tracing import calling, current_trace, exemplar, exporting, serving, spanning, trace_headers
from tests.monitoring.collector import Collector, collecting
from tests.monitoring.rules import ROOT

LOADED = """
import sys
import services.chat.__main__, gateway.__main__
from chassis.process.tracing import exporting
from chassis.process.settings import ProcessSettings
with exporting("chat", ProcessSettings(auth_target="auth:1", service_name="chat", service_secret="secret")):
    print([name for name in sys.modules if name.startswith(("opentelemetry.sdk.trace", "opentelemetry.exporter"))])
"""


def settings(endpoint: str, ratio: float = 1.0) -> ProcessSettings:
    return ProcessSettings(
        auth_target="auth:1",
        service_name="tests",
        service_secret=SecretStr("unused"),
        otlp_endpoint=endpoint,
        trace_ratio=ratio,
    )


def test_neither_tracer_nor_exporter_is_loaded_unless_there_is_an_endpoint() -> None:
    command = [sys.executable, "-c", LOADED]
    process = subprocess.run(command, cwd=ROOT, env={}, capture_output=True, text=True, check=True)  # noqa: S603  # ours
    assert process.stdout.strip() == "[]"


def test_when_off_a_batch_is_part_of_nothing() -> None:
    with (
        calling("a.Service/Call", 1),
        serving("/a.Service/Call", (), trusted=True),
        spanning("commit", ()) as exemplar_labels,
    ):
        assert (exemplar_labels, current_trace(), exemplar(), trace_headers()) == (None, None, None, ())


async def test_a_commit_of_several_batches_is_a_span_of_each() -> None:
    async with collecting() as collector:
        await asyncio.to_thread(_commit_two_batches, collector)
    calls = {span.trace: span.span for span in collector.named("tests", "a.Service/Call")}
    commits = collector.named("tests", "commit")
    assert len(calls) == len(commits) == 2
    assert {span.trace: span.parent for span in commits} == calls
    assert [span.sizes for span in commits] == [{"parley.messages": 3}] * 2


def _commit_two_batches(collector: Collector) -> None:
    traces: list[SpanContext | None] = [None]
    with exporting("tests", settings(collector.endpoint)):
        for _ in range(2):
            with calling("a.Service/Call", 1):
                traces += [current_trace()] * 2
        with spanning("commit", traces, messages=3) as labels:
            assert labels is not None
            assert int(labels["trace_id"], 16) in {trace.trace_id for trace in traces if trace}


async def test_unsampled_spans_are_not_exported() -> None:
    async with collecting() as collector:
        with exporting("tests", settings(collector.endpoint, ratio=0.0)), calling("a.Service/Call", 1):
            assert (current_trace(), trace_headers()) == (None, ())
    assert collector.spans == []


@pytest.mark.timeout(30)
def test_a_collector_that_is_away_holds_up_neither_work_nor_the_end(unused_tcp_port: int) -> None:
    with exporting("tests", settings(f"http://127.0.0.1:{unused_tcp_port}")):
        for _ in range(5_000):
            with calling("a.Service/Call", 1):
                assert trace_headers()
