"""What every answer of the HTTP interface has, whatever was asked."""

from __future__ import annotations

import asyncio
import re
from contextlib import AsyncExitStack
from urllib.parse import urlsplit

import httpx
import pytest
from prometheus_client import REGISTRY

from chassis.rpc.server import PortTakenError
from gateway.rest import readiness
from gateway.rest.meta import HEALTH, KEY_SET, WELCOME
from gateway.rest.request_parsing import MAX_BODY_BYTES
from tests.component.auth_service import running_auth
from tests.component.gateway.rest.harness import NOWHERE, ORIGIN, Harness, Person, answer_of, problem_of, serving_rest
from tests.rest_shapes import check_shape

BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.mark.parametrize("accept", ["*/*", "application/json", "application/json, text/plain, */*"])
async def test_programs_are_welcomed_in_json(house: Harness, accept: str) -> None:
    answer = answer_of(await house.http.get("/", headers={"accept": accept}))
    check_shape(answer, WELCOME)
    assert answer["message"] == "Welcome to the CRM chat API"
    assert re.match(r"\d+\.\d+", answer["version"])


async def test_browsers_are_welcomed_with_a_page(house: Harness) -> None:
    response = await house.http.get("/", headers=BROWSER)
    assert response.headers["content-type"].startswith("text/html")
    assert 'src="/assets/' in response.text
    assert {"accept", "accept-encoding"} <= set(response.headers["vary"].lower().split(", "))


async def test_pages_and_all_that_they_need_are_served(house: Harness) -> None:
    pages = ["/", "/docs"]
    for page in pages:
        response = await house.http.get(page, headers=BROWSER)
        assert response.status_code == 200
        assert "default-src 'none'" in response.headers["content-security-policy"]
        for address in re.findall(r'(?:src|href)="([^"]+)"', response.text):
            assert (await house.http.get(address)).status_code == 200, address


async def test_it_lives_and_is_ready(house: Harness) -> None:
    for path in ("/healthz", "/readyz"):
        check_shape(answer_of(await house.http.get(path)), HEALTH)


async def test_it_is_not_ready_without_chat_but_lives(house: Harness) -> None:
    async with serving_rest(house.auth) as http:
        response = await http.get("/readyz")
        assert problem_of(response) == (503, "UNAVAILABLE", "NOT_READY")
        assert "chat" in response.json()["error"]["message"]
        assert "auth" not in response.json()["error"]["message"]
        assert (await http.get("/healthz")).status_code == 200


