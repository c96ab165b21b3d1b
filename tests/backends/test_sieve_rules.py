"""Filters as a Sieve script: whatever is written reads back, and nothing in it becomes anything else."""

from __future__ import annotations

from dataclasses import replace

import pytest
from filter_samples import filters, when
from hypothesis import given
from hypothesis import strategies as st

from eas.backends.sieve import rules, script
from eas.backends.sieve.grammar import included, parse, walk
from eas.engine.model import Audience, OofReply, OutOfOffice
from eas.items.mail_filters import Action, Do, Field, Filter

ALL = frozenset((
    "fileinto", "copy", "imap4flags", "mime", "body", "mailbox", "include", "vacation", "relational", "date",
    "variables", "envelope",
))
#: The commands that filters are made of.
KNOWN = {"require", "if", "fileinto", "redirect", "addflag", "discard", "stop", "include"}
ON = OutOfOffice(state=1, replies=dict.fromkeys(Audience, OofReply(enabled=True, text="away")))
WHOSE = script.Whose(addresses=["anna@example.com"], domains=["example.com"])


@given(st.lists(filters(), max_size=4), st.sampled_from(["", "mine", 'a "b" \\']))
def test_written_and_read(some: list[Filter], beside: str) -> None:
    written = rules.script_of(some, ALL, beside)
    assert rules.read(written) == rules.Read(filters=tuple(some), beside=beside)
    commands = list(walk(parse(written)))
    assert {command.name for command in commands} <= KNOWN
    assert sum(command.name == "if" for command in commands) == sum(one.on for one in some)
    # An out-of-office reply in it changes nothing of it.
    for replying in (script.included(written, "eas-vacation"), script.inlined(written, ON, WHOSE, ALL)):
        assert rules.read(replying) == rules.Read(filters=tuple(some), beside=beside)
        assert script.without_blocks(replying) == written
        other = rules.script_of([], ALL)
        assert script.has_block(script.with_blocks_of(replying, other))
        assert script.without_blocks(script.with_blocks_of(replying, other)) == other


@given(st.binary(max_size=300) | st.builds(
    lambda a, b, c: a + b"# eas-filters: " + b + b"\r\n# eas-filters-digest: " + b"0" * 64 + b"\r\n" + c,
    st.binary(max_size=20), st.binary(max_size=60), st.binary(max_size=40),
))
def test_whatever_stands_there_is_read_or_not_ours(octets: bytes) -> None:
    found = rules.read(octets)
    assert found is None or not found.intact


@given(st.lists(filters(), min_size=1, max_size=2), st.integers(0, 2000), st.integers(0, 255))
def test_a_script_that_was_changed(some: list[Filter], at: int, octet: int) -> None:
    written = bytearray(rules.script_of(some, ALL))
    at %= len(written)
    written[at] = octet
    found = rules.read(bytes(written))
    assert found is None or isinstance(found.filters, tuple)


def test_line_ends_do_not_count() -> None:
    written = rules.script_of([when(Field.SUBJECT, "is", "x")], ALL)
    assert rules.read(written.replace(b"\r\n", b"\n")) == rules.read(written)


def test_a_hand_in_it_is_told() -> None:
    written = rules.script_of([when(Field.SUBJECT, "is", "x")], ALL)
    found = rules.read(written.replace(b'"x"', b'"y"'))
    assert found is not None
    assert not found.intact


def test_only_what_is_used_is_required() -> None:
    read = when(Field.SUBJECT, "is", "x", do=(Action(do=Do.READ),))
    assert b'require ["imap4flags"];' in rules.script_of([read], ALL)
    assert b"require" not in rules.script_of([replace(read, on=False)], ALL)
    assert b"require" not in rules.script_of([when(Field.FROM, "is", "x", do=(Action(do=Do.DELETE),))], ALL)


@pytest.mark.parametrize("one", [
    when(Field.TEXT, "contains", "x"), when(Field.SUBJECT, "is", "x"),
    when(Field.SUBJECT, "is", "x", do=(Action(do=Do.FLAG),)),
    when(Field.SUBJECT, "is", "x", do=(Action(do=Do.FORWARD, value="a@b.c"),)),
])
def test_what_the_server_cannot_do(one: Filter) -> None:
    with pytest.raises(script.Inexpressible):
        rules.script_of([one], frozenset())


def test_what_is_offered() -> None:
    assert set(rules.fields_offered(ALL)) == set(Field)
    assert set(rules.actions_offered(ALL)) == set(Do)
    assert Field.TEXT not in rules.fields_offered(frozenset())
    assert set(rules.actions_offered(frozenset())) == {Do.DELETE, Do.STOP}
    assert b"multipart/mixed" in rules.script_of([when(Field.ATTACHMENT, "there")], frozenset({"fileinto"}))


def test_which_scripts_a_script_includes() -> None:
    assert included(b'require "include"; include "a"; if true { include :personal :once "b"; } include :global "c";') \
        == ["a", "b"]
    assert included(b"not a script") == []
