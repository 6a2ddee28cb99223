"""Tests of the pure rules for e-mail addresses and search words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.auth.domain import email_key, is_email, query_words, search_words


@pytest.mark.parametrize(
    "email",
    ["a@b.example", "first.last+tag@sub.demo.example", "O'Brien@demo.example", f"{'a' * 64}@demo.example"],
)
def test_ordinary_addresses_are_taken(email: str) -> None:
    assert is_email(email)


@pytest.mark.parametrize(
    "email",
    [
        "",
        "plain",
        "@demo.example",
        "a@",
        "a@localhost",
        "a@b@demo.example",
        ".a@demo.example",
        "a.@demo.example",
        "a..b@demo.example",
        "a b@demo.example",
        "a@demo .example",
        "a@demo..example",
        "a@-demo.example",
        "a@demo-.example",
        "a@demo.example\n",
        "a\x00@demo.example",
        "a@demo.example,b@demo.example",
        "<a@demo.example>",
        '"a"@demo.example',
        "ä@demo.example",
        "a@dömo.example",
        f"{'a' * 65}@demo.example",
        f"a@{'b' * 64}.example",
        f"a@{'.'.join(['b' * 60] * 5)}.example",
    ],
)
def test_what_is_no_plain_address_is_not_taken(email: str) -> None:
    assert not is_email(email)


def test_addresses_are_compared_without_regard_to_case() -> None:
    assert email_key("Ann@Demo.Example") == email_key("ANN@demo.example")


def finds(query: str, user_id: str, name: str, email: str) -> bool:
    words = search_words(user_id, name, email)
    return all(any(word.startswith(wanted) for word in words) for wanted in query_words(query))


@pytest.mark.parametrize(
    "query",
    ["", "ann", "ANN", "o'b", "brien", "mary-j", "jane", "ann bri", "crm:42", "42", "ann.o@de", "demo", "ÉVA", "éva"],
)
def test_beginnings_of_words_of_name_id_and_address_find_a_user(query: str) -> None:
    assert finds(query, "crm:42", "Ann Mary-Jane O'Brien Éva", "ann.o@demo.example")


@pytest.mark.parametrize("query", ["nn", "rien", "ann zoe", "emo", ".*", "a.n", "[a-z]", "^ann"])
def test_other_parts_of_words_and_patterns_do_not(query: str) -> None:
    assert not finds(query, "crm:42", "Ann Mary-Jane O'Brien Éva", "ann.o@demo.example")


@given(st.text(min_size=1, max_size=100), st.integers(1, 20))
def test_the_beginning_of_any_word_of_a_name_finds_it(name: str, length: int) -> None:
    for word in name.split():
        assert finds(word[:length], "id", name, "") or not word[:length].casefold().split()
