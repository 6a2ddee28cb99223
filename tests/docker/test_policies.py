"""Each policy holds, and finds its violations: one thing is broken at a time."""

from __future__ import annotations

import pytest

from tests.docker.mutations import MUTATIONS
from tests.docker.mutations.mutation import Mutation
from tests.docker.plan import plan
from tests.docker.policies import POLICIES, Policy


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: f"{policy.__module__}.{policy.__name__}")
def test_a_policy_holds(policy: Policy) -> None:
    assert list(policy(plan())) == []


@pytest.mark.parametrize("mutation", MUTATIONS.values(), ids=MUTATIONS.keys())
def test_a_policy_finds_its_violation(mutation: Mutation) -> None:
    broken = plan().copy()
    mutation.edit(broken)

    assert list(mutation.policy(broken))


def test_every_policy_has_a_mutation() -> None:
    assert {mutation.policy for mutation in MUTATIONS.values()} == {*POLICIES}
