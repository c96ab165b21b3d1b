"""What may go wrong in a session: the names, what each means, and what to do. docs/sessions.md shows the same table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Protocol

from eas.replay.showing.seen import Seen


class Weight(IntEnum):
    """How much it matters: nothing works, something does not, or it works badly."""

    BROKEN = 3
    HURTS = 2
    ODD = 1


class Name(StrEnum):
    LOGIN_REFUSED = "login-refused"
    KEPT_OUT = "kept-out"
    WIPE = "wipe"
    POLICY_LOOP = "policy-loop"
    POLICY_REFUSED = "policy-refused"
    NO_VERSION = "no-version"
    VERSION_REFUSED = "version-refused"
    VERSION_CHANGES = "version-changes"
    SERVER_FAULT = "server-fault"
    SERVER_BUSY = "server-busy"
    CAME_TOO_EARLY = "came-too-early"
    UNANSWERED = "unanswered"
    SLOW = "slow-answer"
    NOT_TAKEN = "answer-not-taken"
    ANSWERS_LOST = "answers-lost"
    KEY_REFUSED = "key-refused"
    BEGINS_ANEW = "begins-anew"
    FOLDERS_IGNORED = "folders-ignored"
    LOOP = "loop"
    REFUSED_AGAIN = "refused-again"
    STORM = "storm"
    EMPTY_AT_ONCE = "empty-at-once"
    WAITS_CUT = "waits-cut"
    WAITS_SHORT = "waits-short"
    HEARTBEAT = "heartbeat-refused"
    NEWS_AGAIN = "news-again"
    ITEM_REFUSED = "item-refused"
    SENT_TWICE = "sent-twice"
    GIVEN_TWICE = "given-twice"
    ADDS_LATE = "adds-late"
    ADDS_UNANSWERED = "adds-unanswered"
    MALFORMED = "malformed"
    UNDECODABLE = "undecodable"
    UNKNOWN_COMMAND = "unknown-command"
    WRONG_VERSION = "element-of-other-version"
    WRONG_ORDER = "wrong-order"


@dataclass(frozen=True, slots=True)
class About:
    weight: Weight
    means: str
    todo: str


@dataclass(frozen=True, slots=True)
class Sign:
    """One exchange shows it. `folder` is the folder that it is about, "" for none; `said` what was seen, in words, with
    `{folder}` where the folder's name belongs. `numbers` are exchanges that it shows in besides."""

    name: Name
    said: str
    folder: str = ""
    numbers: tuple[int, ...] = ()


class Watch(Protocol):
    """Looks at the exchanges of one device in their order; what it remembers of them is bounded."""

    def see(self, one: Seen) -> Iterable[Sign]: ...

    def end(self) -> Iterable[Sign]: ...


@dataclass(slots=True)
class Finding:
    """The same sign of the same device about the same folder, once or more often. `said` is the last of it; `numbers`
    are the first and the last exchanges in which it showed."""

    name: Name
    device: str
    folder: str
    said: str
    count: int = 0
    numbers: list[int] = field(default_factory=list)

    @property
    def about(self) -> About:
        return ABOUT[self.name]


_B, _H, _O = Weight.BROKEN, Weight.HURTS, Weight.ODD

