"""Who asks: Basic credentials, checked by the backend behind the Accounts port. [MS-ASHTTP] Authorization.

Without credentials, or with wrong ones, the answer is 401 with a challenge, for OPTIONS too. Somebody who has to wait
(see `throttle`) gets 503 with Retry-After and not 401: a phone that is told 401 asks its owner for a password that may
well be right, one that is told 503 comes back by itself. A backend that cannot be reached is 503 as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil

import structlog

from eas import measures
from eas.engine.errors import Unavailable
from eas.engine.logins import LoginMemory, Standing, Trial
from eas.engine.model import User
from eas.engine.ports import Accounts, Clock
from eas.protocol.http import basic_credentials

from .reply import Reply, plain
from .throttle import Attempt, Throttle

log = structlog.get_logger("eas.auth")

#: Characters. Backends take less; what is longer is nobody's name or password and is not worth hashing.
MAX_CREDENTIAL = 1024
#: Seconds after which a device may come back when the backend is away.
RETRY_SECONDS = 30


@dataclass(frozen=True, slots=True)
class _Login:
    login: str
    password: str = field(repr=False)
    address: str
    attempt: Attempt


def login_of(headers: Mapping[str, str]) -> str:
    """As it was stated; "" for none, and for one that nobody can have."""
    credentials = basic_credentials(headers.get("authorization", ""))
    return credentials[0] if credentials is not None and len(credentials[0]) <= MAX_CREDENTIAL else ""


class Doorkeeper:
    """Lets users in. One for the whole server: it remembers who was right and who was not."""

    def __init__(
        self, accounts: Accounts, clock: Clock, realm: str, throttle: Throttle | None = None,
        site: LoginMemory | None = None,
    ) -> None:
        """`site`: what all processes know together; None where there is one."""
        self._accounts = accounts
        self._clock = clock
        self._throttle = throttle or Throttle()
        self._site = site
        quoted = realm.replace("\\", "").replace('"', "")
        self._challenge = {"WWW-Authenticate": f'Basic realm="{quoted}"'}

    async def admit(self, headers: Mapping[str, str], address: str) -> User | Reply:
        """The user, or the answer that turns the request away."""
        credentials = basic_credentials(headers.get("authorization", ""))
        if credentials is None or not credentials[0] or max(map(len, credentials)) > MAX_CREDENTIAL:
            return self._unauthorized("no_login")
        login, password = credentials
        who = _Login(login, password, address, self._throttle.attempt(login, password, address))
        now = self._clock.monotonic()
        if self._throttle.known_wrong(who.attempt, now):
            return self._unauthorized()
        try:
            if self._throttle.known_right(who.attempt, now):
                return await self._again(who) or self._unauthorized()
            trial = await self._site.begin(login, password, address) if self._site is not None else None
            return await self._tried(who, trial or self._here(who.attempt))
        except Unavailable as error:
            log.warning("login cannot be checked", reason=str(error))
            return _later(RETRY_SECONDS, "unavailable")

    def _here(self, attempt: Attempt) -> Trial:
        """What this process knows by itself."""
        wait = self._throttle.wait(attempt, self._clock.monotonic())
        return Trial(Standing.WAIT, wait) if wait > 0 else Trial(Standing.OPEN)

    async def _again(self, who: _Login) -> User | None:
        """Somebody who was right before. Raises Unavailable."""
        user = await self._accounts.verify(who.login, who.password)
        now = self._clock.monotonic()
        (self._throttle.right if user else self._throttle.wrong)(who.attempt, now)
        if self._site is not None and (user is None or self._throttle.to_be_told(who.attempt, now)):
            self._site.note(who.login, who.password, user is not None)
        return user

    async def _tried(self, who: _Login, trial: Trial) -> User | Reply:
        """Raises Unavailable."""
        match trial.standing:
            case Standing.RIGHT:
                return await self._again(who) or self._unauthorized()
            case Standing.WRONG:
                return self._unauthorized()
            case Standing.WAIT:
                log.info("login throttled", login=who.login, address=who.address, seconds=ceil(trial.seconds))
                return _later(ceil(trial.seconds), "throttled")
            case Standing.OPEN:
                return await self._verified(who, trial) or self._unauthorized()

    async def _verified(self, who: _Login, trial: Trial) -> User | None:
        self._throttle.begin(who.attempt, self._clock.monotonic())
        try:
            user = await self._accounts.verify(who.login, who.password)
        except BaseException:  # nothing is known of the password then, and it must not count
            self._throttle.abandon(who.attempt, self._clock.monotonic())
            self._end(trial, None)
            raise
        self._throttle.end(who.attempt, user is not None, self._clock.monotonic())
        self._end(trial, user is not None)
        if user is None:
            log.info("login refused", login=who.login, address=who.address)
        return user

    def _end(self, trial: Trial, right: bool | None) -> None:
        if self._site is not None:
            self._site.end(trial, right)

    def _unauthorized(self, reason: str = "wrong_login") -> Reply:
        measures.REFUSALS[reason].inc()
        return plain(401, "Log in with your user name and password.", self._challenge)


def _later(seconds: int, reason: str) -> Reply:
    measures.REFUSALS[reason].inc()
    return plain(503, "Please try again later.", {"Retry-After": str(seconds)})
