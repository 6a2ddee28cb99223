"""`parley doctor`: checks each part of the running stack and reports problems with advice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, NamedTuple

import httpx
import typer
from parley_client.client import Client
from parley_client.errors import ClientError
from rich.console import Console

from cli.stack import CommandError, running_stack
from deploy.local.mongodb import mongod_uri, mongodb_reachable
from deploy.local.probes import grpc_health
from deploy.local.run_file import RunningStack
from deploy.local.seed import ACCOUNTS, PASSWORD
from deploy.local.valkey import valkey_reachable, valkey_url

_TIMEOUT_SECONDS: Final = 5.0

console = Console(highlight=False)


class Check(NamedTuple):
    """A check: its subject, a probe that returns the problem or None, and advice for a failure."""

    name: str
    probe: Callable[[], Awaitable[str | None]]
    advice: str


def command(context: typer.Context) -> None:
    """Check each part of the running stack and report problems."""
    data_dir: Path = context.obj
    stack = running_stack(data_dir)
    console.print(f"The stack at [bold]{stack.url}[/bold], started {stack.started}\n")
    failures = asyncio.run(_examine(_checks(stack)))
    if failures:
        raise CommandError(f"{failures} checks failed. See the logs in {data_dir / 'logs'}.")
    console.print("\nAll checks passed.")


async def _examine(checks: list[Check]) -> int:
    failures = 0
    for check in checks:
        problem = await _problem(check)
        mark = "[red]FAIL [/red]" if problem else "[green]ok   [/green]"
        console.print(f"  {mark} {check.name}" + (f": {problem}. {check.advice}" if problem else ""))
        failures += bool(problem)
    return failures


async def _problem(check: Check) -> str | None:
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            return await check.probe()
    except TimeoutError:
        return f"no answer within {_TIMEOUT_SECONDS:g} s"


def _checks(stack: RunningStack) -> list[Check]:
    checks = [_process_check(stack, name) for name in stack.processes]
    checks.append(Check("the public port", lambda: _http(f"{stack.url}/readyz"), "See envoy.log and gateway-1.log."))
    checks.append(Check("the token keys", lambda: _http(f"{stack.url}/.well-known/jwks.json"), "See auth-1.log."))
    checks.append(
        Check("signing in and connecting", lambda: _connect(stack.url), "Were the demo users changed? See the logs.")
    )
    return checks


def _process_check(stack: RunningStack, name: str) -> Check:
    process = stack.processes[name]
    advice = f"See {process.log}."
    if not process.pid:
        return Check(name, _down, advice)
    if "mongodb" in process.ports:
        return Check(name, mongodb_reachable(mongod_uri(process.ports["mongodb"])), advice)
    if "redis" in process.ports:
        return Check(name, valkey_reachable(valkey_url(process.ports["redis"])), advice)
    if "grpc" in process.ports:
        return Check(name, grpc_health(f"127.0.0.1:{process.ports['grpc']}"), advice)
    if "status" in process.ports:
        return Check(name, lambda: _http(f"http://127.0.0.1:{process.ports['status']}/ready"), advice)
    return Check(name, lambda: _http(f"http://127.0.0.1:{process.ports['http']}/readyz"), advice)


async def _down() -> str:
    return "is not running"


async def _http(url: str) -> str | None:
    async with httpx.AsyncClient(trust_env=False, timeout=_TIMEOUT_SECONDS) as client:
        try:
            response = await client.get(url)
        except httpx.HTTPError as error:
            return f"does not answer ({type(error).__name__})"
    return None if response.is_success else f"answers {response.status_code}"


async def _connect(url: str) -> str | None:
    try:
        async with Client.sign_in(url, ACCOUNTS[0].email, PASSWORD):
            return None
    except ClientError as error:
        return str(error)
