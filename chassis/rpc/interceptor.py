"""The interceptor of every gRPC server: authenticates and authorizes callers, maps errors, and records metrics."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any, Final, NoReturn

import grpc
from google.protobuf.message import DecodeError, Message

from chassis.contract.validator import validate, validate_envelope
from chassis.errors import (
    AppError,
    DeadlineExceededError,
    InvalidArgumentError,
    UnavailableError,
    unexpected_error,
)
from chassis.identity import Identity, TokenVerifier, bearer_token, set_caller
from chassis.process import metrics
from chassis.process.logs import logger
from chassis.process.tracing import serving
from chassis.rpc.access import Access
from chassis.rpc.status import CODES, DETAILS_KEY, to_status

DEFAULT_DEADLINE_SECONDS: Final = 30.0
MAX_ANONYMOUS_REQUEST_BYTES: Final = 128 * 1024
"""The largest request without a token to decode; the largest valid one carries an issuer's token of 16 KiB."""

_log = logger("rpc")
Context = grpc.aio.ServicerContext[Any, Any]


class AuthInterceptor(grpc.aio.ServerInterceptor):
    """Wraps each method that has an access rule. Health and reflection have none, and stay as they are."""

    def __init__(
        self,
        methods: Mapping[str, Access],
        verifier: TokenVerifier,
        outages: tuple[type[Exception], ...] = (),
    ) -> None:
        self._methods = methods
        self._outages = outages
        self._verifier = verifier
        self._wrapped: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Returns the method's wrapped handler, which is made once for each method."""
        path = handler_call_details.method
        handler = self._wrapped.get(path)
        if handler is None:
            handler = await continuation(handler_call_details)
            access = self._methods.get(path)
            if handler is None or access is None:
                return handler
            handler = self._wrapped[path] = self._wrap(path, handler, access)
        return handler

    def _wrap(
        self, path: str, handler: grpc.RpcMethodHandler[Any, Any], access: Access
    ) -> grpc.RpcMethodHandler[Any, Any]:
        method = _Method(path, handler, access, self._verifier, self._outages)
        # Requests arrive as bytes; the wrapper decodes them once their caller is authorized.
        codecs = {"request_deserializer": None, "response_serializer": handler.response_serializer}
        if handler.request_streaming and handler.response_streaming:
            return grpc.stream_stream_rpc_method_handler(method.streaming(handler.stream_stream), **codecs)
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(method.streaming(handler.unary_stream), **codecs)
        if handler.request_streaming:
            return grpc.stream_unary_rpc_method_handler(method.unary(handler.stream_unary), **codecs)
        return grpc.unary_unary_rpc_method_handler(method.unary(handler.unary_unary), **codecs)


def _kind(handler: grpc.RpcMethodHandler[Any, Any]) -> str:
    """Returns the method's `grpc_type`, by the names customary in metrics of gRPC servers."""
    if not handler.response_streaming:
        return "client_stream" if handler.request_streaming else "unary"
    return "bidi_stream" if handler.request_streaming else "server_stream"


def _token_of(context: Context) -> str:
    """Returns the caller's token, or "" if the call has none. Raises UnauthenticatedError."""
    for key, value in context.invocation_metadata() or ():
        if key == "authorization" and isinstance(value, str):
            return bearer_token(value)
    return ""


class _CheckedRequests:
    """A stream of decoded requests that raises at the first one that is malformed or fails a check."""

    def __init__(self, requests: AsyncIterator[bytes], decode: Callable[[bytes], Any]) -> None:
        self._requests = aiter(requests)
        self._decode = decode

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        return self._decode(await anext(self._requests))


