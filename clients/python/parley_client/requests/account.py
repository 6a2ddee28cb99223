"""Requests about people: oneself, others, presence."""

from collections.abc import Sequence

from parley_client.objects import Presence, User
from parley_client.replies import Nothing, PresenceReply, TokenExpiry, UserPage, UserReply
from parley_client.requests.caller import Caller, present


class AccountRequests(Caller):
    """`user.*`, `presence.*` and `session.*`."""

    async def me(self) -> User:
        """The user as the directory has them now."""
        return (await self.call("user.me", {}, UserReply)).user

    async def search_users(
        self, query: str, *, page_size: int | None = None, page_token: str | None = None
    ) -> UserPage:
        """A page of the users to whom the user may write."""
        return await self.call("user.search", present(query=query, pageSize=page_size, pageToken=page_token), UserPage)

    async def set_presence(self, status: str, text: str | None = None) -> None:
        """Chooses a status: online, away, dnd or invisible; `text` None leaves the text as it is, "" removes it."""
        await self.call("presence.set", present(status=status, text=text), Nothing)

    async def set_idle(self, *, idle: bool) -> None:
        """Says whether the user is at this device."""
        await self.call("presence.set", {"idle": idle}, Nothing)

    async def get_presences(self, user_ids: Sequence[str]) -> list[Presence]:
        """The presence of some users, at most 200, in the order asked for."""
        return (await self.call("presence.get", {"userIds": user_ids}, PresenceReply)).presences

    async def refresh_session(self, access_token: str) -> TokenExpiry:
        """Shows a newer token for the open connection; the client does so by itself."""
        return await self.call("session.refresh", {"accessToken": access_token}, TokenExpiry)
