"""How a device gets in: login, policy and version."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from eas.replay.format.model import header
from eas.replay.showing.seen import Seen
from eas.replay.showing.wording import bad_statuses, words_of, words_of_http

from .findings import Name, Sign

#: Refusals of the same login in a row: the first answer to a login may be a question.
LOGINS, LOGINS_WITHOUT = 2, 5
#: Times that a device is sent for its policy until something else succeeds.
POLICIES = 3
#: Requests for a policy in a row; one round has two.
PROVISIONS = 6
WANTS_POLICY = frozenset({"141", "142", "143", "144"})
KEPT_OUT = frozenset(map(str, (126, 127, 128, 129, 130, 131, 139, 145, 177)))
#: What a device says of a policy that it does not apply, or that others see to. [MS-ASPROV] Status (Policy).
NOT_APPLIED = {"3": "it does not apply it at all", "4": "others manage it"}
MALFORMED = frozenset(map(str, range(101, 110)))
#: Sync and Ping have values of their own for it.
MALFORMED_OF_COMMAND = {"Sync": frozenset({"4"}), "Ping": frozenset({"4"}), "FolderSync": frozenset({"10"})}
#: Requests that need no version.
VERSIONLESS = frozenset({"OPTIONS", "Autodiscover", "GET", "HEAD"})


class Login:
    def __init__(self) -> None:
        self._run = 0

    def see(self, one: Seen) -> Iterator[Sign]:
        if one.http == 401:
            self._run += 1
            tried = bool(header(one.exchange.request.headers, "Authorization"))
            if self._run >= (LOGINS if tried else LOGINS_WITHOUT):
                with_ = "" if tried else ", without a password in it"
                yield Sign(Name.LOGIN_REFUSED, f"401 for the {self._run}. time in a row{with_}")
        elif one.http is not None:
            self._run = 0
        if one.http == 403:
            yield Sign(Name.KEPT_OUT, f"{one.command}: HTTP 403: {words_of_http(403).means}")
        for said in bad_statuses(one):
            if said.value in KEPT_OUT:
                yield Sign(Name.KEPT_OUT, f"{one.command}: Status {said.value}: {words_of(one.command, said).means}")

    def end(self) -> Iterable[Sign]:
        return ()


class Policy:
    def __init__(self) -> None:
        self._wanted = self._asked = 0

    def see(self, one: Seen) -> Iterator[Sign]:
        wants = one.http == 449 or any(said.value in WANTS_POLICY for said in bad_statuses(one))
        if wants:
            self._wanted += 1
            if self._wanted >= POLICIES:
                yield Sign(Name.POLICY_LOOP, f"{one.command} was put off for the policy, for the {self._wanted}. time")
        elif one.command == "Provision":
            self._asked += 1
            if self._asked > PROVISIONS:
                yield Sign(Name.POLICY_LOOP, f"Provision for the {self._asked}. time, and nothing else in between")
        elif one.http == 200 and one.command not in VERSIONLESS:
            self._wanted = self._asked = 0
        yield from self._said(one)

    def _said(self, one: Seen) -> Iterator[Sign]:
        if one.command != "Provision":
            return
        for root in (one.asked, one.told):
            for child in root.elements if root is not None else ():
                policies = child.elements if child.tag == "Provision:Policies" and root is one.asked else ()
                for policy in policies:
                    status = policy.child("Provision:Status")
                    if status is not None and (why := NOT_APPLIED.get(status.text)):
                        yield Sign(Name.POLICY_REFUSED, f"the device says Status {status.text}: {why}")
                if child.tag in ("Provision:RemoteWipe", "Provision:AccountOnlyRemoteWipe") and root is one.told:
                    yield Sign(Name.WIPE, f"{child.tag.partition(':')[2]} in the answer to Provision")

    def end(self) -> Iterable[Sign]:
        return ()


class Versions:
    def __init__(self) -> None:
        self._last = ""
        self._changes = 0
        self._refused = False

    def see(self, one: Seen) -> Iterator[Sign]:
        if one.command not in VERSIONLESS:
            if one.version is None:
                yield Sign(Name.NO_VERSION, f"{one.command} says {one.stated[:20]!r}" if one.stated else
                           f"{one.command} names no version")
            elif self._last and one.stated != self._last:
                yield from self._changed(one)
            self._last = one.stated or self._last
        refused = one.http == 505 or any(said.value == "138" for said in bad_statuses(one))
        if refused:
            yield Sign(Name.VERSION_REFUSED, f"{one.command} with version {one.stated or 'none'}")
        self._refused = refused or one.http == 400
        yield from self._understood(one)

    def _changed(self, one: Seen) -> Iterator[Sign]:
        """One step up after an update of the server is well, and one down after a refusal."""
        self._changes += 1
        down = one.stated != max(one.stated, self._last, key=lambda text: float(text) if text else 0.0)
        if self._changes > 1 or (down and not self._refused):
            yield Sign(Name.VERSION_CHANGES, f"from {self._last} to {one.stated}")

    def _understood(self, one: Seen) -> Iterator[Sign]:
        if one.http == 501 or any(said.value == "137" for said in bad_statuses(one)):
            yield Sign(Name.UNKNOWN_COMMAND, one.command)
        if one.http == 400:
            yield Sign(Name.MALFORMED, f"{one.command}: HTTP 400")
        for said in bad_statuses(one):
            if said.value in MALFORMED or said.value in MALFORMED_OF_COMMAND.get(one.command, ()):
                yield Sign(Name.MALFORMED, f"{one.command}: Status {said.value}: {words_of(one.command, said).means}",
                           said.folder)

    def end(self) -> Iterable[Sign]:
        return ()
