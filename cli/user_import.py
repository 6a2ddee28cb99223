"""`parley user import`: creates and changes the users of a CSV file, and reports the rows that were refused."""

from __future__ import annotations

import asyncio
import csv
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import grpc
import typer
from parley.auth.v1 import directory_pb2 as pb
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from chassis.backoff import Backoff
from chassis.errors import AppError, DeadlineExceededError, ResourceExhaustedError, UnavailableError
from chassis.rpc.channel import Metadata
from chassis.rpc.status import from_rpc_error
from cli.accounts import Directory, Url, operator
from cli.stack import CommandError

_ROWS_PER_CALL: Final = 200
_TIMEOUT_SECONDS: Final = 60.0
_TRIES: Final = 6
_BACKOFF: Final = Backoff(1.0, 8.0)
_SHOWN: Final = 20
_KEY: Final = "userId"
_COLUMNS: Final = (_KEY, "name", "email", "role", "teams", "avatarUrl", "disabled")
_FLAGS: Final = {"": False, "false": False, "no": False, "0": False, "true": True, "yes": True, "1": True}

console = Console(highlight=False)


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the file, or what is wrong with it."""

    number: int
    row: pb.UserRow
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row that was refused."""

    number: int
    user_id: str
    reason: str
    message: str


def command(
    context: typer.Context,
    file: Annotated[
        Path,
        typer.Argument(
            help=f"CSV in UTF-8. Its first line names the columns, of {', '.join(_COLUMNS)}; "
            "a semicolon separates teams, and disabled is true or false."
        ),
    ],
    organization: Annotated[str, typer.Option("--org", help="The organization.")] = "demo",
    report: Annotated[Path | None, typer.Option(help="A CSV file to write the refused rows to.")] = None,
    url: Url = None,
) -> None:
    """Create the users of a CSV file, and change those that exist. Columns that it does not have stay as they are.

    A user that another row or the database rules out is reported, and the others are imported. Exits with status 1 if
    a row was refused.
    """
    columns, lines = _read(file)
    counts, refusals = asyncio.run(_import(context.obj, url, organization, columns, lines))
    if report is not None:
        _write_report(report, refusals)
    _print(counts, refusals, report)
    if refusals:
        raise typer.Exit(1)


