"""Random histories of a conversation."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.unit.notify.conversation import Conversation

USERS = ("ann", "ben", "cid", "dee")


@st.composite
def histories(draw: st.DrawFn) -> Conversation:
    """A conversation in which members write, edit, delete, read, mute, leave and come back."""
    conversation = Conversation(USERS)
    for _ in range(draw(st.integers(0, 25))):
        _act(draw, conversation)
    return conversation


def _act(draw: st.DrawFn, conversation: Conversation) -> None:
    user = draw(st.sampled_from(USERS))
    if not conversation.members[user].present:
        conversation.add(user, draw(st.sampled_from(USERS)))
        return
    action = draw(st.sampled_from(("send", "send", "send", "read", "edit", "delete", "remove")))
    if action == "send":
        muted = draw(st.sets(st.sampled_from(USERS), max_size=2))
        mentions = draw(st.sets(st.sampled_from(USERS), max_size=2))
        conversation.send(user, muted, mentions)
    elif action == "remove":
        conversation.remove(user)
    elif conversation.seq:
        seq = draw(st.integers(1, conversation.seq))
        if action == "read":
            conversation.read(user, seq)
        else:
            conversation.revise(seq, delete=action == "delete")
