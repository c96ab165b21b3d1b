"""Documents: the same elements inside of each other, with other content."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping

from eas.protocol.wbxml import Element

from . import scanning, units
from .files import file_name
from .manners import FOLDERS, MANNER_OF, WORDS
from .mime import Messages
from .prose import Prose
from .recurrence import moved

#: What `keep` takes: numbers, and ranges of them.
_NUMBERS = re.compile(r"-?\d{1,10}(?:-\d{1,10})?|")
_BUSY = re.compile(r"[0-4]*")
#: [MS-ASDTYPE] TimeZone: 172 bytes in base64.
_ZONE = re.compile(r"[A-Za-z0-9+/\s]{231}=|[A-Za-z0-9+/]{230}==")
#: Type of a body -> manner. [MS-ASAIRS] Type.
_BODIES = {"1": "text", "2": "html", "3": "blob", "4": "mime", "HTML": "html", "html": "html", "Text": "text"}
#: Elements beside a body that say what it is.
_TYPES = frozenset({"AirSyncBase:Type", "Settings:BodyType", "FolderHierarchy:Type"})
#: Types of folders that every mailbox has, under whatever name. [MS-ASCMD] Type (FolderSync).
_DEFAULT_FOLDERS = frozenset({*map(str, range(2, 12)), "19"})
#: Elements with such a body, whose type stands beside them.
_TYPED = frozenset({"AirSyncBase:Data", "Settings:ReplyMessage"})

Manner = Callable[[str], str]


class Documents:
    """`counts` are contents that were replaced, by kind; `keep` are the kinds that stay."""

    def __init__(self, prose: Prose, messages: Messages, keep: Collection[str], counts: Counter[str]) -> None:
        self._prose, self._messages, self._keep, self.counts = prose, messages, keep, counts
        self._manners: Mapping[str, Manner] = {
            "text": prose.text, "person": prose.person,
            "subject": prose.subject, "query": prose.query, "body": prose.any, "html": prose.html,
            "mime": self._mime, "date": self._date, "id": prose.id, "uid": prose.uid,
            "object": lambda text: self._base64(text, prose.blobs.object_id), "file": self._file,
            "folder": self._folder, "blob": lambda text: self._base64(text, prose.blob),
            "index": lambda text: self._base64(text, prose.blobs.conversation_index),
            "opaque": lambda text: self._base64(text, prose.blobs.text_like), "place": prose.place,
            "device": prose.words.id, "policy": self._policy, "zone": self._zone, "busy": self._busy,
            "keep": self._kept, "shown": prose.only_places,
        }
        self._bytes: Mapping[str, Callable[[bytes], bytes]] = {
            "blob": prose.blob, "index": prose.blobs.conversation_index, "opaque": prose.blobs.text_like,
            "object": prose.blobs.object_id, "mime": messages.message,
        }

    def element(self, element: Element, beside: str = "") -> Element:
        """`beside` is the type that stands beside an element of the same parent, of bodies and folders."""
        content = element.content
        if isinstance(content, tuple):
            kind = next((str(one.content) for one in content if one.tag in _TYPES), "")
            children = tuple(self.element(one, kind) for one in content)
            if "dates" not in self._keep:
                children = moved(content, children, self._prose.shift)
            return Element(element.tag, children)
        manner, kind = MANNER_OF.get(element.tag, ("text", "bodies"))
        if kind in self._keep or (manner == "folder" and beside in _DEFAULT_FOLDERS and "@" not in str(content)):
            return element
        if element.tag in _TYPED and beside in _BODIES:
            manner = _BODIES[beside]
        made = self._content(content, manner)
        if made == content:
            return element
        self.counts[kind or "others"] += 1
        return Element(element.tag, made)

    def _content(self, content: str | bytes, manner: str) -> str | bytes:
        if isinstance(content, str):
            return self._manners[manner](content)
        if manner in self._bytes:
            return self._bytes[manner](content)
        try:
            return self._manners[manner](content.decode()).encode()
        except UnicodeError:
            return self._prose.blob(content)

    def _kept(self, text: str) -> str:
        return text if _NUMBERS.fullmatch(text) or text in WORDS else self._prose.text(text)

    def _busy(self, text: str) -> str:
        return text if _BUSY.fullmatch(text) else self._prose.text(text)

    def _zone(self, text: str) -> str:
        return text if _ZONE.fullmatch(text) else self._base64(text, self._prose.blob)

    def _date(self, text: str) -> str:
        """A date; what is none is text."""
        made = self._prose.shift.value(text)
        return self._prose.text(text) if made is None else made

    def _file(self, text: str) -> str:
        return file_name(text, self._prose.text)

    def _folder(self, text: str) -> str:
        return text if text.strip().lower() in FOLDERS else self._prose.text(text)

    def _base64(self, text: str, change: Callable[[bytes], bytes]) -> str:
        made = units.base64(
            text.encode("utf-8", "surrogatepass"), change,
            lambda raw: self._prose.text(raw.decode("utf-8", "surrogatepass")).encode("utf-8", "surrogatepass"),
        )
        return made.decode("utf-8", "surrogatepass")

    def _mime(self, text: str) -> str:
        """A message in the text of a document: whatever its parts say, it is UTF-8 here."""
        return self._messages.message(text.encode("utf-8", "surrogatepass"), "utf-8").decode("utf-8", "replace")

    def _policy(self, text: str) -> str:
        """Settings of Windows Mobile: names, types and numbers stay."""
        return scanning.markup(
            text, lambda _, raw: self._prose.text(raw),
            lambda name, raw, _: self._prose.only_places(raw) if name in ("type", "name") else self._kept(raw),
        )
