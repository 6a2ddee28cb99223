"""Random states of a notification."""

from __future__ import annotations

from hypothesis import strategies as st

from services.notify.domain import Latest, State, Text

_seqs = st.integers(0, 6)
# Texts that a database might take for something else, or order differently from a tuple.
_texts = st.sampled_from(["", "a", "b", "é", "𝄞", "\uffff", "$last_seq", "$$ROOT", "{}", "\x00", "a.b"])
_latest = st.builds(Latest, seq=st.integers(1, 6), time_ms=st.integers(0, 2), title=_texts, data=_texts)
_said = st.builds(Text, seq=st.integers(1, 6), rev=st.integers(1, 9), body=_texts)


@st.composite
def states(draw: st.DrawFn) -> State:
    """Any state that the service can come to: there is a first thing where there is a last, and no later."""
    last_seq = draw(_seqs)
    heard = last_seq > 0
    return State(
        first_seq=draw(st.integers(1, last_seq)) if heard else None,
        last_seq=last_seq,
        last_rev=draw(st.integers(1, 9)) if heard else 0,
        read_seq=draw(_seqs),
        hidden_seq=draw(_seqs),
        removed_rev=draw(st.integers(0, 9)),
        latest=draw(_latest) if heard else None,
        text=draw(_said) if heard else draw(st.none() | _said),
    )
