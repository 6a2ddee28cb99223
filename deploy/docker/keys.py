"""Generates the secrets for compose.yaml: `python3 -m deploy.docker.keys`.

The same secrets as for a cluster (deploy.k8s.keys), as one env file per process with mode 0600. Generate them once:
without its key-encryption key auth loses the signing keys in its database.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from deploy.k8s.keys import MONGODB_URI, REDIS_URL, manifests

FOLDER: Final = Path(__file__).parent / "keys"
STORES: Final[Mapping[str, str]] = {
    MONGODB_URI: "mongodb://mongodb:27017/?replicaSet=parley",
    REDIS_URL: "redis://valkey:6379/0",
}
"""The addresses of compose.yaml's stores."""

_VARIABLES: Final[Mapping[str, str]] = {"mongodb-uri": MONGODB_URI, "redis-url": REDIS_URL}
"""The variable of a process by the key in a cluster's Secret."""
_SECRET: Final = "secret"  # noqa: S105  # the key's name
_USAGE_ERROR: Final = 2


def files(stores: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Generates new secrets; returns the variables by the name of the process or outside caller."""
    variables: dict[str, dict[str, str]] = {}
    for item in manifests(stores[MONGODB_URI], stores[REDIS_URL])["items"]:
        name = item["metadata"]["name"].rpartition("-")[0]
        for key, value in item["stringData"].items():
            variables.setdefault(name, {})[_variable(name, key)] = value
    return variables


def write(folder: Path, stores: Mapping[str, str]) -> None:
    """Writes the env files into a new folder, atomically. Raises FileExistsError if the folder exists."""
    if folder.exists():
        raise FileExistsError(folder)
    temporary = folder.with_name(f"{folder.name}.{os.getpid()}.new")
    temporary.mkdir(mode=0o700)
    for name, variables in files(stores).items():
        # Compose expands nothing in single quotes, and no generated value contains one.
        text = "".join(f"{variable}='{value}'\n" for variable, value in variables.items())
        descriptor = os.open(temporary / f"{name}.env", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
    temporary.rename(folder)


def _variable(name: str, key: str) -> str:
    if key == _SECRET:
        return f"PARLEY_{name.upper()}_SECRET"
    return _VARIABLES.get(key, key)


def main(arguments: list[str]) -> int:
    """Writes the files into the named folder, by default `keys` beside this module; returns the exit status."""
    folder = Path(arguments[0]) if arguments else FOLDER
    stores = {name: os.environ.get(name) or default for name, default in STORES.items()}
    try:
        write(folder, stores)
    except FileExistsError:
        sys.stderr.write(f"{folder} already exists and may be in use: nothing written\n")
        return _USAGE_ERROR
    sys.stdout.write(f"wrote {folder}: it grants full access, keep it private\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
