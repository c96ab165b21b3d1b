"""The Sieve language as a tree. Reading only: scripts are never written back from it. RFC 5228 sections 2 and 8.

Whatever extensions a script uses, its commands and tests have one form, so that all can be read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

#: Blocks, tests and lists in each other. Pigeonhole allows 32.
MAX_DEPTH = 50


class ScriptError(ValueError):
    """This is no Sieve script."""


@dataclass(frozen=True, slots=True)
class Tag:
    """":value", lower case, without the colon."""

    name: str


#: Strings are octets: a script may be in no known character set.
Argument = Tag | int | bytes | tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """`tests` are those that it joins (`not`, `anyof`, `allof`)."""

    name: str
    arguments: tuple[Argument, ...] = ()
    tests: tuple[Test, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """`block` is None for a command that ends with a semicolon. `start` and `end` are offsets."""

    name: str
    start: int
    end: int
    arguments: tuple[Argument, ...] = ()
    tests: tuple[Test, ...] = ()
    block: tuple[Command, ...] | None = None


_BLANK = re.compile(rb"(?:[ \t\r\n]+|#[^\n]*(?:\n|\Z)|/\*.*?\*/)*", re.DOTALL)
_WORD = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*")
_NUMBER = re.compile(rb"([0-9]{1,18})([KMGkmg]?)")
_QUOTED = re.compile(rb'"([^"\\]*(?:\\.[^"\\]*)*)"', re.DOTALL)
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_MULTI_LINE = re.compile(rb"text:[ \t]*(?:#[^\n]*)?\r?\n", re.IGNORECASE)
_LAST_LINE = re.compile(rb"^\.\r?(?:\n|\Z)", re.MULTILINE)
_STUFFED = re.compile(rb"^\.\.", re.MULTILINE)
_POWER = {b"": 0, b"k": 10, b"m": 20, b"g": 30}
_BOM = b"\xef\xbb\xbf"


def parse(script: bytes) -> tuple[Command, ...]:
    """Raises ScriptError."""
    reading = _Reading(script)
    commands = tuple(reading.commands(0))
    if not reading.at_end():
        raise ScriptError(f"not understood at {reading.at}")
    return commands


def prologue_end(script: bytes) -> int:
    """The offset after the last `require` at the beginning, where the first command may stand; 0 if there is none."""
    reading = _Reading(script)
    end = 0
    try:
        for command in reading.commands(0):
            if command.name != "require":
                break
            end = command.end
    except ScriptError:
        pass  # what comes then is no require
    return end


def walk(commands: tuple[Command, ...]) -> Iterator[Command]:
    """All, also those in blocks."""
    for command in commands:
        yield command
        yield from walk(command.block or ())


def included(script: bytes) -> list[str]:
    """The names of the user's own scripts that a script includes."""
    try:
        commands = list(walk(parse(script)))
    except ScriptError:
        return []
    return [
        command.arguments[-1].decode("utf-8", "replace") for command in commands
        if command.name == "include" and Tag("global") not in command.arguments
        and command.arguments and isinstance(command.arguments[-1], bytes)
    ]


class _Reading:
    def __init__(self, script: bytes) -> None:
        self._script = script
        self.at = len(_BOM) if script.startswith(_BOM) else 0

    def at_end(self) -> bool:
        self._skip()
        return self.at >= len(self._script)

    def commands(self, depth: int) -> Iterator[Command]:
        if depth > MAX_DEPTH:
            raise ScriptError("too deep")
        while not self.at_end() and not self._peeks(b"}"):
            yield self._command(depth)

    def _command(self, depth: int) -> Command:
        start = self.at
        name = self._word()
        arguments = tuple(self._arguments())
        tests = self._tests(depth)
        if self._takes(b";"):
            return Command(name=name, start=start, end=self.at, arguments=arguments, tests=tests)
        if not self._takes(b"{"):
            raise ScriptError(f"neither ; nor {{ at {self.at}")
        block = tuple(self.commands(depth + 1))
        if not self._takes(b"}"):
            raise ScriptError("a block that does not end")
        return Command(name=name, start=start, end=self.at, arguments=arguments, tests=tests, block=block)

    def _arguments(self) -> Iterator[Argument]:
        while True:
            self._skip()
            if self._peeks(b":"):
                self.at += 1
                yield Tag(self._word())
            elif found := _NUMBER.match(self._script, self.at):
                self.at = found.end()
                yield int(found[1]) << _POWER[found[2].lower()]
            elif self._peeks(b"["):
                yield tuple(self._list())
            elif (text := self._string()) is not None:
                yield text
            else:
                return

    def _list(self) -> Iterator[bytes]:
        self.at += 1
        while not self._takes(b"]"):
            text = self._string()
            if text is None:
                raise ScriptError(f"no string at {self.at}")
            yield text
            if not self._takes(b",") and not self._peeks(b"]"):
                raise ScriptError(f"neither , nor ] at {self.at}")

    def _string(self) -> bytes | None:
        self._skip()
        if found := _QUOTED.match(self._script, self.at):
            self.at = found.end()
            return _ESCAPE.sub(rb"\1", found[1])
        if found := _MULTI_LINE.match(self._script, self.at):
            last = _LAST_LINE.search(self._script, found.end())
            if last is None:
                raise ScriptError("a text that does not end")
            self.at = last.end()
            return _STUFFED.sub(b".", self._script[found.end() : last.start()])
        return None

    def _tests(self, depth: int) -> tuple[Test, ...]:
        """One test, several in parentheses, or none."""
        if depth > MAX_DEPTH:
            raise ScriptError("too deep")
        if self._takes(b"("):
            tests = [self._test(depth)]
            while self._takes(b","):
                tests.append(self._test(depth))
            if not self._takes(b")"):
                raise ScriptError(f"neither , nor ) at {self.at}")
            return tuple(tests)
        self._skip()
        return (self._test(depth),) if _WORD.match(self._script, self.at) else ()

    def _test(self, depth: int) -> Test:
        return Test(name=self._word(), arguments=tuple(self._arguments()), tests=self._tests(depth + 1))

    def _word(self) -> str:
        self._skip()
        found = _WORD.match(self._script, self.at)
        if found is None:
            raise ScriptError(f"no word at {self.at}")
        self.at = found.end()
        return found[0].decode("ascii").lower()

    def _takes(self, mark: bytes) -> bool:
        self._skip()
        if not self._peeks(mark):
            return False
        self.at += 1
        return True

    def _peeks(self, mark: bytes) -> bool:
        return self._script.startswith(mark, self.at)

    def _skip(self) -> None:
        found = _BLANK.match(self._script, self.at)
        assert found is not None
        self.at = found.end()
