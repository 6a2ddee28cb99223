"""Waiting signals of one type merge into the one that matters."""

from __future__ import annotations

from parley.chat.v1.message_pb2 import Actor, MarkReadRequest, SetTypingRequest

from gateway.sessions.signal_sender import merge_signals

ANN = Actor(user_id="ann")


def test_read_marks_only_move_forward() -> None:
    three, five = (ANN, MarkReadRequest(seq=3)), (ANN, MarkReadRequest(seq=5))
    assert merge_signals(three, five) == five
    assert merge_signals(five, three) == five


def test_of_typing_the_last_word_counts() -> None:
    on, off = (ANN, SetTypingRequest(active=True)), (ANN, SetTypingRequest(active=False))
    assert merge_signals(on, off) == off
    assert merge_signals(off, on) == on
