"""Two organizations with all kinds of resources, all services, and callers of every kind."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

import grpc
from parley.auth.v1 import auth_pb2, user_pb2
from parley.chat.v1 import chat_pb2
from parley.notify.v1 import notification_pb2, notification_pb2_grpc
from pydantic import SecretStr

from chassis.rpc.channel import Metadata, bearer, open_channel
from chassis.rpc.server import serving
from services.auth.settings import ServiceCredential
from services.notify.wiring import wire as wire_notify
from services.presence.wiring import wire as wire_presence
from tests.component.auth_service import RunningAuth, SignedIn, auth_settings, drop_database, running_auth
from tests.component.chat.running import Person, RunningChat, running_chat
from tests.component.notify.harness import notify_settings
from tests.component.presence.harness import presence_settings

ROLES: Final = tuple(name.removeprefix("ROLE_").lower() for name, number in user_pb2.Role.items() if number)
ANONYMOUS, SERVICE, BYSTANDER = "an anonymous caller", "a service", "a service with no scope"
CALLERS: Final = (*ROLES, ANONYMOUS, SERVICE, BYSTANDER)
SCOPES: Final = ("streams.subscribe", "notifications.write")
ABSENT: Final = "0123456789abcdef012345"
_SECRET: Final = secrets.token_urlsafe(24)
_TIMEOUT: Final = 20.0


@dataclass(frozen=True)
class Resource:
    """The resource that a request is about; parts that don't matter to the request belong to the caller."""

    organization_id: str
    conversation_id: str = ABSENT
    message_id: str = ABSENT
    user_id: str = "absent"
    notification_id: str = ABSENT
    actor_id: str = "absent"
    scheduled_id: str = ABSENT