ABOUT: Mapping[Name, About] = {
    Name.LOGIN_REFUSED: About(
        _B, "The server refuses name and password again and again.",
        "Enter the present password on the device; look whether the account is locked, or the server wants another "
        "form "
        "of the name (user, DOMAIN\\user, address).",
    ),
    Name.KEPT_OUT: About(
        _B, "The server knows the user, and does not let this device in: blocked, in quarantine, or not allowed.",
        "Look at the device's page, or the rules of access: they say who decided it.",
    ),
    Name.WIPE: About(
        _B, "The server ordered the device to wipe itself.",
        "Look who ordered it. A device that is set up again is wiped again until the order is taken back.",
    ),
    Name.POLICY_LOOP: About(
        _B, "The device is told again and again to fetch its policy, and fetching it does not end that.",
        "Its owner has to accept the policy; if that was done, the policy asks for what this device cannot do, or it "
        "loses "
        "the key that it got (does it send X-MS-PolicyKey?).",
    ),
    Name.POLICY_REFUSED: About(
        _B, "The device says that it does not apply the policy.",
        "Its owner accepts it, or sets a screen lock; a dry run of the policy says what this device cannot meet.",
    ),
    Name.NO_VERSION: About(
        _H, "Requests name no protocol version that exists.",
        "Look whether a proxy takes MS-ASProtocolVersion away; servers guess 2.5, or answer 400.",
    ),
    Name.VERSION_REFUSED: About(
        _B, "The server does not speak the version that the device asks for.",
        "Look at MS-ASProtocolVersions in the answer to OPTIONS; a device that was set up before an update keeps its "
        "old "
        "version until it asks again.",
    ),
    Name.VERSION_CHANGES: About(
        _O, "The device changes its protocol version in the midst of it.",
        "Look whether two programs use the same device id, or several servers that offer different versions answer.",
    ),
    Name.SERVER_FAULT: About(
        _H, "The server failed.", "Look into the server's log at these times; what is behind it may be away.",
    ),
    Name.SERVER_BUSY: About(
        _H, "The server sent the device away for a while.",
        "If it comes again and again: the device asks too often, or what is behind the server is away.",
    ),
    Name.CAME_TOO_EARLY: About(
        _O, "The device came back before the time that the server had told it (Retry-After).",
        "Nothing on the server's side; such devices need to be slowed down otherwise.",
    ),
    Name.UNANSWERED: About(
        _H, "A request was not answered.",
        "If the seconds are about the same each time, that is the limit of whoever gave up: the device, or a proxy "
        "between. See how long the server worked at it.",
    ),
    Name.SLOW: About(
        _H, "An answer took longer than this kind of device waits: it has given up and asks the same again.",
        "Smaller windows, or see what the server waits for; first fetches of large folders are the usual case.",
    ),
    Name.NOT_TAKEN: About(
        _H, "The device asks for the same step of a folder again and again although it is answered: it cannot take the "
        "answer, or does not get it.",
        "Look at what stands in that answer: an item in it may break the app. If the answers are large, a proxy may "
        "cut "
        "them off.",
    ),
    Name.ANSWERS_LOST: About(
        _O, "Answers are lost on the way now and then; the device asked again and went on.",
        "A bad radio link does that. If it comes at the same seconds, look at time-outs between device and server.",
    ),
    Name.KEY_REFUSED: About(
        _H, "The server refuses the key that the device has: the folder is fetched anew from nothing.",
        "Once, after a restore or a resync, is well. Else the server forgets keys that it gave (see the exchange "
        "before), or "
        "two programs use the same device id.",
    ),
    Name.BEGINS_ANEW: About(
        _H, "The device begins a folder from nothing again and again, without being told to.",
        "See what it got last each time; a device that runs out of room, or is set up again and again, does so.",
    ),
    Name.FOLDERS_IGNORED: About(
        _H, "The device is told that the folders have changed (Status 12), and asks for the same folder again "
        "instead of "
        "fetching the list.",
        "Many devices ignore Status 12. A few times is normal; then the server should answer 3.",
    ),
    Name.LOOP: About(
        _H, "The same request comes again and again, and gets the same answer.",
        "Look at what the answer lacks that the device waits for.",
    ),
    Name.REFUSED_AGAIN: About(
        _H, "A command is refused each time.", "The status says why: see the exchange. An update of the app may help.",
    ),
    Name.STORM: About(
        _H, "Far too many requests that bring nothing: they empty the battery and load the server.",
        "Restart the app, update it; on the server's side see why its answer does not hold the device back.",
    ),
    Name.EMPTY_AT_ONCE: About(
        _H, "Waits for news are answered at once with nothing, so that the device asks again at once.",
        "The server should hold such requests. Look whether it knows the folders that the device waits for.",
    ),
    Name.WAITS_CUT: About(
        _H, "Waits end without an answer after the same number of seconds: something between cuts idle connections "
        "off.",
        "Raise the time-out of the proxy, firewall or load balancer to more than the longest wait (half an hour).",
    ),
    Name.WAITS_SHORT: About(
        _O, "The server ends waits without news long before the time that the device asked for.",
        "Look at the server's longest wait (SOGo: SOGoMaximumPingInterval); push costs battery like this.",
    ),
    Name.HEARTBEAT: About(
        _H, "The server refuses how long the device wants to wait, again and again.",
        "The device does not take the bound in the answer (HeartbeatInterval, Limit). Let the server take any time.",
    ),
    Name.NEWS_AGAIN: About(
        _H, "A wait ends at once since there is news, the device finds none, and waits again: round and round.",
        "Server and device do not agree on what is new, as with folders outside of the filter; resync that folder.",
    ),
    Name.ITEM_REFUSED: About(
        _H, "An item that the device sent, moved or asked for was refused.",
        "The status says why: 6 it cannot be stored, 7 both sides changed it, 8 it is gone.",
    ),
    Name.SENT_TWICE: About(
        _H, "The device sent the same new item or mail again after it had been taken: there are two of it now.",
        "See what the first answer looked like: such a device did not understand it, or lost its state.",
    ),
    Name.GIVEN_TWICE: About(
        _O, "The server gave the device an item as new that it had already.",
        "Duplicates on the device, or not, by the app. The server has lost track of what the device holds.",
    ),
    Name.ADDS_LATE: About(
        _O, "New items of the device were acknowledged only by a later answer.",
        "Devices that wait for the acknowledgement send such items again.",
    ),
    Name.ADDS_UNANSWERED: About(
        _H, "New items of the device were never acknowledged.",
        "They may be stored or not; the device sends them again or loses them.",
    ),
    Name.MALFORMED: About(
        _H, "The server could not make sense of a request.",
        "Look at the request: an element that does not belong there, or a proxy that changes bodies.",
    ),
    Name.UNDECODABLE: About(
        _H, "A message says that it is WBXML and cannot be read as such.",
        "Look at what it begins with: pages of proxies and login forms are the usual case.",
    ),
    Name.UNKNOWN_COMMAND: About(
        _H, "The server does not know the command.",
        "Look at MS-ASProtocolCommands in the answer to OPTIONS: devices should not ask for others.",
    ),
    Name.WRONG_VERSION: About(
        _O, "A message has an element that its protocol version does not have.",
        "Strict peers refuse the whole message (Status 103, or a device that stops).",
    ),
    Name.WRONG_ORDER: About(
        _O, "Elements stand in another order than the protocol has it.",
        "Several devices read in order and miss what comes too late.",
    ),
}
