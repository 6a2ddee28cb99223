"""The names that the contract gives to the numbers of the protos' enums, such as "agent_l1".

They are derived from the protos, so that a value added there has its name here.
"""

from __future__ import annotations

from typing import Final

from google.protobuf.descriptor import EnumDescriptor
from parley.auth.v1 import user_pb2
from parley.chat.v1 import chat_pb2


class EnumNames:
    """The names of one enum's values, both ways; the zero value, "not given", has none.

    Args:
        enum: which.
        prefix: what the contract leaves away from its values' names.
    """

    def __init__(self, enum: EnumDescriptor, prefix: str) -> None:
        self._names: dict[int, str] = {}
        for value in enum.values:
            if value.number:
                self._names[value.number] = value.name.removeprefix(prefix).lower()
        self._numbers = {name: number for number, name in self._names.items()}

    @property
    def names(self) -> tuple[str, ...]:
        """All names, in the order of their numbers."""
        return tuple(self._numbers)

    def name(self, number: int) -> str:
        """The name of a number; "unknown" for one that a newer service sent."""
        return self._names.get(number, "unknown")

    def number(self, name: str) -> int | None:
        """The number of a name, or None when there is no such name."""
        return self._numbers.get(name)


MESSAGE_KINDS: Final = EnumNames(chat_pb2.DESCRIPTOR.enum_types_by_name["MessageKind"], "MESSAGE_KIND_")
ROLES: Final = EnumNames(user_pb2.DESCRIPTOR.enum_types_by_name["Role"], "ROLE_")
