"""Parses the number of processes of each service, such as `chat=2,gateway=2`."""

from collections.abc import Collection, Mapping

from deploy.local.errors import StackError

_MAX_REPLICAS = 32


def parse_replicas(text: str, services: Collection[str]) -> dict[str, int]:
    """Parses counts as typed on a command line; services not named are omitted.

    Raises:
        StackError: the text is invalid, as `check_replicas` says or by its form.
    """
    counts: dict[str, int] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, separator, count = (piece.strip() for piece in part.partition("="))
        if not separator or not count.isascii() or not count.isdigit():
            raise StackError(f"--replicas: {part!r} is not of the form service=number, as in chat=2,gateway=2.")
        if name in counts:
            raise StackError(f"--replicas: {name} is named twice.")
        counts[name] = int(count)
    check_replicas(counts, services)
    return counts


def check_replicas(counts: Mapping[str, int], services: Collection[str]) -> None:
    """Checks that services exist and counts are in range.

    Raises:
        StackError: a service is unknown, or a count is out of range.
    """
    for name, count in counts.items():
        if name not in services:
            raise StackError(f"--replicas: unknown service {name!r}; the services are {', '.join(services)}.")
        if not 1 <= count <= _MAX_REPLICAS:
            raise StackError(f"--replicas: {name} needs between 1 and {_MAX_REPLICAS} processes, not {count}.")
