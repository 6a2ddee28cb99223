"""A CRM: an issuer that signs tokens, and publishes its keys over HTTP on loopback."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, Key, KeyParameters, OctKey, OKPKey, RSAKey
from parley.auth.v1 import user_pb2

AUDIENCE = "parley"


def make_key(algorithm: str, key_id: str) -> Key:
    """Returns a new key for an algorithm."""
    parameters: KeyParameters = {"kid": key_id, "use": "sig"}
    if algorithm == "RS256":
        return RSAKey.generate_key(2_048, parameters=parameters)
    if algorithm == "EdDSA":
        return OKPKey.generate_key("Ed25519", parameters=parameters)
    return ECKey.generate_key("P-256", parameters=parameters)


class Crm:
    """An issuer.

    Attributes:
        issuer: its name in tokens.
        keys: the published keys; tests change them.
        answer: the raw HTTP response of its server; empty to publish the keys.
        fetches: the number of times that the keys were fetched.
    """

    def __init__(self, algorithm: str, port: int) -> None:
        self.issuer = f"https://crm-{secrets.token_hex(8)}.example"
        self.algorithm = algorithm
        self.key = make_key(algorithm, "first")
        self.keys: list[Key] = [self.key]
        self.answer = b""
        self.fetches = 0
        self.url = f"http://127.0.0.1:{port}/jwks.json"

    @property
    def trusted(self) -> user_pb2.TrustedIssuer:
        """Returns the configuration of this issuer for an organization."""
        return user_pb2.TrustedIssuer(
            issuer=self.issuer, audience=AUDIENCE, algorithm=self.algorithm, jwks_url=self.url
        )

    def sign(self, claims: dict[str, Any], key: Key | None = None) -> str:
        """Returns a token of this issuer."""
        key = key or self.key
        header = {"alg": self.algorithm, "kid": str(key.kid)}
        return jwt.encode(header, claims, key, algorithms=[self.algorithm])

    def http_answer(self) -> bytes:
        """Returns the raw response of its server."""
        self.fetches += 1
        if self.answer:
            return self.answer
        return http(200, json.dumps({"keys": [key.as_dict(private=False) for key in self.keys]}).encode())


def http(status: int, body: bytes, *headers: str) -> bytes:
    """Returns a raw HTTP response."""
    lines = [f"HTTP/1.1 {status} Said", f"content-length: {len(body)}", "connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


@asynccontextmanager
async def running_crm(algorithm: str) -> AsyncIterator[Crm]:
    """Runs the HTTP server of an issuer on a free port."""
    crms: list[Crm] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(crms[0].http_answer())
        with suppress(ConnectionError):  # the client may close early, as it should for a response that is too long
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        crms.append(Crm(algorithm, server.sockets[0].getsockname()[1]))
        yield crms[0]


class SharedSecretCrm:
    """An issuer that shares a secret with the organization."""

    def __init__(self) -> None:
        self.issuer = f"crm-{secrets.token_hex(8)}"
        self.secret = secrets.token_urlsafe(32)

    @property
    def trusted(self) -> user_pb2.TrustedIssuer:
        """Returns the configuration of this issuer for an organization."""
        return user_pb2.TrustedIssuer(
            issuer=self.issuer, audience=AUDIENCE, algorithm="HS256", shared_secret=self.secret
        )

    def sign(self, claims: dict[str, Any], secret: str = "") -> str:
        """Returns a token of this issuer."""
        return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(secret or self.secret))
