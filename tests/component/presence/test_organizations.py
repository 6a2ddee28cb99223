"""A gateway limited to an organization can't report users of another one, nor take over another gateway's sessions."""

from __future__ import annotations

import grpc
from parley.presence.v1 import presence_pb2 as pb

from chassis.errors import Category
from tests.component.auth_service import RunningAuth
from tests.component.presence.conftest import Attach
from tests.component.presence.harness import Gateway, User


async def test_a_session_of_another_organization_ends_the_stream(
    auth: RunningAuth, replica_a: grpc.aio.Channel, ann: User, organization_id: str
) -> None:
    for later in (False, True):
        foreign = await auth.service_metadata(f"{organization_id}-2")
        async with Gateway(replica_a, foreign, "limited") as limited:
            if later:
                await limited.report()
            await limited.send(pb.AttachRequest(upsert=[ann.session("s1")]))
            ended = await limited.until_ended()
            assert ended is not None
            assert (ended.category, ended.reason) == (Category.PERMISSION_DENIED, "ORGANIZATION_NOT_ALLOWED")
    (presence,) = await ann.sees(replica_a, ann.user_id)
    assert presence.status == pb.PRESENCE_STATUS_OFFLINE


async def test_a_limited_gateway_of_the_same_name_is_another_gateway(
    auth: RunningAuth, replica_a: grpc.aio.Channel, ann: User, bob: User, attach: Attach
) -> None:
    gateway = await attach(replica_a, "edge")
    await gateway.report(ann.session("s1"))
    await bob.sees_until(replica_a, ann.user_id, lambda presence: presence.status == pb.PRESENCE_STATUS_ONLINE)
    foreign = await auth.service_metadata(f"{ann.organization_id}-2")
    async with Gateway(replica_a, foreign, "edge") as limited:
        await limited.report()
        await gateway.report(bob.session("s2"))  # still the current attachment
        (presence,) = await bob.sees(replica_a, ann.user_id)
        assert presence.status == pb.PRESENCE_STATUS_ONLINE
