"""An RPC that a contract gains is in the client's module without a further line."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_tools import protoc  # type: ignore[import-untyped]
from parley_client.protocol import decode_body

from chassis.contract.methods import Method, methods_of
from deploy.client_module import client_module

ROOT = Path(__file__).parents[3]
IMPORTS = """
syntax = "proto3";
package %s;
import "google/api/annotations.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/timestamp.proto";
import "parley/options/v1/field.proto";
import "parley/options/v1/op.proto";
"""
POLLS = """
service PollService {
  rpc CreatePoll(CreatePollRequest) returns (CreatePollResponse) {
    option (parley.options.v1.op) = {name: "poll.create"};
  }
  rpc UpdatePoll(UpdatePollRequest) returns (UpdatePollResponse) {
    option (parley.options.v1.op) = {name: "poll.update" empty_reply: true};
  }
  rpc GetPolls(GetPollsRequest) returns (GetPollsResponse) {
    option (parley.options.v1.op) = {name: "poll.openPolls"};
    option (google.api.http) = {get: "/api/polls"};
  }
  rpc PurgePolls(GetPollsRequest) returns (GetPollsResponse) {}
}
enum PollKind { POLL_KIND_UNSPECIFIED = 0; POLL_KIND_OPEN = 1; POLL_KIND_SECRET = 2; }
message Poll {
  message Option { string text = 1; int64 votes = 2; }
  string poll_id = 1;
  PollKind kind = 2;
  repeated Option options = 3;
  google.protobuf.Timestamp close_time = 4;
  string from = 5;
  string note = 6 [json_name = "remarkHTML"];
}
message CreatePollRequest {
  PollKind kind = 1 [(parley.options.v1.field) = {required: true, not_in: "POLL_KIND_SECRET"}];
  repeated string options = 2 [(parley.options.v1.field) = {required: true}];
  string from = 3;
  string request_id = 4;
}
message CreatePollResponse { Poll poll = 1; }
message UpdatePollRequest {
  Poll poll = 1 [(parley.options.v1.field) = {inline: {keys: "poll_id" fields: ["kind", "close_time"]}}];
  google.protobuf.FieldMask update_mask = 2;
  string request_id = 3;
}
message UpdatePollResponse {}
message GetPollsRequest {}
message GetPollsResponse { repeated Poll polls = 1; }
"""


def compiled(folder: Path, **protos: str) -> list[Method]:
    """Returns the methods of contracts, by package, which a pool of their own holds."""
    for package, text in protos.items():
        (folder / f"{package}.proto").write_text(IMPORTS % package + text)
    output = folder / "descriptors"
    paths = [folder, ROOT / "protos", ROOT / "third_party" / "googleapis", files("grpc_tools") / "_proto"]
    options = [f"--descriptor_set_out={output}", "--include_imports"]
    sources = [f"{package}.proto" for package in protos]
    assert protoc.main(["protoc", *(f"--proto_path={path}" for path in paths), *options, *sources]) == 0
    pool = DescriptorPool()
    for file in FileDescriptorSet.FromString(output.read_bytes()).file:
        pool.AddSerializedFile(file.SerializeToString())
    services = [s for package in protos for s in pool.FindFileByName(f"{package}.proto").services_by_name.values()]
    return methods_of(services)


@pytest.fixture
def polls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The client's module for the contract above."""
    module = ModuleType("polls")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    comments = {"polls.PollService.CreatePoll": 'Asks. The "kind" says who sees the answers.', "polls.Poll": "A poll"}
    exec(client_module(compiled(tmp_path, polls=POLLS), comments), vars(module))  # noqa: S102  # our own source
    return module


def requests_of(polls: ModuleType) -> Any:
    class Requests(polls.Operations):  # type: ignore[misc, name-defined]
        async def call(self, op: str, body: Mapping[str, object], shape: type, **_: object) -> object:
            return op, body, shape

    return Requests()


async def test_a_new_op_has_a_method_with_its_arguments(polls: ModuleType) -> None:
    requests = requests_of(polls)

    created = await requests.poll_create(kind="open", options=["a"], from_="ann")
    listed = await requests.poll_open_polls()

    assert created == ("poll.create", {"kind": "open", "options": ["a"], "from": "ann"}, polls.CreatePollResponse)
    assert listed == ("poll.openPolls", {}, polls.GetPollsResponse)
    with pytest.raises(TypeError, match="options"):
        await requests.poll_create(kind="open")


async def test_an_op_with_an_empty_reply_returns_nothing(polls: ModuleType) -> None:
    assert await requests_of(polls).poll_update(poll_id="p", close_time=None) is None


def test_an_rpc_without_an_op_has_no_method(polls: ModuleType) -> None:
    public = {name for name in vars(polls.Operations) if not name.startswith("_")}

    assert public == {"call", "poll_create", "poll_update", "poll_open_polls"}


def test_what_an_op_is_decides_whether_it_may_be_repeated(polls: ModuleType) -> None:
    assert {"poll.openPolls"} == polls.READS
    assert {"poll.create", "poll.update"} == polls.CHANGES


def test_new_objects_are_decoded(polls: ModuleType) -> None:
    poll = {
        "pollId": "p",
        "kind": "ranked",
        "options": [{"text": "a", "votes": 3}],
        "closeTime": "2026-01-31T12:00:00.000Z",
        "from": "ann",
        "remarkHTML": "!",
    }

    (decoded,) = decode_body(msgspec.json.encode({"polls": [poll]}), polls.GetPollsResponse).polls

    assert (decoded.poll_id, decoded.kind, decoded.from_, decoded.remark_html) == ("p", "ranked", "ann", "!")
    assert decoded.options == [polls.PollOption(text="a", votes=3)]
    assert decoded.close_time.year == 2026


def test_only_what_is_accepted_may_be_passed(polls: ModuleType) -> None:
    annotations = polls.Operations.poll_create.__annotations__

    assert annotations["kind"] == "Literal['open']"
    assert annotations["request_id"] == "str | None"
    assert polls.Operations.poll_update.__annotations__["kind"] == "PollKind | None"
    assert polls.Operations.poll_update.__annotations__["close_time"] == "datetime | msgspec.UnsetType | None"


def test_comments_become_docstrings(polls: ModuleType) -> None:
    docstring = polls.Operations.poll_create.__doc__

    assert docstring.split("\n\n")[:2] == ["Asks.", '        The "kind" says who sees the answers.']
    assert "            kind: " in docstring
    assert re.search(r"close_time: .* None clears it\.$", polls.Operations.poll_update.__doc__, re.MULTILINE)
    assert polls.Poll.__doc__.startswith("A poll.\n")


def test_two_objects_of_one_name_are_refused(tmp_path: Path) -> None:
    other = POLLS.replace("poll.", "vote.")

    with pytest.raises(ValueError, match=r"polls\.\w+ and votes\.(\w+) would both be \1"):
        client_module(compiled(tmp_path, polls=POLLS, votes=other), {})
