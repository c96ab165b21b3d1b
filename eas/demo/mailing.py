"""Messages as the office's people, customers and machines send them, delivered to those who can log in.

Every byte comes from the tables and the day: boundaries and Message-IDs are counted, not drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from email.headerregistry import Address
from email.message import EmailMessage, Message
from email.policy import SMTP
from email.utils import format_datetime
from functools import cache
from hashlib import sha256
from zoneinfo import ZoneInfo

from eas.engine.model import FolderType
from eas.items.native import FollowUp, MailFlags

from .model import DOMAIN, ZONE, DemoMail
from .people import ADDRESS_OF, LOG_INS, MEMBERS_OF
from .pictures import floor_plan, pdf, wood_sample
from .threads import Said, chatter, threads

#: Days back to which reports and chatter reach.
REPORT_DAYS = 56
#: Mail younger than this is unread where its table does not say otherwise, and of that of the last week one in three.
UNREAD_HOURS = 20


@cache
def files() -> dict[str, tuple[str, bytes]]:
    """What is attached to messages, by file name: MIME type and octets."""
    open_items = "Invoice;Customer;Amount;Days\r\n3308;Fjordhotel;11640.00;21\r\n3312;Café Hafenblick;2900.00;4\r\n"
    prices = "Article;Unit;until;from\r\nOak 26 mm;m2;84.00;84.00\r\nBirch ply 18 mm;m2;38.40;41.90\r\n"
    return {
        "room-plan.png": ("image/png", floor_plan()),
        "stand-plan.png": ("image/png", floor_plan()),
        "sketch.png": ("image/png", wood_sample(3)),
        "sample-1.png": ("image/png", wood_sample(8)),
        "offer-2217.pdf": ("application/pdf", pdf("Offer 2217", [
            "City Archive, store on the second floor", "", "38 m of shelving, ash         17,860.00",
            "3 doors T30, fitted            9,420.00", "", "Delivery within seven weeks."])),
        "minutes.pdf": ("application/pdf", pdf("Monday round", [
            "Extraction: electrician is coming.", "Fair: Ben on the first two days, David on Saturday.",
            "Coffee machine: Emma asks for prices."])),
        "A-104.pdf": ("application/pdf", pdf("A-104  Reading niche", ["Scale 1:20", "All dimensions in inches."])),
        "elevator.pdf": ("application/pdf", pdf("Elevator", ["Cab 80 x 54 in, door 42 in, height 96 in."])),
        "catalogue-draft.pdf": ("application/pdf", pdf("Nordhang Joinery", ["Rooms made of wood", "", "Draft 2"])),
        "open-items.csv": ("text/csv", open_items.encode("utf-8")),
        "price-list.csv": ("text/csv", prices.encode("utf-8")),
        "stand-list.csv": ("text/csv", b"Piece;Number\r\nTable;1\r\nNiche 1:2;1\r\nDoor;2\r\n"),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A message on its way. `key` is unique and names it; `answered` who answered it, and when."""

    key: str
    message: Message
    author: str
    recipients: tuple[str, ...]
    at: datetime
    said: Said
    answered: tuple[tuple[str, datetime], ...] = ()


def mails(now: datetime) -> Iterator[DemoMail]:
    """All messages in all mailboxes. `now` is aware."""
    for sent in (*_threads(now), *_chats(now), *_reports(now), *_confirmations(now), *_odd_ones(now), *_news(now)):
        yield from _deliver(sent, now)
    yield from _drafts(now)


def moment(now: datetime, days: int, at: str) -> datetime:
    """So many days ago, at that time in the office; of today, never later than a few minutes ago."""
    local = now.astimezone(ZoneInfo(ZONE))
    hour, minute = map(int, at.split(":"))
    then = datetime.combine(local.date() - timedelta(days=days), time(hour, minute), ZoneInfo(ZONE))
    return then if then < local else local - timedelta(minutes=7 + minute)


# Making messages ----------------------------------------------------------------------------------------------------


