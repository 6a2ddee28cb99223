"""The stack that is broken: two of everything that may have two, with our proxy on the ways between them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chassis.process.settings import ServiceSettings
from deploy.local.options import StackOptions
from deploy.local.progress import Phase, Progress
from deploy.local.stack import LocalStack
from tests.faults.proxy import Address, Link

REPLICAS: Final[Mapping[str, int]] = {"chat": 2, "gateway": 2, "presence": 2, "notify": 2}
GATEWAY_CHAT: Final = "gateway to chat"
CHAT_MONGODB: Final = "chat to MongoDB"
CHAT_VALKEY: Final = "chat to Valkey"
CLIENT_GATEWAY: Final = "client to gateway"
LINKS: Final = (GATEWAY_CHAT, CHAT_MONGODB, CHAT_VALKEY, CLIENT_GATEWAY)


@dataclass(slots=True)
class Stage:
    """A running stack, its links by name, and which processes ended, or did not end, without our having meant it."""

    stack: LocalStack
    links: Mapping[str, Link]
    crashes: list[str]

    @property
    def url(self) -> str:
        """Where clients connect: through the proxy."""
        return f"http://{self.links[CLIENT_GATEWAY].target}"

    @property
    def own_processes(self) -> list[str]:
        """The names of all processes of ours, users' side first."""
        return sorted((name for name in self.stack.processes if name not in _FOREIGN), key=_by_service)


_FOREIGN: Final = frozenset({"mongod", "valkey", "envoy"})


def _by_service(name: str) -> tuple[int, str]:
    order = ("gateway", "chat", "presence", "notify", "auth")
    return order.index(name.rpartition("-")[0]), name


@asynccontextmanager
async def raised(directory: Path, replicas: Mapping[str, int] = REPLICAS) -> AsyncIterator[Stage]:
    """A stage, up and healthy; taken down at the end."""
    crashes: list[str] = []

    def hear(progress: Progress) -> None:
        ungraceful = progress.phase is Phase.STOPPING and progress.detail
        if progress.phase in {Phase.RESTARTING, Phase.FAILED} or ungraceful:
            crashes.append(f"{progress.process}: {progress.detail}")

    stack: LocalStack

    def upstream(process: str, listener: str) -> Address:
        return "127.0.0.1", stack.processes[process].spec.ports[listener]

    links = {
        GATEWAY_CHAT: Link(GATEWAY_CHAT, lambda: upstream("envoy", "public")),
        CHAT_MONGODB: Link(CHAT_MONGODB, lambda: upstream("mongod", "mongodb")),
        CHAT_VALKEY: Link(CHAT_VALKEY, lambda: upstream("valkey", "redis")),
        CLIENT_GATEWAY: Link(CLIENT_GATEWAY, lambda: upstream("envoy", "public")),
    }
    async with AsyncExitStack() as exits:
        for link in links.values():
            await link.open()
            exits.push_async_callback(link.close)
        stack = LocalStack(directory, replicas=replicas, options=_options(links), report=hear)
        await exits.enter_async_context(stack)
        crashes.clear()
        yield Stage(stack, links, crashes)


def _options(links: Mapping[str, Link]) -> StackOptions:
    return StackOptions(
        log_level="warning",
        drain_seconds=ServiceSettings.model_fields["drain_seconds"].default,
        settings={
            "chat": {
                "PARLEY_MONGODB_URI": f"mongodb://{links[CHAT_MONGODB].target}/?directConnection=true",
                "PARLEY_REDIS_URL": f"redis://{links[CHAT_VALKEY].target}/0",
                "PARLEY_MESSAGES_PER_SECOND": "1000",
                "PARLEY_MESSAGES_BURST": "5000",
            },
            "gateway": {"PARLEY_CHAT_TARGET": links[GATEWAY_CHAT].target},
        },
    )
