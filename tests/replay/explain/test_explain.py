"""What went wrong in a session: a table of (session, finding); and healthy sessions, in which nothing is found."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from session_kit import NOON, Script, a_day, taped

from eas.client.connection import Fate
from eas.client.errors import LostAnswer
from eas.client.phone import Phone
from eas.protocol.version import Version
from eas.replay.explain import ABOUT, Explainer, Finding, Name
from eas.replay.format.capture import exchange_of
from eas.replay.format.model import Exchange, Meta
from eas.replay.format.reading import open_session
from eas.replay.showing.seen import seen

REPOSITORY = Path(__file__).parents[3]
AUTH = [("Authorization", "Basic ***")]
PROVISION = \
    '<Provision xmlns="Provision"><Policies><Policy><PolicyType>x</PolicyType>{}</Policy></Policies></Provision>'
NEWS = "<Folders><Folder>5</Folder></Folders>"
ADD = \
    "<Add><ClientId>{}</ClientId><ApplicationData><contacts:FirstName>Ben</contacts:FirstName></ApplicationData></Add>"
GIVEN = "<Add><ServerId>5:1</ServerId><ApplicationData><email:Subject>Lunch</email:Subject></ApplicationData></Add>"
TAKEN = "<Add><ClientId>{}</ClientId><ServerId>5:9</ServerId><Status>1</Status></Add>"
SEND = '<SendMail xmlns="ComposeMail"><ClientId>1</ClientId><Mime>Subject: x</Mime></SendMail>'
FOLDER_SYNC = '<FolderSync xmlns="FolderHierarchy"><SyncKey>{}</SyncKey></FolderSync>'
FOLDERS = '<FolderSync xmlns="FolderHierarchy"><Status>1</Status><SyncKey>{}</SyncKey></FolderSync>'
SEARCH = '<Search xmlns="Search"><Store><Name>GAL</Name><Query>ben</Query></Store></Search>'
STATUS = '<{0} xmlns="{0}"><Status>{1}</Status></{0}>'


def explained(exchanges: Iterable[Exchange]) -> list[Finding]:
    explainer = Explainer()
    for exchange in exchanges:
        explainer.see(seen(exchange, Meta((("device", "PHONE1"),))))
    return explainer.end()


def times(count: int, do: Callable[[Script], Script], script: Script | None = None) -> Script:
    script = script or Script()
    for _ in range(count):
        do(script)
    return script


#: What is found -> the session, and the exchanges that are named.
SESSIONS: list[tuple[Name, Script, list[int]]] = [
    (Name.LOGIN_REFUSED, times(3, lambda s: s.say("Sync", http_status=401, headers=AUTH)), [2, 3]),
    (Name.LOGIN_REFUSED, times(5, lambda s: s.say("OPTIONS", http_status=401)), [5]),
    (Name.KEPT_OUT, Script().say("FolderSync", http_status=403), [1]),
    (Name.KEPT_OUT, Script().say("FolderSync", FOLDER_SYNC.format(0), STATUS.format("FolderHierarchy", 129).replace(
        "FolderHierarchy", "FolderSync", 1).replace("/FolderHierarchy", "/FolderSync")), [1]),
    (Name.WIPE, Script().say("Provision", PROVISION.format(""), '<Provision xmlns="Provision"><Status>1</Status>'
                             "<RemoteWipe/></Provision>"), [1]),
    (Name.POLICY_LOOP, times(3, lambda s: s.say("Sync", http_status=449).say("Provision", PROVISION.format(""))), [5]),
    (Name.POLICY_LOOP, times(3, lambda s: s.say("Ping", "", STATUS.format("Ping", 142))), [3]),
    (Name.POLICY_LOOP, times(7, lambda s: s.say("Provision", PROVISION.format(""))), [7]),
    (Name.POLICY_REFUSED, Script().say("Provision", PROVISION.format("<Status>3</Status>")), [1]),
    (Name.NO_VERSION, Script().say("FolderSync", FOLDER_SYNC.format(0), version=""), [1]),
    (Name.NO_VERSION, Script().say("FolderSync", FOLDER_SYNC.format(0), version="13.0"), [1]),
    (Name.VERSION_REFUSED, Script().say("FolderSync", http_status=505), [1]),
    (Name.VERSION_CHANGES, Script().sync("0", "1").sync("1", "2", version="12.1"), [2]),
    (Name.VERSION_CHANGES, times(2, lambda s: s.sync("1", version="16.1").sync("1")), [2, 3, 4]),
    (Name.SERVER_FAULT, Script().say("Search", SEARCH, http_status=500), [1]),
    (Name.SERVER_FAULT, Script().sync("1", status="5"), [1]),
    (Name.SERVER_FAULT, Script().say("Search", SEARCH, STATUS.format("Search", 111)), [1]),
    (Name.SERVER_BUSY, Script().say("Search", http_status=503, answer_headers=[("Retry-After", "60")]), [1]),
    (Name.CAME_TOO_EARLY, Script().say("Search", http_status=503, answer_headers=[("Retry-After", "60")]).sync("1"),
     [2]),
    (Name.UNANSWERED, Script().sync("1", http_status=None, took=240), [1]),
    (Name.SLOW, Script(agent="Android/9-EAS").sync("0", "1", took=41), [1]),
    (Name.NOT_TAKEN, times(4, lambda s: s.sync("1", "2", down=GIVEN)), [1, 3, 4]),
    (Name.NOT_TAKEN, times(3, lambda s: s.say("FolderSync", FOLDER_SYNC.format(0), FOLDERS.format(1))), [1, 3]),
    (Name.ANSWERS_LOST, times(2, lambda s: s.sync("3", "4"), times(2, lambda s: s.sync("2", "3"), times(
        2, lambda s: s.sync("1", "2")))), [5, 6]),
    (Name.KEY_REFUSED, Script().sync("0", "1").sync("1", status="3").sync("0", "2"), [2]),
    (Name.KEY_REFUSED, Script().say("FolderSync", FOLDER_SYNC.format(8), FOLDERS.format("").replace(">1<", ">9<")),
     [1]),
    (Name.BEGINS_ANEW, times(3, lambda s: s.sync("0", "1").sync("1", "2")), [5]),
    (Name.FOLDERS_IGNORED, times(2, lambda s: s.sync("4", status="12")), [2]),
    (Name.LOOP, times(4, lambda s: s.say("Search", SEARCH, STATUS.format("Search", 1))), [4]),
    (Name.REFUSED_AGAIN, times(3, lambda s: s.sync("4", status="8")), [3]),
    (Name.REFUSED_AGAIN, times(3, lambda s: s.say("Search", SEARCH, http_status=404)), [3]),
    (Name.STORM, times(32, lambda s: s.sync("4", after=0.3)), [31, 32]),
    (Name.EMPTY_AT_ONCE, times(3, lambda s: s.sync("4", root="<Wait>10</Wait>")), [3]),
    (Name.WAITS_CUT, times(4, lambda s: s.ping(900, "", http_status=None, took=60.2)), [1, 2, 3, 4]),
    (Name.WAITS_CUT, times(3, lambda s: s.ping(900, "", http_status=504, took=120)), [1, 2, 3]),
    (Name.WAITS_SHORT, times(3, lambda s: s.ping(900, took=10)), [3]),
    (Name.HEARTBEAT, times(3, lambda s: s.ping(30, "5", more="<HeartbeatInterval>60</HeartbeatInterval>", took=0.1)),
     [3]),
    (Name.NEWS_AGAIN, times(3, lambda s: s.ping(480, "2", more=NEWS, took=0.1).sync("4")), [5]),
    (Name.ITEM_REFUSED, Script().sync(
        "4", "5", responses="<Change><ServerId>5:1</ServerId><Status>8</Status></Change>"), [1]),
    (Name.SENT_TWICE, Script().sync("4", "5", up=ADD.format(1), responses=TAKEN.format(1)).sync(
        "5", "6", up=ADD.format(2), responses=TAKEN.format(2)), [1, 2]),
    (Name.SENT_TWICE, times(2, lambda s: s.say("SendMail", SEND)), [1, 2]),
    (Name.GIVEN_TWICE, Script().sync("1", "2", down=GIVEN).sync("2", "3", down=GIVEN), [1, 2]),
    (Name.ADDS_LATE, Script().sync("4", "5", up=ADD.format(1)).sync("5", "6", responses=TAKEN.format(1)), [1, 2]),
    (Name.ADDS_UNANSWERED, Script().sync("4", "5", up=ADD.format(1)), [1]),
    (Name.MALFORMED, Script().say("Search", SEARCH, http_status=400), [1]),
    (Name.MALFORMED, Script().sync("1", status="4"), [1]),
    (Name.UNDECODABLE, Script().say("Search", SEARCH, b"<html>Please log in</html>"), [1]),
    (Name.UNDECODABLE, Script().say("Search", b"\x03\x01\x6a\x00\xff\xff", STATUS.format("Search", 1)), [1]),
    (Name.UNKNOWN_COMMAND, Script().say("Find", http_status=501), [1]),
    (Name.WRONG_VERSION, Script(version="12.1").sync("1", root="<HeartbeatInterval>480</HeartbeatInterval>"), [1]),
    (Name.WRONG_ORDER, Script().say("Sync", '<Sync xmlns="AirSync"><Collections><Collection><CollectionId>5'
     "</CollectionId><SyncKey>0</SyncKey></Collection></Collections></Sync>"), [1]),
]


@pytest.mark.parametrize(("name", "script", "numbers"), SESSIONS, ids=[str(row[0]) for row in SESSIONS])
def test_what_is_found(name: Name, script: Script, numbers: list[int]) -> None:
    found = {finding.name: finding for finding in explained(script.exchanges)}
    assert name in found, found
    assert sorted(found[name].numbers) == numbers
    assert found[name].device == "PHONE1"


@pytest.mark.parametrize(("name", "script", "numbers"), SESSIONS, ids=[str(row[0]) for row in SESSIONS])
def test_one_trouble_is_one_finding(name: Name, script: Script, numbers: list[int]) -> None:
    """No more is made of a session than what is wrong with it; these go together by nature."""
    together = {
        Name.STORM: {Name.EMPTY_AT_ONCE}, Name.CAME_TOO_EARLY: {Name.SERVER_BUSY},
    }
    assert {finding.name for finding in explained(script.exchanges)} - together.get(name, set()) == {name}


def test_each_has_a_session_and_words() -> None:
    assert {row[0] for row in SESSIONS} == set(Name) == set(ABOUT)
    page = (REPOSITORY / "docs" / "sessions.md").read_text()
    for name, about in ABOUT.items():
        assert f"| `{name}` | {about.means} | {about.todo} |" in page, name


#: What looks like trouble and is none.
HEALTHY: dict[str, Script] = {
    "a challenge before the password": Script().say("OPTIONS", http_status=401).say("OPTIONS", headers=AUTH),
    "a policy, once": Script().sync("4", http_status=449).say("Provision", PROVISION.format("")).say(
        "Provision", PROVISION.format("<Status>1</Status>")).sync("4", "5"),
    "one lost answer": Script().sync("4", http_status=None, took=480, root="<Wait>8</Wait>").sync("4", "5"),
    "one lost answer to a change": Script().sync("4", http_status=None, took=30, up=ADD.format(1)).sync(
        "4", "5", up=ADD.format(1), responses=TAKEN.format(1)),
    "what comes before each round": times(6, lambda s: s.say("Settings", STATUS.format("Settings", 1)).sync("4")),
    "asking in vain every minute": times(40, lambda s: s.sync("4", after=60)),
    "the list of folders each time": times(5, lambda s: s.say("FolderSync", FOLDER_SYNC.format(7), FOLDERS.format(7))),
    "waits to their end": times(10, lambda s: s.ping(480)),
    "a device that breaks waits off as it likes": Script().ping(900, "", http_status=None, took=31).ping(
        900, "", http_status=None, took=402).ping(900, "", http_status=None, took=7),
    "a heartbeat that is found": Script().ping(30, "5", took=0.1).ping(60, "5", took=0.1).ping(120),
    "news that come": times(5, lambda s: s.ping(480, "2", more=NEWS, took=2).sync("4", "5", down=GIVEN.replace(
        "5:1", f"5:{s.at}")).sync("5", "4")),
    "the folders have changed": Script().sync("4", status="12").say(
        "FolderSync", FOLDER_SYNC.format(1), FOLDERS.format(2)),
    "two windows": Script().sync("0", "1").sync("1", "2", down=GIVEN).sync("2", "3", down=GIVEN.replace("5:1", "5:2")),
    "an Add that is repeated with its key": Script().sync("4", "5", up=ADD.format(1), responses=TAKEN.format(1)).sync(
        "4", "5", up=ADD.format(1), responses=TAKEN.format(1)),
    "an item that comes back": Script().sync("1", "2", down=GIVEN).sync(
        "2", "3", down="<SoftDelete><ServerId>5:1</ServerId></SoftDelete>").sync("3", "4", down=GIVEN),
    "a new version after an update": Script().sync("4", "5").sync("5", "6", version="16.1"),
    "keys that begin at nothing twice": Script().sync("0", "1").sync("0", "1").sync("1", "2"),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_what_is_well(name: str) -> None:
    assert explained(HEALTHY[name].exchanges) == []


@pytest.mark.parametrize("version", [Version.V12_0, Version.V12_1, Version.V14_1, Version.V16_1])
async def test_a_healthy_phone(phone: Callable[..., Phone], version: Version) -> None:
    made = phone(version=version)
    tape = taped(made)
    await a_day(made, version)
    assert explained(tape.exchanges) == []


async def test_a_phone_on_a_bad_line(phone: Callable[..., Phone]) -> None:
    """Answers that are lost, from the device's end: it asks again, and the gateway repeats itself."""
    made = phone()
    await made.set_up()
    await made.sync()
    tape = taped(made)
    for number in range(4):
        made.connection.fate = lambda command: Fate.ANSWER_LOST
        made.add(next(f for f in made.folders() if f.name == "Contacts"), _contact(number))
        with pytest.raises(LostAnswer):
            await made.sync()
        made.connection.fate = lambda command: Fate.ANSWERED
        await made.sync()
    assert {finding.name for finding in explained(tape.exchanges)} == {Name.ANSWERS_LOST}


