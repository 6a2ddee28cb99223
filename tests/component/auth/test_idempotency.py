"""Tests that a request with a request id changes something once, however, whenever and wherever it is repeated."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from parley.auth.v1 import directory_pb2 as pb
from parley.auth.v1 import user_pb2
from pymongo import AsyncMongoClient

from chassis.errors import Category
from chassis.mongo import request_ids
from chassis.rpc.channel import Metadata
from services.auth.organization_store import OrganizationStore
from services.auth.sessions import Sessions
from services.auth.user_store import UserStore
from tests.component.auth.expectations import refused
from tests.component.auth_service import PASSWORD, RunningAuth, SignedIn, auth_settings, drop_database, running_auth

TIMEOUT = 40.0
NEW_PASSWORD = "another-password"
DEFAULTS: dict[str, Any] = {"name": "Ann", "role": user_pb2.ROLE_SALES}


class World(NamedTuple):
    """Two replicas of auth on one database."""

    replicas: tuple[RunningAuth, RunningAuth]


@pytest.fixture(scope="module")
async def world(mongodb_uri: str, redis_url: str) -> AsyncIterator[World]:
    config = auth_settings(mongodb_uri, redis_url)
    async with (
        running_auth(mongodb_uri, redis_url, settings=config) as one,
        running_auth(mongodb_uri, redis_url, settings=config) as other,
    ):
        yield World((one, other))
    await drop_database(config)


@pytest.fixture
async def organization(world: World) -> str:
    organization_id = f"org-{secrets.token_hex(6)}"
    await world.replicas[0].create_organization(organization_id)
    return organization_id


async def call(auth: RunningAuth, metadata: Metadata, request: Any) -> Any:
    """Calls the method of a request."""
    method = getattr(auth.directory, type(request).__name__.removesuffix("Request"))
    return await method(request, metadata=metadata, timeout=TIMEOUT)


async def get(auth: RunningAuth, organization_id: str, user_id: str) -> user_pb2.User:
    metadata = await auth.service_metadata(organization_id)
    user: user_pb2.User = (await call(auth, metadata, pb.GetUserRequest(user_id=user_id))).user
    return user


def creation(request_id: str, **fields: Any) -> pb.CreateUserRequest:
    user = user_pb2.User(**(DEFAULTS | fields))
    return pb.CreateUserRequest(user=user, request_id=request_id)


def update(user_id: str, request_id: str, **fields: Any) -> pb.UpdateUserRequest:
    user, mask = user_pb2.User(user_id=user_id, **fields), FieldMask(paths=list(fields))
    return pb.UpdateUserRequest(user=user, update_mask=mask, request_id=request_id)


@pytest.mark.parametrize("user_id", ["", "crm:42"], ids=["without an id", "with an id"])
async def test_a_user_is_created_once_whatever_a_repeat_says(world: World, organization: str, user_id: str) -> None:
    one, other = world.replicas
    metadata, key = await one.service_metadata(organization), secrets.token_hex(8)
    email = f"{secrets.token_hex(8)}@demo.example"
    first = await call(one, metadata, creation(key, user_id=user_id, email=email))
    assert await call(other, metadata, creation(key, user_id=user_id, email=email)) == first
    assert await call(other, metadata, creation(key, user_id="crm:43", name="Bob")) == first
    with refused(Category.NOT_FOUND, "USER_NOT_FOUND"):
        await get(one, organization, "crm:43")
    assert (await call(one, metadata, creation(f"{key}2"))).user.user_id != first.user.user_id


async def test_a_user_that_exists_already_is_not_the_outcome_of_a_request(world: World, organization: str) -> None:
    auth = world.replicas[0]
    metadata = await auth.service_metadata(organization)
    await call(auth, metadata, creation("", user_id="crm:42"))
    with refused(Category.ALREADY_EXISTS, "USER_EXISTS"):
        await call(auth, metadata, creation("key", user_id="crm:42"))
    assert (await call(auth, metadata, creation("key", user_id="crm:43"))).user.user_id == "crm:43"


class Row(NamedTuple):
    """A request about a user, a change that undoes it, and another request with the same id."""

    request: Callable[[str, str], Any]
    undo: dict[str, Any]
    other: Callable[[str, str], Any]


def _rename(name: str) -> Callable[[str, str], Any]:
    return lambda user_id, request_id: update(user_id, request_id, name=name)


ROWS = {
    "rename": Row(_rename("Bea"), {"name": "Ann"}, _rename("Cat")),
    "rename to the same": Row(
        lambda u, r: update(u, r, name="Ann"), {"name": "Bea"}, lambda u, r: update(u, r, name="C")
    ),
    "clear the e-mail": Row(
        lambda u, r: update(u, r, email=""), {"email": "x"}, lambda u, r: update(u, r, email="y@demo.example")
    ),
    "dollars": Row(_rename("$name"), {"name": "Ann"}, _rename("$$NOW")),
    "deactivate": Row(
        lambda u, r: pb.DeactivateUserRequest(user_id=u, request_id=r),
        {"disabled": False},
        lambda u, r: pb.DeactivateUserRequest(user_id=u, request_id=r),
    ),
}


async def sign_in_ann(auth: RunningAuth, organization: str) -> SignedIn:
    return await auth.sign_in_new(organization, "sales", name="Ann")


@pytest.mark.parametrize("name", ROWS)
async def test_a_repeat_and_another_request_with_the_same_id_change_nothing(
    world: World, organization: str, name: str
) -> None:
    one, other = world.replicas
    row, key = ROWS[name], secrets.token_hex(8)
    metadata = await one.service_metadata(organization)
    user_id = (await sign_in_ann(one, organization)).user_id
    first = await call(one, metadata, row.request(user_id, key))
    assert await call(other, metadata, row.request(user_id, key)) == first
    assert await call(one, metadata, row.other(user_id, key)) == first
    assert await get(one, organization, user_id) == first.user
    undo = row.undo if row.undo != {"email": "x"} else {"email": f"{secrets.token_hex(8)}@demo.example"}
    undone = await one.update_user(organization, user_id, **undo)
    for auth in (one, other):
        assert (await call(auth, metadata, row.request(user_id, key))).user == undone
    assert await get(one, organization, user_id) == undone


async def test_ids_of_other_callers_and_methods_are_other_ids(world: World, organization: str) -> None:
    auth = world.replicas[0]
    metadata = await auth.service_metadata(organization)
    admin, ann = await auth.sign_in_new(organization, "admin"), await sign_in_ann(auth, organization)
    assert (await call(auth, metadata, update(ann.user_id, "key", name="Bea"))).user.name == "Bea"
    assert (await call(auth, admin.metadata, update(ann.user_id, "key", name="Cat"))).user.name == "Cat"
    assert (await call(auth, ann.metadata, update(ann.user_id, "key", name="Dan"))).user.name == "Dan"
    deactivation = pb.DeactivateUserRequest(user_id=ann.user_id, request_id="key")
    assert (await call(auth, metadata, deactivation)).user.disabled


async def test_ids_of_other_users_and_organizations_are_other_ids(world: World, organization: str) -> None:
    auth = world.replicas[0]
    metadata, nowhere = await auth.service_metadata(organization), await auth.service_metadata()
    for person in [await sign_in_ann(auth, organization) for _ in range(2)]:
        renamed = await call(auth, metadata, update(person.user_id, "key", name="Bea"))
        assert (renamed.user.user_id, renamed.user.name) == (person.user_id, "Bea")
        password = pb.SetPasswordRequest(user_id=person.user_id, password=NEW_PASSWORD, request_id="key")
        await call(auth, metadata, password)
        await auth.sign_in(person.user.email, NEW_PASSWORD)
        deactivated = await call(auth, metadata, pb.DeactivateUserRequest(user_id=person.user_id, request_id="key"))
        assert (deactivated.user.user_id, deactivated.user.disabled) == (person.user_id, True)
    other = f"org-{secrets.token_hex(6)}"
    await auth.create_organization(other)
    for name in (organization, other):
        changed = pb.UpdateOrganizationRequest(
            organization=user_pb2.Organization(organization_id=name, name="Initech"),
            update_mask=FieldMask(paths=["name"]),
            request_id="key",
        )
        assert (await call(auth, nowhere, changed)).organization.organization_id == name


async def test_a_request_that_failed_is_performed_when_it_is_repeated(world: World, organization: str) -> None:
    auth = world.replicas[0]
    metadata = await auth.service_metadata(organization)
    with refused(Category.NOT_FOUND, "USER_NOT_FOUND"):
        await call(auth, metadata, update("crm:42", "key", name="Bea"))
    await call(auth, metadata, creation("", user_id="crm:42"))
    assert (await call(auth, metadata, update("crm:42", "key", name="Bea"))).user.name == "Bea"


async def test_who_lost_the_right_to_a_request_does_not_get_its_outcome(world: World, organization: str) -> None:
    auth = world.replicas[0]
    other, admin = [await auth.sign_in_new(organization, "admin") for _ in range(2)]
    ann = await sign_in_ann(auth, organization)
    requests = [
        creation("key", email=f"{secrets.token_hex(8)}@demo.example"),
        update(ann.user_id, "key", email=f"{secrets.token_hex(8)}@demo.example"),
        pb.SetPasswordRequest(user_id=ann.user_id, password=NEW_PASSWORD, request_id="key"),
        pb.DeactivateUserRequest(user_id=ann.user_id, request_id="key"),
        pb.UpdateOrganizationRequest(
            organization=user_pb2.Organization(name="Initech"), update_mask=FieldMask(paths=["name"]), request_id="key"
        ),
        update(admin.user_id, "own", role=user_pb2.ROLE_SALES),
    ]
    for request in requests:
        await call(auth, admin.metadata, request)
    admin = await auth.sign_in(admin.user.email)  # the change of role has revoked the token
    for request in requests:
        with refused(Category.PERMISSION_DENIED, "NOT_ALLOWED"):
            await call(auth, admin.metadata, request)
    deactivation = pb.DeactivateUserRequest(user_id=admin.user_id, request_id="key")
    await call(auth, other.metadata, deactivation)
    for request in requests:
        with refused(Category.UNAUTHENTICATED, "ACCOUNT_DISABLED"):
            await call(auth, admin.metadata, request)


async def test_a_password_is_set_once_and_ends_the_sessions_of_that_moment_alone(
    world: World, organization: str
) -> None:
    one, other = world.replicas
    metadata = await one.service_metadata(organization)
    ann = await sign_in_ann(one, organization)
    request = pb.SetPasswordRequest(user_id=ann.user_id, password=NEW_PASSWORD, request_id="key")
    await call(one, metadata, request)
    assert await sessions_of(one, ann.user_id) == 0
    await one.sign_in(ann.user.email, NEW_PASSWORD)
    await call(other, metadata, request)
    assert await sessions_of(one, ann.user_id) == 1
    await one.update_user(organization, ann.user_id, password=PASSWORD)
    await call(other, metadata, request)
    await one.sign_in(ann.user.email, PASSWORD)


async def sessions_of(auth: RunningAuth, user_id: str) -> int:
    async with AsyncMongoClient[dict[str, Any]](auth.settings.mongodb_uri) as client:
        return await client[auth.settings.mongodb_database]["sessions"].count_documents({"user_id": user_id})


async def revision_of(auth: RunningAuth, user_id: str) -> int:
    async with AsyncMongoClient[dict[str, Any]](auth.settings.mongodb_uri) as client:
        document = await client[auth.settings.mongodb_database]["users"].find_one({"user_id": user_id})
        assert document is not None
        return int(document["revision"])


@pytest.mark.parametrize("name", [*ROWS, "password"])
async def test_twenty_at_once_through_two_replicas_are_one_change(world: World, organization: str, name: str) -> None:
    one = world.replicas[0]
    metadata = await one.service_metadata(organization)
    user_id = (await sign_in_ann(one, organization)).user_id
    if name == "password":
        request: Any = pb.SetPasswordRequest(user_id=user_id, password=NEW_PASSWORD, request_id="key")
    else:
        request = ROWS[name].request(user_id, "key")
    responses = await asyncio.gather(*(call(world.replicas[n % 2], metadata, request) for n in range(20)))
    assert all(response == responses[0] for response in responses)
    assert await revision_of(one, user_id) == 2


async def test_twenty_creations_at_once_are_one_user_and_one_organization(world: World, organization: str) -> None:
    one = world.replicas[0]
    metadata, nowhere = await one.service_metadata(organization), await one.service_metadata()
    email, name = f"{secrets.token_hex(8)}@demo.example", f"org-{secrets.token_hex(6)}"
    for user_id in ("", "crm:42"):
        request: Any = creation(f"key {user_id}", user_id=user_id, email=email if user_id else "")
        responses = await asyncio.gather(*(call(world.replicas[n % 2], metadata, request) for n in range(20)))
        assert all(response == responses[0] for response in responses)
    made = user_pb2.Organization(organization_id=name, name="Acme")
    request = pb.CreateOrganizationRequest(organization=made, request_id=name)
    responses = await asyncio.gather(*(call(world.replicas[n % 2], nowhere, request) for n in range(20)))
    assert all(response == responses[0] for response in responses)


async def test_an_organization_is_created_and_changed_once(world: World) -> None:
    one, other = world.replicas
    metadata, key = await one.service_metadata(), secrets.token_hex(8)
    name = f"org-{key}"

    def created(organization_id: str) -> Any:
        organization = user_pb2.Organization(organization_id=organization_id, name="$Acme")
        return pb.CreateOrganizationRequest(organization=organization, request_id=key)

    def changed(organization_id: str, new_name: str, request_id: str = key) -> Any:
        organization = user_pb2.Organization(organization_id=organization_id, name=new_name)
        mask = FieldMask(paths=["name"])
        return pb.UpdateOrganizationRequest(organization=organization, update_mask=mask, request_id=request_id)

    first = await call(one, metadata, created(name))
    assert await call(other, metadata, created(name)) == first
    assert await call(one, metadata, created(f"{name}-2")) == first
    with refused(Category.NOT_FOUND, "ORGANIZATION_NOT_FOUND"):
        await call(one, metadata, pb.GetOrganizationRequest(organization_id=f"{name}-2"))
    assert (await call(one, metadata, changed(name, "Initech"))).organization.name == "Initech"
    assert (await call(other, metadata, changed(name, "Globex"))).organization.name == "Initech"
    await call(one, metadata, changed(name, "Hooli", ""))
    assert (await call(other, metadata, changed(name, "Initech"))).organization.name == "Hooli"


class Interruption:
    """Stands between a replica and what it calls next: the next call is made, and its replica never learns it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, owner: type, *methods: str, before: bool = False) -> None:
        self.armed = True
        self.before = before
        self.happened = asyncio.Event()
        self.over = asyncio.Event()
        for method in methods:
            monkeypatch.setattr(owner, method, self._interrupted(getattr(owner, method)))

    def _interrupted(self, method: Any) -> Any:
        async def interrupted(*arguments: Any, **options: Any) -> Any:
            if self.armed and self.before:
                await self._hang()
            result = await method(*arguments, **options)
            if self.armed:
                await self._hang()
            return result

        return interrupted

    async def _hang(self) -> None:
        self.armed = False
        self.happened.set()
        await self.over.wait()