def compose(key: str, said: Said, subject: str, at: datetime, references: Sequence[str] = ()) -> EmailMessage:
    """One message: text, or text and HTML, with a picture inside it and files beside it as the table says."""
    message = EmailMessage(policy=SMTP)
    name, address = ADDRESS_OF[said.author]
    message["From"] = Address(name, addr_spec=address)
    for header, keys in (("To", said.to), ("Cc", said.cc)):
        if keys:
            message[header] = [Address(ADDRESS_OF[key][0], addr_spec=ADDRESS_OF[key][1]) for key in keys]
    message["Subject"] = subject
    message["Date"] = format_datetime(at)
    message["Message-ID"] = message_id(key)
    if references:
        message["In-Reply-To"] = references[-1]
        message["References"] = " ".join(references)
    if said.important:
        message["Importance"] = "high"
        message["X-Priority"] = "1"
    if said.receipt:
        message["Disposition-Notification-To"] = address
    message.set_content(said.text + "\n", charset=said.charset)
    if said.html:
        page = f'<html><head><meta charset="{said.charset}"></head><body>{said.html}</body></html>\n'
        message.add_alternative(page, subtype="html", charset=said.charset)
    if said.inline:
        kind, octets = files()[said.inline]
        html = message.get_body(("html",))
        assert isinstance(html, EmailMessage), "a picture inside needs HTML"
        html.add_related(
            octets, *kind.split("/"), cid=f"<{said.inline.partition('.')[0]}@nordhang>", filename=said.inline,
            disposition="inline",
        )
    for attached in said.attached:
        kind, octets = files()[attached]
        message.add_attachment(octets, *kind.split("/"), filename=attached)
    settle_boundaries(message, key)
    return message


def message_id(key: str) -> str:
    return f"<{sha256(key.encode()).hexdigest()[:20]}@{DOMAIN}>"


def settle_boundaries(message: Message, key: str) -> None:
    """Boundaries that are the same each time."""
    for number, part in enumerate(part for part in message.walk() if part.is_multipart()):
        if part.get_content_maintype() == "multipart":
            part.set_boundary(f"=_{sha256(f'{key} {number}'.encode()).hexdigest()[:24]}")


def members(keys: Iterable[str]) -> tuple[str, ...]:
    """The people behind keys of people and groups."""
    return tuple(dict.fromkeys(name for key in keys for name in MEMBERS_OF.get(key, (key,))))


def _sent(key: str, said: Said, subject: str, at: datetime, references: Sequence[str] = ()) -> Sent:
    message = compose(key, said, subject, at, references)
    return Sent(
        key=key, message=message, author=said.author, recipients=members((*said.to, *said.cc)), at=at, said=said
    )


# Sources of mail ----------------------------------------------------------------------------------------------------


def _threads(now: datetime) -> Iterator[Sent]:
    for number, thread in enumerate(threads()):
        references: list[str] = []
        times = [moment(now, said.days, said.at) for said in thread.said]
        for place, (said, at) in enumerate(zip(thread.said, times, strict=True)):
            key = f"thread {number} {place}"
            sent = _sent(key, said, f"Re: {thread.subject}" if place else thread.subject, at, references)
            later = zip(thread.said[place + 1 :], times[place + 1 :], strict=True)
            answered = [(next_said.author, when) for next_said, when in later if said.author in next_said.to][:1]
            references.append(message_id(key))
            yield replace(sent, answered=tuple(answered))


def _chats(now: datetime) -> Iterator[Sent]:
    """The short messages, spread over the last weeks, round and round."""
    chats = chatter()
    for number in range(2 * len(chats)):
        chat = chats[number % len(chats)]
        if chat.subject.startswith("Re: ") and number >= len(chats):
            continue
        days = 1 + number * REPORT_DAYS // (2 * len(chats))
        said = Said(
            author=chat.author, to=chat.to, days=days, at=f"{8 + number * 7 % 9:02d}:{number * 13 % 60:02d}",
            text=f"{chat.text}\n\n{ADDRESS_OF[chat.author][0].split()[0]}",
        )
        before = [message_id(f"chat {number - 1}")] if chat.subject.startswith("Re: ") else []
        yield _sent(f"chat {number}", said, chat.subject, moment(now, said.days, said.at), before)