@dataclass
class World:
    """See the module. Resources are created when a test asks for them."""

    auth: RunningAuth
    chat: RunningChat
    notify: notification_pb2_grpc.NotificationServiceStub
    channels: Mapping[str, grpc.aio.Channel]
    organization_id: str
    foreign_id: str
    people: dict[str, SignedIn] = field(default_factory=dict)
    metadata: dict[str, Metadata] = field(default_factory=dict)
    _resources: dict[tuple[str, str, str], Resource] = field(default_factory=dict)

    async def populate(self) -> None:
        """Creates both organizations and all callers."""
        for organization in (self.organization_id, self.foreign_id):
            await self.auth.create_organization(organization)
        for role in ROLES:
            self.people[role] = await self.auth.sign_in_new(self.organization_id, role)
        for name, organization in (("host", self.organization_id), ("zoe", self.foreign_id), ("yve", self.foreign_id)):
            self.people[name] = await self.auth.sign_in_new(organization, "admin")
        bystander = auth_pb2.IssueServiceTokenRequest(
            service="bystander", secret=_SECRET, organization_id=self.organization_id
        )
        token = (await self.auth.auth.IssueServiceToken(bystander, timeout=_TIMEOUT)).access_token
        self.metadata = {name: person.metadata for name, person in self.people.items()}
        self.metadata |= {
            ANONYMOUS: (),
            SERVICE: await self.auth.service_metadata(self.organization_id),
            BYSTANDER: bearer(token),
        }

    async def sign_in_again(self, caller: str) -> None:
        """Gives a user a new token, as after a call that ended the session."""
        person = self.people[caller] = await self.auth.sign_in(self.people[caller].user.email)
        self.metadata[caller] = person.metadata

    def person(self, name: str) -> Person:
        """Returns a caller as a user of chat."""
        return self.chat.as_user(self.people[name])

    async def resource(self, caller: str, kind: str, relation: str, *, fresh: bool) -> Resource:
        """Returns a resource with a relation to a caller; for callers that are no users, to an employee."""
        user = caller if caller in ROLES else "employee"
        key = (user, kind, relation)
        if fresh or key not in self._resources:
            created = await getattr(self, f"_{kind}")(user, relation)
            self._resources[key] = replace(created, actor_id=self.people[user].user_id)
        return self._resources[key]

    def _organization(self, relation: str) -> Resource:
        ids = {"own": self.organization_id, "foreign": self.foreign_id, "absent": "nowhere"}
        return Resource(ids[relation])

    async def _nothing(self, user: str, relation: str) -> Resource:
        return self._organization(relation)

    async def _user(self, user: str, relation: str) -> Resource:
        ids = {"self": user, "colleague": "host", "foreign": "zoe"}
        if relation == "newcomer":
            created = await self.auth.create_user(self.organization_id, "employee")
            return Resource(self.organization_id, user_id=created.user_id)
        if relation == "absent":
            return Resource(self.organization_id)
        return Resource(self.organization_id, user_id=self.people[ids[relation]].user_id)

    async def _conversation(self, user: str, relation: str) -> Resource:
        """Returns a group with a message of its owner: owned, joined, others', of the other organization, or absent."""
        if relation == "absent":
            return Resource(self.organization_id)
        me, host = self.people[user].user_id, self.person("zoe" if relation == "foreign" else "host")
        other = self.people["yve" if relation == "foreign" else "employee"].user_id
        guests = [me] if relation in {"owned", "joined"} else ([other] if other != me else [])
        group = await host.create_group("Group", *guests)
        sent = await host.send(group.conversation_id, "hello")
        if relation == "owned":
            await host.set_role(group.conversation_id, me, chat_pb2.MEMBER_ROLE_OWNER)
        organization = self.foreign_id if relation == "foreign" else self.organization_id
        return Resource(organization, group.conversation_id, sent.message_id, host.user_id)

    async def _message(self, user: str, relation: str) -> Resource:
        """Returns a message: the caller's own, another member's in the same group, one of another group, and so on."""
        where = {"own": "joined", "another's": "joined", "absent": "joined"}.get(relation, relation)
        resource = await self._conversation(user, where)
        if relation == "own":
            sent = await self.person(user).send(resource.conversation_id, "mine")
            return replace(resource, message_id=sent.message_id)
        return replace(resource, message_id=ABSENT) if relation == "absent" else resource

    async def _scheduled(self, user: str, relation: str) -> Resource:
        """Returns a scheduled message of the caller, of another user, and so on."""
        if relation == "absent":
            return Resource(self.organization_id)
        names = {"own": user, "another's": "host", "foreign": "zoe"}
        owner = self.person(names[relation])
        group = await self.person("yve" if relation == "foreign" else "host").create_group("Group", owner.user_id)
        scheduled = await owner.schedule(group.conversation_id, "later", timedelta(days=1))
        organization = self.foreign_id if relation == "foreign" else self.organization_id
        return Resource(organization, group.conversation_id, scheduled_id=scheduled.scheduled_message_id)

    async def _notification(self, user: str, relation: str) -> Resource:
        names = {"own": user, "another's": "host", "foreign": "zoe"}
        if relation == "absent":
            return Resource(self.organization_id)
        organization = self.foreign_id if relation == "foreign" else self.organization_id
        item = notification_pb2.CreateNotificationsRequest.Item(
            user_id=self.people[names[relation]].user_id,
            type=notification_pb2.NOTIFICATION_TYPE_REMINDER,
            title="Call back",
        )
        created = await self.notify.CreateNotifications(
            notification_pb2.CreateNotificationsRequest(items=[item]),
            metadata=await self.auth.service_metadata(organization),
            timeout=_TIMEOUT,
        )
        return Resource(organization, notification_id=created.outcomes[0].notification.notification_id)


@asynccontextmanager
async def opened_world(mongodb_uri: str, redis_url: str, database: str) -> AsyncIterator[World]:
    """Runs all services in this process."""
    settings = auth_settings(mongodb_uri, redis_url)
    bystander = ServiceCredential(
        secret=SecretStr(_SECRET), scopes=frozenset({"nothing"}), organizations=frozenset({"*"})
    )
    credentials = settings.service_credentials | {"bystander": bystander}
    settings = settings.model_copy(update={"service_credentials": credentials})
    async with running_auth(mongodb_uri, redis_url, settings=settings, scopes=SCOPES) as auth:
        presence_config = presence_settings(auth, mongodb_uri, redis_url, f"{database}_presence")
        notify_config = notify_settings(auth, mongodb_uri, redis_url)
        async with (
            running_chat(auth, mongodb_uri, redis_url, f"{database}_chat") as chat,
            wire_presence(presence_config) as presence,
            serving(presence, presence_config) as presence_port,
            wire_notify(notify_config) as notify,
            serving(notify, notify_config) as notify_port,
            open_channel(f"127.0.0.1:{presence_port}") as presence_channel,
            open_channel(f"127.0.0.1:{notify_port}") as notify_channel,
            open_channel(auth.target) as auth_channel,
        ):
            world = World(
                auth,
                chat,
                notification_pb2_grpc.NotificationServiceStub(notify_channel),
                {"auth": auth_channel, "chat": chat.channel, "presence": presence_channel, "notify": notify_channel},
                f"org-{secrets.token_hex(8)}",
                f"org-{secrets.token_hex(8)}",
            )
            await world.populate()
            yield world
    await drop_database(settings)
