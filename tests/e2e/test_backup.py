"""Backup under load, destruction of the store, and restore."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import psutil
import pytest
from parley_client.client import Client
from parley_client.options import Options

from backup import manifest
from deploy.local.options import StackOptions
from deploy.local.stack import LocalStack
from tests.e2e.point_in_time import acknowledged_revs, as_of
from tests.e2e.waiting import until
from tests.faults import convergence, gather
from tests.faults.checker import check
from tests.faults.history import History
from tests.faults.participant import Participant, SharedState
from tests.faults.population import PASSWORD, Habit, Population, User, create, populate

REPLICAS = {"chat": 2, "notify": 2}
OPTIONS = StackOptions(settings={"chat": {"PARLEY_MESSAGES_PER_SECOND": "1000", "PARLEY_REPLICA_TIMEOUT_SECONDS": "3"}})
ACTIONS_PER_SECOND = 8.0


def stack_in(data: Path) -> LocalStack:
    return LocalStack(data, replicas=REPLICAS, options=OPTIONS)


async def parley(data: Path, *arguments: str) -> tuple[int, str]:
    """Runs the command on the stack in a folder; returns its status and output."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli", "--data", str(data), *arguments),
        env={**{k: v for k, v in os.environ.items() if not k.startswith("PARLEY_")}, "COLUMNS": "300"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(90):
        printed, _ = await process.communicate()
    return process.returncode or 0, printed.decode()


@asynccontextmanager
async def talking(stack: LocalStack, population: Population, history: History) -> AsyncIterator[None]:
    """Runs participants while the context is open; on leaving, waits for the answers to all of their requests."""
    shared = SharedState(stack.url, history, [], ACTIONS_PER_SECOND, dict(history.stored), population.users)
    users = [Participant(p, shared, seed=1) for p in population.users if p.habit is not Habit.ABSENT]
    await asyncio.gather(*(user.connect() for user in users))
    acting = [asyncio.create_task(user.act()) for user in users]
    try:
        yield
    finally:
        for task in acting:
            task.cancel()
        await asyncio.gather(*acting, return_exceptions=True)
    await asyncio.gather(*(user.finish() for user in users))
    await asyncio.gather(*(user.disconnect() for user in users))


async def until_acknowledged(history: History, more: int) -> None:
    """Waits until `more` further messages have been acknowledged."""
    goal = history.acknowledged + more

    async def reached() -> bool:
        return history.acknowledged >= goal

    await until(reached)


async def back_up_under_load(data: Path, folder: Path, population: Population, history: History) -> list[str]:
    """Runs a stack under load, with a backup; returns the conversations of which the backup lacks acknowledged revs."""
    async with stack_in(data) as stack:
        await create(stack, population)
        await gather.read_store(stack.mongodb_uri, history)
        async with talking(stack, population, history):
            await until_acknowledged(history, 150)
            before = acknowledged_revs(history)
            status, printed = await parley(data, "backup", "--to", str(folder))
            assert (status, "store it apart" in printed) == (0, True), printed
            await until_acknowledged(history, 100)
    restored = await read_backup(folder, data, history)
    return [
        history.conversations.name(number)
        for number, rev in before.items()
        if number not in restored.stored or restored.stored[number].revs[-1] < rev
    ]


async def read_backup(folder: Path, data: Path, history: History) -> History:
    """Deletes the data of MongoDB and Valkey, restores the backup, and reads the store."""
    for name in ("mongodb", "valkey"):
        shutil.rmtree(data / name)
    status, printed = await parley(data, "restore", "--from", str(folder))
    assert (status, "Restored all data as of" in printed) == (0, True), printed
    restored = History(conversations=history.conversations, messages=history.messages)
    async with LocalStack(data, services=()) as databases:
        await gather.read_store(databases.mongodb_uri, restored)
    return restored


async def everyone_can_talk(stack: LocalStack, users: Sequence[User], restored: History) -> None:
    """Each user sends a message to each conversation; all members receive all of them, and see each other online."""
    options = Options(request_deadline_seconds=30.0)
    clients = {user.key: Client.sign_in(stack.url, user.email, PASSWORD, options) for user in users}
    await asyncio.gather(*(client.start() for client in clients.values()))
    await asyncio.gather(*(client.ready(30) for client in clients.values()))
    sent = dict.fromkeys(restored.stored, 0)
    for key, client in clients.items():
        for number, user in restored.readings:
            if user == key:
                await client.send_message(restored.conversations.name(number), f"{key.user_id} is back")
                sent[number] += 1

    async def all_there() -> bool:
        return all(
            clients[user].replica.conversation(restored.conversations.name(number)).seq == reading.seq + sent[number]
            for (number, user), reading in restored.readings.items()
        )

    async def all_present() -> bool:
        first = users[0].key
        ids = [user.key.user_id for user in users if user.key.organization_id == first.organization_id]
        return all(p.status == "online" for p in (await clients[first].presence_get(user_ids=ids)).presences)

    await until(all_there)
    await until(all_present)
    await asyncio.gather(*(client.close() for client in clients.values()))


@pytest.mark.timeout(600)
async def test_a_destroyed_store_is_restored_to_the_time_of_the_backup(tmp_path: Path) -> None:
    data, folder = tmp_path / "data", tmp_path / "backup"
    population, history = populate(1, 20, 2), History()
    assert await back_up_under_load(data, folder, population, history) == []
    restored = History(conversations=history.conversations, messages=history.messages)
    async with stack_in(data) as stack:
        await gather.read_store(stack.mongodb_uri, restored)
        kept = sum(len(stored.messages) for stored in restored.stored.values())
        assert 150 <= kept < history.acknowledged - 20
        await gather.read_as_members(stack.url, population.users, restored)
        look = partial(gather.read_notifications, stack.url, population.users, restored)
        await convergence.notifications_converge(look, restored)
        assert check(as_of(history, restored)) == []
        await everyone_can_talk(stack, population.users, restored)


async def test_a_restore_reports_what_prevents_it(tmp_path: Path) -> None:
    data, folder = tmp_path / "data", tmp_path / "backup"
    async with stack_in(data) as stack:
        assert (await parley(data, "backup", "--to", str(folder)))[0] == 0
        for arguments, sentence in (
            (("backup", "--to", str(folder)), "holds a finished backup"),
            (("restore", "--from", str(folder)), "Stop the stack in"),
            (("restore", "--from", str(tmp_path)), "No backup in"),
            (("restore", "--from", str(folder), "--database", "chat=parley_auth"), "cannot share a database"),
        ):
            status, printed = await parley(data, *arguments)
            assert (status, sentence in printed) == (1, True), printed
        secrets = stack.directory.secrets.read_text()
    status, printed = await parley(data, "restore", "--from", str(folder))
    assert (status, "is not empty; --replace" in printed) == (1, True), printed
    shutil.rmtree(data)
    status, printed = await parley(data, "restore", "--from", str(folder))
    assert (status, "Put its secrets.json there first" in printed) == (1, True), printed
    data.mkdir()
    (data / "secrets.json").write_text(secrets)
    assert (await parley(data, "restore", "--from", str(folder)))[0] == 0
    async with stack_in(data):
        pass


async def test_connected_services_prevent_a_restore(tmp_path: Path) -> None:
    data, folder = tmp_path / "data", tmp_path / "backup"
    async with stack_in(data) as stack:
        assert (await parley(data, "backup", "--to", str(folder)))[0] == 0
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cli", "restore", "--from", str(folder), "--replace"),
            env={"PARLEY_MONGODB_URI": stack.mongodb_uri, "COLUMNS": "300"},
            stderr=asyncio.subprocess.PIPE,
        )
        _, printed = await process.communicate()
        assert (process.returncode, b"auth, chat, notify, presence are connected" in printed) == (1, True), printed


async def test_an_interrupted_command_says_how_to_resume(tmp_path: Path) -> None:
    data, folder = tmp_path / "data", tmp_path / "backup"
    async with stack_in(data) as stack:
        stack.processes["mongod"].pause()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cli", "--data", str(data), "backup", "--to", str(folder)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        port = stack.processes["mongod"].spec.ports["mongodb"]
        command = psutil.Process(process.pid)

        async def asks() -> bool:
            return port in {peer.raddr.port for peer in command.net_connections("tcp") if peer.raddr}

        await until(asks)  # it has started, and waits for MongoDB
        process.send_signal(signal.SIGINT)
        printed, _ = await process.communicate()
        stack.processes["mongod"].resume()
        assert (process.returncode, b"Repeat the command to resume" in printed) == (130, True)
        assert (await parley(data, "backup", "--to", str(folder)))[0] == 0
        assert (folder / manifest.MANIFEST).exists()
