"""python-socketio alone: rooms without a database or membership. The lower bound of fan-out cost in Python.

Run as a separate process: `python -m bench.peers.fanout_server PORT`.
"""

from __future__ import annotations

import secrets
import sys
from typing import Any

import socketio
import uvicorn


def application() -> Any:
    """Returns the ASGI application."""
    server = socketio.AsyncServer(async_mode="asgi", transports=["websocket"], cors_allowed_origins=[])
    sessions: dict[str, str] = {}

    @server.event  # type: ignore[untyped-decorator]
    async def connect(sid: str, environ: Any, auth: dict[str, str]) -> None:
        sessions[auth["token"]] = sid

    @server.event  # type: ignore[untyped-decorator]
    async def createGroup(sid: str, body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802  # an event's name
        conversation_id = secrets.token_hex(8)
        for member in (sid, *(sessions[user_id] for user_id in body["memberIds"])):
            await server.enter_room(member, conversation_id)
        return {"ok": True, "conversationId": conversation_id}

    @server.event  # type: ignore[untyped-decorator]
    async def sendMessage(sid: str, body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        message = {**body, "senderId": sid, "id": secrets.token_hex(8)}
        await server.emit("newMessage", message, room=body["conversationId"])
        return {"ok": True, "messageId": message["id"]}

    return socketio.ASGIApp(server)


if __name__ == "__main__":
    uvicorn.run(
        application(), host="127.0.0.1", port=int(sys.argv[1]), log_level="error", loop="uvloop", lifespan="off"
    )
