"""Concurrent lookups of a user share one call, and every caller gets its result or error."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parley.auth.v1.user_pb2 import ROLE_SALES, User

from chassis.errors import UnavailableError
from gateway.upstream.user_cache import TTL_SECONDS, CachedUser, UserCache

AWAY = UnavailableError("AUTH_UNAVAILABLE", "the directory is away")


class Directory:
    """A directory that answers when the test says so; it knows all users except those whose id begins with `no`."""

    def __init__(self) -> None:
        self.lookups: list[tuple[str, tuple[str, ...], asyncio.Future[None]]] = []
        self.clock = 0.0
        self.cache = UserCache(self._fetch, lambda: self.clock)

    async def _fetch(self, organization_id: str, user_ids: Sequence[str]) -> Iterable[User]:
        answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.lookups.append((organization_id, tuple(user_ids), answered))
        await answered
        return [user(user_id) for user_id in user_ids if not user_id.startswith("no")]

    def look_up(self, *user_ids: str, organization_id: str = "acme") -> asyncio.Task[Any]:
        return asyncio.ensure_future(self.cache.get(organization_id, user_ids))

    @property
    def looked_up(self) -> list[tuple[str, ...]]:
        return [user_ids for _, user_ids, _ in self.lookups]

    def answer(self, number: int, error: Exception | None = None) -> None:
        answered = self.lookups[number][2]
        if not answered.done():
            if error is None:
                answered.set_result(None)
            else:
                answered.set_exception(error)


def user(user_id: str) -> User:
    return User(user_id=user_id, name=user_id.title(), role=ROLE_SALES, avatar_url=f"https://crm.example/{user_id}.png")


def cached_user(user_id: str) -> CachedUser:
    return CachedUser(user_id, user_id.title(), "sales", f"https://crm.example/{user_id}.png")


def many(first: int, last: int) -> list[str]:
    return [f"user-{number}" for number in range(first, last)]


async def turns() -> None:
    """Runs the event loop for some turns."""
    for _ in range(10):
        await asyncio.sleep(0)


async def answer_of(task: asyncio.Task[Any]) -> Any:
    return await asyncio.wait_for(task, 20)


async def test_a_user_is_as_the_directory_says_and_an_unknown_one_is_called_by_the_id() -> None:
    directory = Directory()
    lookup = directory.look_up("ann", "nobody")
    await turns()
    directory.answer(0)
    assert await answer_of(lookup) == {"ann": cached_user("ann"), "nobody": CachedUser("nobody", "nobody", "", "")}
    assert directory.cache.cached("acme", "ann") == cached_user("ann")
    assert directory.cache.cached("other", "ann") is None


async def test_those_who_ask_at_the_same_time_share_one_question() -> None:
    directory = Directory()
    first, second = directory.look_up("ann", "bob"), directory.look_up("bob", "ann")
    elsewhere = directory.look_up("ann", organization_id="other")
    await turns()
    assert [(organization_id, ids) for organization_id, ids, _ in directory.lookups] == [
        ("acme", ("ann", "bob")),
        ("other", ("ann",)),
    ]
    directory.answer(0)
    directory.answer(1)
    assert await answer_of(first) == await answer_of(second) == {"ann": cached_user("ann"), "bob": cached_user("bob")}
    assert await answer_of(elsewhere) == {"ann": cached_user("ann")}


async def test_only_those_are_asked_for_who_are_not_known() -> None:
    directory = Directory()
    lookup = directory.look_up("ann")
    await turns()
    directory.answer(0)
    await answer_of(lookup)
    lookup = directory.look_up("ann", "bob", "bob")
    await turns()
    directory.answer(1)
    assert set(await answer_of(lookup)) == {"ann", "bob"}
    assert directory.looked_up == [("ann",), ("bob",)]


async def test_cached_users_are_fetched_again_after_a_while() -> None:
    directory = Directory()
    lookup = directory.look_up("ann")
    await turns()
    directory.answer(0)
    await answer_of(lookup)
    directory.clock = TTL_SECONDS - 0.001
    assert directory.cache.cached("acme", "ann") == cached_user("ann")
    directory.clock = TTL_SECONDS
    assert directory.cache.cached("acme", "ann") is None
    lookup = directory.look_up("ann")
    await turns()
    assert len(directory.lookups) == 2
    directory.answer(1)
    await answer_of(lookup)


async def test_an_error_reaches_all_who_wait_and_is_not_remembered() -> None:
    directory = Directory()
    lookup = [directory.look_up("ann"), directory.look_up("ann", "bob")]
    await turns()
    for number in range(len(directory.lookups)):
        directory.answer(number, AWAY)
    for task in lookup:
        with pytest.raises(UnavailableError, match="directory is away"):
            await answer_of(task)
    again = directory.look_up("ann")
    await turns()
    directory.answer(len(directory.lookups) - 1)
    assert await answer_of(again) == {"ann": cached_user("ann")}


async def test_one_who_asks_no_more_spoils_nothing_for_the_others() -> None:
    directory = Directory()
    first, second = directory.look_up("ann"), directory.look_up("ann")
    await turns()
    first.cancel()
    await turns()
    assert first.cancelled()
    for number in range(len(directory.lookups)):
        directory.answer(number)
    assert await answer_of(second) == {"ann": cached_user("ann")}


async def test_one_who_waits_for_anothers_question_may_give_up() -> None:
    directory = Directory()
    first, second, third = (directory.look_up("ann") for _ in range(3))
    await turns()
    second.cancel()
    await turns()
    directory.answer(0)
    assert await answer_of(first) == await answer_of(third) == {"ann": cached_user("ann")}
    assert second.cancelled()


async def test_very_many_are_asked_for_in_parts_also_when_others_ask_for_some_meanwhile() -> None:
    directory = Directory()
    everybody = directory.look_up(*many(0, 400))
    await turns()
    some = directory.look_up("user-300")
    await turns()
    await answer_everything(directory)
    assert set(await answer_of(everybody)) == set(many(0, 400))
    assert await answer_of(some) == {"user-300": cached_user("user-300")}
    assert all(len(ids) <= 200 for ids in directory.looked_up)
    asked_for = [user_id for ids in directory.looked_up for user_id in ids]
    assert sorted(asked_for) == sorted(many(0, 400))


async def test_a_part_asked_for_by_two_is_answered_to_both_whoever_comes_first() -> None:
    directory = Directory()
    everybody = directory.look_up(*many(0, 400))
    await turns()
    some = directory.look_up("user-300")
    await turns()
    directory.answer(0)
    await turns()
    for number in reversed(range(len(directory.lookups))):
        directory.answer(number)
        await turns()
    later = directory.look_up("user-301")
    await turns()
    for number in range(len(directory.lookups)):
        directory.answer(number)
    assert set(await answer_of(everybody)) == set(many(0, 400))
    assert set(await answer_of(some)) == {"user-300"}
    assert set(await answer_of(later)) == {"user-301"}


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.lists(st.sampled_from("abcdef"), max_size=4)),
        st.tuples(st.sampled_from(["answer", "fail", "cancel"]), st.integers(0, 5)),
        st.tuples(st.just("wait"), st.integers(0, 3)),
    ),
    max_size=30,
)


@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_everybody_is_answered_once_whatever_happens(steps: list[tuple[str, Any]]) -> None:
    asyncio.run(play(steps))


async def play(steps: list[tuple[str, Any]]) -> None:
    directory = Directory()
    lookup: list[tuple[list[str], asyncio.Task[Any]]] = []
    cancelled: set[int] = set()
    for step, given_ in steps:
        if step == "ask":
            lookup.append((given_, directory.look_up(*given_)))
        elif step == "wait":
            for _ in range(given_):
                await asyncio.sleep(0)
        elif step == "cancel":
            cancelled |= {index for index, (_, task) in enumerate(lookup) if index == given_ and task.cancel()}
        elif given_ < len(directory.lookups):
            directory.answer(given_, AWAY if step == "fail" else None)
    await answer_everything(directory)
    for index, (user_ids, task) in enumerate(lookup):
        assert task.done(), "somebody waits for ever"
        if index not in cancelled:
            check_answer(user_ids, task)


async def answer_everything(directory: Directory) -> None:
    await turns()
    number = 0
    while number < len(directory.lookups):
        directory.answer(number)
        await turns()
        number += 1


def check_answer(user_ids: list[str], task: asyncio.Task[Any]) -> None:
    if (error := task.exception()) is not None:
        assert error is AWAY
    else:
        assert task.result() == {user_id: cached_user(user_id) for user_id in user_ids}
