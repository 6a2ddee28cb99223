"""Stacks of stub programs: the real databases, the real Envoy, and small servers instead of the services."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import pytest_asyncio

from deploy.local.options import StackOptions
from deploy.local.services import SERVICES, Service
from deploy.local.stack import LocalStack

FRONT_END = "https://crm.example"
_PROGRAMS = "tests.component.local.programs"


@pytest.fixture(scope="session")
def plain_services() -> tuple[Service, ...]:
    """The services, each replaced by a stub program."""
    return tuple(
        replace(service, module=f"{_PROGRAMS}.{'grpc_service' if service.serves_grpc else 'browser_gateway'}")
        for service in SERVICES
    )


@pytest.fixture(scope="session")
def embedded() -> StackOptions:
    """Options of a stack with embedded databases, whatever the environment says, and without restarts."""
    return StackOptions(
        mongodb_cache_gigabytes=0.25, restart_crashed=False, drain_seconds=0, allowed_origins=(FRONT_END,)
    )


@pytest.fixture(scope="session")
def session_directory() -> Iterator[Path]:
    """Yields a folder for the whole session."""
    with TemporaryDirectory(prefix="parley-stack-") as folder:
        yield Path(folder)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def plain_stack(
    session_directory: Path, plain_services: tuple[Service, ...], embedded: StackOptions
) -> AsyncIterator[LocalStack]:
    """Yields a running stack with two replicas of chat and gateway, for tests that leave it unchanged."""
    stack = LocalStack(
        session_directory / "plain", None, {"chat": 2, "gateway": 2}, options=embedded, services=plain_services
    )
    async with stack:
        yield stack
