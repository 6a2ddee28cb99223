"""How many processes of each service: what people may type, and what they are told otherwise."""

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
    ("text", "told"),
    [
        ("chat", "'chat' is not of the form service=number"),
        ("chat=", "not of the form"),
        ("chat=two", "not of the form"),
        ("chat=-1", "not of the form"),
        ("chat=²", "not of the form"),
        ("chat=0", "between 1 and 32 processes, not 0"),
        ("chat=99", "between 1 and 32 processes, not 99"),
        ("chat=1,chat=2", "chat is named twice"),
        ("mail=1", "no service 'mail'; there are auth, chat, gateway"),
    ],
)
def test_what_makes_no_sense_is_named(text: str, told: str) -> None:
    with pytest.raises(StackError, match=told):
        parse_replicas(text, SERVICES)
