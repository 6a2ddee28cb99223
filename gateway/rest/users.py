"""The directory: who there is, and provisioning by the organization's admins."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from google.protobuf.field_mask_pb2 import FieldMask
from msgspec import Meta, Struct, structs
from parley.auth.v1 import directory_pb2, user_pb2
from starlette.responses import Response

from chassis.errors import InvalidArgumentError
from gateway.rest.endpoint import json_response
from gateway.rest.fields import fields_renamed
from gateway.rest.operation import Call, Group, Nothing, Operation
from gateway.rest.parameters import PageSize, PageToken, UserId
from gateway.rest.schemas import AccountAnswer, Role, UserAnswer, UserPage
from gateway.upstream.clients import Upstreams
from gateway.wire.enum_names import ROLES
from gateway.wire.json_objects import Object, user_object

Name = Annotated[str, Meta(min_length=1, max_length=100, description="What others read.")]
Email = Annotated[str, Meta(max_length=320, description="What the user signs in with.")]
Team = Annotated[str, Meta(min_length=1, max_length=64)]
Teams = Annotated[list[Team], Meta(max_length=50, description="Names of the teams that the user is in.")]
AvatarUrl = Annotated[str, Meta(max_length=2_000, description="An https address of a picture.")]
Password = Annotated[str, Meta(min_length=8, max_length=1_024)]


class Search(Struct, rename="camel"):
    """Which users to list."""

    query: Annotated[str, Meta(max_length=200, description="Beginnings of words of the name, id or e-mail.")] = ""
    role: Role | None = None
    team: Annotated[str, Meta(max_length=64)] = ""
    page_size: PageSize | None = None
    page_token: PageToken = ""


class NewUser(Struct, rename="camel"):
    """A user to make."""

    name: Name
    role: Role
    user_id: Annotated[UserId, Meta(description="The CRM's own id; one is made when it is left out.")] | None = None
    email: Email = ""
    teams: Teams = []
    avatar_url: AvatarUrl = ""
    password: Password | None = None


class UserChanges(Struct, rename="camel"):
    """What to change about a user; what is left out stays as it is."""

    name: Name | None = None
    email: Email | None = None
    role: Role | None = None
    teams: Teams | None = None
    avatar_url: AvatarUrl | None = None
    disabled: Annotated[bool, Meta(description="A disabled user's sessions end.")] | None = None


def account_object(user: user_pb2.User) -> Object:
    """`Account`: a user as admins see it."""
    made = user_object(user)
    if user.email:
        made["email"] = user.email
    made["disabled"] = user.disabled
    return made


class Users:
    """The operations under /api/users."""

    def __init__(self, upstreams: Upstreams) -> None:
        self._upstreams = upstreams

    async def list_users(self, call: Call[Search, Nothing]) -> Object:
        """Lists whom the caller may see."""
        response = await self._upstreams.call(
            self._upstreams.directory.ListUsers,
            directory_pb2.ListUsersRequest(
                query=call.query.query,
                role=_role(call.query.role),
                team=call.query.team,
                page_size=call.query.page_size or 0,
                page_token=call.query.page_token,
            ),
            token=call.token,
        )
        return {"users": [user_object(user) for user in response.users], "nextPageToken": response.next_page_token}

    async def get_me(self, call: Call[Nothing, Nothing]) -> Object:
        """Reads the caller."""
        return await self._get(call.user_id, call.token)

    async def get_user(self, call: Call[Nothing, Nothing]) -> Object:
        """Reads one user."""
        return await self._get(call.path["userId"], call.token)

    async def _get(self, user_id: str, token: str) -> Object:
        response = await self._upstreams.call(
            self._upstreams.directory.GetUser, directory_pb2.GetUserRequest(user_id=user_id), token=token
        )
        return {"user": user_object(response.user)}

    async def create_user(self, call: Call[Nothing, NewUser]) -> Response:
        """Makes a user."""
        body = call.body
        with fields_renamed(_name_here):
            response = await self._upstreams.call(
                self._upstreams.directory.CreateUser,
                directory_pb2.CreateUserRequest(
                    user=user_pb2.User(
                        user_id=body.user_id or "",
                        name=body.name,
                        email=body.email,
                        role=_role(body.role),
                        teams=body.teams,
                        avatar_url=body.avatar_url,
                    ),
                    password=body.password or "",
                ),
                token=call.token,
            )
        location = f"/api/users/{quote(response.user.user_id, safe=':@')}"
        return json_response({"user": account_object(response.user)}, 201, {"Location": location})

    async def update_user(self, call: Call[Nothing, UserChanges]) -> Object:
        """Changes what the body holds."""
        body = call.body
        present = [name for name, value in structs.asdict(body).items() if value is not None]
        if not present:
            raise InvalidArgumentError("NOTHING_TO_CHANGE", "the body holds nothing that can be changed")
        with fields_renamed(_name_here):
            response = await self._upstreams.call(
                self._upstreams.directory.UpdateUser,
                directory_pb2.UpdateUserRequest(
                    user=user_pb2.User(
                        user_id=call.path["userId"],
                        name=body.name or "",
                        email=body.email or "",
                        role=_role(body.role),
                        teams=body.teams or [],
                        avatar_url=body.avatar_url or "",
                        disabled=bool(body.disabled),
                    ),
                    update_mask=FieldMask(paths=present),
                ),
                token=call.token,
            )
        return {"user": account_object(response.user)}

    def group(self) -> Group:
        """The rows of the table."""
        return Group(
            "users",
            "The directory",
            (
                Operation(
                    "GET",
                    "/api/users",
                    "listUsers",
                    "Lists the users whom the caller may write to, by name; admins and managers get everyone.",
                    self.list_users,
                    query=Search,
                    body=Nothing,
                    answer=UserPage,
                ),
                Operation(
                    "GET",
                    "/api/users/me",
                    "getMe",
                    "The caller.",
                    self.get_me,
                    query=Nothing,
                    body=Nothing,
                    answer=UserAnswer,
                ),
                Operation(
                    "GET",
                    "/api/users/{userId}",
                    "getUser",
                    "One user.",
                    self.get_user,
                    query=Nothing,
                    body=Nothing,
                    answer=UserAnswer,
                ),
                Operation(
                    "POST",
                    "/api/users",
                    "createUser",
                    "Makes a user; for admins.",
                    self.create_user,
                    query=Nothing,
                    body=NewUser,
                    answer=AccountAnswer,
                    status=201,
                    failures=(403, 409),
                ),
                Operation(
                    "PATCH",
                    "/api/users/{userId}",
                    "updateUser",
                    "Changes the fields that the body holds; for admins, and for users their own name and avatar.",
                    self.update_user,
                    query=Nothing,
                    body=UserChanges,
                    answer=AccountAnswer,
                    failures=(403, 409),
                ),
            ),
        )


def _role(name: str | None) -> user_pb2.Role.ValueType:
    number = ROLES.number(name) if name else None
    return user_pb2.Role.ValueType(number or 0)


def _name_here(name: str) -> str:
    """The services' requests hold a user; here the body is the user."""
    return name.removeprefix("user.")
