"""What the processes of a site know of logins together, over Redis: who was right, who was wrong and how often.
`LoginMemory` and `Verdicts` of eas.engine.logins.

Nothing there tells a name or a password: all keys are digests under a secret of the site, which is not in Redis. There
are no times either: how long ago something was is told by what is left of a key's lifetime, so clocks do not matter.
The part of a login lies at one place of a cluster, that of an address at another. Nobody waits long: what has no answer
in a fraction of a second counts as away, and is not asked for some seconds; each process then goes by what it knows.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from typing import Any, TypeVar

import structlog

from eas.engine import logins as rules
from eas.engine.errors import BackendError
from eas.engine.logins import Standing, Trial, network_of

from .link import Link
from .redis import Away

log = structlog.get_logger("eas.logins")

#: So long somebody who logs in may have to wait for Redis.
PATIENCE_SECONDS = 0.3
#: So long nobody asks after one has waited in vain.
PAUSE_SECONDS = 5.0
#: So long a password may take to be tried; after that the process that tried it is taken for dead.
TRYING_SECONDS = 60

#: What the other processes are told when a verdict ends.
FORGET = "forget"

T = TypeVar("T")

# `count` and `wait` of a tally: its lifetime begins anew with each wrong password, so what is missing of it has passed.
_WAIT = """
local function wait(key, free)
  local count = tonumber(redis.call('GET', key) or '0')
  if count < free then return 0 end
  local since = {forget} - redis.call('PTTL', key)
  local pause = math.min({first} * 2 ^ math.min(count - free, 32), {longest})
  return math.max(0, math.ceil(pause - since))
end
local function add(key)
  redis.call('INCR', key)
  redis.call('PEXPIRE', key, {forget})
end
local function take(key)
  if tonumber(redis.call('GET', key) or '0') > 0 then redis.call('DECR', key) end
end
""".format(
    forget=int(rules.FORGET_WRONG * 1000), first=int(rules.FIRST_WAIT * 1000), longest=int(rules.LONGEST_WAIT * 1000)
)

#: KEYS: right, wrong, trying, tally. ARGV: the name of the trial. What is known, and the milliseconds to wait.
_BEGIN = _WAIT + f"""
if redis.call('EXISTS', KEYS[1]) == 1 then return {{'right', 0}} end
local wrong = redis.call('PTTL', KEYS[2])
if wrong > {int((rules.FORGET_WRONG - rules.KNOWN_WRONG) * 1000)} then return {{'wrong', 0}} end
local left = wait(KEYS[4], {rules.FREE_BY_LOGIN})
if left > 0 then return {{'wait', left}} end
if wrong <= 0 and redis.call('SET', KEYS[3], ARGV[1], 'NX', 'EX', {TRYING_SECONDS}) then
  add(KEYS[4])
  return {{'counted', 0}}
end
return {{'open', 0}}
"""

#: KEYS: the tally of an address. ARGV: whether to count.
_ADDRESS = _WAIT + f"""
local left = wait(KEYS[1], {rules.FREE_BY_ADDRESS})
if left == 0 and ARGV[1] == '1' then add(KEYS[1]) end
return left
"""

#: KEYS as in _BEGIN. ARGV: the name of the trial, and what came of it: right, wrong, nothing.
_END = _WAIT + f"""
local ours = redis.call('GET', KEYS[3]) == ARGV[1]
if ours then redis.call('DEL', KEYS[3]) end
if ours and ARGV[2] ~= 'wrong' then take(KEYS[4]) end
if ARGV[2] == 'right' then
  redis.call('SET', KEYS[1], '1', 'EX', {int(rules.FORGET_RIGHT)})
  redis.call('DEL', KEYS[2])
elseif ARGV[2] == 'wrong' then
  redis.call('SET', KEYS[2], '1', 'EX', {int(rules.FORGET_WRONG)})
  redis.call('DEL', KEYS[1])
end
"""

_TAKE = _WAIT + "take(KEYS[1])"

_CAME_OF = {True: "right", False: "wrong", None: "nothing"}


class Vault:
    """Digests under the secret of the site, and Redis asked with patience. `secret` may raise BackendError."""

    def __init__(self, link: Link, secret: Callable[[], Awaitable[bytes]]) -> None:
        self.link = link
        self._secret = secret
        self._key: bytes | None = None
        self._not_before = 0.0

    @property
    def open(self) -> bool:
        """Whether digests can be made without waiting."""
        return self._key is not None

    async def ready(self) -> bool:
        """Whether there is any use in asking."""
        if asyncio.get_running_loop().time() < self._not_before:
            return False
        if self._key is None:
            try:
                self._key = await self._secret()
            except BackendError as error:
                log.warning("logins are not shared", reason=str(error))
                self._rest()
        return self._key is not None

    def digest(self, *parts: str) -> str:
        assert self._key is not None
        text = "\0".join(f"{len(part)}:{part}" for part in parts)
        return hmac.digest(self._key, text.encode("utf-8", "surrogatepass"), "sha256").hex()[:40]

    async def patiently(self, asked: Awaitable[T]) -> T:
        """Raises Away."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await asked
        except TimeoutError:
            self._rest()
            raise Away("no answer in time") from None

    def _rest(self) -> None:
        self._not_before = asyncio.get_running_loop().time() + PAUSE_SECONDS


