"""The stack with mutual TLS between processes: everything works, strangers are refused, renewals are picked up."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final, NamedTuple

import grpc
import httpx
import pytest
from cryptography import x509
from grpc_health.v1 import health_pb2, health_pb2_grpc
from parley_client.events import MessageCreated
from websockets.asyncio.client import connect

from chassis.rpc.channel import open_channel
from chassis.rpc.tls import TlsFiles
from deploy.local.options import StackOptions
from deploy.local.stack import LocalStack
from tests.certificates import LOOPBACK, Authority, files_in
from tests.e2e.conftest import PASSWORD, TIMEOUT, Company, new_company
from tests.e2e.waiting import event_of, until

_PROCESSES: Final = ("auth", "chat", "presence", "notify", "gateway")
_GRPC: Final = ("auth-1", "chat-1", "presence-1", "notify-1")
_SOCKETIO: Final = "/socket.io/?EIO=4"
_OPEN, _PROBE, _PROBED, _UPGRADE = "0", "2probe", "3probe", "5"


class Harness(NamedTuple):
    """A stack, the authority of its processes' certificates, and their folder."""

    stack: LocalStack
    authority: Authority
    certificates: Path

    def issue(self) -> dict[str, int]:
        """Issues a new certificate to each process; returns the serial numbers by name."""
        serials = {name: self.authority.issue(self.certificates / name, name) for name in _PROCESSES}
        return serials | {"envoy": self.authority.issue(self.certificates / "envoy", "envoy", LOOPBACK)}

    def target(self, process: str, listener: str) -> str:
        """Returns the address of a process's listener."""
        return f"{LOOPBACK}:{self.stack.processes[process].spec.ports[listener]}"

    def endpoints(self) -> dict[str, str]:
        """Returns every port that requires a certificate, with the name in the server's certificate."""
        endpoints = {self.target(process, "grpc"): process.removesuffix("-1") for process in _GRPC}
        gateway = {self.target("gateway-1", listener): "gateway" for listener in ("websocket", "http")}
        return endpoints | gateway | {self.target("envoy", "internal"): "envoy"}


@pytest.fixture(scope="module")
async def harness(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Harness]:
    certificates = tmp_path_factory.mktemp("certificates")
    options = StackOptions(certificates=certificates)
    harness = Harness(LocalStack(tmp_path_factory.mktemp("stack"), options=options), Authority(), certificates)
    harness.issue()
    async with harness.stack:
        yield harness


@pytest.fixture
async def company(harness: Harness) -> AsyncIterator[Company]:
    async with new_company(harness.stack) as company:
        yield company


@pytest.fixture
def strangers(harness: Harness, tmp_path: Path) -> TlsFiles:
    """A certificate with a valid name from an authority that the stack doesn't trust."""
    Authority().issue(tmp_path / "stranger", "gateway", LOOPBACK, trusts=harness.authority.pem)
    return files_in(tmp_path / "stranger")


async def _talk(company: Company, text: str) -> None:
    ann, bob = [await company.client(name) for name in ("ann", "bob")]
    with bob.events() as events:
        conversation = (await ann.conversation_direct(user_id="bob")).conversation
        await ann.send_message(conversation.conversation_id, text)
        assert (await event_of(events, MessageCreated, lambda e: e.message.text == text)).message.sender_id == "ann"


async def test_two_people_talk(company: Company) -> None:
    await company.create_user("ann")
    await company.create_user("bob", "employee")
    await _talk(company, "hello")


async def test_socketio_polls_and_is_upgraded(harness: Harness, company: Company) -> None:
    email = await company.create_user("ann")
    async with httpx.AsyncClient(base_url=harness.stack.url, timeout=TIMEOUT, trust_env=False) as http:
        answer = await http.post("/api/auth/login", json={"email": email, "password": PASSWORD})
        token = answer.json()["accessToken"]
        polling = f"{_SOCKETIO}&transport=polling"
        opened = json.loads((await http.get(polling)).text.removeprefix(_OPEN))
        session = f"&sid={opened['sid']}"
        await http.post(polling + session, content="40" + json.dumps({"token": token}))
        assert (await http.get(polling + session)).text.startswith("40")
        url = f"ws://{harness.stack.grpc_target}{_SOCKETIO}&transport=websocket{session}"
        async with connect(url, proxy=None) as socket:
            await socket.send(_PROBE)
            assert await socket.recv() == _PROBED
            await socket.send(_UPGRADE)
            await socket.send('421["getConversations"]')
            async with asyncio.timeout(TIMEOUT):
                while not (packet := str(await socket.recv())).startswith("431"):
                    pass
            assert "conversations" in json.loads(packet.removeprefix("431"))[0]


