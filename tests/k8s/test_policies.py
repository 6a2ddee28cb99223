"""Each policy finds its violations: one thing is broken at a time."""

from __future__ import annotations

import pytest

from tests.k8s.mutations import MUTATIONS
from tests.k8s.mutations.mutation import Mutation
from tests.k8s.policies import EVERYWHERE, REPLICATED
from tests.k8s.rendering import overlay


@pytest.mark.parametrize("mutation", MUTATIONS.values(), ids=MUTATIONS.keys())
def test_a_policy_finds_its_violation(mutation: Mutation) -> None:
    whole = overlay(mutation.overlay)
    broken = whole.copy()
    mutation.edit(broken)

    assert list(mutation.policy(whole)) == []
    assert list(mutation.policy(broken))


def test_every_policy_has_a_mutation() -> None:
    assert {mutation.policy for mutation in MUTATIONS.values()} == {*EVERYWHERE, *REPLICATED}
