"""The pages in Chromium, through Envoy: they load everything from the gateway, obey their own policy, and work."""

from __future__ import annotations

import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import httpx
import pytest
from playwright.async_api import Browser, ConsoleMessage, Locator, Page, Request, async_playwright, expect

from deploy.local.seed import ACCOUNTS, PASSWORD, seed_demo
from deploy.local.stack import LocalStack

pytestmark = pytest.mark.chromium

SCREENSHOTS: Final = Path("build/pages")
METHODS: Final = {"get", "post", "put", "patch", "delete"}
ADMIN: Final = ACCOUNTS[0]


@pytest.fixture(scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalStack]:
    """A stack with the demo users."""
    async with LocalStack(tmp_path_factory.mktemp("stack")) as stack:
        await seed_demo(stack.grpc_target, stack.credentials)
        yield stack


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    """Debian's Chromium; Playwright's own can't be downloaded everywhere."""
    chromium = shutil.which("chromium")
    assert chromium, "no chromium on the PATH: run `make test-pages`"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium)
        yield browser
        await browser.close()


class Visit:
    """A page of the stack in a tab of its own, and what went wrong in it.

    Attributes:
        page: the tab.
        problems: errors and warnings on the console, violations of the content security policy among them, uncaught
            errors, and requests to other hosts.
    """

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.problems: list[str] = []
        self._url = url
        page.on("console", self._record_message)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("request", self._record_request)

    def _record_message(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.problems.append(message.text)

    def _record_request(self, request: Request) -> None:
        if not request.url.startswith((f"{self._url}/", "data:", "blob:")):
            self.problems.append(f"request to {request.url}")

    async def open(self, path: str) -> None:
        """Opens a page and waits until it has loaded everything."""
        await self.page.goto(self._url + path, wait_until="networkidle")

    async def save_screenshot(self, name: str) -> None:
        """Writes build/pages/NAME.png."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        await self.page.screenshot(path=SCREENSHOTS / f"{name}.png")

    def operation(self, method: str, path: str) -> Locator:
        """Returns the block of an operation."""
        return self.page.locator(f".opblock-{method.lower()}", has=self.page.locator(f'[data-path="{path}"]'))

    async def expand(self, method: str, path: str) -> Locator:
        """Unfolds an operation; returns its block."""
        block = self.operation(method, path)
        await block.locator(".opblock-summary-control").click()
        return block

    async def execute(self, method: str, path: str, body: str = "") -> Locator:
        """Executes an operation; returns the row of its response."""
        block = await self.expand(method, path)
        if body:
            await block.locator(".body-param__text").fill(body)
        await block.get_by_role("button", name="Execute").click()
        return block.locator(".live-responses-table tbody .response")


@asynccontextmanager
async def visit(browser: Browser, stack: LocalStack, color_scheme: str = "light") -> AsyncIterator[Visit]:
    """Opens a tab that shares nothing with others."""
    context = await browser.new_context(
        color_scheme="dark" if color_scheme == "dark" else "light", viewport={"width": 1280, "height": 900}
    )
    try:
        yield Visit(await context.new_page(), stack.url)
    finally:
        await context.close()


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
async def test_docs_show_every_operation_of_the_document(
    browser: Browser, stack: LocalStack, color_scheme: str
) -> None:
    async with httpx.AsyncClient(base_url=stack.url, trust_env=False) as http:
        paths = (await http.get("/openapi.json")).json()["paths"]
    operations = {(method, path) for path, item in paths.items() for method in METHODS & item.keys()}
    async with visit(browser, stack, color_scheme) as docs:
        await docs.open("/docs")
        await expect(docs.page.locator(".opblock")).to_have_count(len(operations))
        for method, path in operations:
            await expect(docs.operation(method, path)).to_be_visible()
        await expect(docs.page.get_by_role("button", name="Authorize")).to_be_visible()
        await docs.save_screenshot(f"docs-{color_scheme}")
    assert docs.problems == []


async def test_an_operation_can_be_executed(browser: Browser, stack: LocalStack) -> None:
    async with visit(browser, stack) as docs:
        await docs.open("/docs")
        response = await docs.execute("GET", "/healthz")
        await expect(response.locator(".response-col_status")).to_contain_text("200")
        await expect(response).to_contain_text('"status": "ok"')
        await docs.save_screenshot("execute")
    assert docs.problems == []


async def test_signing_in_authorizes_the_page_until_it_is_reloaded(browser: Browser, stack: LocalStack) -> None:
    async with visit(browser, stack) as docs:
        await docs.open("/docs")
        body = f'{{"email": "{ADMIN.email}", "password": "{PASSWORD}"}}'
        response = await docs.execute("POST", "/api/auth/login", body)
        await expect(response.locator(".response-col_status")).to_contain_text("200")
        response = await docs.execute("GET", "/api/users/me")
        await expect(response.locator(".response-col_status")).to_contain_text("200")
        await expect(response).to_contain_text(ADMIN.name)
        await docs.save_screenshot("signed-in")
        assert docs.problems == []

        await docs.open("/docs")
        await docs.page.reload(wait_until="networkidle")
        response = await docs.execute("GET", "/api/users/me")
        await expect(response.locator(".response-col_status")).to_contain_text("401")


async def test_a_token_can_be_given_by_hand(browser: Browser, stack: LocalStack) -> None:
    async with httpx.AsyncClient(base_url=stack.url, trust_env=False) as http:
        login = await http.post("/api/auth/login", json={"email": ADMIN.email, "password": PASSWORD})
    async with visit(browser, stack) as docs:
        await docs.open("/docs")
        await docs.page.get_by_role("button", name="Authorize").first.click()
        dialog = docs.page.locator(".modal-ux")
        await dialog.locator("input").fill(login.json()["accessToken"])
        await dialog.get_by_role("button", name="Apply credentials").click()
        await dialog.get_by_role("button", name="Close").first.click()
        response = await docs.execute("GET", "/api/users/me")
        await expect(response.locator(".response-col_status")).to_contain_text("200")
    assert docs.problems == []


async def test_an_operation_has_a_link_that_opens_it(browser: Browser, stack: LocalStack) -> None:
    async with visit(browser, stack) as docs:
        await docs.open("/docs")
        await docs.expand("GET", "/healthz")
        await docs.page.wait_for_url(re.compile("#/"))
        link = docs.page.url.removeprefix(stack.url)
        await docs.open("/")
        await docs.open(link)
        await expect(docs.page.locator(".opblock.is-open")).to_have_count(1)
        await expect(docs.operation("GET", "/healthz")).to_have_class(re.compile("is-open"))
    assert docs.problems == []


async def test_an_address_cannot_make_the_page_show_another_document(browser: Browser, stack: LocalStack) -> None:
    async with visit(browser, stack) as docs:
        await docs.open("/docs?url=https://example.com/openapi.json&configUrl=https://example.com/config.json")
        await expect(docs.operation("GET", "/healthz")).to_be_visible()
    assert docs.problems == []


async def test_the_policy_blocks_inline_scripts_and_other_hosts(browser: Browser, stack: LocalStack) -> None:
    """Also proves that the other tests would notice a violation."""
    async with visit(browser, stack) as docs:
        await docs.open("/docs")
        await docs.page.evaluate(
            """() => {
                const script = document.createElement("script");
                script.textContent = "window.injected = true";
                document.body.append(script);
                return fetch("https://example.com/").catch(() => null);
            }"""
        )
        assert await docs.page.evaluate("window.injected") is None
    assert any("script-src 'self'" in problem for problem in docs.problems)
    assert any("connect-src 'self'" in problem for problem in docs.problems)