def _read(file: Path) -> tuple[list[str], list[Line]]:
    """Reads a file. Raises CommandError if it is no CSV file with these columns."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            reader = csv.DictReader(opened, strict=True)
            columns = [name.strip() for name in reader.fieldnames or ()]
            _check_columns(file, columns)
            reader.fieldnames = columns
            return columns, [_line(reader.line_num, values) for values in reader]
    except UnicodeDecodeError as error:
        raise CommandError(f"{file} is not in UTF-8.") from error
    except csv.Error as error:
        raise CommandError(f"{file} is not a CSV file: {error}.") from error


def _check_columns(file: Path, columns: Sequence[str]) -> None:
    unknown = [name for name in columns if name not in _COLUMNS]
    if unknown:
        raise CommandError(f"{file} has unknown columns: {', '.join(unknown)}. Use {', '.join(_COLUMNS)}.")
    for name, times in Counter(columns).items():
        if times > 1:
            raise CommandError(f"{file} has the column {name} {times} times.")
    if _KEY not in columns:
        raise CommandError(f"{file} has no column {_KEY}. Its first line names the columns.")
    if len(columns) == 1:
        raise CommandError(f"{file} has no column beside {_KEY}.")


def _line(number: int, values: dict[str | None, str | list[str] | None]) -> Line:
    texts = {name: value.strip() for name, value in values.items() if name and isinstance(value, str)}
    row = pb.UserRow(
        user_id=texts.get("userId", ""),
        name=texts.get("name", ""),
        email=texts.get("email", ""),
        role=texts.get("role", "").lower(),
        teams=[team.strip() for team in texts.get("teams", "").split(";") if team.strip()],
        avatar_url=texts.get("avatarUrl", ""),
        disabled=_FLAGS.get(texts.get("disabled", "").lower(), False),
    )
    if None in values or None in values.values():
        return Line(number, row, "must have as many values as the first line has columns")
    if texts.get("disabled", "").lower() not in _FLAGS:
        return Line(number, row, "disabled must be true or false")
    return Line(number, row)


async def _import(
    data_dir: Path, url: str | None, organization: str, columns: Sequence[str], lines: Sequence[Line]
) -> tuple[Counter[str], list[Refusal]]:
    """Imports the rows, in several calls, with a progress bar."""
    fields = [name for name in columns if name != _KEY]
    counts = Counter[str]()
    refusals = [Refusal(line.number, line.row.user_id, "INVALID_ROW", line.problem) for line in lines if line.problem]
    good = [line for line in lines if not line.problem]
    with _progress() as progress:
        task = progress.add_task("import users", total=len(good))
        async with operator(data_dir, url, organization) as (directory, metadata):
            for batch in _batches(good):
                request = pb.BatchUpsertUsersRequest(
                    users=[line.row for line in batch], fields=fields, request_id=uuid.uuid4().hex
                )
                response = await _call(directory, request, metadata)
                for line, result in zip(batch, response.results, strict=True):
                    if result.outcome == pb.UPSERT_OUTCOME_FAILED:
                        refusals.append(Refusal(line.number, line.row.user_id, result.reason, result.message))
                    else:
                        name = pb.UpsertOutcome.Name(result.outcome).removeprefix("UPSERT_OUTCOME_")
                        counts[name.lower()] += 1
                progress.advance(task, len(batch))
    return counts, sorted(refusals, key=lambda refusal: refusal.number)


async def _call(
    directory: Directory, request: pb.BatchUpsertUsersRequest, metadata: Callable[[], Awaitable[Metadata]]
) -> pb.BatchUpsertUsersResponse:
    """Makes one call, and repeats it where that may help. Raises CommandError with the service's error."""
    for failures in range(_TRIES):
        try:
            response: pb.BatchUpsertUsersResponse = await directory.BatchUpsertUsers(
                request, metadata=await metadata(), timeout=_TIMEOUT_SECONDS
            )
        except grpc.aio.AioRpcError as rpc_error:
            error = from_rpc_error(rpc_error)
        except AppError as app_error:  # of the token
            error = app_error
        else:
            return response
        if not isinstance(error, (UnavailableError, ResourceExhaustedError, DeadlineExceededError)):
            break
        await asyncio.sleep(_BACKOFF.delay_seconds(failures))
    raise CommandError(f"{error.message} ({error.reason}). Run the command again: users that are done stay so.")


def _batches(lines: Sequence[Line]) -> Iterator[Sequence[Line]]:
    for start in range(0, len(lines), _ROWS_PER_CALL):
        yield lines[start : start + _ROWS_PER_CALL]


def _progress() -> Progress:
    return Progress(
        TextColumn("  {task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )


def _write_report(report: Path, refusals: Sequence[Refusal]) -> None:
    with report.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(["line", "userId", "reason", "message"])
        writer.writerows([refusal.number, refusal.user_id, refusal.reason, refusal.message] for refusal in refusals)


def _print(counts: Counter[str], refusals: Sequence[Refusal], report: Path | None) -> None:
    done = ", ".join(f"{counts[name]:,} {name}" for name in ("created", "updated", "unchanged"))
    console.print(f"Users: {done}, {len(refusals):,} refused.")
    for refusal in refusals[:_SHOWN]:
        console.print(
            f"  line {refusal.number}, {refusal.user_id or 'no id'}: {refusal.message} ({refusal.reason})",
            markup=False,
            soft_wrap=True,
        )
    if len(refusals) > _SHOWN:
        where = f"see {report}" if report else "name a file with --report to see them"
        console.print(f"  and {len(refusals) - _SHOWN:,} more; {where}")
