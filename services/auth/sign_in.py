"""The use case of signing in with an e-mail address and a password.

An unknown address, a wrong password, an account without a password and a disabled account give the same error at the
same cost.
"""

from __future__ import annotations

from chassis.errors import ResourceExhaustedError, UnauthenticatedError
from services.auth import metrics
from services.auth.limits import SignInLimits
from services.auth.passwords import Passwords
from services.auth.sessions import Sessions, SessionTokens
from services.auth.user_store import Account, UserStore


class SignIn:
    """Signs users in, within the limits."""

    def __init__(self, users: UserStore, passwords: Passwords, sessions: Sessions, limits: SignInLimits) -> None:
        self._users = users
        self._passwords = passwords
        self._sessions = sessions
        self._limits = limits

    async def sign_in(self, email: str, password: str, address: str) -> SessionTokens:
        """Opens a session.

        Args:
            email: compared without regard to case.
            password: as entered.
            address: the network address of the attempt; empty if it is unknown.

        Raises:
            UnauthenticatedError: INVALID_CREDENTIALS.
            ResourceExhaustedError: TOO_MANY_ATTEMPTS, OVERLOADED.
        """
        try:
            await self._limits.admit(email, address)
        except ResourceExhaustedError:
            metrics.SIGN_INS.labels("limited").inc()
            raise
        account = await self._users.account(email)
        matches = await self._passwords.matches(password, account.password_hash if account else None)
        if account is None or not matches or account.user.disabled:
            raise _refused()
        await self._limits.refund(email, address)
        await self._renew_hash(account, password)
        try:
            tokens = await self._sessions.open(account.user)
        except UnauthenticatedError:
            raise _refused() from None
        metrics.SIGN_INS.labels("signed_in").inc()
        return tokens

    async def _renew_hash(self, account: Account, password: str) -> None:
        """Replaces a hash with outdated cost parameters; the password is known only now."""
        old = account.password_hash
        if old is not None and self._passwords.is_outdated(old):
            await self._users.replace_password_hash(account.user, old, await self._passwords.hash(password))


def _refused() -> UnauthenticatedError:
    metrics.SIGN_INS.labels("refused").inc()
    return UnauthenticatedError("INVALID_CREDENTIALS", "the e-mail address or the password is wrong")