async def _serial_of(target: str, files: TlsFiles | None) -> int:
    """Returns the serial number of the server's certificate. Raises OSError if the server refuses the client."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2", "http/1.1"])
    if files:
        context.load_cert_chain(files.certificate, files.key)
    host, _, port = target.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port), ssl=context)
    try:
        certificate = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5))
        # With TLS 1.3, a server refuses a client only after its own part of the handshake.
        if not await reader.read(1):
            raise ConnectionResetError("the server closed the connection")
    finally:
        writer.close()
    return x509.load_der_x509_certificate(certificate).serial_number


async def test_every_port_requires_a_trusted_certificate(harness: Harness, strangers: TlsFiles) -> None:
    for target, name in harness.endpoints().items():
        assert await _serial_of(target, files_in(harness.certificates / "gateway")), name
        for files in (None, strangers):
            with pytest.raises(OSError):
                await _serial_of(target, files)


async def _health(target: str, files: TlsFiles | None, service: str = "chat") -> grpc.StatusCode:
    async with open_channel(target, files) as channel:
        try:
            await health_pb2_grpc.HealthStub(channel).Check(  # type: ignore[attr-defined]  # missing in its types
                health_pb2.HealthCheckRequest(), timeout=TIMEOUT, metadata=(("x-parley-service", service),)
            )
        except grpc.aio.AioRpcError as error:
            return error.code()
    return grpc.StatusCode.OK


async def test_a_stranger_can_call_no_service_even_through_envoy(harness: Harness, strangers: TlsFiles) -> None:
    internal = harness.target("envoy", "internal")
    assert await _health(internal, files_in(harness.certificates / "gateway")) == grpc.StatusCode.OK

    for target in (internal, harness.target("chat-1", "grpc")):
        for files in (None, strangers):
            assert await _health(target, files) == grpc.StatusCode.UNAVAILABLE


async def test_only_health_is_served_without_a_certificate(harness: Harness) -> None:
    chat, gateway = harness.target("chat-1", "health"), harness.target("gateway-1", "health")
    assert await _health(chat, None) == grpc.StatusCode.OK
    async with open_channel(chat) as channel:
        list_conversations: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(
            "/parley.chat.v1.ConversationService/ListConversations"
        )
        with pytest.raises(grpc.aio.AioRpcError, match="UNIMPLEMENTED"):
            await list_conversations(b"", timeout=TIMEOUT)
    async with httpx.AsyncClient(base_url=f"http://{gateway}", trust_env=False, timeout=TIMEOUT) as http:
        statuses = [(await http.get(path)).status_code for path in ("/healthz", "/readyz", "/", "/socket.io/")]
    assert statuses == [httpx.codes.OK, httpx.codes.OK, httpx.codes.NOT_FOUND, httpx.codes.NOT_FOUND]


async def test_a_process_with_another_ones_certificate_is_not_called(harness: Harness) -> None:
    """Notify runs with presence's certificate: the authority is trusted, but the name is wrong."""
    notify = harness.stack.processes["notify-1"]

    async def restarted_as(name: str) -> None:
        await notify.stop()
        harness.authority.issue(harness.certificates / "notify", name)
        await notify.start()
        await notify.wait_healthy()

    async def answers(code: grpc.StatusCode) -> None:
        async def does() -> bool:
            return await _health(harness.stack.grpc_target, None, "notify") == code

        await until(does)

    await answers(grpc.StatusCode.OK)
    await restarted_as("presence")
    await answers(grpc.StatusCode.UNAVAILABLE)
    await restarted_as("notify")
    await answers(grpc.StatusCode.OK)


async def test_metrics_show_when_certificates_expire(harness: Harness) -> None:
    async def value(process: str, listener: str, metric: str) -> float:
        async with httpx.AsyncClient(
            base_url=f"http://{harness.target(process, listener)}", trust_env=False, timeout=TIMEOUT
        ) as http:
            lines = (await http.get("/metrics")).text.splitlines()
        return next(float(line.split()[-1]) for line in lines if line.startswith(metric))

    for process in (*_GRPC, "gateway-1"):
        assert 0 < await value(process, "metrics", "parley_tls_certificate_left_seconds ") <= 3_600
    assert await value("envoy", "status", "envoy_server_days_until_first_cert_expiring") == 0


async def test_renewed_certificates_are_picked_up_without_a_restart(harness: Harness, company: Company) -> None:
    await company.create_user("ann")
    await company.create_user("bob")
    before = {name: process.pid for name, process in harness.stack.processes.items()}
    serials = harness.issue()

    async def all_shown() -> bool:
        own = files_in(harness.certificates / "gateway")
        shown = {target: await _serial_of(target, own) for target in harness.endpoints()}
        return all(shown[target] == serials[name] for target, name in harness.endpoints().items())

    await until(all_shown)
    await _talk(company, "still here")
    assert {name: process.pid for name, process in harness.stack.processes.items()} == before
