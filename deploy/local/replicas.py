"""How many processes of each service: reading `chat=2,gateway=2`."""

from collections.abc import Collection, Mapping

from deploy.local.errors import StackError

_MOST = 32


def parse_replicas(text: str, services: Collection[str]) -> dict[str, int]:
    """Read counts as people type them; services that are not named are left out.

    Raises:
        StackError: the sentence names what could not be understood.
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
    """Refuse services that do not exist and counts that make no sense.

    Raises:
        StackError: as above.
    """
    for name, count in counts.items():
        if name not in services:
            raise StackError(f"--replicas: there is no service {name!r}; there are {', '.join(services)}.")
        if not 1 <= count <= _MOST:
            raise StackError(f"--replicas: {name} needs between 1 and {_MOST} processes, not {count}.")
