"""Mutual TLS: accepted and rejected certificates, and renewal without a restart."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509

from chassis.rpc.channel import open_channel
from chassis.rpc.tls import TlsFiles, grpc_server_credentials, seconds_left, server_context
from tests.certificates import LOOPBACK, Authority, files_in

_METHOD = "/test.Echo/Serial"
_TIMEOUT_SECONDS = 60.0


class _SerialHandler(grpc.GenericRpcHandler):
    """Answers each request, unary or streamed, with the serial number of the caller's certificate."""

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        if details.method == _METHOD:
            return grpc.unary_unary_rpc_method_handler(self._once)
        return grpc.stream_stream_rpc_method_handler(self._each_time)

    async def _once(self, _request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        (pem,) = context.auth_context()["x509_pem_cert"]
        return str(x509.load_pem_x509_certificate(pem).serial_number).encode()

    async def _each_time(
        self, requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext[bytes, bytes]
    ) -> AsyncIterator[bytes]:
        async for request in requests:
            yield await self._once(request, context)


@asynccontextmanager
async def _serving(files: TlsFiles) -> AsyncIterator[str]:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((_SerialHandler(),))
    port = server.add_secure_port(f"{LOOPBACK}:0", grpc_server_credentials(files))
    await server.start()
    try:
        yield f"{LOOPBACK}:{port}"
    finally:
        await server.stop(None)


async def _serial_seen_by_server(channel: grpc.aio.Channel) -> int:
    return int(await _method(channel)(b"", timeout=_TIMEOUT_SECONDS))


def _method(channel: grpc.aio.Channel) -> grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]:
    return channel.unary_unary(_METHOD)


def _stream(channel: grpc.aio.Channel) -> grpc.aio.StreamStreamCall[bytes, bytes]:
    method: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream("/test.Echo/Serials")
    return method(timeout=_TIMEOUT_SECONDS)


async def _next(stream: grpc.aio.StreamStreamCall[bytes, bytes]) -> int:
    await stream.write(b"")
    return int(await anext(aiter(stream)))


async def _until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(_TIMEOUT_SECONDS):
        while not await condition():
            await asyncio.sleep(0.05)


async def _refused(target: str, files: TlsFiles | None) -> bool:
    async with open_channel(target, files) as channel:
        try:
            await _serial_seen_by_server(channel)
        except grpc.aio.AioRpcError as error:
            assert error.code() == grpc.StatusCode.UNAVAILABLE
            return True
    return False


@pytest.fixture
def authority() -> Authority:
    return Authority()


@pytest.fixture
def server_files(authority: Authority, tmp_path: Path) -> TlsFiles:
    authority.issue(tmp_path / "server", "server", LOOPBACK)
    return files_in(tmp_path / "server")


@pytest.fixture
def caller_files(authority: Authority, tmp_path: Path) -> TlsFiles:
    authority.issue(tmp_path / "caller", "caller")
    return files_in(tmp_path / "caller")


async def test_who_shows_a_certificate_of_the_authority_is_served(
    authority: Authority, server_files: TlsFiles, tmp_path: Path
) -> None:
    serial = authority.issue(tmp_path / "caller", "caller")
    async with _serving(server_files) as target, open_channel(target, files_in(tmp_path / "caller")) as channel:
        assert await _serial_seen_by_server(channel) == serial


async def test_who_shows_none_is_refused(server_files: TlsFiles) -> None:
    async with _serving(server_files) as target:
        assert await _refused(target, None)
        without_certificate = grpc.ssl_channel_credentials(server_files.authority.read_bytes())
        async with grpc.aio.secure_channel(target, without_certificate) as channel:
            with pytest.raises(grpc.aio.AioRpcError, match="UNAVAILABLE"):
                await _serial_seen_by_server(channel)


async def test_who_shows_one_of_another_authority_is_refused(
    authority: Authority, server_files: TlsFiles, tmp_path: Path
) -> None:
    Authority().issue(tmp_path / "stranger", "caller", trusts=authority.pem)
    async with _serving(server_files) as target:
        assert await _refused(target, files_in(tmp_path / "stranger"))


async def test_a_server_of_another_authority_is_not_called(
    authority: Authority, caller_files: TlsFiles, tmp_path: Path
) -> None:
    Authority().issue(tmp_path / "stranger", "server", LOOPBACK, trusts=authority.pem)
    async with _serving(files_in(tmp_path / "stranger")) as target:
        assert await _refused(target, caller_files)


async def test_a_server_of_another_name_is_not_called(
    authority: Authority, caller_files: TlsFiles, tmp_path: Path
) -> None:
    authority.issue(tmp_path / "other", "other", "127.0.0.2")
    async with _serving(files_in(tmp_path / "other")) as target:
        assert await _refused(target, caller_files)