def _reports(now: datetime) -> Iterator[Sent]:
    """What the machines did, every working day at six in the evening, as an HTML table."""
    for days in range(1, REPORT_DAYS):
        at = moment(now, days, "18:00")
        if at.weekday() > 4:
            continue
        digits = sha256(at.date().isoformat().encode()).digest()
        hours = {name: 3 + digit % 6 for name, digit in zip(("Saw 1", "Saw 2", "CNC", "Press"), digits, strict=False)}
        rows = "".join(f"<tr><td>{name}</td><td align=right>{h}.{h * 7 % 10} h</td></tr>" for name, h in hours.items())
        said = Said(
            author="planer", to=("workshop", "anna", "carla"), days=days, at="18:00",
            text="\n".join(f"{name}: {h}.{h * 7 % 10} h" for name, h in hours.items()),
            html=f"<h3>Machine hours, {at:%d.%m.%Y}</h3><table border=1 cellpadding=4>{rows}</table>",
        )
        yield _sent(f"report {at.date()}", said, f"Machine hours {at:%d.%m.}", at)


def _confirmations(now: datetime) -> Iterator[Sent]:
    """Orders that Ben confirmed; Emma and Anna read along."""
    customers = ("ines", "joel", "kim", "lena", "priya", "quentin")
    things = ("two shelves, ash", "a table top, oak", "repair of a drawer", "six chairs, beech", "a door, painted")
    for number in range(24):
        customer, thing = customers[number % len(customers)], things[number % len(things)]
        said = Said(
            author="ben", to=(customer,), cc=("anna", "emma"), days=2 + number * 2, at="16:15", filed="Orders",
            text=(
                f"Dear {ADDRESS_OF[customer][0]},\n\nthank you for your order {2190 + number}: {thing}. We will tell "
                f"you the date of delivery within three days.\n\nBen Okafor\nNordhang Joinery"
            ),
        )
        yield _sent(f"order {number}", said, f"Order {2190 + number}: {thing}", moment(now, said.days, said.at))


def _news(now: datetime) -> Iterator[Sent]:
    """Newsletters: HTML alone, with the address to leave them."""
    topics = ("Glue that forgives", "Sharpening on glass", "Ash or oak outdoors", "A jig for mitres", "Dust, measured")
    for week in range(8):
        topic = topics[week % len(topics)]
        at = moment(now, 1 + 7 * week, "05:30")
        said = Said(author="board", to=("carla", "ben"), days=1 + 7 * week, at="05:30", text=topic)
        sent = _sent(f"news {week}", said, f"Woodworkers' Board: {topic}", at)
        page = (
            f"<html><body bgcolor='#f4efe6'><table width=600 align=center><tr><td><h1>{topic}</h1><p>Four things that "
            f"our readers found out this week, and one that they would rather not have.</p>"
            f"<p><a href='https://woodworkers-board.example/{200 - week}'>Read on</a></p><hr><small>You get this "
            f"because you asked for it. <a href='https://woodworkers-board.example/leave'>Leave</a></small></td></tr></table>"
            f"</body></html>\n"
        )
        sent.message.set_content(page, subtype="html", charset="utf-8")  # type: ignore[attr-defined]
        sent.message["List-Unsubscribe"] = "<https://woodworkers-board.example/leave>"
        yield sent


