"""OpenTelemetry traces of batches of messages, from the gateway's call through chat's commit to its publication.

Tracing is off unless an endpoint is set. Then neither tracer nor exporter is loaded, and the cost is the check of a
variable for each batch. Chat writes several batches together, so a later step adds a span to each of their traces.
Spans carry sizes and method names, never ids of users, texts or tokens.

Calls carry the trace context in their metadata as W3C's `traceparent` (https://www.w3.org/TR/trace-context/), through
Envoy too. Only that of services is used: users must not decide what is sampled.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from threading import Thread
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from opentelemetry.trace import Span, SpanContext, Tracer

    from chassis.process.settings import ProcessSettings

HEADER: Final = "traceparent"
_FLUSH_SECONDS: Final = 2.0
_OFF: Final[AbstractContextManager[None]] = nullcontext()

Exemplar = dict[str, str]
"""The labels that link a measured value to a trace; see prometheus_client."""

_tracer: Tracer | None = None
_current: ContextVar[SpanContext | None] = ContextVar("trace", default=None)

current_trace: Final = _current.get
"""Returns the running task's sampled trace; None if there is none."""


@contextmanager
def exporting(service: str, settings: ProcessSettings) -> Iterator[None]:
    """Samples and exports traces while the context is open, if the settings have an endpoint."""
    global _tracer  # noqa: PLW0603  # one for each process, like OpenTelemetry's own
    if not settings.otlp_endpoint:
        yield
        return
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio  # noqa: PLC0415

    names = {"service.namespace": "parley", "service.name": service, "service.instance.id": settings.replica}
    provider = TracerProvider(
        sampler=ParentBasedTraceIdRatio(settings.trace_ratio),
        resource=Resource.create(names),
        shutdown_on_exit=False,
    )
    insecure = not settings.otlp_endpoint.startswith("https:")
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(settings.otlp_endpoint, insecure=insecure)))
    _tracer = provider.get_tracer("parley")
    try:
        yield
    finally:
        _tracer = None
        # The shutdown exports pending spans. It could wait long for an unreachable collector, so its time is limited.
        ending = Thread(target=provider.shutdown, name="traces-ending", daemon=True)
        ending.start()
        ending.join(_FLUSH_SECONDS)


def calling(method: str, items: int) -> AbstractContextManager[None]:
    """Starts a trace, if it is sampled, with the span of a client's call for a batch."""
    return _OFF if _tracer is None else _calling(_tracer, method, items)


def trace_headers() -> tuple[tuple[str, str], ...]:
    """Returns the metadata that makes a call part of the current trace; empty if there is none."""
    trace = _current.get()
    if trace is None:
        return ()
    return ((HEADER, f"00-{trace.trace_id:032x}-{trace.span_id:016x}-{trace.trace_flags:02x}"),)


def serving(method: str, metadata: Iterable[Any] | None, *, trusted: bool) -> AbstractContextManager[None]:
    """Continues the trace of a trusted caller, or starts one, if it is sampled, with the span of a served call."""
    return _OFF if _tracer is None else _serving(_tracer, method, metadata if trusted else None)


def spanning(name: str, traces: Iterable[SpanContext | None], **sizes: int) -> AbstractContextManager[Exemplar | None]:
    """Adds the span of a step to each of the traces that the step works for; yields one of them as exemplar."""
    if _tracer is None:
        return _OFF
    return _spanning(_tracer, name, list({trace.span_id: trace for trace in traces if trace}.values()), sizes)


def exemplar() -> Exemplar | None:
    """Returns the current trace as the exemplar of a measured value; None if there is none."""
    trace = _current.get()
    return None if trace is None else {"trace_id": f"{trace.trace_id:032x}"}


@contextmanager
def _calling(tracer: Tracer, method: str, items: int) -> Iterator[None]:
    from opentelemetry.trace import SpanKind  # noqa: PLC0415

    with _entered(tracer.start_span(method, kind=SpanKind.CLIENT, attributes=_rpc(method))) as span:
        span.set_attribute("parley.items", items)
        yield


@contextmanager
def _serving(tracer: Tracer, method: str, metadata: Iterable[Any] | None) -> Iterator[None]:
    from opentelemetry.trace import SpanKind  # noqa: PLC0415
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

    carrier = {key: value for key, value in metadata or () if key == HEADER}
    context = TraceContextTextMapPropagator().extract(carrier)
    name = method.lstrip("/")
    with _entered(tracer.start_span(name, context, kind=SpanKind.SERVER, attributes=_rpc(name))):
        yield


@contextmanager
def _entered(span: Span) -> Iterator[Span]:
    """Makes a sampled span the current one, and ends the span on leaving."""
    token = _current.set(span.get_span_context() if span.is_recording() else None)
    try:
        with _ended([span]):
            yield span
    finally:
        _current.reset(token)


@contextmanager
def _spanning(
    tracer: Tracer, name: str, traces: Sequence[SpanContext], sizes: dict[str, int]
) -> Iterator[Exemplar | None]:
    from opentelemetry.trace import NonRecordingSpan, set_span_in_context  # noqa: PLC0415

    attributes = {f"parley.{size}": value for size, value in sizes.items()}
    spans = [
        tracer.start_span(name, set_span_in_context(NonRecordingSpan(trace)), attributes=attributes) for trace in traces
    ]
    with _ended(spans):
        yield {"trace_id": f"{traces[0].trace_id:032x}"} if traces else None


@contextmanager
def _ended(spans: Sequence[Span]) -> Iterator[None]:
    """Ends spans on leaving; an error sets their status to its type's name only."""
    from opentelemetry.trace import StatusCode  # noqa: PLC0415

    try:
        yield
    except BaseException as error:
        for span in spans:
            span.set_status(StatusCode.ERROR, type(error).__name__)
        raise
    finally:
        for span in spans:
            span.end()


def _rpc(method: str) -> dict[str, str]:
    service, _, name = method.partition("/")
    return {"rpc.system": "grpc", "rpc.service": service, "rpc.method": name}
