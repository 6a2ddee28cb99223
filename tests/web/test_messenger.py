"""The messenger in Chromium against the whole stack: two people at once, each in a browser of their own."""

from __future__ import annotations

import secrets
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Literal

import pytest
from playwright.async_api import Browser, expect

from deploy.local.stack import LocalStack
from tests.web.visitors import Visitor, account, new_group, visitor

pytestmark = pytest.mark.chromium

AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
HOSTILE = (
    "<script>window.hacked = 1</script>",
    '<img src=x onerror="window.hacked = 1">',
    "javascript:window.hacked=1",
    "\u202etxt.exe\u202c backwards",
    "z" + "\u0301\u0323\u0489" * 60,
    "W" * 4_000,
    "https://xn--pple-43d.example/ and https://\u0430pple.example/x",
)

# Scrolls near the top, and returns by how much the first row in sight moves when the page before it comes.
MOVEMENT = """async () => {
  const log = document.querySelector(".log");
  const rows = () => [...log.querySelectorAll("[data-seq]")];
  log.scrollTop = 200;
  const top = log.getBoundingClientRect().top;
  const row = rows().find((one) => one.getBoundingClientRect().bottom > top);
  const before = row.getBoundingClientRect().top;
  while (rows().length === 50) await new Promise(requestAnimationFrame);
  return Math.abs(row.getBoundingClientRect().top - before);
}"""
OVERFLOW = "[...document.querySelectorAll('body, .log, .rows')].map((box) => box.scrollWidth - box.clientWidth)"


async def pair(stack_of: AsyncExitStack, browser: Browser, stack: LocalStack) -> tuple[Visitor, Visitor, str]:
    """Opens one new group for two people; returns them and its id."""
    async with account(stack, "manager") as client:
        group = await new_group(client, f"Group {secrets.token_hex(4)}", "lead")
    ann = await stack_of.enter_async_context(visitor(browser, stack))
    bob = await stack_of.enter_async_context(visitor(browser, stack))
    for who, user_id in ((ann, "manager"), (bob, "lead")):
        await who.sign_in(user_id, f"/chat/{group}")
        await expect(who.composer).to_be_visible()
    return ann, bob, group


async def test_two_people_talk(browser: Browser, stack: LocalStack) -> None:
    async with AsyncExitStack() as stack_of:
        ann, bob, _ = await pair(stack_of, browser, stack)
        await ann.composer.press_sequentially("Hello Bob")
        await expect(bob.page.locator(".typing")).to_have_text("Mara Manager is typing…")
        await ann.composer.press("Enter")
        await expect(bob.message("Hello Bob")).to_be_visible()
        await expect(bob.page.locator(".typing")).to_have_text("")
        await expect(ann.message("Hello Bob").get_by_label("Read")).to_be_visible()

        await ann.composer.press("ArrowUp")
        await ann.write("Hello Leo")
        await expect(bob.message("Hello Leo")).to_contain_text("edited")
        await bob.message("Hello Leo").hover()
        await bob.message("Hello Leo").get_by_label("React").click()
        await bob.page.get_by_role("button", name="🎉").click()
        await expect(ann.message("Hello Leo").locator(".reactions")).to_have_text("🎉 1")
        await bob.message("Hello Leo").hover()
        await bob.message("Hello Leo").get_by_label("Reply").click()
        await bob.write("Hi")
        await expect(ann.message("Hi").last.locator("blockquote")).to_contain_text("Hello Leo")

        ann.page.on("dialog", lambda dialog: dialog.accept())
        await ann.message("Hello Leo").first.hover()
        await ann.message("Hello Leo").first.get_by_label("Delete").click()
        await expect(bob.log).to_contain_text("This message was deleted.")
        assert ann.problems == bob.problems == []


async def test_someone_found_by_search_gets_a_direct_message(browser: Browser, stack: LocalStack) -> None:
    text = f"Good morning {secrets.token_hex(4)}"
    async with visitor(browser, stack) as ann, visitor(browser, stack) as bob:
        await ann.sign_in("sales")
        await bob.sign_in("sales2")
        await ann.page.keyboard.press("Control+k")
        await ann.page.keyboard.type("Sam")
        await ann.page.get_by_role("button", name="Sam Sales").click()
        await ann.write(text)
        row = bob.page.locator(".sidebar .row").filter(has_text="Sara Sales")
        await expect(row).to_contain_text(text)
        await expect(row.locator(".badge")).to_be_visible()
        await row.click()
        await expect(bob.page.locator(".divider")).to_be_visible()
        await expect(row.locator(".badge")).to_have_count(0)
        await expect(ann.message(text).get_by_label("Read")).to_be_visible()
        assert ann.problems == bob.problems == []


async def test_what_is_written_offline_is_sent_once_and_in_order(browser: Browser, stack: LocalStack) -> None:
    async with AsyncExitStack() as stack_of:
        ann, bob, _ = await pair(stack_of, browser, stack)
        await ann.write("before")
        await expect(bob.message("before")).to_be_visible()
        await ann.page.context.set_offline(True)
        await ann.page.evaluate("dispatchEvent(new Event('online'))")  # looks at once whether the line is alive
        await expect(ann.page.locator(".banner.shown")).to_be_visible()
        for number in range(3):
            await ann.write(f"offline {number}")
        await expect(ann.log.get_by_label("Waiting to be sent").first).to_be_visible()
        await bob.write("meanwhile")
        await expect(bob.message("meanwhile").get_by_label("Sent")).to_be_visible()
        await ann.page.context.set_offline(False)
        await expect(bob.message("offline 2")).to_be_visible()
        await expect(ann.message("meanwhile")).to_be_visible()
        expected = ["before", "meanwhile", "offline 0", "offline 1", "offline 2"]
        assert await bob.texts() == expected
        await expect(ann.log.locator(".message.pending")).to_have_count(0)
        assert await ann.texts() == expected


