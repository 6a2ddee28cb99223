"""A contract of the tests' own, in a file `parley/example/v1/example.proto` that this process alone knows."""

from __future__ import annotations

import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from google.api import annotations_pb2
from google.protobuf import descriptor_pool, field_mask_pb2, struct_pb2, timestamp_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from grpc_tools import protoc  # type: ignore[import-untyped]
from parley.options.v1 import field_pb2, op_pb2, rule_pb2

from chassis.contract.methods import Method, message_class, methods_of

_ROOT: Final = Path(__file__).parents[3]
_NAME: Final = "parley/example/v1/example.proto"
_IMPORTED: Final = (annotations_pb2, field_mask_pb2, struct_pb2, timestamp_pb2, field_pb2, op_pb2, rule_pb2)
"""The modules that put what the file imports into the pool."""

SOURCE: Final = """
syntax = "proto3";

package parley.example.v1;

import "google/api/annotations.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "parley/options/v1/field.proto";
import "parley/options/v1/op.proto";
import "parley/options/v1/rule.proto";

service PollService {
  rpc CreatePoll(CreatePollRequest) returns (CreatePollResponse) {
    option (parley.options.v1.rule) = {user: true};
    option (parley.options.v1.op) = {name: "poll.create"};
    option (google.api.http) = {post: "/api/polls" body: "*"};
  }
  rpc UpdatePoll(UpdatePollRequest) returns (UpdatePollResponse) {
    option (parley.options.v1.rule) = {user: true};
    option (parley.options.v1.op) = {name: "poll.update"};
    option (google.api.http) = {patch: "/api/polls/{poll_id}" body: "*"};
  }
  rpc ListPolls(ListPollsRequest) returns (ListPollsResponse) {
    option (parley.options.v1.rule) = {user: true};
    option (parley.options.v1.op) = {name: "poll.list"};
    option (google.api.http) = {get: "/api/polls"};
  }
}

enum PollKind {
  POLL_KIND_UNSPECIFIED = 0;
  POLL_KIND_OPEN = 1;
  POLL_KIND_SECRET = 2;
  POLL_KIND_LEGACY = 3;
}

message Poll {
  string poll_id = 1 [(parley.options.v1.field) = {required: true, min_len: 1, max_len: 64}];
  PollKind kind = 2;
  string question = 3 [(parley.options.v1.field) = {max_len: 200, not_blank: true}];
  repeated string options = 4 [(parley.options.v1.field) = {min_items: 2, max_items: 10, min_len: 1, max_len: 50}];
  google.protobuf.Timestamp close_time = 5;
  string created_by = 6;
}

message CreatePollRequest {
  Poll poll = 1 [(parley.options.v1.field) = {
    required: true
    inline: {fields: ["question", "options", "close_time"]}
  }];
  PollKind kind = 2 [(parley.options.v1.field) = {required: true, not_in: ["POLL_KIND_LEGACY"]}];
  string request_id = 3 [(parley.options.v1.field) = {max_len: 64}];
}
message CreatePollResponse { Poll poll = 1; }

message UpdatePollRequest {
  Poll poll = 1 [(parley.options.v1.field) = {
    required: true
    inline: {keys: "poll_id", fields: ["question", "options", "close_time"]}
  }];
  google.protobuf.FieldMask update_mask = 2;
  string request_id = 3 [(parley.options.v1.field) = {max_len: 64}];
}
message UpdatePollResponse { Poll poll = 1; }

message ListPollsRequest {
  PollKind kind = 1;
  repeated string creator_ids = 2 [(parley.options.v1.field) = {max_items: 3, id: true}];
  int32 page_size = 3 [(parley.options.v1.field) = {gte: 0}];
}
message ListPollsResponse { repeated Poll polls = 1; }

// A field of each kind.

enum Color {
  option (parley.options.v1.enum) = {upper_case: true};
  COLOR_UNSPECIFIED = 0;
  COLOR_RED = 1;
  COLOR_DARK_BLUE = 2;
}

message Point {
  string label = 1 [(parley.options.v1.field) = {required: true, min_len: 1, max_len: 5}];
  int32 x = 2 [(parley.options.v1.field) = {gte: -10, lte: 10, omit_empty: true}];
  Color color = 3 [(parley.options.v1.field) = {omit_empty: true}];
  google.protobuf.Timestamp seen_time = 4;
}

message EverythingRequest {
  string plain = 1;
  string sized = 2 [(parley.options.v1.field) = {min_len: 2, max_len: 4}];
  string bytes_sized = 3 [(parley.options.v1.field) = {max_bytes: 8}];
  string user_id = 4 [(parley.options.v1.field) = {id: true}];
  string not_blank = 5 [(parley.options.v1.field) = {max_len: 10, not_blank: true}];
  bool flag = 6;
  optional bool maybe_flag = 7;
  optional string maybe_text = 8 [(parley.options.v1.field) = {max_len: 3}];
  int32 small = 9;
  int64 large = 10;
  int64 bounded = 11 [(parley.options.v1.field) = {gte: -3, lte: 3}];
  int32 natural = 12 [(parley.options.v1.field) = {gte: 0, omit_empty: true}];
  uint32 unsigned = 13;
  Color color = 14 [(parley.options.v1.field) = {omit_empty: true}];
  PollKind poll_kind = 15 [(parley.options.v1.field) = {not_in: ["POLL_KIND_LEGACY"], omit_empty: true}];
  google.protobuf.Timestamp time = 16;
  google.protobuf.Struct data = 17;
  Point point = 18;
  repeated string names = 19 [(parley.options.v1.field) = {max_items: 3, min_len: 1, max_len: 4}];
  repeated string free_names = 20;
  repeated string user_ids = 21 [(parley.options.v1.field) = {min_items: 1, max_items: 2, id: true}];
  repeated Color colors = 22;
  repeated int64 numbers = 23 [(parley.options.v1.field) = {gte: 1}];
  repeated Point points = 24 [(parley.options.v1.field) = {max_items: 2}];
  repeated google.protobuf.Timestamp times = 25;
  oneof place {
    int64 before = 26 [(parley.options.v1.field) = {gte: 1}];
    string after = 27;
  }
  Renamed renamed = 28 [(parley.options.v1.field) = {inline: {fields: ["inner_text"]}}];
  string hidden = 29 [(parley.options.v1.field) = {internal: true}];
}
message Renamed { string inner_text = 1 [json_name = "innerHTML", (parley.options.v1.field) = {max_len: 5}]; }

message RequiredRequest {
  string text = 1 [(parley.options.v1.field) = {required: true}];
  string name = 2 [(parley.options.v1.field) = {required: true, min_len: 1, max_len: 4}];
  string user_id = 3 [(parley.options.v1.field) = {required: true, id: true}];
  bool flag = 4 [(parley.options.v1.field) = {required: true}];
  int64 number = 5 [(parley.options.v1.field) = {required: true}];
  Color color = 6 [(parley.options.v1.field) = {required: true}];
  google.protobuf.Timestamp time = 7 [(parley.options.v1.field) = {required: true}];
  Point point = 8 [(parley.options.v1.field) = {required: true}];
  optional string maybe = 9 [(parley.options.v1.field) = {required: true}];
  repeated string names = 10 [(parley.options.v1.field) = {required: true}];
}

message SingleChangeRequest {
  Poll poll = 1 [(parley.options.v1.field) = {inline: {keys: "poll_id", fields: "close_time"}}];
  google.protobuf.FieldMask update_mask = 2;
}

message Vote {
  string choice = 1;
  repeated string voters = 2;
}

message EverythingResponse {
  string text = 1;
  Color color = 2;
  repeated Point points = 3;
  Point point = 4;
  string left_out = 5 [(parley.options.v1.field) = {omit_empty: true}];
  repeated Vote votes = 6 [(parley.options.v1.field) = {omit_empty: true, keyed_by: "choice"}];
}
"""


