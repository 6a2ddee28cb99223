"""The pending requests of a client whose connections come and go."""

from parley_client.calls import PendingRequest, PendingRequests


def add(pending: PendingRequests[str], request_id: int, *, repeatable: bool) -> None:
    pending.add(PendingRequest(request_id, f"frame {request_id}".encode(), repeatable, context=f"caller {request_id}"))


def test_requests_are_sent_once_in_the_order_in_which_they_were_made() -> None:
    pending: PendingRequests[str] = PendingRequests()
    for request_id in (1, 2, 3):
        add(pending, request_id, repeatable=True)

    assert list(pending.take_unsent()) == [b"frame 1", b"frame 2", b"frame 3"]
    assert not list(pending.take_unsent())


def test_what_was_given_up_is_not_sent() -> None:
    pending: PendingRequests[str] = PendingRequests()
    add(pending, 1, repeatable=True)
    add(pending, 2, repeatable=True)

    assert pending.remove(1) is not None

    assert list(pending.take_unsent()) == [b"frame 2"]
    assert pending.remove(1) is None


def test_a_lost_connection_drops_what_must_not_be_repeated_and_sends_the_rest_again_in_order() -> None:
    pending: PendingRequests[str] = PendingRequests()
    for request_id, repeatable in ((1, True), (2, False), (3, True)):
        add(pending, request_id, repeatable=repeatable)
    list(pending.take_unsent())

    lost = pending.connection_lost()

    assert [request.context for request in lost] == ["caller 2"]
    add(pending, 4, repeatable=True)
    assert list(pending.take_unsent()) == [b"frame 1", b"frame 3", b"frame 4"]


def test_what_was_never_sent_survives_a_lost_connection() -> None:
    pending: PendingRequests[str] = PendingRequests()
    add(pending, 1, repeatable=False)

    assert pending.connection_lost() == []
    assert list(pending.take_unsent()) == [b"frame 1"]


def test_a_request_counts_as_sent_while_it_is_being_written() -> None:
    pending: PendingRequests[str] = PendingRequests()
    add(pending, 1, repeatable=False)
    add(pending, 2, repeatable=False)

    frames = pending.take_unsent()
    next(frames)
    lost = pending.connection_lost()

    assert [request.context for request in lost] == ["caller 1"]
    assert list(pending.take_unsent()) == [b"frame 2"]


def test_only_what_was_sent_and_not_answered_is_in_flight() -> None:
    pending: PendingRequests[str] = PendingRequests()
    add(pending, 1, repeatable=True)
    assert not pending.in_flight

    list(pending.take_unsent())
    assert pending.in_flight

    pending.remove(1)
    assert not pending.in_flight


def test_clearing_hands_back_every_caller() -> None:
    pending: PendingRequests[str] = PendingRequests()
    add(pending, 1, repeatable=True)
    list(pending.take_unsent())
    add(pending, 2, repeatable=False)

    assert [request.context for request in pending.clear()] == ["caller 1", "caller 2"]
    assert len(pending) == 0
    assert not list(pending.take_unsent())
