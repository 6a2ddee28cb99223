"""gRPC callers use the public port with the generated stubs only."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import grpc
from grpc_reflection.v1alpha import reflection_pb2

from deploy.local.stack import LocalStack
from tests.e2e.conftest import PASSWORD, Company
from tests.e2e.waiting import until

ROOT = Path(__file__).parents[2]

PLAIN_SCRIPT = """
import sys

import grpc
from parley.auth.v1 import auth_pb2, auth_pb2_grpc
from parley.chat.v1 import conversation_pb2, conversation_pb2_grpc, message_pb2, message_pb2_grpc

target, email, password, other = sys.argv[1:]
with grpc.insecure_channel(target) as channel:
    auth = auth_pb2_grpc.AuthServiceStub(channel)
    tokens = auth.SignIn(auth_pb2.SignInRequest(email=email, password=password), timeout=30).tokens
    metadata = (("authorization", "Bearer " + tokens.access_token),)
    conversations = conversation_pb2_grpc.ConversationServiceStub(channel)
    request = conversation_pb2.GetOrCreateDirectConversationRequest(user_id=other)
    conversation = conversations.GetOrCreateDirectConversation(request, metadata=metadata, timeout=30).conversation
    messages = message_pb2_grpc.MessageServiceStub(channel)
    draft = message_pb2.Draft(
        conversation_id=conversation.conversation_id, client_message_id="from-a-script", text="hello"
    )
    receipt = messages.SendMessage(message_pb2.SendMessageRequest(draft=draft), metadata=metadata, timeout=30).result
    print(conversation.conversation_id, receipt.seq)
"""


async def test_a_plain_script_with_the_stubs_alone_signs_in_and_sends(stack: LocalStack, company: Company) -> None:
    email = await company.create_user("ann")
    await company.create_user("bob")
    bob = await company.client("bob")
    done = subprocess.run(  # noqa: ASYNC221, S603
        [
            *(sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(ROOT / 'gen')!r})\n{PLAIN_SCRIPT}"),
            *(stack.grpc_target, email, PASSWORD, "bob"),
        ],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    conversation_id, seq = done.stdout.split()
    assert seq == "1"

    async def received() -> bool:
        if conversation_id not in bob.replica:
            return False
        return [m.text for m in bob.replica.conversation(conversation_id).messages] == ["hello"]

    await until(received)


def test_every_service_serves_reflection(stack: LocalStack) -> None:
    offered: set[str] = set()
    with grpc.insecure_channel(stack.grpc_target) as channel:
        ask = channel.stream_stream(
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )
        for service in ("auth", "chat", "presence", "notify"):
            question = reflection_pb2.ServerReflectionRequest(list_services="")
            for answer in ask(iter([question]), metadata=(("x-parley-service", service),), timeout=20):
                offered |= {each.name for each in answer.list_services_response.service}
    assert offered >= {
        "parley.auth.v1.AuthService",
        "parley.auth.v1.DirectoryService",
        "parley.chat.v1.ConversationService",
        "parley.chat.v1.MessageService",
        "parley.chat.v1.EventService",
        "parley.presence.v1.PresenceService",
        "parley.notify.v1.NotificationService",
    }