def _contact(number: int) -> object:
    from eas.items.contacts import Contact

    return Contact(first_name="Ben", last_name=str(number))


def test_devices_are_told_apart() -> None:
    """Three devices that each lose one answer are no device that loses three."""
    scripts = [Script(device=device).sync("1", "2").sync("1", "2") for device in ("A1", "A2", "A3")]
    assert explained(exchange for script in scripts for exchange in script.exchanges) == []
    found = explained([*Script(device="A1").say("FolderSync", http_status=403).exchanges,
                       *Script(device="A2").say("FolderSync", http_status=403).exchanges])
    assert [(one.name, one.device) for one in found] == [(Name.KEPT_OUT, "A1"), (Name.KEPT_OUT, "A2")]


def test_names_of_folders_and_order() -> None:
    script = Script().say("FolderSync", FOLDER_SYNC.format(0), FOLDERS.format(1).replace(
        "</SyncKey>",
        "</SyncKey><Changes><Add><ServerId>5</ServerId><DisplayName>Inbox</DisplayName></Add></Changes>"))
    script.sync("0", "1").sync("1", status="3").say("Search", http_status=403)
    found = explained(script.exchanges)
    assert [one.name for one in found] == [Name.KEPT_OUT, Name.KEY_REFUSED]
    assert found[1].said == "Inbox: key 1 is refused (Status 3)"


