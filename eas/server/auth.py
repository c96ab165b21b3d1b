"""Who asks: what a request shows of its sender, checked behind the ports. [MS-ASHTTP] Authorization.

There are several ways to come in (`Way`): the password of the mailbox or one for a single device as Basic, a token of
an identity provider as Bearer; besides, a certificate that a proxy has checked. Whoever is recognised otherwise than by
the mailbox's password is vouched for (`Accounts.vouched`): what enters the groupware's servers then is decided there,
and where nothing can, the request is refused with 403, which makes no phone ask for a password.

Without credentials, or with wrong ones, the answer is 401 with a challenge for each scheme, for OPTIONS too. Somebody
who has to wait (see `throttle`) gets 503 with Retry-After and not 401: a phone that is told 401 asks its owner for a
password that may well be right, one that is told 503 comes back by itself. A backend that cannot be reached is 503 as
well. A token that is over is 401 and no guess: the phone fetches a new one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from math import ceil

import structlog

from eas import measures
from eas.engine.errors import Unavailable
from eas.engine.logins import LoginMemory, NoEntrance, Standing, TokenRefused, Trial
from eas.engine.model import DevicePassword, Secret, User
from eas.engine.ports import Accounts, Clock
from eas.protocol.http import basic_credentials

from .ports import DevicePasswords, Tokens, Way
from .reply import Reply, plain
from .throttle import Attempt, Throttle

log = structlog.get_logger("eas.auth")

#: Characters. Backends take less; what is longer is nobody's name or password and is not worth hashing.
MAX_CREDENTIAL = 1024
#: Characters of a token: those with a person's groups in them are some thousand long.
MAX_TOKEN = 16 * 1024
#: Seconds after which a device may come back when the backend is away.
RETRY_SECONDS = 30

#: RFC 6750 3.1
_TOKEN_ERROR = "invalid_token"

PASSWORDS = frozenset({Way.PASSWORD, Way.DEVICE_PASSWORD})


@dataclass(frozen=True, slots=True)
class _Login:
    """`login` is what guesses are counted by, as well as `address`."""

    login: str
    password: str = field(repr=False)
    address: str
    attempt: Attempt
    scheme: _Scheme


@dataclass(frozen=True, slots=True)
class _Scheme:
    """One of HTTP's. `read` gives a login and a secret out of the header, None for nothing that can be tried; `verify`
    is given both. `challenge` continues the scheme's name; with what is wrong with the credentials, "" for nothing."""

    ways: frozenset[Way]
    read: Callable[[str], tuple[str, str] | None]
    verify: Callable[[str, str], Awaitable[User | None]]
    challenge: Callable[[str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """What there is beside the passwords of mailboxes."""

    passwords: DevicePasswords | None = None
    tokens: Tokens | None = None
    ways: Collection[Way] = PASSWORDS


def login_of(headers: Mapping[str, str]) -> str:
    """As it was stated; "" for none, and for one that nobody can have."""
    credentials = basic_credentials(headers.get("authorization", ""))
    return credentials[0] if credentials is not None and len(credentials[0]) <= MAX_CREDENTIAL else ""


class Doorkeeper:
    """Lets users in. One for the whole server: it remembers who was right and who was not."""

    def __init__(
        self, accounts: Accounts, clock: Clock, realm: str, throttle: Throttle | None = None,
        site: LoginMemory | None = None, keys: Keys | None = None,
    ) -> None:
        """`site`: what all processes know together; None where there is one."""
        self._accounts = accounts
        self._clock = clock
        self._throttle = throttle or Throttle()
        self._site = site
        self._keys = keys or Keys()
        self._realm = realm.replace("\\", "").replace('"', "")
        schemes = {
            "bearer": _Scheme(frozenset({Way.TOKEN}), _token, self._by_token, self._bearer_challenge),
            "basic": _Scheme(PASSWORDS, _basic, self._by_password, lambda error: f'realm="{self._realm}"'),
        }
        self._schemes = {name: one for name, one in schemes.items() if one.ways & frozenset(self._keys.ways)}

    # -- what a request shows

    async def admit(self, headers: Mapping[str, str], address: str) -> User | Reply:
        """The user, or the answer that turns the request away."""
        header = headers.get("authorization", "").strip()
        scheme = self._schemes.get(header.partition(" ")[0].lower())
        shown = scheme.read(header) if scheme is not None else None
        if scheme is None or shown is None:
            return self._unauthorized("no_login")
        login, password = shown
        who = _Login(login, password, address, self._throttle.attempt(login, password, address), scheme)
        now = self._clock.monotonic()
        if self._throttle.known_wrong(who.attempt, now):
            return self._wrong(who)
        try:
            if self._throttle.known_right(who.attempt, now):
                return await self._again(who) or self._wrong(who)
            trial = await self._site.begin(login, password, address) if self._site is not None else None
            return await self._tried(who, trial or self._here(who.attempt))
        except Unavailable as error:
            log.warning("login cannot be checked", reason=str(error))
            return _later(RETRY_SECONDS, "unavailable")
        except NoEntrance as error:
            return _no_entrance(login, error)
        except TokenRefused as error:
            log.info("token is over", reason=str(error), address=address)
            return self._unauthorized("token_over", _TOKEN_ERROR)

    async def vouched(self, login: str) -> User | Reply:
        """Somebody whom a proxy has recognised."""
        try:
            user = await self._accounts.vouched(login)
        except Unavailable as error:
            log.warning("login cannot be checked", reason=str(error))
            return _later(RETRY_SECONDS, "unavailable")
        except NoEntrance as error:
            return _no_entrance(login, error)
        return user or _refused("certificate", "Your certificate is nobody's here.")

    async def held(self, user: User, device_id: str) -> Reply | None:
        """None if this device may use what the user came in with: the first one that does makes it its own."""
        if user.device_password is None or self._keys.passwords is None:
            return None
        try:
            if await self._keys.passwords.hold(user.device_password, device_id):
                return None
        except Unavailable as error:
            log.warning("login cannot be checked", reason=str(error))
            return _later(RETRY_SECONDS, "unavailable")
        log.warning("the password of another device", device=device_id, password=user.device_password.id)
        return self._unauthorized()

    # -- whether it is right

    async def _by_password(self, login: str, password: str) -> User | None:
        """Raises Unavailable, NoEntrance."""
        if Way.DEVICE_PASSWORD in self._keys.ways and self._keys.passwords is not None:
            found = await self._keys.passwords.find(password)
            if found is not None:
                user = await self._accounts.vouched(login)
                return _with(user, found) if user is not None and user.id == found.user_id else None
        return await self._accounts.verify(login, password) if Way.PASSWORD in self._keys.ways else None

    async def _by_token(self, _: str, token: str) -> User | None:
        """Raises Unavailable, NoEntrance, and TokenRefused for one that is over."""
        if self._keys.tokens is None:
            return None
        try:
            shown = await self._keys.tokens.verify(token)
        except TokenRefused as error:
            if error.over:
                raise
            log.info("token refused", reason=str(error))
            return None
        user = await self._accounts.vouched(shown.login, Secret(token, bearer=True))
        return replace(user, until=shown.until) if user is not None else None

    def _here(self, attempt: Attempt) -> Trial:
        """What this process knows by itself."""
        wait = self._throttle.wait(attempt, self._clock.monotonic())
        return Trial(Standing.WAIT, wait) if wait > 0 else Trial(Standing.OPEN)

    async def _again(self, who: _Login) -> User | None:
        """Somebody who was right before. Raises Unavailable, NoEntrance, TokenRefused."""
        user = await who.scheme.verify(who.login, who.password)
        now = self._clock.monotonic()
        (self._throttle.right if user else self._throttle.wrong)(who.attempt, now)
        if self._site is not None and (user is None or self._throttle.to_be_told(who.attempt, now)):
            self._site.note(who.login, who.password, user is not None)
        return user

    async def _tried(self, who: _Login, trial: Trial) -> User | Reply:
        """Raises Unavailable, NoEntrance, TokenRefused."""
        match trial.standing:
            case Standing.RIGHT:
                return await self._again(who) or self._wrong(who)
            case Standing.WRONG:
                return self._wrong(who)
            case Standing.WAIT:
                log.info("login throttled", login=who.login, address=who.address, seconds=ceil(trial.seconds))
                return _later(ceil(trial.seconds), "throttled")
            case Standing.OPEN:
                return await self._verified(who, trial) or self._wrong(who)

    async def _verified(self, who: _Login, trial: Trial) -> User | None:
        self._throttle.begin(who.attempt, self._clock.monotonic())
        try:
            user = await who.scheme.verify(who.login, who.password)
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

    # -- turned away

    def _wrong(self, who: _Login) -> Reply:
        return self._unauthorized(error=_TOKEN_ERROR if Way.TOKEN in who.scheme.ways else "")

    def _unauthorized(self, reason: str = "wrong_login", error: str = "") -> Reply:
        """`error`: what is wrong with a token, in the words of RFC 6750."""
        measures.REFUSALS[reason].inc()
        said = plain(401, "Log in with your user name and password.")
        challenges = [f"{name.capitalize()} {one.challenge(error)}" for name, one in self._schemes.items()]
        return replace(said, challenges=tuple(challenges))

    def _bearer_challenge(self, error: str) -> str:
        """RFC 6750 section 3; `authorization_uri` is where iOS goes to fetch a token."""
        told = self._keys.tokens.challenge() if self._keys.tokens is not None else ""
        parts = [f'realm="{self._realm}"', told, f'error="{error}"' if error else ""]
        return ", ".join(part for part in parts if part)


def _with(user: User, found: DevicePassword) -> User:
    until = found.expires.timestamp() if found.expires is not None else user.until
    return replace(user, device_password=found, until=until)


def _basic(header: str) -> tuple[str, str] | None:
    credentials = basic_credentials(header)
    if credentials is None or not credentials[0] or max(map(len, credentials)) > MAX_CREDENTIAL:
        return None
    return credentials


def _token(header: str) -> tuple[str, str] | None:
    """Guesses are counted by their address: a token that is made up names nobody. iOS sends an empty one to be
    challenged."""
    token = header.partition(" ")[2].strip()
    if not token or len(token) > MAX_TOKEN or not token.isascii():
        return None
    return f"token {sha256(token.encode()).hexdigest()[:16]}", token


def _no_entrance(login: str, error: NoEntrance) -> Reply:
    """Not 401, which would have the phone ask its owner for what is right already."""
    log.warning("recognised, but the servers cannot be entered", login=login, servers=str(error))
    return _refused("no_entrance", "You cannot log in to your mailbox in this way. Your administrator can see why.")


def _refused(reason: str, text: str) -> Reply:
    measures.REFUSALS[reason].inc()
    return plain(403, text)


def _later(seconds: int, reason: str) -> Reply:
    measures.REFUSALS[reason].inc()
    return plain(503, "Please try again later.", {"Retry-After": str(seconds)})
