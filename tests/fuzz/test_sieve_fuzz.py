"""Sieve scripts and answers of ManageSieve servers that are nearly right."""

from __future__ import annotations

from contextlib import suppress

from fuzz_settings import examples
from hypothesis import given
from hypothesis import strategies as st

from eas.backends.sieve import reading, script
from eas.backends.sieve.errors import Lost
from eas.backends.sieve.grammar import ScriptError, parse
from eas.backends.sieve.responses import Lines, answer_of

_PIECES = [
    b'require "vacation";', b"if ", b"elsif ", b"else ", b"not ", b"allof(", b"anyof(", b")", b"{", b"}", b";", b",",
    b"[", b"]", b'"', b'"x"', b"true", b"false", b"vacation ", b":mime ", b":days 1", b"text:\r\n", b".\r\n", b"\r\n",
    b"# x\n", b"/*", b"*/", b'currentdate :value "ge" "date" "2026-12-20" ', b'address :domain "from" "x" ', b":",
    b"9K", b"\\", b"Content-Type: multipart/alternative; boundary=x\r\n\r\n--x\r\n",
    b"# >>> eas-vacation 0123456789abcdef\n",
    b"# <<< eas-vacation 0123456789abcdef\n", b"# eas-settings: e30=\n", b"# eas-digest: " + b"0" * 64 + b"\n",
]


@examples(60)
@given(st.lists(st.sampled_from(_PIECES) | st.binary(max_size=4), max_size=40).map(b"".join))
def test_only_script_errors_come_out(text: bytes) -> None:
    with suppress(ScriptError):
        reading.replies(parse(text))
    script.settings_of(text)
    script.block_settings(text)
    assert not script.has_block(script.without_blocks(script.included(text, "x"))) or script.has_block(text)


_WORDS = [b"OK", b"NO", b"BYE", b" ", b"\r\n", b'"', b'"x"', b"{3}\r\n", b"{3+}\r\nabc", b"(", b")", b"QUOTA", b"\\",
          b"\n"]


@examples(60)
@given(st.lists(st.sampled_from(_WORDS) | st.binary(max_size=3), max_size=30))
def test_only_lost_comes_out(pieces: list[bytes]) -> None:
    lines = Lines()
    with suppress(Lost):
        for piece in pieces:
            lines.feed(piece)
            while (line := lines.take()) is not None:
                answer_of(line, [])
