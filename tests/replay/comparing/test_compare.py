"""What differs is found and said in words; what may differ is not; in both directions."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from eas.protocol.wbxml import Element
from eas.replay.comparing.compare import compare_answers, compare_requests, differences
from eas.replay.comparing.ids import Ids
from eas.replay.comparing.may_differ import DEFAULT
from eas.replay.comparing.outcome import Kind
from eas.replay.comparing.rules import Manner, Rule
from eas.replay.format import document
from eas.replay.format.body import body_of
from eas.replay.format.model import Answer, Document, LeftOut, Parts, Request

Said = tuple[str, Kind, str]


def xml(text: str) -> Element:
    return document.from_text(text)


def mail(number: int, subject: str, more: str = "") -> str:
    return (
        f"<Add><ServerId>5:{number}</ServerId><ApplicationData><email:Subject>{subject}</email:Subject>"
        f"<email:From>carla@example.com</email:From><email:Read>0</email:Read>{more}</ApplicationData></Add>"
    )


def sync(commands: str, status: str = "1", folder: str = "5", key: str = "7", responses: str = "") -> Element:
    return xml(
        f'<Sync xmlns="AirSync"><Collections><Collection><SyncKey>{key}</SyncKey><CollectionId>{folder}</CollectionId>'
        f"<Status>{status}</Status>{f'<Commands>{commands}</Commands>' if commands else ''}{responses}"
        "</Collection></Collections></Sync>"
    )


TYPES = {"Inbox": 2, "Drafts": 3, "Trash": 4, "Sent": 5, "Sent Items": 5}


def folders(*names: str, start: int = 1) -> Element:
    adds = "".join(
        f"<Add><ServerId>{number}</ServerId><ParentId>0</ParentId><DisplayName>{name}</DisplayName>"
        f"<Type>{TYPES.get(name, 1)}</Type></Add>"
        for number, name in enumerate(names, start)
    )
    return xml(f'<FolderSync xmlns="FolderHierarchy"><Status>1</Status><SyncKey>1</SyncKey><Changes>'
               f"<Count>{len(names)}</Count>{adds}</Changes></FolderSync>")


TO = "Sync/Collections/Collection[5]"

#: expected, got, what is said from left to right, and from right to left: (where, kind, message).
DIFFER = [
    (sync(mail(1, "Re: lunch") + mail(2, "Plan")), sync(mail(2, "Plan")),
     (f"{TO}/Commands/Add[1]", Kind.MISSING, "Add of 'Re: lunch' is missing"),
     (f"{TO}/Commands/Add[1]", Kind.EXTRA, "Add of 'Re: lunch' was not expected")),
    (sync(mail(1, "Re: lunch")), sync(mail(1, "Re: lunch").replace("<email:Read>0", "<email:Read>1")),
     (f"{TO}/Commands/Add/ApplicationData/email:Read", Kind.CHANGED, "Add of 'Re: lunch': Read is '1', not '0'"),
     (f"{TO}/Commands/Add/ApplicationData/email:Read", Kind.CHANGED, "Add of 'Re: lunch': Read is '0', not '1'")),
    (sync(""), sync("", status="3"),
     (f"{TO}/Status", Kind.STATUS, "Collection 5: Status is '3', not '1' ("),
     (f"{TO}/Status", Kind.STATUS, "Collection 5: Status is '1', not '3' ("),),
    (sync("", key="0"), sync("", key="9"),
     (f"{TO}/SyncKey", Kind.CHANGED, "SyncKey is '9', not '0'"),
     (f"{TO}/SyncKey", Kind.CHANGED, "SyncKey is '0', not '9'")),
    (sync(mail(1, "A")), sync(mail(1, "A", "<email:Importance>1</email:Importance>")),
     (f"{TO}/Commands/Add/ApplicationData/email:Importance", Kind.EXTRA,
      "Add of 'A': Importance '1' was not expected"),
     (f"{TO}/Commands/Add/ApplicationData/email:Importance", Kind.MISSING, "Add of 'A': Importance '1' is missing")),
    (folders("Inbox", "Sent"), folders("Inbox", "Sent Items"),
     ("FolderSync/Changes/Add[2]/DisplayName", Kind.CHANGED, "Add of 'Sent': DisplayName is 'Sent Items', not 'Sent'"),
     ("FolderSync/Changes/Add[2]/DisplayName", Kind.CHANGED, "DisplayName is 'Sent', not 'Sent Items'")),
    (sync(mail(1, "A")), folders("Inbox"),
     ("Sync", Kind.BODY, "The document is a FolderSync, not a Sync"),
     ("FolderSync", Kind.BODY, "The document is a Sync, not a FolderSync")),
]


@pytest.mark.parametrize(("expected", "got", "there", "back"), DIFFER)
def test_what_differs(expected: Element, got: Element, there: Said, back: Said) -> None:
    for one, other, (where, kind, message) in ((expected, got, there), (got, expected, back)):
        (found,) = differences(one, other)
        assert (found.where, found.kind) == (where, kind)
        assert message in found.message


def body(kind: int, text: str, size: int = 9) -> str:
    return (f"<airsyncbase:Body><airsyncbase:Type>{kind}</airsyncbase:Type><airsyncbase:EstimatedDataSize>{size}"
            f"</airsyncbase:EstimatedDataSize><airsyncbase:Data>{text}</airsyncbase:Data></airsyncbase:Body>")


MESSAGE = "From: Ben &lt;ben@example.com&gt;\nSubject: Plan\nContent-Type: text/plain; charset=utf-8\n\n{}"

#: Pairs that count as the same, in both directions.
SAME = [
    (sync(mail(1, "A") + mail(2, "B")), sync(mail(7, "B") + mail(8, "A"), folder="11", key="{abc}12")),
    (folders("Inbox", "Sent"), folders("Sent", "Inbox", start=40)),
    (sync(mail(1, "A", body(1, "Hello &#13;\nyou", 9))), sync(mail(1, "A", body(1, "Hello\nyou\n", 11)))),
    (sync(mail(1, "A", body(4, MESSAGE.format("Gr=C3=BC=C3=9Fe").replace("\n\n", "\nContent-Transfer-Encoding: "
                                              "quoted-printable\n\n")))),
     sync(mail(1, "A", body(4, "Received: from x\n" + MESSAGE.format("R3LDvMOfZQ==").replace(
         "\n\n", "\nContent-Transfer-Encoding: base64\n\n"))))),
    (sync(mail(1, "A", "<email:DateReceived>2026-11-21T12:00:00.000Z</email:DateReceived>")),
     sync(mail(1, "A", "<email:DateReceived>2026-11-21T12:03:00.000Z</email:DateReceived>"))),
    (sync("<Delete><ServerId>5:1</ServerId></Delete><Delete><ServerId>5:2</ServerId></Delete>"),
     sync("<Delete><ServerId>5:2</ServerId></Delete><Delete><ServerId>5:1</ServerId></Delete>")),
    (sync(mail(1, "A", "<email:Categories><email:Category>x</email:Category><email:Category>y</email:Category>"
                       "</email:Categories>")),
     sync(mail(1, "A", "<email:Categories><email:Category>y</email:Category><email:Category>x</email:Category>"
                       "</email:Categories>"))),
]


@pytest.mark.parametrize(("expected", "got"), SAME)
def test_what_may_differ(expected: Element, got: Element) -> None:
    assert differences(expected, got) == []
    assert differences(got, expected) == []


@pytest.mark.parametrize("kind", [1, 2, 4])
def test_a_text_that_looks_like_a_message_is_none(kind: int) -> None:
    one, other = (sync(mail(1, "A", body(kind, f"From: Ben\nNote: {word}\n\nx"))) for word in ("yes", "no"))
    assert len(differences(one, other)) == 1


def test_fields_that_servers_add_to_messages_count_for_nothing() -> None:
    one, other = (sync(mail(1, "A", body(4, f"X-Spam: {word}\n{MESSAGE}"))) for word in ("yes", "no"))
    assert differences(one, other) == []
    one, other = (sync(mail(1, "A", body(1, f"X-Spam: {word}\n{MESSAGE}"))) for word in ("yes", "no"))
    assert len(differences(one, other)) == 1


def test_another_folder_is_no_renamed_one() -> None:
    found = differences(folders("Inbox", "Projects"), folders("Inbox", "Garden"))
    assert [one.message for one in found] == ["Add of 'Projects' is missing", "Add of 'Garden' was not expected"]


def test_an_id_that_was_bound_must_not_change() -> None:
    rules = replace(DEFAULT, ids=Ids())
    assert differences(sync(mail(1, "A") + mail(2, "B")), sync(mail(21, "A") + mail(22, "B")), rules) == []
    change = "<Change><ServerId>5:{}</ServerId><ApplicationData><email:Read>1</email:Read></ApplicationData></Change>"
    assert differences(sync(change.format(2)), sync(change.format(22)), rules) == []
    (found,) = differences(sync(change.format(1)), sync(change.format(22)), rules)
    assert found.message == "Change of 5:1: ServerId is '5:22'; it was '5:21' before"


def test_folders_are_called_by_their_names() -> None:
    rules = replace(DEFAULT, ids=Ids())
    assert differences(folders("Inbox", "Sent", start=5), folders("Sent", "Inbox", start=90), rules) == []
    (found,) = differences(sync(mail(1, "A"), folder="5"), sync("", folder="91"), rules)
    assert found.where == "Sync/Collections/Collection[Inbox]/Commands"
    (found,) = differences(sync("", folder="5"), sync("", folder="90"), rules)
    assert found.kind is Kind.CHANGED  # Sent, not Inbox


def test_times_move_with_the_session() -> None:
    one, other = (sync(mail(1, "A", f"<email:DateReceived>2026-11-{day}T12:00:00.000Z</email:DateReceived>"))
                  for day in (21, 28))
    assert len(differences(one, other)) == 1
    assert differences(one, other, replace(DEFAULT, shift=timedelta(days=7))) == []


def test_order_of_different_elements_counts_when_strict() -> None:
    one = xml('<Ping xmlns="Ping"><HeartbeatInterval>60</HeartbeatInterval><Status>1</Status></Ping>')
    other = xml('<Ping xmlns="Ping"><Status>1</Status><HeartbeatInterval>60</HeartbeatInterval></Ping>')
    assert differences(one, other) == []
    (found,) = differences(one, other, replace(DEFAULT, strict=True))
    assert found.message == "Status stands before HeartbeatInterval"


def test_results_of_a_search_have_an_order() -> None:
    def search(*subjects: str) -> Element:
        results = "".join(f"<Result><LongId>{subject}</LongId><Properties><email:Subject>{subject}</email:Subject>"
                          "</Properties></Result>" for subject in subjects)
        return xml(f'<Search xmlns="Search"><Response><Store>{results}</Store></Response></Search>')

    (found,) = differences(search("A", "B", "C"), search("C", "A", "B"))
    assert (found.kind, found.expected, found.got) == (Kind.ORDER, "A, B, C", "C, A, B")
    (found,) = differences(search("A", "B", "C"), search("A", "C"))
    assert found.message == "Result of 'B' is missing"


@pytest.mark.parametrize("where", [
    "email:Read", "Read", "ApplicationData/Read", "Sync/**/email:Read", "Sync/Collections/*/Commands/*/*/Read",
    "**/Read", f"{TO}/Commands/Add[3]/ApplicationData/email:Read", "Sync/**", "Add/ApplicationData",
])
def test_places_in_rules(where: str) -> None:
    one, other = DIFFER[1][:2]
    assert differences(one, other, DEFAULT.and_([Rule(where, Manner.IGNORE)])) == []


@pytest.mark.parametrize("where", ["calendar:Read", "FolderSync/**/Read", "Delete/ApplicationData", "Commands/Read"])
def test_rules_for_other_places(where: str) -> None:
    one, other = DIFFER[1][:2]
    assert len(differences(one, other, DEFAULT.and_([Rule(where, Manner.IGNORE)]))) == 1


# Whole answers --------------------------------------------------------------------------------------------------------

WELL = Answer(status=200, seconds=0.1, headers=(("Content-Type", "application/vnd.ms-sync.wbxml"),),
              body=Document(sync(mail(1, "A"))))


@pytest.mark.parametrize(("got", "kind", "message"), [
    (None, Kind.SILENCE, "There is no answer: nothing came"),
    (Answer(status=None, seconds=9, why="it took too long"), Kind.SILENCE, "There is no answer: it took too long"),
    (replace(WELL, status=503), Kind.STATUS, "HTTP status is 503, not 200 (The phone was told to come back later"),
    (replace(WELL, headers=(("content-type", "text/html"),)), Kind.HEADER,
     "Header Content-Type is 'text/html', not 'application/vnd.ms-sync.wbxml'"),
    (replace(WELL, body=None, headers=()), Kind.BODY, "The body is empty, not a Sync document"),
    (replace(WELL, body=body_of(b"\x03\x01\x6a\x00\xff", "application/vnd.ms-sync.wbxml")), Kind.BODY,
     "The body is undecodable ("),
    (replace(WELL, body=Parts((WELL.body,))), Kind.BODY, "The body is an answer in 1 parts, not a Sync document"),
])
def test_answers(got: Answer | None, kind: Kind, message: str) -> None:
    (found,) = compare_answers(WELL, got)
    assert found.kind is kind
    assert found.message.startswith(message)


def test_headers_of_servers_are_passed_over() -> None:
    others = (("Server", "x"), ("content-type", "application/vnd.ms-sync.wbxml; charset=utf-8"))
    assert compare_answers(WELL, replace(WELL, headers=others)) == []


def test_what_was_not_recorded_is_not_compared() -> None:
    assert compare_answers(replace(WELL, body=LeftOut(70_000)), WELL) == []
    assert compare_answers(Answer(status=None, seconds=1, why="the client went away"), WELL) == []


def test_parts() -> None:
    one = replace(WELL, body=Parts((WELL.body, body_of(b"one"), body_of(b"two"))))
    (found,) = compare_answers(one, replace(WELL, body=Parts((WELL.body, body_of(b"one"), body_of(b"2")))))
    assert (found.where, found.expected, found.got) == ("part[2]", "two", "2")


def test_requests() -> None:
    def asks(query: str) -> Request:
        return Request(method="POST", target=f"/Microsoft-Server-ActiveSync?{query}", body=Document(sync("")))

    ids = replace(DEFAULT, ids=Ids())
    one = asks("Cmd=GetAttachment&User=anna&DeviceId=A1&DeviceType=SP&AttachmentName=5:1:0")
    other = asks("Cmd=GetAttachment&User=ben&DeviceId=B1&DeviceType=SP&AttachmentName=x")
    assert compare_requests(one, other, ids) == []
    (found,) = compare_requests(one, asks("Cmd=Sync&User=anna&DeviceId=A1&DeviceType=SP&AttachmentName=x"), ids)
    assert found.message == "Query Cmd is 'Sync', not 'GetAttachment'"