@contextlib.asynccontextmanager
async def lost(auth: RunningAuth, metadata: Metadata, request: Any, interruption: Interruption) -> AsyncIterator[None]:
    """Loses the response of a call; inside, the call's replica hangs where it was interrupted."""
    task = asyncio.create_task(call(auth, metadata, request))
    try:
        await asyncio.wait_for(interruption.happened.wait(), TIMEOUT)
        task.cancel()
        yield
    finally:
        interruption.over.set()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@pytest.mark.parametrize("name", [*ROWS, "create", "create with an id"])
async def test_a_replica_that_dies_after_the_write_has_done_the_only_change(
    world: World, organization: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = world.replicas
    metadata = await one.service_metadata(organization)
    if name in ROWS:
        user_id = (await sign_in_ann(one, organization)).user_id
        request: Any = ROWS[name].request(user_id, "key")
    else:
        user_id = "crm:42" if name == "create with an id" else ""
        request = creation("key", user_id=user_id)
    interruption = Interruption(monkeypatch, UserStore, "insert", "save", "save_unless_last_admin")
    async with lost(one, metadata, request, interruption):
        response = await call(other, metadata, request)
        assert await call(other, metadata, request) == response
        assert await revision_of(one, response.user.user_id) == (2 if name in ROWS else 1)
        assert response.user.user_id == (user_id or response.user.user_id)


async def test_an_organization_is_changed_once_when_a_replica_dies(
    world: World, organization: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = world.replicas
    metadata = await one.service_metadata(organization)
    mask = FieldMask(paths=["name"])
    request = pb.UpdateOrganizationRequest(
        organization=user_pb2.Organization(name="Initech"), update_mask=mask, request_id="key"
    )
    interruption = Interruption(monkeypatch, OrganizationStore, "update")
    async with lost(one, metadata, request, interruption):
        renamed = user_pb2.Organization(name="Hooli")
        await call(other, metadata, pb.UpdateOrganizationRequest(organization=renamed, update_mask=mask))
        assert (await call(other, metadata, request)).organization.name == "Hooli"


@pytest.mark.parametrize("kind", ["password", "deactivate"])
async def test_a_repeat_ends_the_sessions_that_a_replica_died_before_ending(
    world: World, organization: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = world.replicas
    metadata = await one.service_metadata(organization)
    ann = await sign_in_ann(one, organization)
    if kind == "password":
        request: Any = pb.SetPasswordRequest(user_id=ann.user_id, password=NEW_PASSWORD, request_id="key")
    else:
        request = pb.DeactivateUserRequest(user_id=ann.user_id, request_id="key")
    interruption = Interruption(monkeypatch, Sessions, "end_all", before=True)
    async with lost(one, metadata, request, interruption):
        assert await sessions_of(one, ann.user_id) == 1
        await call(other, metadata, request)
        assert await sessions_of(one, ann.user_id) == 0
    assert await revision_of(one, ann.user_id) == 2


async def test_a_repeat_that_is_refused_ends_the_sessions_that_a_replica_died_before_ending(
    world: World, organization: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = world.replicas
    _, admin = [await one.sign_in_new(organization, "admin") for _ in range(2)]
    request = pb.DeactivateUserRequest(user_id=admin.user_id, request_id="key")
    interruption = Interruption(monkeypatch, Sessions, "end_all", before=True)
    async with lost(one, admin.metadata, request, interruption):
        assert await sessions_of(one, admin.user_id) == 1
        with refused(Category.UNAUTHENTICATED, "ACCOUNT_DISABLED"):
            await call(other, admin.metadata, request)
        assert await sessions_of(one, admin.user_id) == 0


async def age_requests(auth: RunningAuth) -> None:
    """Makes the records of all requests a day older."""
    day = 24 * 60 * 60 * 1_000
    async with AsyncMongoClient[dict[str, Any]](auth.settings.mongodb_uri) as client:
        for name in ("users", "organizations"):
            aged = {"$mergeObjects": ["$$this", {"at": {"$subtract": ["$$this.at", day]}}]}
            update = [{"$set": {"requests": {"$map": {"input": "$requests", "in": aged}}}}]
            await client[auth.settings.mongodb_database][name].update_many({"requests": {"$exists": True}}, update)


async def test_a_request_id_is_another_one_after_a_day(world: World, organization: str) -> None:
    auth = world.replicas[0]
    metadata, nowhere, key = (
        await auth.service_metadata(organization),
        await auth.service_metadata(),
        secrets.token_hex(8),
    )

    def organization_request(organization_id: str) -> Any:
        made = user_pb2.Organization(organization_id=organization_id, name="Acme")
        return pb.CreateOrganizationRequest(organization=made, request_id=key)

    ann = (await call(auth, metadata, creation(key))).user
    await call(auth, metadata, update(ann.user_id, key, name="Bea"))
    await call(auth, nowhere, organization_request(f"org-{key}"))
    await age_requests(auth)
    assert (await call(auth, metadata, update(ann.user_id, key, name="Cat"))).user.name == "Cat"
    await age_requests(auth)
    created = await call(auth, metadata, creation(key))
    assert created.user.user_id != ann.user_id
    assert await call(auth, metadata, creation(key)) == created
    made = (await call(auth, nowhere, organization_request(f"org-{key}-2"))).organization
    assert made.organization_id == f"org-{key}-2"


async def test_a_user_keeps_a_bounded_number_of_requests(
    world: World, organization: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_ids, "MAX_REQUESTS", 5)
    auth = world.replicas[0]
    metadata = await auth.service_metadata(organization)
    user_id = (await sign_in_ann(auth, organization)).user_id
    for number in range(8):
        await call(auth, metadata, update(user_id, f"{number}", name=f"name {number}"))
    async with AsyncMongoClient[dict[str, Any]](auth.settings.mongodb_uri) as client:
        document = await client[auth.settings.mongodb_database]["users"].find_one({"user_id": user_id})
    assert document is not None
    assert len(document["requests"]) == 5
    assert (await call(auth, metadata, update(user_id, "7", name="late"))).user.name == "name 7"


@dataclass
class Performed:
    """A request that succeeded, and the user in its response."""

    caller: int
    request: Any
    user_id: str


users = st.integers(0, 3)
NAMES = ("Ann", "Bea", "$Cat")
CHANGES: dict[str, Callable[[str, int, str], Any]] = {
    "create": lambda u, _, r: creation(r, user_id=u),
    "create without an id": lambda _, n, r: creation(r, name=NAMES[n % 3]),
    "rename": lambda u, n, r: update(u, r, name=NAMES[n % 3]),
    "role": lambda u, n, r: update(u, r, role=(user_pb2.ROLE_SALES, user_pb2.ROLE_ADMIN)[n % 2]),
    "enable": lambda u, n, r: update(u, r, disabled=bool(n % 2)),
    "deactivate": lambda u, _, r: pb.DeactivateUserRequest(user_id=u, request_id=r),
}
"""By name: a request about a user, with content chosen by a number, and with a request id."""
REPEATS = ("repeat", "repeat of a creation with another id")
steps = st.tuples(st.sampled_from((*CHANGES, *REPEATS * 3)), users, users, st.integers(0, 30))
REFUSALS = {grpc.StatusCode.NOT_FOUND, grpc.StatusCode.ALREADY_EXISTS, grpc.StatusCode.FAILED_PRECONDITION}


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(history=st.lists(steps, min_size=5, max_size=30))
async def test_in_any_history_repeats_change_nothing(world: World, history: list[tuple[str, int, int, int]]) -> None:
    organization = f"org-{secrets.token_hex(6)}"
    await world.replicas[0].create_organization(organization)
    callers = [
        await world.replicas[0].service_metadata(organization),
        (await world.replicas[0].sign_in_new(organization, "admin")).metadata,
    ]
    performed: list[Performed] = []
    for index, (what, who, whom, number) in enumerate(history):
        auth, caller = world.replicas[index % 2], who % 2
        if what in REPEATS:
            if performed:
                before = await all_users(auth, organization)
                response = await repeat(
                    auth, callers, performed[number % len(performed)], f"crm:{whom}" if what != "repeat" else ""
                )
                after = await all_users(auth, organization)
                assert after == before
                assert response.user in [user for user, _ in after]
            continue
        request = CHANGES[what](f"crm:{whom}", number, f"{index}")
        try:
            response = await call(auth, callers[caller], request)
        except grpc.aio.AioRpcError as error:
            assert error.code() in REFUSALS, error
        else:
            performed.append(Performed(caller, request, response.user.user_id))


async def repeat(auth: RunningAuth, callers: list[Metadata], performed: Performed, user_id: str) -> Any:
    """Repeats a request, a creation maybe with another user id; returns the response, which must be about its user."""
    request = type(performed.request)()
    request.CopyFrom(performed.request)
    if user_id and isinstance(request, pb.CreateUserRequest):
        request.user.user_id = user_id
    response = await call(auth, callers[performed.caller], request)
    assert response.user.user_id == performed.user_id
    return response


async def all_users(auth: RunningAuth, organization: str) -> list[tuple[user_pb2.User, int]]:
    metadata = await auth.service_metadata(organization)
    users = (await call(auth, metadata, pb.ListUsersRequest(page_size=200))).users
    async with AsyncMongoClient[dict[str, Any]](auth.settings.mongodb_uri) as client:
        collection = client[auth.settings.mongodb_database]["users"]
        revisions = {d["user_id"]: d["revision"] async for d in collection.find({"organization_id": organization})}
    return [(user, revisions[user.user_id]) for user in users]
