"""The descriptors of all services and methods."""

from __future__ import annotations

from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from parley.auth.v1 import auth_pb2, directory_pb2
from parley.chat.v1 import conversation_pb2, draft_pb2, event_pb2, message_pb2, schedule_pb2
from parley.notify.v1 import notification_pb2
from parley.presence.v1 import presence_pb2

SERVICES: tuple[ServiceDescriptor, ...] = tuple(
    service
    for module in (
        auth_pb2,
        directory_pb2,
        conversation_pb2,
        draft_pb2,
        schedule_pb2,
        event_pb2,
        message_pb2,
        notification_pb2,
        presence_pb2,
    )
    for service in module.DESCRIPTOR.services_by_name.values()
)
METHODS: dict[str, MethodDescriptor] = {
    f"{service.name}/{method.name}": method for service in SERVICES for method in service.methods
}
