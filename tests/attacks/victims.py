"""Organizations and users for attacks, and what an attack may not take from them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from parley.auth.v1 import auth_pb2, auth_pb2_grpc, directory_pb2, directory_pb2_grpc, user_pb2

from chassis.rpc.channel import ServiceTokens

TIMEOUT = 60.0
PASSWORD = "parley-test-password"


@dataclass(frozen=True)
class Organization:
    """An organization of one test."""

    organization_id: str
    auth: auth_pb2_grpc.AuthServiceStub
    directory: directory_pb2_grpc.DirectoryServiceStub
    tokens: ServiceTokens

    async def sign_in_new(self, role: str = "manager") -> str:
        """Creates a user, and returns their access token."""
        email = f"{secrets.token_hex(8)}@test.example"
        user = user_pb2.User(
            user_id=f"{role}-{secrets.token_hex(4)}",
            name="A person",
            email=email,
            role=user_pb2.Role.Value(f"ROLE_{role.upper()}"),
        )
        await self.directory.CreateUser(
            directory_pb2.CreateUserRequest(user=user, password=PASSWORD),
            metadata=await self.tokens.metadata(self.organization_id),
            timeout=TIMEOUT,
        )
        response = await self.auth.SignIn(auth_pb2.SignInRequest(email=email, password=PASSWORD), timeout=TIMEOUT)
        return response.tokens.access_token
