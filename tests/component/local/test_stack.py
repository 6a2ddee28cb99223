"""Starting and stopping a whole stack: in order, gated on health, nothing left behind."""

import asyncio
import json
import os
import signal
import socket
import sys
from contextlib import suppress
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import grpc
import httpx
import psutil
import pytest
import redis.asyncio
from pymongo import AsyncMongoClient
from pymongo.write_concern import WriteConcern

from deploy.local.data_directory import remove_data
from deploy.local.errors import StackError
from deploy.local.host import Host
from deploy.local.options import StackOptions
from deploy.local.ports import PortClaims
from deploy.local.process import ManagedProcess
from deploy.local.progress import Phase, Progress
from deploy.local.run_file import read_run_file
from deploy.local.services import Service
from deploy.local.stack import LocalStack
from tests.component.local.waiting import all_gone, eventually


def fake_program(folder: Path, name: str, script: str) -> Host:
    """Returns a host whose search path holds a program of this name."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return replace(Host.current(), search_path=str(folder))


def databases_only(data: Path, options: StackOptions, **more: Any) -> LocalStack:
    """Returns a stack of the databases only."""
    return LocalStack(data, options=options, services=(), outside_callers={}, **more)


async def test_it_starts_in_order_answers_and_stops_in_reverse(
    tmp_path: Path, plain_services: tuple[Service, ...], embedded: StackOptions
) -> None:
    steps: list[Progress] = []
    stack = LocalStack(tmp_path, None, options=embedded, services=plain_services, report=steps.append)
    await stack.start()
    pids = [process.pid for process in stack.processes.values()]
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(f"{stack.url}/readyz")).json() == {"replica": "gateway-1"}
    await stack.stop()
    await all_gone(pids)

    when = {(step.process, step.phase): number for number, step in enumerate(steps)}
    for database in ("mongod", "valkey"):
        assert when[database, Phase.READY] < when["envoy", Phase.STARTING]
        assert when["envoy", Phase.STOPPED] < when[database, Phase.STOPPING]
    for service in ("auth-1", "chat-1", "presence-1", "notify-1"):
        assert when["envoy", Phase.READY] < when[service, Phase.STARTING]
        assert when["gateway-1", Phase.STOPPED] < when[service, Phase.STOPPING]
        assert when[service, Phase.STOPPED] < when["envoy", Phase.STOPPING]


async def test_a_running_stack_can_be_found_and_a_stopped_one_not(tmp_path: Path, embedded: StackOptions) -> None:
    assert read_run_file(tmp_path) is None
    stack = databases_only(tmp_path, embedded)
    async with stack:
        run_file = read_run_file(tmp_path)
        assert run_file is not None
        assert run_file.pid == os.getpid()
        for name, process in stack.processes.items():
            assert run_file.processes[name].pid == process.pid
            assert run_file.processes[name].ports == process.spec.ports
            assert run_file.processes[name].log == str(process.log_path)
    assert read_run_file(tmp_path) is None
    assert not stack.directory.run_file.exists()


async def test_its_addresses_let_others_bypass_envoy(plain_stack: LocalStack) -> None:
    run_file = read_run_file(plain_stack.directory.root)
    assert run_file is not None
    assert run_file.url == plain_stack.url
    assert run_file.grpc_target == plain_stack.grpc_target == plain_stack.processes["envoy"].address("public")
    assert set(run_file.processes) == {
        *("mongod", "valkey", "envoy"),
        *("auth-1", "chat-1", "chat-2", "presence-1", "notify-1", "gateway-1", "gateway-2"),
    }
    async with httpx.AsyncClient(trust_env=False) as client:
        for gateway in ("gateway-1", "gateway-2"):
            direct = await client.get(f"http://{plain_stack.processes[gateway].address('http')}/readyz")
            assert direct.json() == {"replica": gateway}


async def test_nothing_that_others_can_read_holds_a_secret(plain_stack: LocalStack) -> None:
    private = [*plain_stack.credentials.service_secrets.values(), plain_stack.credentials.key_encryption_key]
    for process in plain_stack.processes.values():
        shown = " ".join(psutil.Process(process.pid).cmdline()) + process.log_path.read_text()
        assert not [secret for secret in private if secret in shown]
    assert not [secret for secret in private if secret in plain_stack.directory.run_file.read_text()]


async def test_data_survives_a_restart_on_other_ports(tmp_path: Path, embedded: StackOptions) -> None:
    others = PortClaims()
    for run in (1, 2):
        async with databases_only(tmp_path, embedded) as stack:
            assert await count_up_in_mongodb(stack.mongodb_uri) == run
            async with redis.asyncio.Redis.from_url(stack.redis_url) as client:
                assert await client.incr("runs") == run
            ports = [port for process in stack.processes.values() for port in process.spec.ports.values()]
        for port in ports:  # so that the next run gets other ports
            with suppress(StackError):
                others.claim(port)
    others.release()


async def test_mongod_takes_majority_writes_and_transactions(tmp_path: Path, embedded: StackOptions) -> None:
    async with (
        databases_only(tmp_path, embedded) as stack,
        AsyncMongoClient[dict[str, Any]](stack.mongodb_uri) as client,
        client.start_session() as session,
    ):
        notes = client.test.get_collection("notes", write_concern=WriteConcern("majority", j=True))
        async with await session.start_transaction():
            await notes.insert_one({"text": "both"}, session=session)
            await notes.insert_one({"text": "or none"}, session=session)
        assert await notes.count_documents({}) == 2


async def test_two_stacks_do_not_share_a_data_directory(tmp_path: Path, embedded: StackOptions) -> None:
    async with databases_only(tmp_path, embedded) as first:
        with pytest.raises(StackError, match="already running"):
            await databases_only(tmp_path, embedded).start()
        with pytest.raises(StackError, match="already running"):
            await first.start()
        with pytest.raises(StackError, match="already running"):
            remove_data(tmp_path)
        # The second stack left the first one's run file and processes alone.
        assert read_run_file(tmp_path) is not None
        assert all(process.running for process in first.processes.values())


async def test_many_stacks_run_side_by_side(tmp_path: Path, embedded: StackOptions) -> None:
    stacks = [databases_only(tmp_path / str(number), embedded) for number in range(3)]
    try:
        await asyncio.gather(*(stack.start() for stack in stacks))
        assert [await count_up_in_mongodb(stack.mongodb_uri) for stack in stacks] == [1, 1, 1]
    finally:
        await asyncio.gather(*(stack.stop() for stack in stacks))


KILLED = """
import asyncio, sys
from pathlib import Path
from deploy.local.options import StackOptions
from deploy.local.stack import LocalStack
from tests.component.local.waiting import all_gone, eventually

