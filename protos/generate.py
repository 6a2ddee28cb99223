"""Generates the stubs in gen/ from the contracts in protos/, or checks that they match.

python protos/generate.py            writes gen/
python protos/generate.py --check    fails, and names the files, when gen/ isn't what protos/ would give
"""

from __future__ import annotations

import filecmp
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any, cast

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from grpc_tools import protoc  # type: ignore[import-untyped]

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"
GOOGLEAPIS = ROOT / "third_party" / "googleapis"
GEN = ROOT / "gen"


def generate(target: Path) -> None:
    """Writes the stubs of every contract into `target`, an empty folder."""
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])  # its plug-ins
    _compile(
        PROTOS,
        f"--python_out={target}",
        f"--grpc_python_out={target}",
        f"--mypy_out={target}",
        f"--mypy_grpc_out=only_async:{target}",
    )
    (target / "parley" / "comments.py").write_text(comments_module())
    for folder in (path for path in [target, *target.rglob("*")] if path.is_dir() and path != target):
        (folder / "__init__.py").touch()


def comments_module() -> str:
    """Returns a module that holds the comments of the contracts by full name: descriptors at run time have none."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "descriptors"
        _compile(PROTOS, f"--descriptor_set_out={path}", "--include_source_info")
        files_ = FileDescriptorSet.FromString(path.read_bytes()).file
    comments = dict(comment for file in files_ for comment in _comments(file))
    entries = "".join(f"    {name!r}: {comments[name]!r},\n" for name in sorted(comments))
    return f'"""The comments of the contracts, by full name."""\n\nCOMMENTS: dict[str, str] = {{\n{entries}}}\n'


def _comments(file: FileDescriptorProto) -> Iterator[tuple[str, str]]:
    for location in file.source_code_info.location:
        if location.leading_comments:
            yield _name_at(file, list(location.path)), " ".join(location.leading_comments.split())


def _name_at(file: FileDescriptorProto, path: list[int]) -> str:
    """Returns the full name of the element at a path of SourceCodeInfo, which alternates field numbers and indexes."""
    names, at = [file.package], cast(Any, file)
    while path:
        field = at.DESCRIPTOR.fields_by_number[path.pop(0)]
        at = getattr(at, field.name)
        if path:
            at = at[path.pop(0)]
        names.append(getattr(at, "name", field.name))
    return ".".join(names)


def _compile(protos: Path, *outputs: str) -> None:
    sources = sorted(str(path.relative_to(protos)) for path in protos.rglob("*.proto"))
    well_known = files("grpc_tools") / "_proto"
    paths = [f"--proto_path={path}" for path in (protos, well_known, GOOGLEAPIS)]
    if protoc.main(["protoc", *paths, *outputs, *sources]) != 0:
        raise SystemExit("protoc failed; see above")


def differing(fresh: Path) -> list[str]:
    """Names the files, relative to gen/, that differ between gen/ and `fresh` or are in only one of them."""
    names = {
        str(path.relative_to(root))
        for root in (fresh, GEN)
        for path in root.rglob("*.py*")
        if "__pycache__" not in path.parts
    }
    return sorted(
        name
        for name in names
        if not (
            (fresh / name).exists() and (GEN / name).exists() and filecmp.cmp(fresh / name, GEN / name, shallow=False)
        )
    )


def main() -> None:
    """Generates into a temporary folder, then replaces gen/ or compares with it."""
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder)
        generate(fresh)
        if "--check" in sys.argv[1:]:
            if names := differing(fresh):
                raise SystemExit("gen/ does not match protos/; run 'make protos'. Differing: " + ", ".join(names))
            return
        shutil.rmtree(GEN, ignore_errors=True)
        shutil.copytree(fresh, GEN)


if __name__ == "__main__":
    main()
