"""The stack under test: two replicas of each service that may have several, with proxies on the links between them."""

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
class ProxiedStack:
    """A running stack, its links by name, and unexpected ends of processes."""

    local: LocalStack
    links: Mapping[str, Link]
    crashes: list[str]

    @property
    def url(self) -> str:
        """The URL for clients, through the proxy."""
        return f"http://{self.links[CLIENT_GATEWAY].target}"

    @property
    def own_processes(self) -> list[str]:
        """The names of Parley's own processes, those next to users first."""
        return sorted((name for name in self.local.processes if name not in _FOREIGN), key=_by_service)


_FOREIGN: Final = frozenset({"mongod", "valkey", "envoy"})


def _by_service(name: str) -> tuple[int, str]:
    order = ("gateway", "chat", "presence", "notify", "auth")
    return order.index(name.rpartition("-")[0]), name


@asynccontextmanager
async def running_stack(directory: Path, replicas: Mapping[str, int] = REPLICAS) -> AsyncIterator[ProxiedStack]:
    """Runs a healthy stack while the context is open."""
    crashes: list[str] = []

    def on_progress(progress: Progress) -> None:
        ungraceful = progress.phase is Phase.STOPPING and progress.detail
        if progress.phase in {Phase.RESTARTING, Phase.FAILED} or ungraceful:
            crashes.append(f"{progress.process}: {progress.detail}")

    local: LocalStack

    def upstream(process: str, listener: str) -> Address:
        return "127.0.0.1", local.processes[process].spec.ports[listener]

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
        local = LocalStack(directory, replicas=replicas, options=_options(links), report=on_progress)
        await exits.enter_async_context(local)
        crashes.clear()
        yield ProxiedStack(local, links, crashes)


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
