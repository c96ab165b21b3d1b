"""`POST /hooks/dovecot` and `POST /hooks/changed`: a groupware says in whose folders something has changed.

Both take the same JSON; Dovecot's OX driver sends PUT, and the token as the password of its URL. The answer comes
before anything is looked up, and is the same for users whom nobody knows. docs/hooks.md.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from math import ceil

import structlog
from starlette.types import Receive, Scope

from eas import measures
from eas.engine.ports import Clock
from eas.protocol.http import basic_credentials

from .ports import HookRules, Hooks
from .reading import client_address, is_within, read_body
from .reply import Reply, plain
from .throttle import Throttle

log = structlog.get_logger("eas.hooks")

#: Where hooks are called; both are the same, each documented with what calls it.
PATHS = ("/hooks/dovecot", "/hooks/changed")
#: Octets of a body. The largest that a server sends by itself is that of the OX driver, with a snippet of the message.
MAX_BODY = 256 * 1024
#: Changes in one body.
MAX_CHANGES = 1000
#: Characters of a user's or a backend's name, and of a folder's; longer folders are none that devices are shown.
MAX_NAME, MAX_FOLDER = 320, 4096
#: Seconds after which a server may tell again what could not be noted.
RETRY_SECONDS = 5

#: Where folders stand in a change: all are read alike.
_FOLDERS = ("folder", "folders", "collections")
_EVENTS = ("event", "events")


class Unreadable(Exception):
    """The body is no list of changes; the text is for whoever set up the hook."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """`folders` None: all of the user's. `hierarchy`: the folders themselves have changed. `domain` and `backend` ""
    where it is not said."""

    user: str
    folders: frozenset[str] | None = None
    hierarchy: bool = False
    domain: str = ""
    backend: str = ""


# --- Reading ----------------------------------------------------------------------------------------------------------


def read_changes(body: bytes) -> list[Change]:
    """Raises Unreadable. What is not known in a change is not looked at.

    Dovecot puts raw headers of messages into its JSON: octets that are no UTF-8 must not keep a change from us.
    """
    try:
        told = json.loads(body.decode("utf-8", "replace"), strict=False)
    except (ValueError, RecursionError) as error:
        raise Unreadable("the body is no JSON") from error
    changes = told if isinstance(told, list) else [told]
    if len(changes) > MAX_CHANGES:
        raise Unreadable(f"more than {MAX_CHANGES} changes")
    return [_change(one) for one in changes]


def _change(told: object) -> Change:
    if not isinstance(told, dict):
        raise Unreadable("a change is an object with at least a \"user\"")
    user = _name(told, "user")
    if not user:
        raise Unreadable("\"user\" is missing")
    given = [told[key] for key in _FOLDERS if told.get(key) not in (None, "")]
    hierarchy = told.get("hierarchy", False)
    if hierarchy is not None and not isinstance(hierarchy, bool):
        raise Unreadable("\"hierarchy\" is true or false")
    return Change(
        user=user, folders=frozenset(_texts(given, "folders")) if given else None,
        hierarchy=bool(hierarchy) or _of_folders(_texts([told[key] for key in _EVENTS if told.get(key)], "events")),
        domain=_name(told, "domain"), backend=_name(told, "backend"),
    )


def _of_folders(events: list[str]) -> bool:
    """RFC 5423: MailboxCreate, MailboxDelete, MailboxRename, MailboxSubscribe, MailboxUnSubscribe."""
    return any(event.lower().startswith("mailbox") for event in events)


def _name(told: Mapping[str, object], key: str) -> str:
    value = told.get(key)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > MAX_NAME or not _is_clean(value):
        raise Unreadable(f"\"{key}\" is a text of at most {MAX_NAME} characters")
    return value.strip()


def _texts(given: list[object], what: str) -> list[str]:
    found: list[str] = []
    for value in given:
        for one in value if isinstance(value, list) else [value]:
            if not isinstance(one, str) or not _is_clean(one):
                raise Unreadable(f"\"{what}\" are texts")
            found.append(one)
    return [one for one in found if 0 < len(one) <= MAX_FOLDER]


def _is_clean(text: str) -> bool:
    """Without what databases refuse: NUL, and halves of surrogates."""
    return _UNCLEAN.search(text) is None


_UNCLEAN = re.compile("[\0\ud800-\udfff]")


# --- The door ---------------------------------------------------------------------------------------------------------


class HookDoor:
    """`hooks` None: nobody's groupware has hooks. One for the whole server: it remembers who guessed."""

    def __init__(
        self, hooks: Hooks | None, rules: HookRules, clock: Clock,
        trusted_proxies: tuple[IPv4Network | IPv6Network, ...],
    ) -> None:
        self._hooks, self._rules, self._clock, self._trusted = hooks, rules, clock, trusted_proxies
        self._throttle = Throttle()

    async def __call__(self, scope: Scope, receive: Receive, headers: Mapping[str, str]) -> Reply:
        """Raises TooLong, Gone."""
        hooks = self._hooks
        if hooks is None or not self._rules.token:
            return plain(404, "There are no hooks: hooks.token is not set.")
        address = client_address(scope, headers, self._trusted)
        refusal = self._refusal(headers, address)
        if refusal is not None:
            measures.HOOKS["refused"].inc()
            return refusal
        try:
            changes = read_changes(await read_body(receive, headers, MAX_BODY))
        except Unreadable as error:
            measures.HOOKS["unreadable"].inc()
            log.warning("a hook cannot be read", address=address, reason=str(error))
            return plain(400, f"{error}.")
        noted = [
            hooks.changed(one.user, one.folders, hierarchy=one.hierarchy, domain=one.domain, backend=one.backend)
            for one in changes
        ]
        measures.HOOKS["noted" if all(noted) else "full"].inc()
        return Reply(http=204) if all(noted) else _later(RETRY_SECONDS)

    def _refusal(self, headers: Mapping[str, str], address: str) -> Reply | None:
        networks = self._rules.networks
        if networks and not is_within(address, networks):
            log.warning("a hook from a foreign network", address=address)
            return plain(403, "Hooks are not taken from here: hooks.networks.")
        token = _token(headers.get("authorization", ""))
        attempt = self._throttle.attempt(f"hooks from {address}", token, address)
        right = hmac.compare_digest(token.encode("utf-8", "replace"), self._rules.token.encode())
        now = self._clock.monotonic()
        if right and self._throttle.known_right(attempt, now):
            return None
        wait = self._throttle.wait(attempt, now)
        if wait > 0:
            return _later(ceil(wait))
        self._throttle.begin(attempt, now)
        self._throttle.end(attempt, right, now)
        if right:
            return None
        log.warning("a hook with a wrong token" if token else "a hook without a token", address=address)
        return plain(401, "Send hooks.token as Authorization: Bearer, or as the password of Basic.", _CHALLENGE)


_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="hooks", Basic realm="hooks"'}


def _token(header: str) -> str:
    """"" for none."""
    scheme, _, token = header.strip().partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    credentials = basic_credentials(header)
    return credentials[1] if credentials is not None else ""


def _later(seconds: int) -> Reply:
    return plain(503, "Please try again later.", {"Retry-After": str(seconds)})
