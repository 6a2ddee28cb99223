"""Pictures of the messenger: in docs/screenshots by `make screenshots`, or in build/web."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from deploy.local.stack import LocalStack
from tests.web.visitors import Visitor, account, new_group, visitor

pytestmark = pytest.mark.chromium

FOLDER = Path(os.environ.get("PARLEY_SCREENSHOTS", "build/web"))
TALK = (
    ("lead", "Morning! The Weber contract is back from legal."),
    ("lead", "Two remarks, both harmless: https://crm.example/contracts/4711"),
    ("sales", "Great. I promised them an answer before noon."),
    ("manager", "Then send it as it is. I'll call Mr Weber myself at eleven and explain the second remark."),
    ("sales", "Thank you! I'll have the slides ready for the demo as well."),
    ("lead", "The new price list is in there, too."),
    ("manager", "Perfect 🎉"),
)


async def prepare(stack: LocalStack) -> str:
    """Fills the demo organization with conversations; returns the one to open."""
    async with account(stack, "lead") as lead, account(stack, "sales") as sales, account(stack, "manager") as manager:
        people = {"lead": lead, "sales": sales, "manager": manager}
        for name, author, text in (
            ("Product feedback", "lead", "Three customers asked for exports this week."),
            ("Office", "manager", "Who is in tomorrow?"),
        ):
            group = await new_group(people[author], name, *(people.keys() - {author}))
            await people[author].send_message(group, text)
        direct = await sales.conversation_direct(user_id="manager")
        await sales.send_message(direct.conversation.conversation_id, "Do you have five minutes for Dr Brandt's offer?")
        await sales.send_message(direct.conversation.conversation_id, "It's about the discount.")
        await manager.presence_set(status="online")  # other tests share these users
        main = await new_group(manager, "Weber renewal", "lead", "sales")
        for author, text in TALK:
            sent = await people[author].send_message(main, text)
            if text.startswith("Then send"):
                await sales.message_react(conversation_id=main, message_id=sent.message_id, emoji="👍")
                await lead.message_react(conversation_id=main, message_id=sent.message_id, emoji="👍")
        return main


async def save(who: Visitor, name: str) -> None:
    """Takes a picture; Playwright makes the folder."""
    await who.page.screenshot(path=FOLDER / f"{name}.png")


async def test_pictures(browser: Browser, stack: LocalStack) -> None:
    main = await prepare(stack)
    async with visitor(browser, stack) as other, visitor(browser, stack) as ann:
        await other.sign_in("sales", f"/chat/{main}")
        await ann.page.goto(stack.url)
        await expect(ann.page.get_by_label("E-mail")).to_be_visible()
        await save(ann, "sign-in")
        await ann.sign_in("manager", f"/chat/{main}")
        await expect(ann.message("Perfect")).to_be_visible()
        await expect(ann.message("Perfect").get_by_role("img")).to_be_visible()
        await expect(ann.page.locator(".me summary")).to_have_text("MMMara ManagerOnline")
        await ann.page.mouse.move(640, 700)
        await save(ann, "light")
        await ann.page.emulate_media(color_scheme="dark")
        await ann.message("Then send").hover()
        await save(ann, "dark")
        await ann.page.emulate_media(color_scheme="light")
        await ann.page.set_viewport_size({"width": 390, "height": 844})
        await ann.page.mouse.move(1, 1)
        await save(ann, "phone-thread")
        await ann.page.get_by_label("Back to the list").click()
        await save(ann, "phone-list")
        assert ann.problems == []