def _compiled() -> Any:
    """Adds the file to the default pool, and returns it."""
    with tempfile.TemporaryDirectory() as folder:
        source, output = Path(folder) / _NAME, Path(folder) / "descriptors"
        source.parent.mkdir(parents=True)
        source.write_text(SOURCE)
        paths = [folder, _ROOT / "protos", _ROOT / "third_party" / "googleapis", files("grpc_tools") / "_proto"]
        options = [*(f"--proto_path={path}" for path in paths), f"--descriptor_set_out={output}"]
        assert protoc.main(["protoc", *options, _NAME]) == 0
        (file,) = FileDescriptorSet.FromString(output.read_bytes()).file
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    return pool.FindFileByName(_NAME)


FILE: Final = _compiled()
POLL_SERVICE: Final[ServiceDescriptor] = FILE.services_by_name["PollService"]
POLL_METHODS: Final[dict[str, Method]] = {method.name: method for method in methods_of([POLL_SERVICE])}


def descriptor(name: str) -> Descriptor:
    """Returns a message of the file."""
    message: Descriptor = FILE.message_types_by_name[name]
    return message


def field(message: str, name: str) -> FieldDescriptor:
    """Returns a field of a message of the file."""
    return descriptor(message).fields_by_name[name]


def new(message: str, **fields: Any) -> Any:
    """Returns a message."""
    return message_class(descriptor(message))(**fields)
