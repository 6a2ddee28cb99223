"""People at the messenger: each a browser context of its own, with what went wrong in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

from parley_client.client import Client
from parley_client.options import Options
from playwright.async_api import Browser, ConsoleMessage, Locator, Page, expect

from deploy.local.seed import PASSWORD
from deploy.local.stack import LocalStack

PATIENCE_MS = 30_000
expect.set_options(timeout=PATIENCE_MS)


class Visitor:
    """A signed-in person's tab.

    Attributes:
        page: the tab.
        problems: uncaught errors, and errors and warnings on the console other than those of a lost connection.
    """

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.problems: list[str] = []
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("console", self._record)

    def _record(self, message: ConsoleMessage) -> None:
        lost = any(word in message.text for word in ("WebSocket", "net::ERR_", "status of 503"))
        if message.type in {"error", "warning"} and not lost:
            self.problems.append(message.text)

    async def sign_in(self, user_id: str, path: str = "/") -> None:
        """Signs in as a demo user."""
        await self.page.goto(self.url + path)
        await self.page.get_by_label("E-mail").fill(f"{user_id}@demo.example")
        await self.page.get_by_label("Password").fill(PASSWORD)
        await self.page.get_by_role("button", name="Sign in").click()
        await expect(self.page.get_by_role("navigation")).to_be_visible()

    async def open(self, conversation_id: str) -> None:
        """Opens a conversation by its address."""
        await self.page.goto(f"{self.url}/chat/{conversation_id}")
        await expect(self.composer).to_be_visible()

    @property
    def composer(self) -> Locator:
        """The field for a new message."""
        return self.page.locator(".composer textarea")

    @property
    def log(self) -> Locator:
        """The open conversation's messages."""
        return self.page.get_by_role("log")

    def message(self, text: str) -> Locator:
        """The row of a message."""
        return self.log.locator(".message").filter(has_text=text)

    async def write(self, text: str) -> None:
        """Writes and sends a message."""
        await self.composer.fill(text)
        await self.composer.press("Enter")

    async def texts(self) -> list[str]:
        """Returns the texts of all messages in the log."""
        return await self.log.locator(".message .text").all_text_contents()


@asynccontextmanager
async def visitor(
    browser: Browser,
    stack: LocalStack,
    *,
    size: tuple[int, int] = (1280, 800),
    color_scheme: Literal["light", "dark"] = "light",
    locale: str = "en-GB",
) -> AsyncIterator[Visitor]:
    """Opens a tab that shares nothing with others."""
    context = await browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme=color_scheme,
        locale=locale,
        timezone_id="Europe/Berlin",
        reduced_motion="reduce",
    )
    try:
        yield Visitor(await context.new_page(), stack.url)
    finally:
        await context.close()


@asynccontextmanager
async def account(stack: LocalStack, user_id: str) -> AsyncIterator[Client]:
    """Connects as a demo user, for preparing what a test looks at."""
    client = Client.sign_in(stack.url, f"{user_id}@demo.example", PASSWORD, Options())
    await client.start()
    try:
        await client.ready(PATIENCE_MS / 1000)
        yield client
    finally:
        await client.close()


async def new_group(client: Client, name: str, *member_ids: str) -> str:
    """Creates a group; returns its id."""
    reply = await client.conversation_create(kind="group", name=name, member_ids=list(member_ids))
    return reply.conversation.conversation_id
