"""What chat refuses, and that nothing which a caller sends harms anybody else."""

from __future__ import annotations

import grpc
import pytest

from chassis.errors import Category
from chassis.status import from_rpc_error
from tests.component.chat.running import Person


async def test_the_id_of_a_change_is_no_message(ann: Person, bob: Person) -> None:
    key = (await ann.direct(bob.user_id)).conversation_id
    change = f"{key}/1"
    for refused, reason in (
        (bob.send(key, "an answer", reply_to=change), "REPLY_NOT_FOUND"),
        (bob.edit(key, change, "other"), "MESSAGE_NOT_FOUND"),
        (bob.delete(key, change), "MESSAGE_NOT_FOUND"),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await refused
        assert from_rpc_error(error.value).reason == reason
    assert (await ann.send(key, "still here")).seq == 1
    assert from_rpc_error(error.value).category is Category.NOT_FOUND