async def test_a_killed_gateway_loses_and_repeats_nothing(browser: Browser, stack: LocalStack) -> None:
    async with AsyncExitStack() as stack_of:
        ann, bob, _ = await pair(stack_of, browser, stack)
        await ann.write("one")
        await expect(bob.message("one")).to_be_visible()
        await ann.composer.press_sequentially("tw")
        gateway = next(process for name, process in stack.processes.items() if name.startswith("gateway"))
        gateway.kill()
        await gateway.wait_stopped()
        await ann.composer.press_sequentially("o")
        await ann.composer.press("Enter")
        await gateway.start()
        await gateway.wait_healthy()
        await expect(bob.message("two")).to_be_visible()
        await ann.write("three")
        await expect(bob.message("three")).to_be_visible()
        assert await ann.texts() == await bob.texts() == ["one", "two", "three"]


async def test_hostile_texts_are_shown_as_text(browser: Browser, stack: LocalStack) -> None:
    async with AsyncExitStack() as stack_of:
        ann, bob, _ = await pair(stack_of, browser, stack)
        for text in HOSTILE:
            await ann.write(text)
        await expect(bob.log.locator(".message")).to_have_count(len(HOSTILE))
        *texts, links = await bob.texts()
        assert texts == list(HOSTILE[:-1])
        assert "\u0430" not in links
        assert await bob.page.evaluate("window.hacked") is None
        for who in (ann, bob):
            assert await who.page.evaluate(OVERFLOW) == [0, 0, 0]
            assert who.problems == []


async def test_history_loads_without_moving_what_is_read(browser: Browser, stack: LocalStack) -> None:
    count = 160
    async with account(stack, "manager") as client:
        group = await new_group(client, f"Long {secrets.token_hex(4)}", "lead")
        for number in range(1, count + 1):
            await client.send_message(group, f"line {number}")
    async with visitor(browser, stack) as ann:
        await ann.sign_in("manager", f"/chat/{group}")
        await expect(ann.message(f"line {count}").last).to_be_in_viewport()
        await expect(ann.log.locator(".message")).to_have_count(50)
        assert await ann.page.evaluate(MOVEMENT) <= 1
        beginning = ann.log.get_by_text("This is the beginning of the conversation.")
        while not await beginning.count():
            await ann.log.evaluate("log => { log.scrollTop = 0 }")
        await expect(ann.log.locator(".message")).to_have_count(count)
        await ann.page.get_by_label("Jump to the latest message").click()
        await expect(ann.message(f"line {count}").last).to_be_in_viewport()
        assert await ann.texts() == [f"line {number}" for number in range(1, count + 1)]


async def test_preferences_last_and_archived_conversations_move(browser: Browser, stack: LocalStack) -> None:
    async with AsyncExitStack() as stack_of:
        ann, _, _ = await pair(stack_of, browser, stack)
        title = await ann.page.locator(".thread h1").inner_text()
        await ann.page.get_by_label("More").click()
        await ann.page.get_by_role("button", name="Mute").click()
        await expect(ann.page.locator(".row[aria-current]").get_by_label("Muted")).to_be_visible()
        await ann.page.get_by_label("More").click()
        await ann.page.get_by_role("button", name="Archive", exact=True).click()
        await expect(ann.page.locator(".sidebar .row").filter(has_text=title)).to_have_count(0)
        await ann.page.get_by_role("button", name="Archived").click()
        await expect(ann.page.locator(".sidebar .row").filter(has_text=title)).to_be_visible()

        await ann.page.locator(".me summary").click()
        await ann.page.get_by_label("Your status").select_option("dnd")
        await ann.page.get_by_label("Theme").select_option("dark")
        await ann.page.get_by_label("Language").select_option("es")
        await ann.page.reload()
        await expect(ann.page.get_by_role("navigation", name="Conversaciones")).to_be_visible()
        assert await ann.page.evaluate("document.documentElement.dataset.theme") == "dark"
        assert ann.problems == []


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
async def test_axe_finds_nothing(browser: Browser, stack: LocalStack, color_scheme: Literal["light", "dark"]) -> None:
    async with account(stack, "manager") as client:
        group = await new_group(client, "Accessible", "lead", "sales")
        await client.send_message(group, "See https://example.com/")
    async with visitor(browser, stack, color_scheme=color_scheme) as ann:
        await ann.page.goto(stack.url)
        await expect(ann.page.get_by_label("E-mail")).to_be_visible()
        assert await findings(ann) == []
        await ann.sign_in("lead", f"/chat/{group}")
        await expect(ann.message("See")).to_be_visible()
        assert await findings(ann) == []
        await ann.page.locator(".me summary").click()
        assert await findings(ann) == []
        await ann.page.get_by_label("New group").click()
        await expect(ann.page.get_by_role("dialog")).to_be_visible()
        assert await findings(ann) == []


async def findings(who: Visitor) -> list[str]:
    """Returns what axe finds, without the page's policy in its way."""
    session = await who.page.context.new_cdp_session(who.page)
    await session.send("Runtime.evaluate", {"expression": AXE.read_text(encoding="utf-8")})
    result = await who.page.evaluate("axe.run()")
    return [f"{one['id']}: {node['html'][:120]}" for one in result["violations"] for node in one["nodes"]]
