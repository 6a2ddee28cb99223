"""Each policy notices what it is for: one thing is broken at a time, and the policy that is to notice it does."""

from __future__ import annotations

import pytest

from tests.k8s.mutations import MUTATIONS
from tests.k8s.mutations.mutation import Mutation
from tests.k8s.policies import EVERYWHERE, REPLICATED
from tests.k8s.rendering import overlay


@pytest.mark.parametrize("mutation", MUTATIONS.values(), ids=MUTATIONS.keys())
def test_a_policy_notices(mutation: Mutation) -> None:
    whole = overlay(mutation.overlay)
    broken = whole.copy()
    mutation.edit(broken)

    assert list(mutation.policy(whole)) == []
    assert list(mutation.policy(broken))


def test_every_policy_is_shown_something_to_notice() -> None:
    assert {mutation.policy for mutation in MUTATIONS.values()} == {*EVERYWHERE, *REPLICATED}