class _Method:
    """The wrapper of one method."""

    def __init__(
        self,
        path: str,
        handler: grpc.RpcMethodHandler[Any, Any],
        access: Access,
        verifier: TokenVerifier,
        outages: tuple[type[Exception], ...],
    ) -> None:
        service, _, name = path.lstrip("/").partition("/")
        self._path, self._labels = path, (_kind(handler), service, name)
        self._deserialize: Any = handler.request_deserializer
        self._access = access
        self._verifier = verifier
        self._outages = outages
        self._started = metrics.RPC_STARTED.labels(*self._labels)
        self._seconds = metrics.RPC_SECONDS.labels(*self._labels)
        ends = ("OK", *(code.name for code in CODES.values()))
        self._ended = {code: metrics.RPC_HANDLED.labels(*self._labels, code) for code in ends}  # each begins at 0
        self._ok = self._ended["OK"]

    def unary(self, behaviour: Any) -> Any:
        """Wraps a handler with a single response, and sets a deadline if the caller set none."""

        async def handle(request: Any, context: Context) -> Any:
            began = time.perf_counter()
            self._started.inc()
            try:
                identity = await self._authenticate(context)
                request = self._checked(request, identity)
                response = await self._respond(behaviour, request, context, identity)
                self._ok.inc()
            except asyncio.CancelledError:
                self._count_end("CANCELLED")
                raise
            except Exception as error:  # maps every error to its wire form
                await self._fail(context, error)
            finally:
                self._seconds.observe(time.perf_counter() - began)
            return response

        return handle

    async def _respond(self, behaviour: Any, request: Any, context: Context, identity: Identity | None) -> Any:
        deadline = None if context.time_remaining() is not None else DEFAULT_DEADLINE_SECONDS
        is_service = identity is not None and bool(identity.service)
        with serving(self._path, context.invocation_metadata(), trusted=is_service):
            async with asyncio.timeout(deadline):
                return await behaviour(request, context)

    def streaming(self, behaviour: Any) -> Any:
        """Wraps a handler with a stream of responses, and always closes the stream."""

        async def handle(request: Any, context: Context) -> AsyncIterator[Any]:
            self._started.inc()
            try:
                identity = await self._authenticate(context)
                request = self._checked(request, identity)
                async with self._ended_by_revocation(identity), aclosing(behaviour(request, context)) as responses:
                    async for response in responses:
                        yield response
                self._ok.inc()
            except (asyncio.CancelledError, GeneratorExit):
                self._count_end("CANCELLED")
                raise
            except Exception as error:
                await self._fail(context, error)

        return handle

    @asynccontextmanager
    async def _ended_by_revocation(self, identity: Identity | None) -> AsyncIterator[None]:
        """Raises UnauthenticatedError in the context when the token of a user is revoked."""
        task = asyncio.current_task()
        if task is None or identity is None or not identity.user_id:
            yield
            return
        refusals: list[AppError] = []

        def end(refusal: AppError) -> None:
            if not refusals:
                task.cancel()
            refusals.append(refusal)

        with self._verifier.revocations.watching(identity, end):
            try:
                yield
            except asyncio.CancelledError:
                if refusals and task.uncancel() == 0:
                    raise refusals[0] from None
                raise

    async def _authenticate(self, context: Context) -> Identity | None:
        token = _token_of(context)
        identity = await self._verifier.verify(token) if token else None
        self._access.authorize(identity)
        set_caller(identity, token)
        return identity

    def _checked(self, request: Any, identity: Identity | None) -> Any:
        """Returns the decoded and checked request; decodes a stream of requests one by one as they arrive."""
        if not isinstance(request, bytes):
            return _CheckedRequests(request, lambda data: self._decode(data, identity))
        return self._decode(request, identity)

    def _decode(self, data: bytes, identity: Identity | None) -> Message:
        if identity is None and len(data) > MAX_ANONYMOUS_REQUEST_BYTES:
            raise InvalidArgumentError(
                "REQUEST_TOO_LARGE",
                f"without an access token a request has at most {MAX_ANONYMOUS_REQUEST_BYTES} bytes",
            )
        try:
            request: Message = self._deserialize(data)
        except DecodeError:
            raise InvalidArgumentError("MALFORMED_REQUEST", "the request can't be decoded") from None
        if identity is not None and self._access.applies_to(identity):
            self._access.check(request, identity)
        if self._access.rule.per_item:
            validate_envelope(request)
        else:
            validate(request)
        return request

    async def _fail(self, context: Context, error: Exception) -> NoReturn:
        if isinstance(error, grpc.aio.AbortError):
            raise error
        if isinstance(error, TimeoutError):
            error = DeadlineExceededError("DEADLINE_EXCEEDED", "the call took too long")
        elif isinstance(error, self._outages):
            _log.warning("store_unavailable", method=self._path, error=type(error).__name__)
            error = UnavailableError("STORE_UNAVAILABLE", "a store is unreachable", retry_after_ms=1_000)
        elif not isinstance(error, AppError):
            error = unexpected_error(_log, "rpc_failed", error, method=self._path)
        code = CODES[error.category]
        self._count_end(code.name)
        await context.abort(code, error.message, ((DETAILS_KEY, to_status(error).SerializeToString()),))
        raise AssertionError  # abort never returns

    def _count_end(self, code: str) -> None:
        self._ended[code].inc()
