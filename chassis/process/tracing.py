"""OpenTelemetry traces: one for a batch of messages, from the gateway's call through chat's commit to its publication.

Off unless an endpoint is set: then neither tracer nor exporter is loaded, and what stands on the way of messages is a
look at a variable for each batch. A batch is written together with others, so spans of later steps are made for each
trace that the step works for. Spans carry sizes and names of methods; never ids of users, texts or tokens.

What a trace is part of travels as W3C's `traceparent` in the metadata of calls (https://www.w3.org/TR/trace-context/),
through Envoy too. It is believed of services alone: a user must not decide what is sampled.
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
"""What links a measured value to a trace; see prometheus_client."""

_tracer: Tracer | None = None
_current: ContextVar[SpanContext | None] = ContextVar("trace", default=None)

current_trace: Final = _current.get
"""Gives the sampled trace that the running task works for; None for none."""


@contextmanager
def exporting(service: str, settings: ProcessSettings) -> Iterator[None]:
    """Samples and exports traces while the context is open, if the settings say where to."""
    global _tracer  # noqa: PLW0603  # one for the process, as with OpenTelemetry's own
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
        # It sends what is left, and would wait long for a collector that is away: a process that stops does not.
        ending = Thread(target=provider.shutdown, name="traces-ending", daemon=True)
        ending.start()
        ending.join(_FLUSH_SECONDS)


def calling(method: str, items: int) -> AbstractContextManager[None]:
    """Begins a trace, if it is sampled, with the call that a batch goes out with."""
    return _OFF if _tracer is None else _calling(_tracer, method, items)


def trace_headers() -> tuple[tuple[str, str], ...]:
    """The metadata that makes a call part of the current trace; none for none."""
    trace = _current.get()
    if trace is None:
        return ()
    return ((HEADER, f"00-{trace.trace_id:032x}-{trace.span_id:016x}-{trace.trace_flags:02x}"),)


def serving(method: str, metadata: Iterable[Any] | None, *, trusted: bool) -> AbstractContextManager[None]:
    """Goes on with the trace of a caller that is trusted, or begins one, if it is sampled, for a call that came."""
    return _OFF if _tracer is None else _serving(_tracer, method, metadata if trusted else None)


def spanning(name: str, traces: Iterable[SpanContext | None], **sizes: int) -> AbstractContextManager[Exemplar | None]:
    """Adds a step to each of the traces that it is done for; gives one of them as exemplar."""
    if _tracer is None:
        return _OFF
    return _spanning(_tracer, name, list({trace.span_id: trace for trace in traces if trace}.values()), sizes)


def exemplar() -> Exemplar | None:
    """The current trace as exemplar of a measured value."""
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
    """Makes a span the current one, if it is sampled, and ends it."""
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
    """Ends spans, and says of an error only of what kind it was."""
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
