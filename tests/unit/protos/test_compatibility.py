"""The contracts only grow: peers that were built from the release before understand each other with today's."""

from __future__ import annotations

from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from protos.compatibility import breaking_changes
from protos.generate import PROTOS, describe
from tests.earlier import NoHistoryError, earlier_release, extract

CONTRACT = """syntax = "proto3";
package shop.v1;
enum Size { SIZE_UNSPECIFIED = 0; SIZE_SMALL = 1; }
message Order {
  reserved 8 to 9;
  string id = 1;
  repeated Item items = 2;
  oneof to { string home = 3; string shop = 4; }
  message Item { int32 count = 1; Size size = 2; }
  optional string note = 5;
}
message Reply {}
service Orders {
  rpc Place(Order) returns (Reply);
  rpc Watch(Order) returns (stream Reply);
}
"""


def described(folder: Path, contract: str) -> FileDescriptorSet:
    folder.mkdir()
    (folder / "shop.proto").write_text(contract)
    return describe(folder)


def found(tmp_path: Path, old: str, new: str) -> list[str]:
    assert old in CONTRACT
    changed = CONTRACT.replace(old, new)
    return breaking_changes(described(tmp_path / "before", CONTRACT), described(tmp_path / "after", changed))


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("string id = 1;", "string id = 6;", "shop.proto: Order.id is gone"),
        ("string id = 1;", "", "shop.proto: Order.id is gone"),
        ("string id = 1;", "reserved 1;", "shop.proto: Order.id is gone"),
        ("string id = 1;", "string key = 1;", "Order.id: name 'id' became 'key'"),
        ("string id = 1;", "bytes id = 1;", "Order.id: type"),
        ("string id = 1;", "repeated string id = 1;", "Order.id: label"),
        ("string id = 1;", 'string id = 1 [json_name = "ID"];', "Order.id: json_name"),
        ("int32 count = 1;", "int64 count = 1;", "Order.Item.count: type"),
        ("repeated Item items", "repeated Reply items", "Order.items: type_name"),
        ("optional string note = 5;", "string note = 5;", "Order.note: proto3_optional"),
        ("oneof to { string home = 3; string shop = 4; }", "oneof to { string home = 3; } string shop = 4;", "moved"),
        ("reserved 8 to 9;", "reserved 8;", "numbers 8 to 9 are reserved no more"),
        ("SIZE_SMALL = 1;", "SIZE_TINY = 1;", "Size.SIZE_SMALL is now called SIZE_TINY"),
        ("SIZE_SMALL = 1;", "", "Size.SIZE_SMALL is gone"),
        ("package shop.v1;", "package shop.v2;", "package shop.v1 became shop.v2"),
        ("rpc Place(Order) returns (Reply);", "", "shop.proto: Orders.Place: the method is gone"),
        ("rpc Place(Order)", "rpc Place(Reply)", "Orders.Place: input_type"),
        ("returns (stream Reply)", "returns (Reply)", "Orders.Watch: server_streaming"),
        ("rpc Watch(Order)", "rpc Watch(stream Order)", "Orders.Watch: client_streaming"),
        ("service Orders", "service Bills", "shop.proto: Orders: the service is gone"),
    ],
)
def test_what_breaks_a_peer_is_found(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    changes = found(tmp_path, old, new)
    assert any(sentence in change for change in changes), changes


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("string id = 1;", "string id = 1; string colour = 6;"),
        ("string id = 1;", 'reserved 1; reserved "id";'),
        ("SIZE_SMALL = 1;", "SIZE_SMALL = 1; SIZE_LARGE = 2;"),
        ("SIZE_SMALL = 1;", 'reserved 1; reserved "SIZE_SMALL";'),
        ("reserved 8 to 9;", "reserved 7 to 10;"),
        ("rpc Place(Order)", "rpc Cancel(Order) returns (Reply); rpc Place(Order)"),
        ("message Reply {}", "message Reply { string text = 1; } message More {}"),
    ],
)
def test_what_only_adds_is_none(tmp_path: Path, old: str, new: str) -> None:
    assert found(tmp_path, old, new) == []


def test_a_message_that_is_called_otherwise_is_gone(tmp_path: Path) -> None:
    assert "shop.proto: Reply: the message is gone" in found(tmp_path, CONTRACT, CONTRACT.replace("Reply", "Answer"))


def test_a_file_that_is_gone_is_found(tmp_path: Path) -> None:
    before = described(tmp_path / "before", CONTRACT)
    assert breaking_changes(before, FileDescriptorSet()) == ["shop.proto: the file is gone"]


def test_the_contracts_break_no_peer_of_the_release_before(tmp_path: Path) -> None:
    try:
        extract(earlier_release(), tmp_path, "protos")
    except NoHistoryError as reason:
        pytest.skip(str(reason))
    before = describe(tmp_path / "protos")
    assert len(before.file) >= 8
    assert breaking_changes(before, describe(PROTOS)) == []
