"""What becomes of requests when connections come and go."""

from parley_client.calls import Entry, PendingRequests


def add(ledger: PendingRequests[str], request_id: int, *, repeatable: bool) -> None:
    ledger.add(Entry(request_id, f"frame {request_id}".encode(), repeatable, context=f"caller {request_id}"))


def test_requests_are_sent_once_in_the_order_in_which_they_were_made() -> None:
    ledger: PendingRequests[str] = PendingRequests()
    for request_id in (1, 2, 3):
        add(ledger, request_id, repeatable=True)

    assert list(ledger.take_unsent()) == [b"frame 1", b"frame 2", b"frame 3"]
    assert not list(ledger.take_unsent())


def test_what_was_given_up_is_not_sent() -> None:
    ledger: PendingRequests[str] = PendingRequests()
    add(ledger, 1, repeatable=True)
    add(ledger, 2, repeatable=True)

    assert ledger.forget(1) is not None

    assert list(ledger.take_unsent()) == [b"frame 2"]
    assert ledger.forget(1) is None


def test_a_lost_connection_strikes_out_what_must_not_be_repeated_and_sends_the_rest_again_in_order() -> None:
    ledger: PendingRequests[str] = PendingRequests()
    for request_id, repeatable in ((1, True), (2, False), (3, True)):
        add(ledger, request_id, repeatable=repeatable)
    list(ledger.take_unsent())

    lost = ledger.connection_lost()

    assert [entry.context for entry in lost] == ["caller 2"]
    add(ledger, 4, repeatable=True)
    assert list(ledger.take_unsent()) == [b"frame 1", b"frame 3", b"frame 4"]


def test_what_was_never_sent_survives_a_lost_connection_whatever_it_is() -> None:
    ledger: PendingRequests[str] = PendingRequests()
    add(ledger, 1, repeatable=False)

    assert ledger.connection_lost() == []
    assert list(ledger.take_unsent()) == [b"frame 1"]


def test_a_request_counts_as_sent_while_it_is_being_written() -> None:
    ledger: PendingRequests[str] = PendingRequests()
    add(ledger, 1, repeatable=False)
    add(ledger, 2, repeatable=False)

    frames = ledger.take_unsent()
    next(frames)
    lost = ledger.connection_lost()

    assert [entry.context for entry in lost] == ["caller 1"]
    assert list(ledger.take_unsent()) == [b"frame 2"]


def test_only_what_was_sent_and_not_answered_is_in_flight() -> None:
    ledger: PendingRequests[str] = PendingRequests()
    add(ledger, 1, repeatable=True)
    assert not ledger.in_flight

    list(ledger.take_unsent())
    assert ledger.in_flight

    ledger.forget(1)
    assert not ledger.in_flight


def test_clearing_hands_back_every_caller() -> None:
    ledger: PendingRequests[str] = PendingRequests()
    add(ledger, 1, repeatable=True)
    list(ledger.take_unsent())
    add(ledger, 2, repeatable=False)

    assert [entry.context for entry in ledger.clear()] == ["caller 1", "caller 2"]
    assert len(ledger) == 0
    assert not list(ledger.take_unsent())