def _odd_ones(now: datetime) -> Iterator[Sent]:
    """What arrives in every office: a forwarded message as an attachment, and a charset that is not what it says."""
    at = moment(now, 6, "10:40")
    said = Said(author="anna", to=("carla",), days=6, at="10:40", text="For your files, see what is attached.\n\nAnna")
    sent = _sent("forwarded", said, "Fwd: Samples", at)
    original = Said(author="noor", to=("anna",), days=7, at="09:00", text="The samples leave us today.\n\nNoor")
    inner = compose("forwarded original", original, "Samples", moment(now, 7, "09:00"))
    sent.message.add_attachment(inner)  # type: ignore[attr-defined]
    settle_boundaries(sent.message, "forwarded")
    yield sent

    at = moment(now, 9, "13:13")
    said = Said(author="noor", to=("anna", "ben"), days=9, at="13:13", text="-")
    wrong = _sent("wrong charset", said, "Scharniere / charnières", at)
    raw = "Größe 35 mm, 40 Stück à 3,20 € – früher als geplant.\r\n\r\nNoor".encode("windows-1252")
    wrong.message.set_payload(raw.decode("ascii", "surrogateescape"))
    wrong.message.replace_header("Content-Type", 'text/plain; charset="us-ascii"')
    wrong.message.replace_header("Content-Transfer-Encoding", "8bit")
    yield wrong


# Delivery -----------------------------------------------------------------------------------------------------------


def octets(message: Message) -> bytes:
    """As it goes over the line."""
    return message.as_bytes(policy=SMTP.clone(max_line_length=998))


def _deliver(sent: Sent, now: datetime) -> Iterator[DemoMail]:
    """A copy for the author's Sent Items and for everybody who gets it, of those who can log in."""
    raw = octets(sent.message)
    if sent.author in LOG_INS:
        flags = MailFlags(read=True, categories=sent.said.categories)
        yield DemoMail(owner=sent.author, folder=FolderType.SENT_ITEMS, message=raw, received=sent.at, flags=flags)
    for owner in sent.recipients:
        if owner not in LOG_INS or owner == sent.author:
            continue
        folder = sent.said.filed if sent.said.filed and owner in FILES_FOR.get(sent.said.filed, ()) else ""
        day = format_datetime(sent.at)
        trace = f"Received: from mail.{DOMAIN} by mx.{DOMAIN} for <{owner}@{DOMAIN}>;\r\n {day}\r\n"
        yield DemoMail(
            owner=owner, folder=folder or FolderType.INBOX, message=trace.encode() + raw, received=sent.at,
            flags=_flags(sent, owner, now),
        )


#: The demo's own mail folders, and who has them.
FILES_FOR: dict[str, tuple[str, ...]] = {
    "Café Hafenblick": ("ben", "carla"),
    "City Archive": ("ben",),
    "Yarrow Lofts": ("carla", "ben"),
    "Orders": ("anna",),
    "Private": ("anna",),
}


def _flags(sent: Sent, owner: str, now: datetime) -> MailFlags:
    age = now - sent.at
    drawn = sha256(f"{sent.key} {owner}".encode()).digest()[0]
    fresh = age < timedelta(hours=UNREAD_HOURS) or (age < timedelta(days=7) and drawn % 3 == 0)
    answers = [when for author, when in sent.answered if author == owner]
    follow_up = None
    if sent.said.flagged:
        due = datetime.combine((now + timedelta(days=2)).date(), time(), now.tzinfo)
        follow_up = FollowUp(
            status=2, subject=str(sent.message["Subject"]), flag_type="for Follow Up", start=sent.at, utc_start=sent.at,
            due=due, utc_due=due,
        )
    return MailFlags(
        read=bool(answers) or not (sent.said.unread or fresh), follow_up=follow_up,
        last_verb=0 if not answers else 2 if sent.said.cc or len(sent.said.to) > 1 else 1,
        last_verb_time=answers[0] if answers else None, categories=sent.said.categories,
    )


def _drafts(now: datetime) -> Iterator[DemoMail]:
    """Begun, not sent."""
    begun = (
        ("anna", Said(author="anna", to=("everyone",), days=1, at="16:50", text="Dear all,\n\nover New Year we")),
        ("ben", Said(author="ben", to=("kim",), days=2, at="18:02", text="Hei Kim,\n\nsix more wardrobes would be")),
    )
    for owner, said in begun:
        at = moment(now, said.days, said.at)
        message = compose(f"draft {owner}", said, "New Year" if owner == "anna" else "Six more", at)
        yield DemoMail(
            owner=owner, folder=FolderType.DRAFTS, message=octets(message), received=at,
            flags=MailFlags(read=True, draft=True),
        )