async def test_it_stays_ready_without_auth_once_it_has_the_keys(
    house: Harness, mongodb_uri: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """People with valid tokens can connect meanwhile; without keys nobody can."""
    monkeypatch.setattr(readiness, "_REMEMBER_SECONDS", 0.0)
    async with AsyncExitStack() as stack:
        async with running_auth(mongodb_uri, redis_url) as auth:
            chat = house.auth.target  # any service whose health is served
            knowing = await stack.enter_async_context(serving_rest(auth, chat_target=chat))
            ignorant = await stack.enter_async_context(serving_rest(auth, chat_target=chat))
            await auth.create_organization("acme")
            ann = Person(knowing, await auth.sign_in_new("acme", "manager"))
            await ann.get("/api/users/me")
            for http in (knowing, ignorant):
                assert (await http.get("/readyz")).status_code == 200
        assert (await knowing.get("/readyz")).status_code == 200
        response = await ignorant.get("/readyz")
        assert problem_of(response) == (503, "UNAVAILABLE", "NOT_READY")
        assert "auth" in response.json()["error"]["message"]


async def test_it_is_not_ready_once_it_is_to_stop(house: Harness) -> None:
    stopping = asyncio.Event()
    async with serving_rest(house.auth, chat_target=house.auth.target, is_stopping=stopping.is_set) as http:
        assert (await http.get("/readyz")).status_code == 200
        stopping.set()
        assert problem_of(await http.get("/readyz")) == (503, "UNAVAILABLE", "NOT_READY")


async def test_the_keys_are_public_and_may_be_kept_for_a_while(house: Harness) -> None:
    response = await house.http.get("/.well-known/jwks.json")
    check_shape(answer_of(response), KEY_SET)
    assert response.json()["keys"]
    assert all("d" not in key for key in response.json()["keys"])
    assert re.fullmatch(r"public, max-age=\d+", response.headers["cache-control"])


async def test_a_service_that_is_away_is_unavailable(house: Harness, organization: str) -> None:
    ada = await house.join(organization, "admin")
    async with serving_rest(house.auth, notify_target=NOWHERE) as http:
        authorization = {"authorization": f"Bearer {ada.signed_in.access_token}"}
        response = await http.get("/api/notifications", headers=authorization)
        assert problem_of(response) == (503, "UNAVAILABLE", "SERVICE_UNAVAILABLE")
        assert int(response.headers["retry-after"]) >= 1


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/api",
        "/api/users/",
        "/api/chat/conversations/a/b",
        "/docs/",
        "/docs/docs.html",
        "/docs/swagger-ui/LICENSE",
        "/docs/%2e%2e/pages.py",
        "/docs/..%2fpages.py",
        "/docs/../../settings.py",
    ],
)
async def test_an_unknown_path_is_not_found_in_json(house: Harness, path: str) -> None:
    assert problem_of(await house.http.get(path)) == (404, "NOT_FOUND", "PATH_NOT_FOUND")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/api/users", "GET, HEAD, OPTIONS, POST"),
        ("DELETE", "/api/users/someone", "GET, HEAD, OPTIONS, PATCH"),
        ("GET", "/api/chat/send", "OPTIONS, POST"),
        ("POST", "/healthz", "GET, HEAD, OPTIONS"),
        ("BREW", "/docs", "GET, HEAD, OPTIONS"),
    ],
)
async def test_a_method_that_a_path_does_not_take_is_refused(
    house: Harness, method: str, path: str, allowed: str
) -> None:
    response = await house.http.request(method, path)
    assert problem_of(response) == (405, "UNIMPLEMENTED", "METHOD_NOT_ALLOWED")
    assert response.headers["allow"] == allowed


async def test_options_says_what_a_path_takes(house: Harness) -> None:
    response = await house.http.options("/api/users/someone")
    assert (response.status_code, response.headers["allow"]) == (204, "GET, HEAD, OPTIONS, PATCH")


async def test_head_answers_as_get_without_a_body(house: Harness) -> None:
    for path in ("/healthz", "/docs"):
        head, get = await house.http.head(path), await house.http.get(path)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == get.headers["content-length"]


