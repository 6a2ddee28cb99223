"""Envoy accepts the edge's configuration, for a cluster and for one machine, without warnings."""

import asyncio
from pathlib import Path

import pytest

from deploy.envoy_edit import CONFIG
from deploy.local.binaries import ENVOY, find_server
from deploy.local.host import Host
from deploy.local.stack import LocalStack
from deploy.monitoring.envoy_tracing import with_tracing
from deploy.tls.envoy import secret_files, with_mutual_tls


async def validate(config: Path) -> tuple[int | None, str]:
    """Returns Envoy's exit code and its output from level warning."""
    process = await asyncio.create_subprocess_exec(
        *(str(find_server(ENVOY, Host.current())), "--mode", "validate", "--log-level", "warning"),
        *("--config-path", str(config)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode, output.decode()


async def test_it_is_valid_as_kubernetes_mounts_it_and_uses_nothing_deprecated() -> None:
    assert await validate(CONFIG) == (0, f"configuration '{CONFIG}' OK\n")


async def test_it_is_valid_with_the_addresses_of_a_local_stack(plain_stack: LocalStack) -> None:
    config = plain_stack.directory.envoy_config
    assert await validate(config) == (0, f"configuration '{config}' OK\n")


async def test_it_is_valid_with_mutual_tls_and_spans_of_its_own(tmp_path: Path) -> None:
    traced = with_tracing(with_mutual_tls(await asyncio.to_thread(CONFIG.read_text), tmp_path), "collector", 4317)
    for name, text in {CONFIG.name: traced, **secret_files(tmp_path)}.items():
        await asyncio.to_thread((tmp_path / name).write_text, text)
    config = tmp_path / CONFIG.name
    assert await validate(config) == (0, f"configuration '{config}' OK\n")


@pytest.mark.parametrize("broken", ["lb_policy: RING_HASH", "codec_type: AUTO"])
async def test_a_mistake_in_it_would_be_noticed(tmp_path: Path, broken: str) -> None:
    copy = tmp_path / "envoy.yaml"
    text = await asyncio.to_thread(CONFIG.read_text)
    assert broken in text
    await asyncio.to_thread(copy.write_text, text.replace(broken, f"{broken}_NOT"))
    code, _ = await validate(copy)
    assert code == 1
