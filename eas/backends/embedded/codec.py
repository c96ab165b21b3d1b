"""What stands in columns: moments, flags, MIME trees and out-of-office settings, both ways; and versions.

JSON is compact and leaves out what is not set; what an older release wrote stays readable.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from hashlib import blake2b, sha256
from typing import Any

from eas.engine.model import Audience, OofReply, OutOfOffice
from eas.items.native import FollowUp, MailFlags, Part

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

#: Beyond every edge that a datetime can be.
FOREVER = 1 << 62


def millis(moment: datetime) -> int:
    """Epoch milliseconds of an aware datetime."""
    return (moment - _EPOCH) // _MILLISECOND


def moment(value: int) -> datetime:
    """Aware, UTC."""
    return _EPOCH + value * _MILLISECOND


def digest(data: bytes) -> str:
    return sha256(data).hexdigest()


def record_version(content_digest: str) -> str:
    """The version of a record: equal for equal octets, so that writing the same twice is no change."""
    return content_digest[:20]


def compact(value: Any) -> str:
    """ASCII, so that nothing which a message brings along (NUL, halves of surrogates) is refused by a database."""
    return json.dumps(value, separators=(",", ":"))


# --- Flags ------------------------------------------------------------------------------------------------------------

_FOLLOW_UP_MOMENTS = (
    "date_completed", "complete_time", "start", "due", "utc_start", "utc_due", "reminder_time", "ordinal_date",
)
_FOLLOW_UP_PLAIN = ("subject", "flag_type", "reminder_set", "sub_ordinal_date")

#: The version of a message that is unread and has nothing else set.
PLAIN_VERSION = "u"


def dump_flags(flags: MailFlags) -> str:
    """JSON; "" for none set."""
    out: dict[str, Any] = {}
    if flags.read:
        out["read"] = 1
    if flags.draft:
        out["draft"] = 1
    if flags.last_verb:
        out["verb"] = flags.last_verb
        if flags.last_verb_time is not None:
            out["verb_time"] = millis(flags.last_verb_time)
    if flags.categories:
        out["categories"] = list(flags.categories)
    if flags.follow_up is not None:
        out["flag"] = _dump_follow_up(flags.follow_up)
    return compact(out) if out else ""


def _dump_follow_up(flag: FollowUp) -> dict[str, Any]:
    out: dict[str, Any] = {"status": flag.status}
    for name in _FOLLOW_UP_PLAIN:
        if (value := getattr(flag, name)) is not None:
            out[name] = value
    for name in _FOLLOW_UP_MOMENTS:
        if (at := getattr(flag, name)) is not None:
            out[name] = millis(at)
    return out


_UNSET = MailFlags()
_READ = MailFlags(read=True)


def load_flags(text: str) -> MailFlags:
    if not text:
        return _UNSET
    if text == '{"read":1}':
        return _READ
    value = json.loads(text)
    follow_up = None
    if (flag := value.get("flag")) is not None:
        values: dict[str, Any] = {name: flag[name] for name in _FOLLOW_UP_PLAIN if name in flag}
        values |= {name: moment(flag[name]) for name in _FOLLOW_UP_MOMENTS if name in flag}
        follow_up = FollowUp(status=flag["status"], **values)
    return MailFlags(
        read="read" in value, draft="draft" in value, last_verb=value.get("verb", 0),
        last_verb_time=moment(value["verb_time"]) if "verb_time" in value else None,
        categories=tuple(value.get("categories", ())), follow_up=follow_up,
    )


def flags_version(text: str) -> str:
    """The version of a message from its flags as JSON, in the pieces that tell what has changed (eas.engine.flags)."""
    if not text:
        return PLAIN_VERSION
    value = json.loads(text)
    read = "r" if value.pop("read", 0) else PLAIN_VERSION
    pieces = [_digested("f", value.pop("flag", None)), _digested("c", value.pop("categories", None))]
    return "".join((read, *pieces, _digested("x", value)))


def _digested(mark: str, value: Any) -> str:
    return f".{mark}{blake2b(compact(value).encode(), digest_size=4).hexdigest()}" if value else ""


def mail_version(text: str, content_digest: str) -> str:
    """The version of a message: of a draft, whose content may change, it names that as well (eas.engine.drafts)."""
    version = flags_version(text)
    return f"{version}~{content_digest[:12]}" if text and load_flags(text).draft else version


# --- MIME trees -------------------------------------------------------------------------------------------------------


def dump_part(part: Part) -> list[Any]:
    """Values by position, those at the end left out while they are the defaults."""
    out: list[Any] = [
        part.section, part.type, part.size, part.offset, [dump_part(child) for child in part.children],
        part.encoding, dict(part.params), part.disposition, part.filename, part.content_id, part.location,
    ]
    while not out[-1] and len(out) > 5:
        out.pop()
    return out


def dump_structure(part: Part) -> str:
    return compact(dump_part(part))


def load_structure(text: str) -> Part:
    return _load_part(json.loads(text))


_PART_REST: tuple[Any, ...] = ("7bit", {}, "", "", "", "")


def _load_part(value: list[Any]) -> Part:
    section, kind, size, offset, children, *rest = value
    encoding, params, disposition, filename, content_id, location = (*rest, *_PART_REST[len(rest):])
    return Part(
        section=section, type=kind, size=size, encoding=encoding, params=params, disposition=disposition,
        filename=filename, content_id=content_id, location=location, offset=offset,
        children=tuple([_load_part(child) for child in children]) if children else (),
    )


# --- Out of office ----------------------------------------------------------------------------------------------------


def dump_out_of_office(value: OutOfOffice) -> str:
    return compact({
        "state": value.state,
        "start": millis(value.start) if value.start else None,
        "end": millis(value.end) if value.end else None,
        "replies": {
            audience.value: {"enabled": reply.enabled, "text": reply.text, "html": reply.html}
            for audience, reply in value.replies.items()
        },
    })


def load_out_of_office(text: str) -> OutOfOffice:
    if not text:
        return OutOfOffice()
    value = json.loads(text)
    return OutOfOffice(
        state=value["state"],
        start=moment(value["start"]) if value["start"] is not None else None,
        end=moment(value["end"]) if value["end"] is not None else None,
        replies={
            Audience(audience): OofReply(enabled=reply["enabled"], text=reply["text"], html=reply["html"])
            for audience, reply in value["replies"].items()
        },
    )
