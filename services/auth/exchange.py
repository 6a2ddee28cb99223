"""Exchanges a trusted issuer's token for Parley's, and creates or updates the user.

A token without a role is accepted only for a known user, because a role's permissions can't be guessed. Fields that the
token doesn't contain stay unchanged. An e-mail address that another account has is ignored rather than rejected:
addresses are unique across organizations, so a rejection would let one organization's account lock out another's user,
and these users don't sign in with an address anyway.
"""

from __future__ import annotations

from dataclasses import replace

from chassis.errors import AlreadyExistsError, AppError, UnauthenticatedError
from chassis.process.logs import logger
from services.auth import metrics
from services.auth.domain import Organization, User
from services.auth.issuer_tokens import IssuerTokens, claimed_issuer, invalid_token
from services.auth.organization_store import OrganizationStore
from services.auth.profile import Profile, read_profile
from services.auth.sessions import Sessions, SessionTokens
from services.auth.user_store import UserStore
from services.auth.users import NewUser, UserChanges, Users

_EMAIL_TAKEN = "EMAIL_TAKEN"

_log = logger("exchange")


class Exchange:
    """The use case of exchanging tokens."""

    def __init__(
        self,
        organizations: OrganizationStore,
        user_store: UserStore,
        users: Users,
        sessions: Sessions,
        issuer_tokens: IssuerTokens,
    ) -> None:
        self._organizations = organizations
        self._user_store = user_store
        self._users = users
        self._sessions = sessions
        self._issuer_tokens = issuer_tokens

    async def exchange(self, token: str) -> SessionTokens:
        """Opens a session for the user of a trusted issuer's token.

        Raises:
            UnauthenticatedError: INVALID_TOKEN, UNTRUSTED_ISSUER, ACCOUNT_DISABLED.
            FailedPreconditionError: LAST_ADMIN, where the token would demote the organization's last administrator.
            UnavailableError: ISSUER_UNAVAILABLE.
        """
        try:
            tokens = await self._exchange(token)
        except AppError as error:
            metrics.EXCHANGES.labels(error.reason.lower()).inc()
            raise
        metrics.EXCHANGES.labels("exchanged").inc()
        return tokens

    async def _exchange(self, token: str) -> SessionTokens:
        name = claimed_issuer(token)
        organization = await self._organizations.trusting(name)
        if organization is None:
            raise UnauthenticatedError("UNTRUSTED_ISSUER", "no organization trusts the token's issuer")
        issuer = next(issuer for issuer in organization.trusted_issuers if issuer.issuer == name)
        claims = await self._issuer_tokens.verify(token, issuer)
        user = await self._provision(organization, read_profile(claims, issuer.claims))
        return await self._sessions.open(user)

    async def _provision(self, organization: Organization, profile: Profile) -> User:
        try:
            return await self._make_or_update(organization, profile)
        except AlreadyExistsError as error:
            if error.reason != _EMAIL_TAKEN:
                raise
        _log.warning("email_left_out", organization=organization.organization_id, user=profile.user_id)
        return await self._make_or_update(organization, replace(profile, email=None))

    async def _make_or_update(self, organization: Organization, profile: Profile) -> User:
        user = await self._user_store.get(organization.organization_id, profile.user_id)
        if user is None:
            try:
                return await self._make(organization, profile)
            except AlreadyExistsError as error:
                if error.reason == _EMAIL_TAKEN:
                    raise
                # a concurrent exchange created the user
        elif user.disabled:
            raise UnauthenticatedError("ACCOUNT_DISABLED", "the account is disabled")
        # Setting the present role would revoke the tokens of the user's other sessions.
        role = None if user is not None and profile.role == user.role else profile.role
        changes = UserChanges(name=profile.name, email=profile.email, role=role, teams=profile.teams)
        return await self._users.change(organization.organization_id, profile.user_id, changes)

    async def _make(self, organization: Organization, profile: Profile) -> User:
        if profile.role is None:
            raise invalid_token("the token has no role, and the user is not known yet")
        new = NewUser(
            user_id=profile.user_id,
            name=profile.name or profile.user_id,
            email=profile.email or "",
            role=profile.role,
            teams=profile.teams or (),
            avatar_url="",
            disabled=False,
            password="",  # the user signs in through the issuer only
        )
        return await self._users.create(organization.organization_id, new)