def test_bounded() -> None:
    """Many devices, many folders, many findings: what is remembered stays small."""
    explainer = Explainer()
    for number in range(3_000):
        target = f"/Microsoft-Server-ActiveSync?Cmd=Search&User=u&DeviceId=D{number}&DeviceType=x"
        explainer.see(seen(exchange_of(
            number=number, time=NOON, method="POST", target=target, headers=[("MS-ASProtocolVersion", "14.1")],
            body=b"", status=403, seconds=0.1,
        ), Meta()))
    assert len(explainer._watched) <= 500
    assert len(explainer.end()) <= 1_000


def _library() -> list[Path]:
    return sorted((REPOSITORY / "fixtures" / "sessions").rglob("*.session*"))


#: Sessions of the library in which something is wrong on purpose.
UNWELL: dict[str, set[Name]] = {
    # Each command of the client is a program of its own, which begins with key 0.
    "captured/pyactivesync-16.1-day.session": {Name.NOT_TAKEN, Name.BEGINS_ANEW},
    # Status 12 three times, then 3.
    "outlook-14.0/folder-gone.session": {Name.FOLDERS_IGNORED, Name.KEY_REFUSED},
    "outlook-14.0/policy.session": {Name.POLICY_LOOP},
    "unwell/policy-loop.session": {Name.POLICY_LOOP},
    "unwell/resync.session": {Name.KEY_REFUSED},
    "unwell/same-step.session": {Name.NOT_TAKEN},
    "unwell/storm.session": {Name.STORM, Name.EMPTY_AT_ONCE, Name.SERVER_BUSY, Name.CAME_TOO_EARLY},
    "unwell/waits-cut.session": {Name.WAITS_CUT},
}


@pytest.mark.parametrize("file", _library(), ids=lambda file: "/".join(file.parts[-2:]))
def test_the_library_is_well(file: Path) -> None:
    explainer = Explainer()
    with open_session(file) as session:
        for exchange in session.exchanges:
            explainer.see(seen(exchange, session.meta))
    assert {finding.name for finding in explainer.end()} == UNWELL.get("/".join(file.parts[-2:]), set())
