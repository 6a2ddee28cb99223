"""Fixtures: the stack with the demo users, and Debian's Chromium."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, async_playwright

from deploy.local.seed import seed_demo
from deploy.local.stack import LocalStack


@pytest.fixture(scope="session")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalStack]:
    """A stack with the demo users."""
    async with LocalStack(tmp_path_factory.mktemp("stack")) as stack:
        await seed_demo(stack.grpc_target, stack.credentials)
        yield stack


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Debian's Chromium; Playwright's own can't be downloaded everywhere."""
    chromium = shutil.which("chromium")
    assert chromium, "no chromium on the PATH: run `make test-web`"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium,
            args=["--disable-background-networking", "--disable-component-update", "--disable-sync"],
        )
        yield browser
        await browser.close()
