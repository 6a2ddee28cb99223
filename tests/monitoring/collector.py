"""An OTLP collector for tests: a gRPC server that stores the spans it receives."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as pb
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)


@dataclass(frozen=True, slots=True)
class Span:
    """The parts of a span that tests compare."""

    process: str
    name: str
    trace: bytes
    span: bytes
    parent: bytes
    sizes: dict[str, int]
    texts: tuple[str, ...]


class Collector(TraceServiceServicer):
    """Stores all spans in the order received."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.endpoint = ""

    async def Export(
        self, request: pb.ExportTraceServiceRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> pb.ExportTraceServiceResponse:
        """Stores the request's spans."""
        self.spans += _spans(request)
        return pb.ExportTraceServiceResponse()

    def named(self, process: str, name: str) -> list[Span]:
        """Returns the spans of a process with a name."""
        return [span for span in self.spans if (span.process, span.name) == (process, name)]


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """Runs a collector on a free port."""
    collector = Collector()
    server = grpc.aio.server()
    add_TraceServiceServicer_to_server(collector, server)  # type: ignore[no-untyped-call]
    port = server.add_insecure_port("127.0.0.1:0")
    collector.endpoint = f"http://127.0.0.1:{port}"
    await server.start()
    try:
        yield collector
    finally:
        await server.stop(None)


def _spans(request: pb.ExportTraceServiceRequest) -> Iterator[Span]:
    for part in request.resource_spans:
        resource = {each.key: each.value.string_value for each in part.resource.attributes}
        for span in (span for scope in part.scope_spans for span in scope.spans):
            yield Span(
                process=resource["service.name"],
                name=span.name,
                trace=span.trace_id,
                span=span.span_id,
                parent=span.parent_span_id,
                sizes={each.key: each.value.int_value for each in span.attributes if each.value.HasField("int_value")},
                texts=tuple(each.value.string_value for each in span.attributes),
            )
