"""Who asks: Basic credentials, checked by the backend behind the Accounts port. [MS-ASHTTP] Authorization.

Without credentials, or with wrong ones, the answer is 401 with a challenge, for OPTIONS too. Somebody who has to wait
(see `throttle`) gets 503 with Retry-After and not 401: a phone that is told 401 asks its owner for a password that may
well be right, one that is told 503 comes back by itself. A backend that cannot be reached is 503 as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil

import structlog

from eas import measures
from eas.engine.errors import Unavailable
from eas.engine.model import User
from eas.engine.ports import Accounts, Clock
from eas.protocol.http import basic_credentials

from .reply import Reply, plain
from .throttle import Throttle

log = structlog.get_logger("eas.auth")

#: Characters. Backends take less; what is longer is nobody's name or password and is not worth hashing.
MAX_CREDENTIAL = 1024
#: Seconds after which a device may come back when the backend is away.
RETRY_SECONDS = 30


class Doorkeeper:
    """Lets users in. One for the whole server: it remembers who was right and who was not."""

    def __init__(self, accounts: Accounts, clock: Clock, realm: str, throttle: Throttle | None = None) -> None:
        self._accounts = accounts
        self._clock = clock
        self._throttle = throttle or Throttle()
        quoted = realm.replace("\\", "").replace('"', "")
        self._challenge = {"WWW-Authenticate": f'Basic realm="{quoted}"'}

    async def admit(self, headers: Mapping[str, str], address: str) -> User | Reply:
        """The user, or the answer that turns the request away."""
        credentials = basic_credentials(headers.get("authorization", ""))
        if credentials is None or not credentials[0] or max(map(len, credentials)) > MAX_CREDENTIAL:
            return self._unauthorized("no_login")
        login, password = credentials
        attempt = self._throttle.attempt(login, password, address)
        now = self._clock.monotonic()
        if self._throttle.known_wrong(attempt, now):
            return self._unauthorized()
        try:
            if self._throttle.known_right(attempt, now):
                user = await self._accounts.verify(login, password)
                (self._throttle.right if user else self._throttle.wrong)(attempt, now)
            else:
                wait = self._throttle.wait(attempt, now)
                if wait > 0:
                    log.info("login throttled", login=login, address=address, seconds=ceil(wait))
                    return _later(ceil(wait), "throttled")
                user = await self._verified(login, password, address)
        except Unavailable as error:
            log.warning("login cannot be checked", reason=str(error))
            return _later(RETRY_SECONDS, "unavailable")
        return user or self._unauthorized()

    async def _verified(self, login: str, password: str, address: str) -> User | None:
        attempt = self._throttle.attempt(login, password, address)
        self._throttle.begin(attempt, self._clock.monotonic())
        try:
            user = await self._accounts.verify(login, password)
        except BaseException:  # nothing is known of the password then, and it must not count
            self._throttle.abandon(attempt, self._clock.monotonic())
            raise
        self._throttle.end(attempt, user is not None, self._clock.monotonic())
        if user is None:
            log.info("login refused", login=login, address=address)
        return user

    def _unauthorized(self, reason: str = "wrong_login") -> Reply:
        measures.REFUSALS[reason].inc()
        return plain(401, "Log in with your user name and password.", self._challenge)


def _later(seconds: int, reason: str) -> Reply:
    measures.REFUSALS[reason].inc()
    return plain(503, "Please try again later.", {"Retry-After": str(seconds)})
