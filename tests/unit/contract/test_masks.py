"""A mask may name a field very often: that costs no more than reading it."""

from __future__ import annotations

from google.protobuf.field_mask_pb2 import FieldMask
from parley.auth.v1 import directory_pb2, user_pb2

from chassis.contract.validator import problems_of


def test_a_field_that_a_mask_names_often_is_checked_once() -> None:
    user = user_pb2.User(user_id="ann", teams=["x" * 65])
    mask = FieldMask(paths=["teams"] * 10_000)
    problems = list(problems_of(directory_pb2.UpdateUserRequest(user=user, update_mask=mask)))
    assert [name for name, _ in problems] == ["teams"]
