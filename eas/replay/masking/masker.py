"""Sessions under pseudonyms: `Masker(key)` for any number of files, whose names are the same ones then."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Set
from dataclasses import replace

from eas.replay.format import model
from eas.replay.format.model import Answer, Binary, Body, Document, Exchange, LeftOut, Meta, Parts, Request, Text

from . import scanning, units
from .documents import Documents
from .http import Around
from .manners import KINDS
from .mime import Messages
from .prose import Prose
from .secrets import without_passwords
from .shift import Shift
from .words import Words

#: What `masked` says in the head.
SAID = "pseudonyms"
#: What may stay.
KEPT = frozenset(KINDS) - {"addresses", "headers"}
#: Bytes of a key that is made up.
KEY_BYTES = 32
#: A part of an answer in parts has no type.
_MESSAGE = re.compile(
    rb"(?i)(?:received|from|to|date|subject|message-id|mime-version|return-path|content-type):[^\r\n]*\r?\n"
    rb"(?:[\w-]+:|[ \t])"
)
#: Members of JSON and elements of XML whose value is a word of the protocol, in lower case.
_PROTOCOL = frozenset({
    "protocol", "culture", "type", "action", "status", "errorcode", "debugdata", "token_type", "expires_in", "scope",
    "acceptableresponseschema", "requestschema", "responseschema",
})


class Masker:
    """`counts` says how many contents were replaced, by kind."""

    def __init__(self, key: bytes, keep: Collection[str] = ()) -> None:
        words = Words(key)
        self._keep = frozenset(keep)
        shift = Shift(0) if "dates" in keep else Shift.of(int.from_bytes(words.stream("shift", b"", 4), "big"))
        self._prose = Prose(words, shift, self._keep)
        self.counts: Counter[str] = Counter()
        self._messages = Messages(self._prose)
        self._documents = Documents(self._prose, self._messages, self._keep, self.counts)
        self._around = Around(self._prose)

    def meta(self, meta: Meta) -> Meta:
        said = SAID + (f", but for {', '.join(sorted(self._keep))}" if self._keep else "")
        return self._around.meta(meta).with_({model.MASKED: said})

    def exchange(self, exchange: Exchange) -> Exchange:
        """Without passwords, too. Never raises."""
        clean = without_passwords(exchange)
        return replace(
            clean, time=self._prose.shift.moment(clean.time), request=self._request(clean.request),
            answer=self._answer(clean.answer), comments=tuple(map(self._comment, clean.comments)),
        )

    def _request(self, request: Request) -> Request:
        target, headers = self._around.target(request.target), self._around.headers(request.headers)
        self._count("addresses", target != request.target)
        self._count("headers", headers != request.headers)
        return replace(request, target=target, headers=headers, body=self.body(request.body))

    def _answer(self, answer: Answer) -> Answer:
        headers = self._around.headers(answer.headers)
        self._count("headers", headers != answer.headers)
        return replace(
            answer, headers=headers, body=self.body(answer.body), why=self._prose.only_places(answer.why),
        )

    def _comment(self, comment: str) -> str:
        if "comments" in self._keep:
            return comment
        made = self._prose.text(comment)
        self._count("comments", made != comment)
        return made

    def _count(self, kind: str, changed: bool) -> None:
        if changed:
            self.counts[kind] += 1

    @property
    def names(self) -> Set[str]:
        """Words and numbers of people's and hosts' names that were replaced, in lower case, but for those that are
        pseudonyms as well."""
        return self._prose.places.names - self._prose.words.made

    # Bodies ----------------------------------------------------------------------------------------------------------

    def body(self, body: Body) -> Body:
        match body:
            case Document(root, _):
                return Document(self._documents.element(root))
            case Text(kind, data):
                if "bodies" in self._keep and kind == "mime":
                    return body
                made = self._text(kind, data)
                self._count("bodies", made != data)
                return Text(kind, made)
            case Binary(data, why):
                made = self._prose.blob(data) if not why else self._prose.blobs.blob(data)
                self._count("files", made != data)
                return Binary(made, self._prose.only_places(why))
            case Parts(parts):
                return Parts(tuple(map(self.body, parts)))
            case LeftOut(length, why):
                return LeftOut(length, self._prose.only_places(why))
            case None:
                return None

    def _text(self, kind: str, data: bytes) -> bytes:
        if kind == "mime" or (kind == "text" and _MESSAGE.match(data)):
            return self._messages.message(data)
        changes = {"form": self._around.parameters, "json": self._json, "xml": self._xml, "html": self._prose.html}
        return units.in_charset(data, "utf-8", changes.get(kind, self._prose.any))

    def _json(self, text: str) -> str:
        return scanning.json_values(
            text, lambda names, value: value if names[-1].lower() in _PROTOCOL else self._value(value),
            self._prose.only_places,
        )

    def _xml(self, text: str) -> str:
        return scanning.markup(
            text, lambda names, raw: raw if names and scanning.local(names[-1]).lower() in _PROTOCOL
            else units.entities(raw, self._value),
            lambda name, raw, _: self._prose.only_places(raw) if name.startswith("xmlns")
            else units.entities(raw, self._value),
        )

    def _value(self, text: str) -> str:
        """Short numbers are codes."""
        return text if text.isdecimal() and len(text) < 4 else self._prose.text(text)
