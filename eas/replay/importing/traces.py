"""The documents of Z-Push's and Horde's logs: one tag or one text a line, indented by depth.

An element without content is `<Tag/>`; a text stands on a line of its own, and goes on over several where it has
several. What the program left out of its log (long texts, streams) becomes placeholder text, and is told.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from eas.protocol.codepages import OPAQUE
from eas.protocol.wbxml import MAX_DEPTH, MAX_ELEMENTS, Element, clean

from .names import tag_of_trace
from .placeholders import Placeholders

_TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9_-]*(?::[A-Za-z][A-Za-z0-9_-]*)?)( ?/)?>")
#: What stands for content that the log leaves out; the group is its length.
_LEFT_OUT = re.compile(
    r"\[(\d{1,12}) bytes of content\]|<<< written (\d{1,12}) of \d{1,12} bytes of [a-z0-9 ]{1,30} data >>>|\[STREAM\]()"
)
_CUT = re.compile(r" ?<log message with \d{1,12} bytes truncated>\Z")


#: Blanks behind the `I` or `O` of a text in the outermost element; one more for each further one. Both programs agree.
BLANKS = {"I": 3, "O": 2}


@dataclass(slots=True)
class _Open:
    tag: str
    children: list[Element] = field(default_factory=list)
    text: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Trace:
    """Builds one document from its lines. `problem` says what is wrong with it, once."""

    blanks: int
    placeholders: Placeholders
    root: Element | None = None
    problem: str = ""
    _open: list[_Open] = field(default_factory=list)
    _elements: int = 0
    _in_text: bool = False

    @property
    def empty(self) -> bool:
        return self.root is None and not self._open and not self.problem

    def add(self, line: str) -> None:
        """A line behind its `I` or `O`, with all blanks before it."""
        text = line.lstrip(" ")
        found = _TAG.fullmatch(text.rstrip())
        tag = tag_of_trace(found[2]) if found else ""
        if found and (tag or ":" in found[2] or not self._open or self._open[-1].children):
            self._tag(found, tag)
        else:
            depth = max(len(self._open) - 1, 0)
            blanks = min(len(line) - len(text), self.blanks + depth)
            self._text(line[blanks:])

    def more(self, line: str) -> None:
        """A line that goes on with the text before it."""
        if self._in_text and self._open:
            self._open[-1].text.append("\n" + line)

    def finish(self) -> None:
        """No line follows: what is still open ends here."""
        if self._open:
            self.problem = self.problem or f"the document ends inside {self._open[-1].tag}"
        while self._open:
            self._close()

    def _tag(self, found: re.Match[str], tag: str) -> None:
        self._in_text = False
        if found[1]:
            self._end(tag, found[2])
            return
        if not tag:
            self.problem = self.problem or f"no code page has the tag {found[2]!r}"
        if self.root is not None:
            self.problem = self.problem or "a second document in one message"
            return
        self._elements += 1
        if len(self._open) >= MAX_DEPTH or self._elements > MAX_ELEMENTS:
            self.problem = self.problem or "too many elements"
            return
        self._open.append(_Open(tag))
        if found[3]:
            self._close()

    def _end(self, tag: str, name: str) -> None:
        if not any(one.tag == tag for one in self._open):
            self.problem = self.problem or f"</{name}> without its beginning"
            return
        while self._open[-1].tag != tag:
            self.problem = self.problem or f"{self._open[-1].tag} has no end"
            self._close()
        self._close()

    def _text(self, text: str) -> None:
        if not self._open:
            self.problem = self.problem or "a text outside of all elements"
            return
        self._in_text = True
        self._open[-1].text.append(text)

    def _close(self) -> None:
        self._in_text = False
        done = self._open.pop()
        if not done.tag:  # unknown: what is in it goes with it
            return
        made = Element(done.tag, tuple(done.children)) if done.children else self._leaf(done.tag, "".join(done.text))
        if self._open:
            self._open[-1].children.append(made)
        else:
            self.root = made

    def _leaf(self, tag: str, text: str) -> Element:
        if found := _LEFT_OUT.fullmatch(text.strip()):
            text = self.placeholders.text(tag, int(found[1] or found[2] or 1))
        elif cut := _CUT.search(text):
            text = text[: cut.start()]
            self.placeholders.cut(tag)
        # Logs are written as they come; what no document can hold was not in one.
        return Element(tag, text.encode("utf-8", "replace") if tag in OPAQUE else clean(text))
