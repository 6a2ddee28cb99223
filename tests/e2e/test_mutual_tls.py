"""The stack with mutual TLS inside: everything works, strangers are let nowhere, renewed certificates are noticed."""

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
    """A stack, and who issued the certificates of its processes."""

    stack: LocalStack
    authority: Authority
    certificates: Path

    def issue(self) -> dict[str, int]:
        """Gives everyone a new certificate; their serial numbers by name."""
        serials = {name: self.authority.issue(self.certificates / name, name) for name in _PROCESSES}
        return serials | {"envoy": self.authority.issue(self.certificates / "envoy", "envoy", LOOPBACK)}

    def target(self, process: str, listener: str) -> str:
        """Where a process listens."""
        return f"{LOOPBACK}:{self.stack.processes[process].spec.ports[listener]}"

    def doors(self) -> dict[str, str]:
        """Every port that wants a certificate, with the name that is shown there."""
        doors = {self.target(process, "grpc"): process.removesuffix("-1") for process in _GRPC}
        gateway = {self.target("gateway-1", listener): "gateway" for listener in ("websocket", "http")}
        return doors | gateway | {self.target("envoy", "internal"): "envoy"}


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Harness]:
    certificates = tmp_path_factory.mktemp("certificates")
    options = StackOptions(certificates=certificates)
    house = Harness(LocalStack(tmp_path_factory.mktemp("stack"), options=options), Authority(), certificates)
    house.issue()
    async with house.stack:
        yield house


@pytest.fixture
async def company(house: Harness) -> AsyncIterator[Company]:
    async with new_company(house.stack) as made:
        yield made


@pytest.fixture
def strangers(house: Harness, tmp_path: Path) -> TlsFiles:
    """A certificate with the right name of an authority that nobody here believes."""
    Authority().issue(tmp_path / "stranger", "gateway", LOOPBACK, believes=house.authority.pem)
    return files_in(tmp_path / "stranger")


async def _talk(company: Company, text: str) -> None:
    ann, bob = [await company.client(name) for name in ("ann", "bob")]
    with bob.events() as heard:
        conversation = (await ann.conversation_direct(user_id="bob")).conversation
        await ann.send_message(conversation.conversation_id, text)
        assert (await event_of(heard, MessageCreated, lambda e: e.message.text == text)).message.sender_id == "ann"


async def test_two_people_talk(company: Company) -> None:
    await company.hire("ann")
    await company.hire("bob", "employee")
    await _talk(company, "hello")


async def test_socketio_polls_and_is_upgraded(house: Harness, company: Company) -> None:
    email = await company.hire("ann")
    async with httpx.AsyncClient(base_url=house.stack.url, timeout=TIMEOUT, trust_env=False) as http:
        answer = await http.post("/api/auth/login", json={"email": email, "password": PASSWORD})
        token = answer.json()["accessToken"]
        polling = f"{_SOCKETIO}&transport=polling"
        opened = json.loads((await http.get(polling)).text.removeprefix(_OPEN))
        session = f"&sid={opened['sid']}"
        await http.post(polling + session, content="40" + json.dumps({"token": token}))
        assert (await http.get(polling + session)).text.startswith("40")
        url = f"ws://{house.stack.grpc_target}{_SOCKETIO}&transport=websocket{session}"
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
    """The serial number of the certificate that is shown to one who is let in. Raises OSError to one who is not."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2", "http/1.1"])
    if files:
        context.load_cert_chain(files.certificate, files.key)
    host, _, port = target.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port), ssl=context)
    try:
        shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5))
        # With TLS 1.3 a refusal comes after the server's part of the handshake.
        if not await reader.read(1):
            raise ConnectionResetError("the connection was ended")
    finally:
        writer.close()
    return x509.load_der_x509_certificate(shown).serial_number


async def test_every_port_wants_a_certificate_that_is_believed(house: Harness, strangers: TlsFiles) -> None:
    for target, name in house.doors().items():
        assert await _serial_of(target, files_in(house.certificates / "gateway")), name
        for shown in (None, strangers):
            with pytest.raises(OSError):
                await _serial_of(target, shown)


async def _health(target: str, files: TlsFiles | None, service: str = "chat") -> grpc.StatusCode:
    async with open_channel(target, files) as channel:
        try:
            await health_pb2_grpc.HealthStub(channel).Check(  # type: ignore[attr-defined]  # which its types leave out
                health_pb2.HealthCheckRequest(), timeout=TIMEOUT, metadata=(("x-parley-service", service),)
            )
        except grpc.aio.AioRpcError as error:
            return error.code()
    return grpc.StatusCode.OK


async def test_a_stranger_calls_nobody_even_through_envoy(house: Harness, strangers: TlsFiles) -> None:
    inside = house.target("envoy", "internal")
    assert await _health(inside, files_in(house.certificates / "gateway")) == grpc.StatusCode.OK
    for target in (inside, house.target("chat-1", "grpc")):
        for files in (None, strangers):
            assert await _health(target, files) == grpc.StatusCode.UNAVAILABLE


async def test_health_is_told_without_a_certificate_and_nothing_else(house: Harness) -> None:
    chat, gateway = house.target("chat-1", "health"), house.target("gateway-1", "health")
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


async def test_who_shows_another_s_certificate_is_not_called(house: Harness) -> None:
    """Notify, started with presence's: the authority is right, the name is not."""
    notify = house.stack.processes["notify-1"]

    async def restarted_as(name: str) -> None:
        await notify.stop()
        house.authority.issue(house.certificates / "notify", name)
        await notify.start()
        await notify.wait_healthy()

    async def answers(code: grpc.StatusCode) -> None:
        async def does() -> bool:
            return await _health(house.stack.grpc_target, None, "notify") == code

        await until(does)

    await answers(grpc.StatusCode.OK)
    await restarted_as("presence")
    await answers(grpc.StatusCode.UNAVAILABLE)
    await restarted_as("notify")
    await answers(grpc.StatusCode.OK)


async def test_it_is_seen_how_long_certificates_last(house: Harness) -> None:
    async def value(process: str, listener: str, metric: str) -> float:
        async with httpx.AsyncClient(
            base_url=f"http://{house.target(process, listener)}", trust_env=False, timeout=TIMEOUT
        ) as http:
            lines = (await http.get("/metrics")).text.splitlines()
        return next(float(line.split()[-1]) for line in lines if line.startswith(metric))

    for process in (*_GRPC, "gateway-1"):
        assert 0 < await value(process, "metrics", "parley_tls_certificate_left_seconds ") <= 3_600
    assert await value("envoy", "status", "envoy_server_days_until_first_cert_expiring") == 0


async def test_renewed_certificates_are_picked_up_while_all_go_on(house: Harness, company: Company) -> None:
    await company.hire("ann")
    await company.hire("bob")
    before = {name: process.pid for name, process in house.stack.processes.items()}
    serials = house.issue()

    async def all_shown() -> bool:
        own = files_in(house.certificates / "gateway")
        shown = {target: await _serial_of(target, own) for target in house.doors()}
        return all(shown[target] == serials[name] for target, name in house.doors().items())

    await until(all_shown)
    await _talk(company, "still here")
    assert {name: process.pid for name, process in house.stack.processes.items()} == before
