"""Runs the example of the Python client's README against the stack."""

import asyncio
import re
import sys
from pathlib import Path

from deploy.local.stack import LocalStack

README = Path(__file__).parents[2] / "clients" / "python" / "README.md"
TIMEOUT_SECONDS = 60


async def test_the_example_in_the_readme_prints_what_the_readme_says(stack: LocalStack, tmp_path: Path) -> None:
    text = README.read_text()
    (example,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (sentence,) = re.findall(r"this prints (.*):$", text, re.MULTILINE)
    assert "http://127.0.0.1:8080" in example
    program = tmp_path / "example.py"
    program.write_text(example.replace("http://127.0.0.1:8080", stack.url))

    async with asyncio.timeout(TIMEOUT_SECONDS):
        process = await asyncio.create_subprocess_exec(
            sys.executable, program, cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        output, errors = await process.communicate()

    assert process.returncode == 0, errors.decode()
    assert output.decode().splitlines() == re.findall(r"`([^`]+)`", sentence)