async def test_answers_are_neither_sniffed_nor_kept(house: Harness) -> None:
    for path in ("/healthz", "/api/users/me", "/nothing"):
        headers = (await house.http.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"


async def test_a_request_keeps_the_id_that_the_proxy_gave_it(house: Harness) -> None:
    request_id = "0b8ac2f3-9d3c-4b0e-8f57-6b9a4f3c2d1e"
    response = await house.http.get("/healthz", headers={"x-request-id": request_id})
    assert response.headers["x-request-id"] == request_id


@pytest.mark.parametrize("given", [None, "", "a b", "x" * 65, 'a"b'])
async def test_a_request_without_a_good_id_gets_a_fresh_one(house: Harness, given: str | None) -> None:
    headers = {} if given is None else {"x-request-id": given}
    ids = {(await house.http.get("/healthz", headers=headers)).headers["x-request-id"] for _ in range(2)}
    assert len(ids) == 2
    assert given not in ids


async def test_pages_of_an_allowed_origin_may_call(house: Harness) -> None:
    preflight = await house.http.options(
        "/api/chat/send",
        headers={
            "origin": ORIGIN,
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization, content-type, idempotency-key",
        },
    )
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == ORIGIN
    response = await house.http.get("/api/users/me", headers={"origin": ORIGIN})
    assert response.status_code == 401
    assert response.headers["access-control-allow-origin"] == ORIGIN
    assert "origin" in response.headers["vary"].lower()
    assert "access-control-allow-credentials" not in response.headers
    assert "retry-after" in response.headers["access-control-expose-headers"].lower()


@pytest.mark.parametrize("origin", ["https://evil.example", "null", f"{ORIGIN}.evil.example", "http://crm.example"])
async def test_pages_of_other_origins_may_not(house: Harness, origin: str) -> None:
    preflight = await house.http.options(
        "/api/chat/send", headers={"origin": origin, "access-control-request-method": "POST"}
    )
    assert "access-control-allow-origin" not in preflight.headers
    response = await house.http.get("/healthz", headers={"origin": origin})
    assert "access-control-allow-origin" not in response.headers


async def test_a_body_over_the_limit_is_refused_and_the_connection_goes_on(house: Harness) -> None:
    headers = {"content-type": "application/json"}

    async def chunks() -> object:
        for _ in range(40):
            yield b" " * 4_096

    for body in (b" " * (MAX_BODY_BYTES + 1), b" " * 2_000_000, chunks()):
        response = await house.http.post("/api/auth/login", content=body, headers=headers)  # type: ignore[arg-type]
        assert problem_of(response) == (413, "INVALID_ARGUMENT", "BODY_TOO_LARGE")
        assert (await house.http.get("/healthz")).status_code == 200


def measured(labels: tuple[str, str, str]) -> float:
    named = dict(zip(("method", "route", "status"), labels, strict=True))
    return REGISTRY.get_sample_value("parley_http_requests_total", named) or 0.0


@pytest.mark.parametrize(
    ("method", "path", "labels"),
    [
        ("GET", "/api/users/some-one", ("GET", "/api/users/{userId}", "401")),
        ("GET", "/made/up/path", ("GET", "(unmatched)", "404")),
        ("BREW", "/healthz", ("OTHER", "/healthz", "405")),
    ],
)
async def test_requests_are_measured_by_route_and_never_by_what_a_client_made_up(
    house: Harness, method: str, path: str, labels: tuple[str, str, str]
) -> None:
    before = measured(labels)
    await house.http.request(method, path)
    assert measured(labels) == before + 1


async def test_it_stops_after_what_it_has_begun(house: Harness) -> None:
    """A request whose body is still on its way when the stop begins is answered; a new connection is refused."""
    async with serving_rest(house.auth) as http:
        port = urlsplit(str(http.base_url)).port
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = (
            "POST /api/auth/refresh HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 24\r\n\r\n"
        )
        writer.write(head.encode() + b'{"refreshToken"')
        await writer.drain()
        await http.get("/healthz")  # the server has read what was written before
        finishing = asyncio.create_task(_finish_late(port, reader, writer))
    assert (await finishing).startswith(b"HTTP/1.1 401")
    with pytest.raises(OSError, match=r"refused|Connect call failed"):
        await asyncio.open_connection("127.0.0.1", port)


async def _finish_late(port: int | None, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """Sends the rest of a request once the server takes no more connections, and reads the answer."""
    while True:
        try:
            _, other = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            break
        other.close()
        await asyncio.sleep(0.01)
    writer.write(b': "none"}')
    answer = await reader.read()
    writer.close()
    return answer


async def test_a_port_in_use_is_an_error_that_names_it(house: Harness) -> None:
    taken = urlsplit(str(house.http.base_url)).netloc
    with pytest.raises(PortTakenError, match=re.escape(taken)):
        async with serving_rest(house.auth, http_listen=taken):
            pass


async def test_it_is_served_over_ipv6_too(house: Harness) -> None:
    async with serving_rest(house.auth, http_listen="[::1]:0") as http:
        port = urlsplit(str(http.base_url)).port
        async with httpx.AsyncClient(trust_env=False) as client:
            assert (await client.get(f"http://[::1]:{port}/healthz")).status_code == 200
