"""Random states of a notification."""

from __future__ import annotations

from hypothesis import strategies as st

from services.notify.domain import Latest, State, Text

_seqs = st.integers(0, 6)
# Texts that a database might interpret as expressions, or order differently from a tuple.
_strings = st.sampled_from(["", "a", "b", "é", "𝄞", "\uffff", "$last_seq", "$$ROOT", "{}", "\x00", "a.b"])
_latest = st.builds(Latest, seq=st.integers(1, 6), time_ms=st.integers(0, 2), title=_strings, data=_strings)
_text = st.builds(Text, seq=st.integers(1, 6), rev=st.integers(1, 9), body=_strings)


@st.composite
def states(draw: st.DrawFn) -> State:
    """Any reachable state: first_seq exists if last_seq does, and is not above it."""
    last_seq = draw(_seqs)
    has_event = last_seq > 0
    return State(
        first_seq=draw(st.integers(1, last_seq)) if has_event else None,
        last_seq=last_seq,
        last_rev=draw(st.integers(1, 9)) if has_event else 0,
        read_seq=draw(_seqs),
        hidden_seq=draw(_seqs),
        removed_rev=draw(st.integers(0, 9)),
        latest=draw(_latest) if has_event else None,
        text=draw(_text) if has_event else draw(st.none() | _text),
    )