async def main():
    stack = LocalStack(Path(sys.argv[1]), options=StackOptions(mongodb_cache_gigabytes=0.25), services=())
    await stack.start()
    print(*(process.pid for process in stack.processes.values()), flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux kills a child with its parent")
async def test_a_stack_that_is_killed_leaves_no_process_and_starts_again(
    tmp_path: Path, embedded: StackOptions
) -> None:
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", KILLED, str(tmp_path)), stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    pids = [int(pid) for pid in (await parent.stdout.readline()).split()]
    assert len(pids) == 2
    assert read_run_file(tmp_path) is not None
    parent.kill()
    await parent.wait()
    # Immediately: the dying databases hold the lock, so this waits for them.
    async with databases_only(tmp_path, embedded) as stack:
        assert await count_up_in_mongodb(stack.mongodb_uri) == 1
        await all_gone(pids)


async def test_giving_up_while_it_starts_leaves_nothing_behind(tmp_path: Path, embedded: StackOptions) -> None:
    stack = databases_only(tmp_path, embedded)
    starting = asyncio.create_task(stack.start())
    await eventually(lambda: "mongod" in stack.processes and stack.processes["mongod"].running)
    pid = stack.processes["mongod"].pid
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    await all_gone([pid])
    assert remove_data(tmp_path)


async def test_a_taken_port_is_named_before_anything_is_started(
    tmp_path: Path, plain_services: tuple[Service, ...], embedded: StackOptions
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        stack = LocalStack(tmp_path, port, options=embedded, services=plain_services)
        with pytest.raises(StackError, match=rf"Port {port} is taken by .*--port"):
            await stack.start()
    assert stack.processes == {}


async def test_a_missing_shared_library_is_named_with_its_package(tmp_path: Path, embedded: StackOptions) -> None:
    words = "error while loading shared libraries: libcurl.so.4: cannot open shared object file: No such file"
    host = fake_program(tmp_path / "bin", "mongod", f"echo '{tmp_path}/bin/mongod: {words}' >&2; exit 127")
    with pytest.raises(StackError, match=r"mongod needs libcurl.so.4, .* apt-get install libcurl4\."):
        await databases_only(tmp_path / "data", embedded, host=host).start()


async def test_a_processor_without_avx_is_named(tmp_path: Path, embedded: StackOptions) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("flags\t\t: fpu sse sse2\n")
    host = replace(Host.current(), architecture="x86_64", cpuinfo=cpuinfo)
    with pytest.raises(StackError, match=r"needs? a processor with AVX"):
        await databases_only(tmp_path / "data", embedded, host=host).start()
    assert not (tmp_path / "data").exists()


async def test_a_server_that_uses_instructions_the_processor_lacks_is_explained(
    tmp_path: Path, embedded: StackOptions
) -> None:
    # What MongoDB does on such a processor where /proc does not list the flags.
    host = fake_program(tmp_path / "bin", "mongod", "kill -ILL $$")
    with pytest.raises(StackError, match=r"was ended by SIGILL\..*AVX"):
        await databases_only(tmp_path / "data", embedded, host=host).start()


async def test_an_unsupported_platform_is_named_with_what_to_install(tmp_path: Path, embedded: StackOptions) -> None:
    host = Host("/nonexistent", "FreeBSD", "riscv64")
    with pytest.raises(StackError, match=r"not for FreeBSD on riscv64. Install MongoDB"):
        await databases_only(tmp_path, embedded, host=host).start()


async def test_a_service_that_fails_to_start_is_named_and_the_rest_stopped(
    tmp_path: Path, plain_services: tuple[Service, ...], embedded: StackOptions
) -> None:
    steps: list[Progress] = []
    broken = tuple(
        replace(service, module="tests.no_such_program") if service.name == "notify" else service
        for service in plain_services
    )
    stack = LocalStack(tmp_path, options=embedded, services=broken, report=steps.append)
    with pytest.raises(StackError, match=r"notify-1 ended with code 1\.(.|\n)*notify-1\.log(.|\n)*no_such_program"):
        await stack.start()
    assert Progress("notify-1", Phase.FAILED) in steps
    assert not [process.name for process in stack.processes.values() if process.running]
    assert read_run_file(tmp_path) is None


async def test_external_servers_are_used_instead(
    tmp_path: Path, plain_stack: LocalStack, plain_services: tuple[Service, ...], embedded: StackOptions
) -> None:
    options = replace(embedded, mongodb_uri=plain_stack.mongodb_uri, redis_url=plain_stack.redis_url)
    async with LocalStack(tmp_path, options=options, services=plain_services) as stack:
        assert not {"mongod", "valkey"} & stack.processes.keys()
        environment = psutil.Process(stack.processes["chat-1"].pid).environ()
        assert environment["PARLEY_MONGODB_URI"] == plain_stack.mongodb_uri
        assert environment["PARLEY_REDIS_URL"] == plain_stack.redis_url


@pytest.mark.parametrize(
    ("own", "variable"),
    [
        (StackOptions(mongodb_uri="mongodb://me:hunter2@127.0.0.1:1/"), "PARLEY_MONGODB_URI"),
        (StackOptions(mongodb_uri="hunter2@nowhere"), "PARLEY_MONGODB_URI"),
        (StackOptions(redis_url="redis://me:hunter2@127.0.0.1:1/0"), "PARLEY_REDIS_URL"),
        (StackOptions(redis_url="http://hunter2@127.0.0.1:1/"), "PARLEY_REDIS_URL"),
    ],
)
async def test_an_external_server_without_an_answer_is_named_without_its_password(
    tmp_path: Path, own: StackOptions, variable: str
) -> None:
    with pytest.raises(StackError, match=f"{variable}: no ") as failure:
        await databases_only(tmp_path, replace(own, connect_deadline_seconds=0)).start()
    assert "hunter2" not in str(failure.value)


async def test_a_crashed_process_comes_back_and_the_note_knows_its_new_pid(
    tmp_path: Path, embedded: StackOptions
) -> None:
    steps: list[Progress] = []
    async with databases_only(tmp_path, replace(embedded, restart_crashed=True), report=steps.append) as stack:
        valkey = stack.processes["valkey"]
        crashed = valkey.pid
        os.kill(crashed, signal.SIGKILL)
        await eventually(lambda: Progress("valkey", Phase.READY, "Restarted.") in steps)
        await valkey.wait_healthy()
        assert valkey.pid != crashed
        run_file = json.loads(stack.directory.run_file.read_text())
        assert run_file["processes"]["valkey"]["pid"] == valkey.pid


async def test_a_replica_that_dies_is_routed_around_and_used_again_when_it_is_back(
    tmp_path: Path, plain_services: tuple[Service, ...], embedded: StackOptions
) -> None:
    replicas = {"gateway": 2, "chat": 2}
    async with (
        LocalStack(tmp_path, None, replicas, options=embedded, services=plain_services) as stack,
        httpx.AsyncClient(trust_env=False, base_url=stack.url, timeout=30) as client,
        grpc.aio.insecure_channel(stack.grpc_target) as channel,
    ):
        dead = [stack.processes["gateway-2"], stack.processes["chat-2"]]
        for process in dead:
            process.kill()
            await process.wait_stopped()
        # No request fails: those that hit a dead replica are retried on the other.
        replies = [await client.get("/api/users") for _ in range(40)]
        assert {reply.json()["replica"] for reply in replies} == {"gateway-1"}
        assert {await chat_replica(channel, shard) for shard in range(40)} == {"chat-1"}
        for process in dead:
            await process.start()
            await process.wait_healthy()
        replica, shards = "", count()
        while replica != "gateway-2":
            replica = (await client.get("/api/users")).json()["replica"]
        while replica != "chat-2":
            replica = await chat_replica(channel, next(shards))


async def chat_replica(channel: grpc.aio.Channel, shard: int) -> str:
    """Returns the replica of chat that a shard's calls reach."""
    multicallable: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(
        "/parley.chat.v1.MessageService/SendMessages", request_serializer=bytes, response_deserializer=bytes
    )
    answer = await multicallable(b"?", timeout=30, metadata=(("x-parley-shard", str(shard)),))
    return str(json.loads(answer)["replica"])


async def count_up_in_mongodb(uri: str) -> int:
    """Inserts a document with majority write concern and returns the number of documents."""
    async with AsyncMongoClient[dict[str, Any]](uri) as client:
        runs = client.test.get_collection("runs", write_concern=WriteConcern("majority", j=True))
        await runs.insert_one({})
        return await runs.count_documents({})


def test_a_process_is_what_the_stack_hands_out() -> None:
    # The fault tests use these methods.
    for verb in ("kill", "terminate", "pause", "resume", "restart", "start", "stop", "wait_healthy", "wait_stopped"):
        assert callable(getattr(ManagedProcess, verb))
