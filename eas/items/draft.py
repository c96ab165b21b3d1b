"""Drafts: what a device of 16.0 and later says of one -> a message, and a change of it -> the message changed. Pure.

A draft is a message like others, which other programs write, too. So a change touches what it names and nothing else:
header fields that are not named stay as they are written, parts that are not named stay octet for octet. The same
change made twice comes to the same octets: each attachment that a device adds is marked, and found there.

[MS-ASEMAIL] Sync Command Request R1489, R1490, R14890, R14900; [MS-ASAIRS] Attachments, Add, Delete.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from email.utils import format_datetime
from hashlib import blake2b

from eas.items import attachments, headers, markup, mime, rawheader
from eas.items.body import BodyType, body_text
from eas.items.email import Attachment, Email
from eas.items.enclosed import Attach, Detach
from eas.items.merge import base64_lines, delimited, entity, text_entity
from eas.items.native import Part, Refused, Viewer
from eas.items.rawheader import Field

#: What a device may say of a draft: in its own words, and beside a message in MIME. R1489, R14890
WRITABLE = frozenset(
    ("to", "cc", "bcc", "subject", "importance", "reply_to", "attachments", "body", "read", "flag")
)
WITH_MIME = frozenset(("importance", "attachments", "body", "read", "flag"))

_FIELD_OF = {"to": "To", "cc": "Cc", "bcc": "Bcc", "reply_to": "Reply-To"}
_IMPORTANCE = {0: "low", 1: "normal", 2: "high"}
#: What else tells the importance, and would contradict.
_PRIORITIES = frozenset((b"x-priority", b"x-msmail-priority", b"priority"))

#: The parameter of Content-Type that marks a part which a device has added.
MARK = "x-attached-as"

Enclosure = Attachment | Attach | Detach


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafted:
    """`added` are the attachments that the device has added, by their ClientIds."""

    mime: bytes
    added: tuple[tuple[str, Part], ...] = ()


def check(item: Email, given: frozenset[str]) -> None:
    """Raises Refused for what a device may not say of a draft."""
    is_mime = item.body is not None and item.body.type is BodyType.MIME
    foreign = given - (WITH_MIME if is_mime else WRITABLE)
    if foreign:
        raise Refused(f"a device cannot set {', '.join(sorted(foreign))} of a draft")
    if item.importance is not None and item.importance not in _IMPORTANCE:
        raise Refused(f"no importance: {item.importance}")
    for one in item.attachments:
        if isinstance(one, Attachment):
            raise Refused("attachments are added and deleted")
        if isinstance(one, Attach) and one.method not in (attachments.NORMAL, attachments.EMBEDDED_MESSAGE):
            raise Refused(f"an attachment of method {one.method}")


def compose(item: Email, given: frozenset[str], viewer: Viewer, *, message_id: str, mark: str) -> Drafted:
    """A new draft. `mark` is unique to the command that adds it. Raises Refused, Unreadable."""
    fields = [
        Field(b"Date", format_datetime(viewer.now).encode("ascii")),
        Field(b"Message-ID", message_id.encode("ascii")),
        Field(b"MIME-Version", b"1.0"),
    ]
    if viewer.addresses:
        fields.insert(0, rawheader.address_field("From", [headers.Address(viewer.name, viewer.addresses[0])]))
    empty = rawheader.joined(fields)[:-2] + text_entity("plain", "")
    return change(empty, item, given, mark=mark)


def change(raw: bytes, item: Email, given: frozenset[str], *, mark: str) -> Drafted:
    """The draft `raw` with what the device says; what it does not name stays. Raises Refused, Unreadable."""
    check(item, given)
    if item.body is not None and item.body.type is BodyType.MIME:
        raw = _whole(raw, item.body.data or "")
    end = mime.header_end(raw)
    own, content = _parted(rawheader.fields_of(raw[:end]))
    root = mime.structure(raw)
    # What is deleted goes first, so that references mean what the device saw.
    tree = _detached(_Tree.read(raw, root, content), root, item.attachments)
    if "body" in given and (item.body is None or item.body.type is not BodyType.MIME):
        tree = tree.with_text(text_entity(*_said(item)))
    tree = _attached(tree, root, item.attachments, mark)
    done = rawheader.joined(_headed(own, item, given))[:-2] + tree.octets()
    return Drafted(mime=done, added=_added(done, item.attachments, mark))


def _whole(raw: bytes, data: str) -> bytes:
    """A message as the device has composed it; with the id of the draft if it brings none."""
    new = data.encode("utf-8", "surrogateescape").lstrip(b"\r\n")
    end = mime.header_end(new)
    if not end:
        raise Refused("a body in MIME without a header")
    fields = rawheader.fields_of(new[:end])
    named = {field.key for field in fields}
    kept = [
        field for field in rawheader.fields_of(raw[: mime.header_end(raw)])
        if field.key in (b"from", b"date", b"message-id", b"mime-version") and field.key not in named
    ]
    return rawheader.joined([*kept, *fields]) + new[end:]


# --- Header -----------------------------------------------------------------------------------------------------------


def _parted(fields: Iterable[Field]) -> tuple[list[Field], list[Field]]:
    """The fields of the message, and those of its content."""
    own: list[Field] = []
    content: list[Field] = []
    for field in fields:
        (content if field.key.startswith(b"content-") else own).append(field)
    return own, content


def _headed(fields: list[Field], item: Email, given: frozenset[str]) -> list[Field]:
    for name, label in _FIELD_OF.items():
        if name in given:
            fields = _with(fields, label, _addresses(label, getattr(item, name)))
    if "subject" in given:
        fields = _with(fields, "Subject", rawheader.field("Subject", item.subject) if item.subject else None)
        fields = rawheader.without(fields, (b"thread-topic",))
    if "importance" in given:
        word = _IMPORTANCE.get(1 if item.importance is None else item.importance, "normal")
        fields = _with(rawheader.without(fields, _PRIORITIES), "Importance", rawheader.field("Importance", word))
    return fields


def _with(fields: list[Field], label: str, new: Field | None) -> list[Field]:
    """With one field of the name, where the first one stood; without any for None."""
    key = label.lower().encode("ascii")
    places = [number for number, field in enumerate(fields) if field.key == key]
    kept = rawheader.without(fields, (key,))
    if new is not None:
        kept.insert(places[0] if places else len(kept), new)
    return kept


def _addresses(label: str, text: str | None) -> Field | None:
    """A list of addresses as it was typed: what is no address yet stays as well, for the device to show."""
    given = (text or "").strip()
    if not given:
        return None
    boxes = list(headers.addresses(given.replace("\r", " ").replace("\n", " ").encode("utf-8", "replace")))
    if boxes and all(box.address for box in boxes):
        return rawheader.in_ascii(rawheader.address_field(label, boxes))
    return rawheader.field(label, given)


def unfit_addresses(raw: bytes) -> tuple[str, ...]:
    """What stands in To, Cc and Bcc and is no SMTP address. [MS-ASCMD] Common Status Codes 183 R7472"""
    fields = headers.parse(raw[: mime.header_end(raw)])
    named = [box.address for name in (b"to", b"cc", b"bcc") for box in headers.addresses(fields.get(name, b""))]
    return tuple(address for address in named if not is_address(address))


def is_address(text: str) -> bool:
    local, at, domain = text.rpartition("@")
    return bool(at and local and domain and not set(text) & _NEVER and not domain.startswith("."))


_NEVER = frozenset(" \t\r\n<>,;:()\"\\\0")


def without_date(raw: bytes) -> bytes:
    """As it goes out: dated when it is sent, not when it was begun."""
    end = mime.header_end(raw)
    return rawheader.joined(rawheader.without(rawheader.fields_of(raw[:end]), (b"date",))) + raw[end:]


# --- Body and parts ---------------------------------------------------------------------------------------------------


def _said(item: Email) -> tuple[str, str]:
    """Subtype and text of the body that the device sent; none is an empty one."""
    if item.body is None:
        return "plain", ""
    if item.body.type is BodyType.HTML:
        return "html", markup.clean(item.body.data or "")
    return "plain", body_text(item.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tree:
    """A message's content as MIME entities. `fields` are the Content- fields, `body` all below them, encoded as it was;
    `part` is what they mean (None for what was added). `altered`: the children have changed, and make up the body."""

    fields: tuple[Field, ...]
    body: bytes = b""
    part: Part | None = None
    children: tuple[_Tree, ...] = ()
    altered: bool = False

    @classmethod
    def read(cls, raw: bytes, part: Part, fields: Sequence[Field]) -> _Tree:
        body = mime.cut_from(raw, part)
        children: list[_Tree] = []
        boundary = b"--" + part.params.get("boundary", "").encode("utf-8", "replace")
        for child in part.children if part.type.startswith("multipart/") else ():
            # A part's header begins on the line below the delimiter before it.
            line = raw.rfind(boundary, part.offset, child.offset)
            start = raw.find(b"\n", line, child.offset) + 1 if line >= 0 else child.offset
            children.append(cls.read(raw, child, rawheader.fields_of(raw[start : child.offset])))
        return cls(fields=tuple(fields), body=body, part=part, children=tuple(children))

    @classmethod
    def of(cls, octets: bytes) -> _Tree:
        end = mime.header_end(octets)
        return cls(fields=tuple(rawheader.fields_of(octets[:end])), body=octets[end:])

    @property
    def type(self) -> str:
        return self.part.type if self.part is not None else ""

    @property
    def is_attachment(self) -> bool:
        if self.part is None or self.type.startswith("multipart/"):
            return False
        return self.part.disposition == "attachment" or not self.type.startswith("text/")

    def octets(self) -> bytes:
        """Fields, a blank line, the content."""
        if not self.altered:
            return rawheader.joined(self.fields) + self.body
        kind = self.type or "multipart/mixed"
        boundary, body = delimited(kind.partition("/")[2], [child.octets() for child in self.children])
        kept = [(name, value) for name, value in self.part.params.items() if name != "boundary"] if self.part else []
        typed = rawheader.params(kind, [*kept, ("boundary", boundary)])
        others = [field for field in self.fields if field.key != b"content-type"]
        return rawheader.joined([Field(b"Content-Type", typed.encode("ascii", "replace")), *others]) + body

    def having(self, children: Iterable[_Tree]) -> _Tree:
        return replace(self, children=tuple(children), altered=True)

    def with_text(self, text: bytes) -> _Tree:
        """With another body text; what is attached stays. Of a multipart the first part that is no attachment is the
        text, of an alternative all of it."""
        if self.children and self.type in _AROUND:
            for number, child in enumerate(self.children):
                if not child.is_attachment:
                    return self.having((*self.children[:number], child.with_text(text), *self.children[number + 1 :]))
            return self.having((_Tree.of(text), *self.children))
        if self.is_attachment:
            return _mixed(_Tree.of(text), self)
        return _Tree.of(text)

    def without(self, section: str) -> _Tree | None:
        """None where nothing is left."""
        if self.part is not None and self.part.section == section:
            return None
        left = [child for given in self.children if (child := given.without(section)) is not None]
        if len(left) == len(self.children) and all(a is b for a, b in zip(left, self.children, strict=True)):
            return self
        return self.having(left) if left else None


#: Multiparts whose first part is the text and whose others belong to it.
_AROUND = frozenset(("multipart/mixed", "multipart/related"))


def _mixed(*children: _Tree) -> _Tree:
    return _Tree(fields=(), children=children, altered=True)


def _detached(tree: _Tree, root: Part, wanted: Iterable[Enclosure]) -> _Tree:
    """Without what is deleted. What is gone already was deleted before."""
    left: _Tree | None = tree
    for one in wanted:
        if isinstance(one, Detach) and left is not None:
            section = referred(root, one.file_reference.rpartition(":")[2])
            left = left if section is None else left.without(section)
    return _Tree.of(text_entity("plain", "")) if left is None else left


def _attached(tree: _Tree, root: Part, wanted: Iterable[Enclosure], mark: str) -> _Tree:
    there = {part.params.get(MARK) for part in mime.walk(root)}
    adds = (one for one in wanted if isinstance(one, Attach))
    named = ((one, f"{mark}-{number}") for number, one in enumerate(adds))
    new = [_Tree.of(_enclosed(one, name)) for one, name in named if name not in there]
    if not new:
        return tree
    if tree.type == "multipart/mixed" or (tree.altered and tree.part is None):
        return tree.having((*tree.children, *new))
    return _mixed(tree, *new)


def _enclosed(one: Attach, mark: str) -> bytes:
    """An attachment as an entity. A message stays one (Method 5)."""
    is_message = one.method == attachments.EMBEDDED_MESSAGE
    kind = "message/rfc822" if is_message else (one.content_type or "").strip().lower()
    kind = attachments.content_type(Part(section="1", type=kind, size=0))
    if kind.startswith(("multipart/", "message/")) and not is_message:
        kind = "application/octet-stream"
    name = attachments.display_name(Part(section="1", type=kind, size=0, filename=one.display_name))
    disposition = "inline" if one.is_inline else "attachment"
    body = rawheader.crlf(one.content) if is_message else base64_lines(one.content)
    encoding = ("7bit" if body.isascii() else "8bit") if is_message else "base64"
    fields = [
        ("Content-Type", rawheader.params(kind, [("name", name), (MARK, mark)])),
        ("Content-Transfer-Encoding", encoding),
        ("Content-Disposition", rawheader.params(disposition, [("filename", name)])),
    ]
    if one.content_id:
        fields.append(("Content-ID", f"<{one.content_id.strip('<> ')}>"))
    if one.content_location:
        fields.append(("Content-Location", one.content_location))
    return entity(fields, body)


def _added(done: bytes, wanted: Iterable[Enclosure], mark: str) -> tuple[tuple[str, Part], ...]:
    ids = [one.client_id for one in wanted if isinstance(one, Attach)]
    if not ids:
        return ()
    parts = {part.params.get(MARK, ""): part for part in mime.walk(mime.structure(done))}
    marked = ((id, parts.get(f"{mark}-{number}")) for number, id in enumerate(ids))
    return tuple((id, part) for id, part in marked if part is not None)


# --- References -------------------------------------------------------------------------------------------------------

#: Digits of a digest: they tell the attachments of one draft apart, no more.
_TELLING = 8


def reference(part: Part) -> str:
    """What names a part of a draft, whose sections move when others are deleted: `<section>-<digest of its marks>`."""
    told = "\0".join((
        part.type, part.filename, str(part.size), part.content_id, part.params.get(MARK, ""),
    ))
    if not part.section:
        return ""  # the whole message
    return f"{part.section}-{blake2b(told.encode('utf-8', 'replace'), digest_size=_TELLING // 2).hexdigest()}"


def referred(root: Part, name: str) -> str | None:
    """The section that a reference to an attachment leads to now; None if that is gone. The name of a section alone is
    taken, too."""
    section, dash, digest = name.partition("-")
    parts = [item.part for item in mime.attachments(root)]
    if dash:
        parts = [part for part in parts if reference(part).partition("-")[2] == digest]
    exact = [part for part in parts if part.section == section]
    return next((part.section for part in (exact or parts if dash else exact)), None)
