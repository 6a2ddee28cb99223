"""The gRPC servicers of auth: validate, call a use case, convert the result."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from functools import partial

from parley.auth.v1 import auth_pb2, auth_pb2_grpc, directory_pb2, directory_pb2_grpc, user_pb2

from chassis.identity import Identity, caller, calling_user
from chassis.rpc import paging
from chassis.rpc.interceptor import Context
from chassis.rpc.revocation_watcher import RECENT_KEY
from services.auth.bus import to_response
from services.auth.callers import Callers
from services.auth.convert import (
    organization_to_proto,
    result_to_proto,
    timestamp,
    tokens_to_proto,
    user_to_proto,
)
from services.auth.directory import Directory, Search
from services.auth.domain import request_digest
from services.auth.exchange import Exchange
from services.auth.keys import KeyRing
from services.auth.limits import client_address
from services.auth.organizations import Organizations
from services.auth.requests import (
    OWN_FIELDS,
    import_rows,
    list_filter,
    new_organization,
    new_user,
    organization_changes,
    search_filter,
    user_changes,
)
from services.auth.revocations import RevocationFeed
from services.auth.service_tokens import ServiceTokens
from services.auth.sessions import Sessions
from services.auth.sign_in import SignIn
from services.auth.user_import import Row, UserImport
from services.auth.users import UserChanges, Users


class AuthServicer(auth_pb2_grpc.AuthServiceServicer):
    """parley.auth.v1.AuthService."""

    def __init__(
        self,
        *,
        sign_in: SignIn,
        exchange: Exchange,
        sessions: Sessions,
        service_tokens: ServiceTokens,
        keys: KeyRing,
        revocations: RevocationFeed,
    ) -> None:
        self._sign_in = sign_in
        self._exchange = exchange
        self._sessions = sessions
        self._service_tokens = service_tokens
        self._keys = keys
        self._revocations = revocations

    async def SignIn(self, request: auth_pb2.SignInRequest, context: Context) -> auth_pb2.SignInResponse:
        """Implements the RPC."""
        address = client_address(request.client_address, context)
        session = await self._sign_in.sign_in(request.email, request.password, address)
        return auth_pb2.SignInResponse(tokens=tokens_to_proto(session), user=user_to_proto(session.user))

    async def RefreshToken(
        self, request: auth_pb2.RefreshTokenRequest, context: Context
    ) -> auth_pb2.RefreshTokenResponse:
        """Implements the RPC."""
        session = await self._sessions.refresh(request.refresh_token)
        return auth_pb2.RefreshTokenResponse(tokens=tokens_to_proto(session), user=user_to_proto(session.user))

    async def SignOut(self, request: auth_pb2.SignOutRequest, context: Context) -> auth_pb2.SignOutResponse:
        """Implements the RPC."""
        caller = calling_user()
        await self._sessions.end(caller.organization_id, caller.user_id, caller.session_id)
        return auth_pb2.SignOutResponse()

    async def ExchangeToken(
        self, request: auth_pb2.ExchangeTokenRequest, context: Context
    ) -> auth_pb2.ExchangeTokenResponse:
        """Implements the RPC."""
        session = await self._exchange.exchange(request.token)
        return auth_pb2.ExchangeTokenResponse(tokens=tokens_to_proto(session), user=user_to_proto(session.user))

    async def IssueServiceToken(
        self, request: auth_pb2.IssueServiceTokenRequest, context: Context
    ) -> auth_pb2.IssueServiceTokenResponse:
        """Implements the RPC."""
        token = await self._service_tokens.issue(
            request.service, request.secret, request.organization_id, client_address("", context)
        )
        return auth_pb2.IssueServiceTokenResponse(access_token=token.text, expire_time=timestamp(token.expire_time))

    async def ListKeys(self, request: auth_pb2.ListKeysRequest, context: Context) -> auth_pb2.ListKeysResponse:
        """Implements the RPC."""
        return auth_pb2.ListKeysResponse(jwks=await self._keys.jwks())

    async def WatchRevocations(
        self, request: auth_pb2.WatchRevocationsRequest, context: Context
    ) -> AsyncIterator[auth_pb2.WatchRevocationsResponse]:
        """Implements the RPC. The initial metadata is sent once no later revocation can be missed."""
        own = caller().organization_id
        async with aclosing(self._revocations.watch()) as batches:
            recent = [each for each in await anext(batches) if not own or each.organization_id == own]
            await context.send_initial_metadata(((RECENT_KEY, str(len(recent))),))
            for revocation in recent:
                yield to_response(revocation)
            async for batch in batches:
                for revocation in batch:
                    if not own or revocation.organization_id == own:
                        yield to_response(revocation)


class DirectoryServicer(directory_pb2_grpc.DirectoryServiceServicer):
    """parley.auth.v1.DirectoryService."""

    def __init__(
        self,
        *,
        callers: Callers,
        directory: Directory,
        users: Users,
        user_import: UserImport,
        organizations: Organizations,
    ) -> None:
        self._callers = callers
        self._directory = directory
        self._users = users
        self._import = user_import
        self._organizations = organizations

    async def GetMe(self, request: directory_pb2.GetMeRequest, context: Context) -> directory_pb2.GetMeResponse:
        """Implements the RPC."""
        identity = calling_user()
        user = await self._directory.get(identity, identity.user_id)
        return directory_pb2.GetMeResponse(user=user_to_proto(user))

    async def GetUser(self, request: directory_pb2.GetUserRequest, context: Context) -> directory_pb2.GetUserResponse:
        """Implements the RPC."""
        user = await self._directory.get(caller(), request.user_id)
        return directory_pb2.GetUserResponse(user=user_to_proto(user))

    async def BatchGetUsers(
        self, request: directory_pb2.BatchGetUsersRequest, context: Context
    ) -> directory_pb2.BatchGetUsersResponse:
        """Implements the RPC."""
        users = await self._directory.get_many(caller(), request.user_ids)
        return directory_pb2.BatchGetUsersResponse(users=[user_to_proto(user) for user in users])

    async def ListUsers(
        self, request: directory_pb2.ListUsersRequest, context: Context
    ) -> directory_pb2.ListUsersResponse:
        """Implements the RPC."""
        users, token = await self._page(caller(), list_filter(request), request)
        return directory_pb2.ListUsersResponse(users=users, next_page_token=token)

    async def SearchUsers(
        self, request: directory_pb2.SearchUsersRequest, context: Context
    ) -> directory_pb2.SearchUsersResponse:
        """Implements the RPC."""
        users, token = await self._page(calling_user(), search_filter(request), request)
        return directory_pb2.SearchUsersResponse(users=users, next_page_token=token)

    async def _page(
        self,
        identity: Identity,
        search: Search,
        request: directory_pb2.ListUsersRequest | directory_pb2.SearchUsersRequest,
    ) -> tuple[list[user_pb2.User], str]:
        """Returns a page of users and the token of the next one."""
        listing = _listing(search, identity)
        after = paging.decode_token(request.page_token, listing, tuple[str, str])
        page = await self._directory.list(identity, search, after, paging.page_size(request.page_size))
        token = paging.encode_token(list(page.next_after), listing) if page.next_after else ""
        return [user_to_proto(user) for user in page.users], token

    async def CheckContacts(
        self, request: directory_pb2.CheckContactsRequest, context: Context
    ) -> directory_pb2.CheckContactsResponse:
        """Implements the RPC."""
        contacts = await self._directory.contacts(calling_user(), request.user_ids)
        response = directory_pb2.CheckContactsResponse(may_create_groups=contacts.may_create_groups)
        for user_id, allowed in contacts.allowed:
            response.contacts.add(user_id=user_id, allowed=allowed)
        return response

    async def CreateUser(
        self, request: directory_pb2.CreateUserRequest, context: Context
    ) -> directory_pb2.CreateUserResponse:
        """Implements the RPC."""
        identity, digest = caller(), _request_digest(request)
        user = await self._users.repeated(digest)
        await self._callers.require_administrator(identity)
        if user is None:
            user = await self._users.create(identity.organization_id, new_user(request), digest)
        return directory_pb2.CreateUserResponse(user=user_to_proto(user))

    async def UpdateUser(
        self, request: directory_pb2.UpdateUserRequest, context: Context
    ) -> directory_pb2.UpdateUserResponse:
        """Implements the RPC."""
        changes, identity = user_changes(request), caller()
        digest = _request_digest(request, request.user.user_id)
        user = await self._users.repeated(digest)
        own = OWN_FIELDS.issuperset(request.update_mask.paths)
        await self._callers.require_may_change(identity, request.user.user_id, own_fields=own)
        if user is None:
            user = await self._users.change(identity.organization_id, request.user.user_id, changes, digest)
        return directory_pb2.UpdateUserResponse(user=user_to_proto(user))

    async def SetPassword(
        self, request: directory_pb2.SetPasswordRequest, context: Context
    ) -> directory_pb2.SetPasswordResponse:
        """Implements the RPC."""
        identity, digest = caller(), _request_digest(request, request.user_id)
        user = await self._users.repeated(digest)
        await self._callers.require_administrator(identity)
        if user is None:
            changes = UserChanges(password=request.password)
            await self._users.change(identity.organization_id, request.user_id, changes, digest)
        return directory_pb2.SetPasswordResponse()

    async def DeactivateUser(
        self, request: directory_pb2.DeactivateUserRequest, context: Context
    ) -> directory_pb2.DeactivateUserResponse:
        """Implements the RPC."""
        identity, digest = caller(), _request_digest(request, request.user_id)
        user = await self._users.repeated(digest)
        await self._callers.require_administrator(identity)
        if user is None:
            changes = UserChanges(disabled=True)
            user = await self._users.change(identity.organization_id, request.user_id, changes, digest)
        return directory_pb2.DeactivateUserResponse(user=user_to_proto(user))

    async def BatchUpsertUsers(
        self, request: directory_pb2.BatchUpsertUsersRequest, context: Context
    ) -> directory_pb2.BatchUpsertUsersResponse:
        """Implements the RPC."""
        identity = caller()
        await self._callers.require_administrator(identity)
        organization_id = identity.organization_id
        existing = await self._import.existing(organization_id, [row.user_id for row in request.users])
        rows = import_rows(request, existing)
        good = [row for row in rows if isinstance(row, Row)]
        results = await self._import.run(organization_id, good, partial(_request_digest, request))
        response = directory_pb2.BatchUpsertUsersResponse()
        for asked, row in zip(request.users, rows, strict=True):
            result = results[row.user_id] if isinstance(row, Row) else row
            response.results.append(result_to_proto(asked.user_id, result))
        return response

    async def CreateOrganization(
        self, request: directory_pb2.CreateOrganizationRequest, context: Context
    ) -> directory_pb2.CreateOrganizationResponse:
        """Implements the RPC."""
        new, digest = new_organization(request), _request_digest(request)
        self._callers.require_serves(caller(), new.organization_id)
        organization = await self._organizations.repeated(digest)
        if organization is None:
            organization = await self._organizations.create(new, digest)
        return directory_pb2.CreateOrganizationResponse(organization=organization_to_proto(organization))

    async def GetOrganization(
        self, request: directory_pb2.GetOrganizationRequest, context: Context
    ) -> directory_pb2.GetOrganizationResponse:
        """Implements the RPC."""
        organization_id = await self._callers.administered(caller(), request.organization_id)
        organization = await self._organizations.get(organization_id)
        return directory_pb2.GetOrganizationResponse(organization=organization_to_proto(organization))

    async def UpdateOrganization(
        self, request: directory_pb2.UpdateOrganizationRequest, context: Context
    ) -> directory_pb2.UpdateOrganizationResponse:
        """Implements the RPC."""
        changes = organization_changes(request)
        organization_id = await self._callers.administered(caller(), request.organization.organization_id)
        digest = _request_digest(request, organization_id)
        organization = await self._organizations.repeated(digest)
        if organization is None:
            organization = await self._organizations.change(organization_id, changes, digest)
        return directory_pb2.UpdateOrganizationResponse(organization=organization_to_proto(organization))


_Mutation = (
    directory_pb2.CreateUserRequest
    | directory_pb2.UpdateUserRequest
    | directory_pb2.SetPasswordRequest
    | directory_pb2.DeactivateUserRequest
    | directory_pb2.BatchUpsertUsersRequest
    | directory_pb2.CreateOrganizationRequest
    | directory_pb2.UpdateOrganizationRequest
)


def _request_digest(request: _Mutation, target: str = "") -> bytes | None:
    """Returns what identifies a request, with what it changes; None if it has no id.

    Methods look up a repeat of a change to a user before they check permissions, which it finishes even if the change
    has taken them away from the caller: the user's sessions may not have been ended. The response is for callers who
    have the permission now.
    """
    identity = caller()
    name = f"service/{identity.service}" if identity.service else f"user/{identity.user_id}"
    return request_digest(identity.organization_id, name, request.DESCRIPTOR.name, request.request_id, target)


def _listing(search: Search, identity: Identity) -> str:
    """Returns what page tokens are bound to: the caller and the search."""
    return repr((identity.organization_id, identity.user_id, search))
