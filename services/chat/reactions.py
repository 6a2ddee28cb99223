"""The reactions to a message: at most one of each emoji by a user. Pure."""

from __future__ import annotations

from typing import Final

from chassis.errors import FailedPreconditionError
from services.chat.domain import Reaction

MAX_EMOJI: Final = 20
MAX_REACTIONS: Final = 1_000
"""The most reactions to a message, of all emoji together: each change of a message is sent with all of them."""

Reactions = tuple[Reaction, ...]


def with_reaction(reactions: Reactions, emoji: str, user_id: str) -> Reactions:
    """Returns the reactions with one more, unless they have it.

    Raises:
        FailedPreconditionError: TOO_MANY_REACTIONS.
    """
    existing = next((reaction for reaction in reactions if reaction.emoji == emoji), None)
    if existing is not None and user_id in existing.user_ids:
        return reactions
    if existing is None and len(reactions) >= MAX_EMOJI:
        raise FailedPreconditionError("TOO_MANY_REACTIONS", f"a message has reactions of at most {MAX_EMOJI} emoji")
    if sum(len(reaction.user_ids) for reaction in reactions) >= MAX_REACTIONS:
        raise FailedPreconditionError("TOO_MANY_REACTIONS", f"a message has at most {MAX_REACTIONS:,} reactions")
    if existing is None:
        return (*reactions, Reaction(emoji, (user_id,)))
    grown = Reaction(emoji, (*existing.user_ids, user_id))
    return tuple(grown if reaction is existing else reaction for reaction in reactions)


def without_reaction(reactions: Reactions, emoji: str, user_id: str) -> Reactions:
    """Returns the reactions without one; unchanged if they don't have it."""
    left = (
        Reaction(r.emoji, tuple(user for user in r.user_ids if user != user_id)) if r.emoji == emoji else r
        for r in reactions
    )
    return tuple(reaction for reaction in left if reaction.user_ids)
