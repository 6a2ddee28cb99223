"""Types of fields that several requests have: the limits stand here once, with what the document says of them."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta

from chassis.rpc.paging import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE

MAX_SAFE_INTEGER: Final = 2**53 - 1
"""The contract's bound on integers: what JavaScript reads exactly."""

UserId = Annotated[str, Meta(min_length=1, max_length=64, description="A user's id.")]
AnyUserId = UserId | Annotated[int, Meta(ge=0, le=MAX_SAFE_INTEGER, description="One that is all digits.")]
"""Front-ends that know ids as numbers were told them as such."""

ConversationId = Annotated[str, Meta(min_length=1, max_length=64, description="A conversation's id.")]
PageSize = Annotated[
    int,
    Meta(ge=1, le=MAX_PAGE_SIZE, description=f"How many at most; {DEFAULT_PAGE_SIZE} when it is left out."),
]
PageToken = Annotated[str, Meta(max_length=2_000, description="nextPageToken of the page before.")]