class SharedLogins:
    """`LoginMemory`. The marks of a trial: the digests of the login, of login and password, and of the address, and the
    name of the trial; then what was counted."""

    def __init__(self, vault: Vault) -> None:
        self._vault, self._link = vault, vault.link

    async def begin(self, login: str, password: str, address: str) -> Trial | None:
        if not await self._vault.ready():
            return None
        who, both = self._names(login, password)
        where = self._vault.digest("address", network_of(address))
        marks = who, both, where, secrets.token_hex(8)
        try:
            return await self._vault.patiently(self._begin(marks))
        except Away:
            # Whatever was counted is taken back as soon as it can be: it may have been done after all.
            self.end(Trial(Standing.OPEN, marks=(*marks, "counted")), None)
            return None

    async def _begin(self, marks: tuple[str, str, str, str]) -> Trial:
        who, both, where, name = marks
        answer: list[Any] = await self._link.run(_BEGIN, self._keys(who, both), name)
        known, left = str(answer[0]), int(answer[1]) / 1000
        if known in ("right", "wrong", "wait"):
            return Trial(Standing(known), left)
        counted = known == "counted"
        address = self._address(where)
        left = int(await self._link.run(_ADDRESS, [address], "1" if counted else "0")) / 1000
        if left > 0:
            self._link.run_later(_END, self._keys(who, both), name, "nothing")
            return Trial(Standing.WAIT, left)
        return Trial(Standing.OPEN, marks=(*marks, "counted" if counted else ""))

    def end(self, trial: Trial, right: bool | None) -> None:
        if not trial.marks:
            return
        who, both, where, name, counted = trial.marks
        self._link.run_later(_END, self._keys(who, both), name, _CAME_OF[right])
        if counted and right is not False:
            self._link.run_later(_TAKE, [self._address(where)])

    def note(self, login: str, password: str, right: bool) -> None:
        if self._vault.open:
            self._link.run_later(_END, self._keys(*self._names(login, password)), "", _CAME_OF[right])

    def _names(self, login: str, password: str) -> tuple[str, str]:
        return self._vault.digest("login", login.lower()), self._vault.digest("password", login.lower(), password)

    def _keys(self, who: str, both: str) -> list[str]:
        parts = (f":{both}:right", f":{both}:wrong", f":{both}:trying", ":tally")
        return [self._link.key("login", who, part) for part in parts]

    def _address(self, where: str) -> str:
        return self._link.key("address", where)


class SharedVerdicts:
    """`Verdicts`. A verdict names the user and the *age* in which it was given; to forget a user is to begin another
    age, and to tell the other processes, which remember verdicts as well (`forgotten`)."""

    def __init__(self, vault: Vault, longest_seconds: float) -> None:
        """No verdict counts for longer than `longest_seconds`."""
        self._vault, self._link = vault, vault.link
        self._longest = int(longest_seconds)
        self._tasks: set[asyncio.Task[None]] = set()
        self.forgotten: Callable[[str], None] = lambda user_id: None
        others = self._link.heard

        def heard(message: Any) -> None:
            if message[0] == FORGET:
                self.forgotten(message[1])
            else:
                others(message)

        self._link.heard = heard

    async def known(self, credentials: str) -> tuple[str, float] | None:
        if not await self._vault.ready():
            return None
        with suppress(Away):
            return await self._vault.patiently(self._known(self._key(credentials)))
        return None

    async def _known(self, key: str) -> tuple[str, float] | None:
        found, left = await self._link.run("return {redis.call('GET', KEYS[1]), redis.call('PTTL', KEYS[1])}", [key])
        if not found or int(left) <= 0:
            return None
        user_id, _, age = str(found).rpartition(" ")
        return (user_id, int(left) / 1000) if age == await self._age(user_id) else None

    async def put(self, credentials: str, user_id: str, seconds: float) -> None:
        if not await self._vault.ready():
            return
        with suppress(Away):
            await self._vault.patiently(self._put(self._key(credentials), user_id, min(int(seconds), self._longest)))

    async def _put(self, key: str, user_id: str, seconds: int) -> None:
        await self._link.ask(key, "SET", key, f"{user_id} {await self._age(user_id)}", "EX", seconds)

    async def _age(self, user_id: str) -> str:
        key = self._link.key("age", user_id)
        return str(await self._link.ask(key, "GET", key) or "0")

    def forget(self, user_id: str) -> None:
        task = asyncio.get_running_loop().create_task(self._forget(user_id, self._link.live - {self._link.node}))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _forget(self, user_id: str, others: Collection[str]) -> None:
        """What cannot be said while Redis is away ends by itself, as verdicts do."""
        key = self._link.key("age", user_id)
        with suppress(Away):
            # Longer than any verdict of an age before.
            await self._link.ask(key, "SET", key, secrets.token_hex(8), "EX", 2 * self._longest)
        for node in others:
            with suppress(Away):
                await self._link.tell(node, [(FORGET, user_id)])

    def _key(self, credentials: str) -> str:
        return self._link.key("verdict", self._vault.digest("verdict", credentials))
