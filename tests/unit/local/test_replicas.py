"""Parsing the number of processes of each service, and its errors."""

import pytest

from deploy.local.errors import StackError
from deploy.local.replicas import parse_replicas

SERVICES = ("auth", "chat", "gateway")


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("", {}),
        ("chat=2", {"chat": 2}),
        ("chat=2,gateway=3", {"chat": 2, "gateway": 3}),
        (" chat = 2 , gateway=1, ", {"chat": 2, "gateway": 1}),
    ],
)
def test_counts_are_read(text: str, counts: dict[str, int]) -> None:
    assert parse_replicas(text, SERVICES) == counts


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("chat", "'chat' is not of the form service=number"),
        ("chat=", "not of the form"),
        ("chat=two", "not of the form"),
        ("chat=-1", "not of the form"),
        ("chat=²", "not of the form"),
        ("chat=0", "between 1 and 32 processes, not 0"),
        ("chat=99", "between 1 and 32 processes, not 99"),
        ("chat=1,chat=2", "chat is named twice"),
        ("mail=1", "unknown service 'mail'; the services are auth, chat, gateway"),
    ],
)
def test_what_makes_no_sense_is_named(text: str, error: str) -> None:
    with pytest.raises(StackError, match=error):
        parse_replicas(text, SERVICES)
