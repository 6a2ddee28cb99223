"""The pages: who gets one, and that they bring everything along."""

from __future__ import annotations

import re
from importlib import resources

import pytest

from gateway.rest.pages import pages_group, wants_page

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "page"),
    [
        (BROWSER, True),
        ("text/html", True),
        ("TEXT/HTML", True),
        ("application/json;q=0.5, text/html;q=0.9", True),
        ("", False),
        ("*/*", False),
        ("application/json", False),
        ("application/json, text/plain, */*", False),
        ("text/html, application/json", False),
        ("text/html;q=0", False),
        ("text/html;q=nonsense", False),
        ("text/html;q=0.4, application/json;q=0.5", False),
    ],
)
def test_only_who_prefers_html_gets_a_page(accept: str, page: bool) -> None:
    assert wants_page(accept) is page


def test_everything_that_the_pages_refer_to_is_served_here() -> None:
    """No page needs anything from another host, so they work without a way out."""
    served = {operation.path for operation in pages_group(b"{}").operations}
    for file in (resources.files("gateway.rest") / "pages").iterdir():
        text = file.read_text(encoding="utf-8")
        addresses = re.findall(r'(?:src|href)="([^"]+)"', text)
        imports = [f"/docs/{name}" for name in re.findall(r'from "\./([^"]+)"', text)]
        assert {*addresses, *imports} <= {*served, "/"}, file.name


def test_no_page_names_another_host() -> None:
    for file in (resources.files("gateway.rest") / "pages").iterdir():
        hosts = set(re.findall(r"https?://([^/\"'\s]+)", file.read_text(encoding="utf-8")))
        assert hosts <= {"www.w3.org"}, file.name  # the name of SVG's namespace, which nobody fetches


def test_no_page_has_scripts_or_styles_in_itself() -> None:
    """The content security policy would not run them."""
    for file in (resources.files("gateway.rest") / "pages").iterdir():
        if file.name.endswith(".html"):
            text = file.read_text(encoding="utf-8")
            assert not re.search(r"<style|<script(?![^>]*src=)|\son\w+=|\sstyle=", text), file.name
