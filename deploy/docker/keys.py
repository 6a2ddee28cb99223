"""Makes the first secrets for compose.yaml: `python3 -m deploy.docker.keys`.

They are those of a cluster (deploy.k8s.keys), as one file of variables for each process, readable by their owner
alone. They are made once: without its key-encryption key auth loses the signing keys in its database.
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
"""Where the stores of compose.yaml are."""

_VARIABLES: Final[Mapping[str, str]] = {"mongodb-uri": MONGODB_URI, "redis-url": REDIS_URL}
"""What a process calls what a Secret of a cluster calls otherwise."""
_SECRET: Final = "secret"  # noqa: S105  # the key's name
_USAGE: Final = 2


def files(stores: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """The variables of each process, and of each caller from outside, by its name; new at each call."""
    made: dict[str, dict[str, str]] = {}
    for item in manifests(stores[MONGODB_URI], stores[REDIS_URL])["items"]:
        name = item["metadata"]["name"].rpartition("-")[0]
        for key, value in item["stringData"].items():
            made.setdefault(name, {})[_variable(name, key)] = value
    return made


def write(folder: Path, stores: Mapping[str, str]) -> None:
    """Writes them into a new folder, all of them or none. Raises FileExistsError if the folder is there."""
    if folder.exists():
        raise FileExistsError(folder)
    draft = folder.with_name(f"{folder.name}.{os.getpid()}.new")
    draft.mkdir(mode=0o700)
    for name, variables in files(stores).items():
        # In single quotes nothing is replaced, and nothing that is made holds one.
        text = "".join(f"{variable}='{value}'\n" for variable, value in variables.items())
        descriptor = os.open(draft / f"{name}.env", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
    draft.rename(folder)


def _variable(name: str, key: str) -> str:
    if key == _SECRET:
        return f"PARLEY_{name.upper()}_SECRET"
    return _VARIABLES.get(key, key)


def main(arguments: list[str]) -> int:
    """Writes the files into the folder that is named, or beside this one; returns the exit status."""
    folder = Path(arguments[0]) if arguments else FOLDER
    stores = {name: os.environ.get(name) or default for name, default in STORES.items()}
    try:
        write(folder, stores)
    except FileExistsError:
        sys.stderr.write(f"{folder} is there already, and what is in it is in use: nothing was made\n")
        return _USAGE
    sys.stdout.write(f"made {folder}: whoever can read it can do everything\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