async def test_a_channel_shows_its_renewed_certificate_while_an_open_stream_goes_on(
    authority: Authority, server_files: TlsFiles, tmp_path: Path
) -> None:
    before = authority.issue(tmp_path / "caller", "caller")
    async with _serving(server_files) as target, open_channel(target, files_in(tmp_path / "caller")) as channel:
        method = _method(channel)  # kept like a stub's
        assert int(await method(b"", timeout=_TIMEOUT_SECONDS)) == before
        stream = _stream(channel)
        assert await _next(stream) == before
        after = authority.issue(tmp_path / "caller", "caller")

        async def renewed() -> bool:
            return int(await method(b"", timeout=_TIMEOUT_SECONDS)) == after

        await _until(renewed)
        assert await _next(stream) == before
        await stream.done_writing()


async def test_a_server_shows_its_renewed_certificate_and_believes_a_new_authority(
    authority: Authority, server_files: TlsFiles, tmp_path: Path
) -> None:
    new = Authority("another")
    new.issue(tmp_path / "newcomer", "caller", trusts=authority.pem + new.pem)
    newcomer = files_in(tmp_path / "newcomer")
    async with _serving(server_files) as target:
        assert await _refused(target, newcomer)
        serial = new.issue(tmp_path / "server", "server", LOOPBACK, trusts=new.pem)

        async def accepted() -> bool:
            return not await _refused(target, newcomer)

        await _until(accepted)
        assert await _serial_of(target, newcomer) == serial


async def test_a_key_without_its_certificate_changes_nothing_for_a_server(
    authority: Authority, server_files: TlsFiles, caller_files: TlsFiles, tmp_path: Path
) -> None:
    authority.issue(tmp_path / "next", "server", LOOPBACK)
    async with _serving(server_files) as target:
        before = await _serial_of(target, caller_files)
        server_files.key.write_bytes((tmp_path / "next" / "tls.key").read_bytes())
        await asyncio.sleep(1.2)  # longer than the interval between checks of the files
        assert await _serial_of(target, caller_files) == before
        server_files.certificate.write_bytes((tmp_path / "next" / "tls.crt").read_bytes())

        async def replaced() -> bool:
            return await _serial_of(target, caller_files) != before

        await _until(replaced)


async def test_a_key_without_its_certificate_changes_nothing_for_a_channel(
    authority: Authority, server_files: TlsFiles, tmp_path: Path
) -> None:
    before = authority.issue(tmp_path / "caller", "caller")
    after = authority.issue(tmp_path / "next", "caller")
    async with _serving(server_files) as target, open_channel(target, files_in(tmp_path / "caller")) as channel:
        assert await _serial_seen_by_server(channel) == before
        files_in(tmp_path / "caller").key.write_bytes(files_in(tmp_path / "next").key.read_bytes())
        await asyncio.sleep(1.2)  # longer than the interval between checks of the files
        assert await _serial_seen_by_server(channel) == before
        files_in(tmp_path / "caller").certificate.write_bytes(files_in(tmp_path / "next").certificate.read_bytes())

        async def replaced() -> bool:
            return await _serial_seen_by_server(channel) == after

        await _until(replaced)


async def test_python_s_own_servers_do_the_same(
    authority: Authority, server_files: TlsFiles, caller_files: TlsFiles, tmp_path: Path
) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())
        writer.close()

    server = await asyncio.start_server(greet, LOOPBACK, 0, ssl=server_context(server_files))
    target = f"{LOOPBACK}:{server.sockets[0].getsockname()[1]}"
    async with server:
        before = await _serial_of(target, caller_files)
        Authority().issue(tmp_path / "stranger", "caller", trusts=authority.pem)
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await _serial_of(target, files_in(tmp_path / "stranger"))
        new = Authority("another")
        serial = new.issue(tmp_path / "server", "server", LOOPBACK, trusts=new.pem)
        new.issue(tmp_path / "newcomer", "caller", trusts=authority.pem + new.pem)
        await asyncio.sleep(1.2)  # longer than the interval between checks of the files
        assert (await _serial_of(target, files_in(tmp_path / "newcomer")), before != serial) == (serial, True)
        with pytest.raises((ssl.SSLError, ConnectionError)):  # neither trusts the other
            await _serial_of(target, caller_files)


def test_it_is_known_how_long_a_certificate_lasts(server_files: TlsFiles) -> None:
    assert 0 < seconds_left(server_files) <= 3_600
    server_files.certificate.write_bytes(b"nothing")
    assert seconds_left(server_files) == 0


async def _serial_of(target: str, files: TlsFiles) -> int:
    """Returns the serial number of the server's certificate; raises if the server rejects the caller."""
    host, _, port = target.rpartition(":")
    context = ssl.create_default_context(cafile=str(files.authority))
    context.load_cert_chain(files.certificate, files.key)
    context.set_alpn_protocols(["h2"])
    reader, writer = await asyncio.open_connection(host, int(port), ssl=context)
    try:
        certificate = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.write(b"hello\n")  # in TLS 1.3 a rejection comes after the server's part of the handshake
        await writer.drain()
        if not await reader.read(1):
            raise ConnectionResetError("the server ended the connection")
    finally:
        writer.close()
    return x509.load_der_x509_certificate(certificate).serial_number
