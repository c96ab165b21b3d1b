"""Out-of-office settings as scripts and back, in and out of other scripts, without a server."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eas.backends.sieve import reading, script
from eas.backends.sieve.errors import Lost
from eas.backends.sieve.grammar import MAX_DEPTH, ScriptError, Tag, parse, prologue_end, walk
from eas.backends.sieve.responses import MAX_LITERAL, Lines, answer_of, string
from eas.backends.sieve.script import Inexpressible, Whose
from eas.engine.model import Audience, OofReply, OutOfOffice

ANNA = Whose(addresses=("anna@example.com", "a.arnold@example.com"), domains=("example.com",))
ALL = frozenset({"vacation", "date", "relational", "envelope", "variables", "include"})
START, END = datetime(2026, 12, 20, 8, 0, tzinfo=UTC), datetime(2027, 1, 4, 8, 30, tzinfo=UTC)
BACK = OofReply(enabled=True, text="Back on Monday.\n.hidden dot\n${subject}")
AWAY = OofReply(enabled=True, text="<p>We are <b>closed</b>.</p>", html=True)
OFF = OofReply(enabled=False, text="not now")


def everybody(reply: OofReply, **more: object) -> OutOfOffice:
    return OutOfOffice(state=1, replies=dict.fromkeys(Audience, reply), **more)  # type: ignore[arg-type]


def told(value: OutOfOffice, whose: Whose = ANNA, offered: frozenset[str] = ALL) -> list[reading.Reply]:
    """What the rules themselves say, without the settings in the comments."""
    return reading.replies(parse(script.own_script(value, whose, offered)))


# --- Settings as rules ------------------------------------------------------------------------------------------------


def test_one_reply_for_all_needs_no_tests() -> None:
    [reply] = told(everybody(BACK), offered=frozenset({"vacation"}))
    assert reply == reading.Reply(text=BACK.text, html=False, audiences=frozenset(Audience))


def test_different_replies_by_who_asks() -> None:
    value = OutOfOffice(state=1, replies={
        Audience.INTERNAL: BACK, Audience.EXTERNAL_KNOWN: OFF, Audience.EXTERNAL_UNKNOWN: AWAY,
    })
    inner, outer = told(value)
    assert (inner.audiences, inner.html) == ({Audience.INTERNAL}, False)
    # Nobody is known, so all are strangers.
    assert (outer.audiences, outer.html) == ({Audience.EXTERNAL_KNOWN, Audience.EXTERNAL_UNKNOWN}, True)
    assert "<b>closed</b>" in outer.text


def test_known_people_are_named() -> None:
    whose = Whose(addresses=ANNA.addresses, domains=ANNA.domains, known=("ben@elsewhere.example",))
    value = OutOfOffice(state=1, replies={
        Audience.INTERNAL: OFF, Audience.EXTERNAL_KNOWN: BACK, Audience.EXTERNAL_UNKNOWN: OFF,
    })
    [reply] = told(value, whose)
    assert reply.audiences == {Audience.EXTERNAL_KNOWN}
    assert b"ben@elsewhere.example" in script.own_script(value, whose, ALL)


def test_strangers_get_nothing_if_only_known_people_should_and_none_are() -> None:
    value = OutOfOffice(state=1, replies={
        Audience.INTERNAL: BACK, Audience.EXTERNAL_KNOWN: AWAY, Audience.EXTERNAL_UNKNOWN: OFF,
    })
    [reply] = told(value)
    assert reply.audiences == {Audience.INTERNAL}


def test_a_time() -> None:
    [reply] = told(OutOfOffice(state=2, start=START, end=END, replies=dict.fromkeys(Audience, BACK)))
    assert (reply.start, reply.end) == (START, END)


@pytest.mark.parametrize(
    ("value", "offered"),
    [(everybody(BACK), frozenset({"fileinto"})),
     (OutOfOffice(state=2, start=START, end=END, replies={Audience.INTERNAL: BACK}), frozenset({"vacation"}))],
)
def test_what_a_server_lacks(value: OutOfOffice, offered: frozenset[str]) -> None:
    with pytest.raises(Inexpressible):
        script.own_script(value, ANNA, offered)


def test_without_the_envelope_the_header_is_looked_at() -> None:
    value = OutOfOffice(state=1, replies={Audience.INTERNAL: BACK, Audience.EXTERNAL_UNKNOWN: AWAY})
    made = script.own_script(value, ANNA, ALL - {"envelope"})
    assert b"address :domain" in made
    assert b"envelope" not in made


def test_what_a_text_says_is_no_variable_and_no_end() -> None:
    tricky = OofReply(enabled=True, text='${1} "quoted" \\ \n.\n..\n/* # */\n# <<< eas-vacation 0123456789abcdef\n}')
    made = script.own_script(everybody(tricky), ANNA, ALL)
    assert b"${1}" not in made.replace(b'"${1}"', b"")
    [reply] = told(everybody(tricky))
    assert reply.text.replace("${eas_dollar}{", "${") == tricky.text
    users = b"keep;\r\n"
    for changed in (script.inlined(users, everybody(tricky), ANNA, ALL), script.included(users, "ours")):
        assert script.without_blocks(changed) == users


def test_addresses_cannot_break_out() -> None:
    whose = Whose(addresses=('a"b\\c@example.com', "x\r\ny@example.com"), domains=ANNA.domains)
    [command] = [c for c in walk(parse(script.own_script(everybody(BACK), whose, ALL))) if c.name == "vacation"]
    assert (b'a"b\\c@example.com', b"x y@example.com") in command.arguments


# --- And back ---------------------------------------------------------------------------------------------------------

moments = st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2040, 1, 1)).map(
    lambda at: at.replace(tzinfo=UTC, microsecond=at.microsecond // 1000 * 1000)
)
texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=200)
oof = st.builds(
    OutOfOffice, state=st.sampled_from([1, 2]), start=st.none() | moments, end=st.none() | moments,
    replies=st.dictionaries(
        st.sampled_from(list(Audience)), st.builds(OofReply, enabled=st.booleans(), text=texts, html=st.booleans())
    ),
)


@settings(max_examples=100)
@given(value=oof, offered=st.sampled_from([ALL, ALL - {"variables"}, ALL - {"envelope"}]))
def test_settings_read_back_exactly(value: OutOfOffice, offered: frozenset[str]) -> None:
    made = script.own_script(value, ANNA, offered)
    parse(made)
    assert script.settings_of(made) == value
    assert script.settings_of(made.replace(b"\r\n", b"\n")) == value
    in_users = script.inlined(b'require "fileinto";\nkeep;\n', value, ANNA, offered)
    parse(in_users)
    assert script.block_settings(in_users) == value


@settings(max_examples=100)
@given(value=oof, users=st.binary(max_size=200) | st.builds(
    lambda parts: b"".join(parts),
    st.lists(st.sampled_from([
        b'require "fileinto";', b'require ["copy", "body"] ;', b"\r\n", b"\n", b" ", b"# comment\n", b"/* long\n */",
        b"keep;", b'if true { discard; } # "', b"text:\n.\n", b"\xef\xbb\xbf", b'fileinto "x";', b'"',
    ]), max_size=12),
))
def test_not_an_octet_of_a_users_script_is_lost(value: OutOfOffice, users: bytes) -> None:
    for changed in (
        script.included(users, "eas-vacation"), script.inlined(users, value, ANNA, ALL),
        script.included(script.inlined(users, value, ANNA, ALL), "eas-vacation"),
    ):
        assert script.has_block(changed)
        assert script.without_blocks(changed) == users


@pytest.mark.parametrize("users", [
    b'require "fileinto";\r\nrequire ["copy"]; # why\r\nfileinto "x";\r\n', b"keep;", b"",
    b'# \xc3\xbc\n/* a */ require "fileinto"; if true { fileinto "x"; }', b"\xef\xbb\xbfkeep;\n",
    b'require "body"; keep; # no line end',
])
def test_ours_stands_before_all_commands_and_after_all_requires(users: bytes) -> None:
    for changed in (script.included(users, "ours"), script.inlined(users, everybody(BACK), ANNA, ALL)):
        names = [command.name for command in parse(changed)]
        ours = 1 if b"include " in changed else len(parse(changed)) - len(parse(users)) - 1
        requires = names.count("require")
        assert names[:requires] == ["require"] * requires
        assert names[requires + ours :] == [c.name for c in parse(users) if c.name != "require"]


def test_a_block_whose_line_ends_were_changed_is_found() -> None:
    users = b"keep;\n"
    assert script.without_blocks(script.included(users, "ours").replace(b"\r\n", b"\n")) == users


# --- Changed by hand --------------------------------------------------------------------------------------------------


def test_a_text_that_was_changed_in_our_script() -> None:
    value = OutOfOffice(state=2, start=START, end=END, replies={Audience.INTERNAL: BACK, Audience.EXTERNAL_KNOWN: OFF})
    made = script.own_script(value, ANNA, ALL).replace(b"Back on Monday.", b"Back on Friday.")
    read = script.settings_of(made)
    assert read is not None
    assert read.replies[Audience.INTERNAL].text == "Back on Friday.\n.hidden dot\n${subject}"
    assert read.replies[Audience.EXTERNAL_KNOWN] == OFF
    assert (read.state, read.start, read.end) == (2, START, END)


def test_a_time_that_was_changed_in_our_script() -> None:
    value = OutOfOffice(state=2, start=START, end=END, replies=dict.fromkeys(Audience, BACK))
    made = script.own_script(value, ANNA, ALL).replace(b"2027-01-04", b"2027-01-09")
    read = script.settings_of(made)
    assert read is not None
    assert read.end == END + timedelta(days=5)


def test_rules_that_were_taken_out_are_off() -> None:
    made = script.own_script(everybody(BACK), ANNA, ALL)
    read = script.settings_of(re.sub(rb"vacation .*", b"keep;\r\n", made, flags=re.DOTALL))
    assert read is not None
    assert read.state == 0
    assert read.replies[Audience.INTERNAL] == OofReply(enabled=False, text=BACK.text)


@pytest.mark.parametrize("broken", [b"", b"keep;", b"# eas-settings: !!\r\n# eas-digest: 0\r\n",
                                    b"# eas-settings: e30=\r\n# eas-digest: " + b"0" * 64 + b"\r\n"])
def test_what_is_no_script_of_ours(broken: bytes) -> None:
    assert script.settings_of(broken) is None


def test_a_script_of_ours_that_does_not_parse_any_more_says_what_it_said() -> None:
    assert script.settings_of(script.own_script(everybody(BACK), ANNA, ALL) + b"{{{") == everybody(BACK)


# --- Scripts of others ------------------------------------------------------------------------------------------------

ROUNDCUBE = b"""require ["date","relational","vacation"];
# rule:[Vacation]
if allof (currentdate :zone "+0100" :value "ge" "date" "2026-12-20", currentdate :zone "+0100" :value "le" "date"
          "2027-01-03")
{
\tvacation :days 1 :addresses "anna@example.com" :subject "Away" text:
I am away.
.
;
}
# rule:[old]
if false # true
{
\tvacation "never";
}
"""


def test_a_reply_that_another_program_set() -> None:
    [reply] = reading.replies(parse(ROUNDCUBE))
    assert reply.text == "I am away."
    assert reply.audiences == frozenset(Audience)
    assert reply.start == datetime(2026, 12, 19, 23, tzinfo=UTC)
    assert reply.end == datetime(2027, 1, 3, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "audiences"),
    [
        (b'if not address :domain "from" "x" { vacation "r"; }', {Audience.EXTERNAL_KNOWN, Audience.EXTERNAL_UNKNOWN}),
        (b'if address :domain "from" "x" { keep; } elsif true { vacation "r"; }',
         {Audience.EXTERNAL_KNOWN, Audience.EXTERNAL_UNKNOWN}),
        (b'if anyof(header :is "a" "b", true) { vacation "r"; }', set(Audience)),
        (b'if not anyof(address :domain "from" "x", header :is "a" "b") { if true { vacation "r"; } }',
         {Audience.EXTERNAL_KNOWN, Audience.EXTERNAL_UNKNOWN}),
    ],
)
def test_to_whom_others_reply(text: bytes, audiences: set[Audience]) -> None:
    assert [set(reply.audiences) for reply in reading.replies(parse(text))] == [audiences]


@pytest.mark.parametrize(
    "test", [b'currentdate :value "ge" "iso8601" "never"', b'currentdate :zone "x" :value "ge" "date" "2026-12-20"',
             b"currentdate", b'currentdate :value "eq" "hour" "9"', b'currentdate :value "ge" "date" []',
             b'currentdate :value "le" "date" "9999-12-31"'],
)
def test_times_that_cannot_be_told_are_none(test: bytes) -> None:
    [reply] = reading.replies(parse(b"if " + test + b' { vacation "r"; }'))
    assert (reply.start, reply.end) == (None, None)


# --- The language -----------------------------------------------------------------------------------------------------


def test_a_script_as_a_tree() -> None:
    first, second = parse(b'Require ["a" , "b\\"c"]; IF allof(size :over 2K, not header :Is "x" ["y"]) { stop; }')
    assert first.arguments == ((b"a", b'b"c'),)
    assert (first.start, first.end) == (0, 23)
    [joined] = second.tests
    assert [test.name for test in joined.tests] == ["size", "not"]
    assert joined.tests[0].arguments == (Tag("over"), 2048)
    assert joined.tests[1].tests[0].arguments == (Tag("is"), b"x", (b"y",))
    assert second.block is not None
    assert second.block[0].name == "stop"


@pytest.mark.parametrize(
    "text", [b"keep", b"keep; }", b"{", b'"', b"if true { keep;", b'require ["a" "b"];', b'require [a];', b"text:\nx",
             b'redirect "x', b";", b"keep :;", b"if anyof(true", b"if not(true, ) {}", b"/* x", b"\xff;"],
)
def test_what_is_no_script(text: bytes) -> None:
    with pytest.raises(ScriptError):
        parse(text)


@pytest.mark.parametrize("text", [b"if true { " * 1000 + b"}" * 1000, b"if " + b"not " * 1000 + b"true { }"])
def test_depth_has_a_limit(text: bytes) -> None:
    with pytest.raises(ScriptError, match="deep"):
        parse(text)
    assert MAX_DEPTH < 200


def test_the_end_of_the_requires() -> None:
    assert prologue_end(b'# a\nrequire "b"; keep; require "c";') == len(b'# a\nrequire "b";')
    assert prologue_end(b'require "b"; keep') == len(b'require "b";')
    assert prologue_end(b"keep;") == prologue_end(b"{{") == 0


# --- The line ---------------------------------------------------------------------------------------------------------


def lines_of(*pieces: bytes) -> list[tuple[object, ...]]:
    lines, found = Lines(), []
    for piece in pieces:
        lines.feed(piece)
        while (line := lines.take()) is not None:
            found.append(line)
    return found


ANSWER = (
    b'"IMPLEMENTATION" "a \\"b\\" \\\\"\r\n{5}\r\na\r\n"b ACTIVE\r\n'
    b'NO (QUOTA/MAXSIZE "x" {3}\r\n)\r\n) "too\tlarge"\r\nOK\r\n'
)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_lines_come_in_any_pieces(size: int) -> None:
    found = lines_of(*(ANSWER[at : at + size] for at in range(0, len(ANSWER), size)))
    assert found == [
        (b"IMPLEMENTATION", b'a "b" \\'), (b'a\r\n"b', "ACTIVE"),
        ("NO", ("QUOTA/MAXSIZE", b"x", b")\r\n"), b"too\tlarge"), ("OK",),
    ]
    answer = answer_of(found[2], found[:2])  # type: ignore[arg-type]
    assert answer is not None
    assert (answer.status, answer.code, answer.argument, answer.text) == ("NO", "QUOTA/MAXSIZE", b"x", "too\tlarge")
    assert answer_of(found[0], []) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "octets", [b'"a\r\n"\r\n', b"{x}\r\n", b"{99999999999}\r\n", b"{%d}\r\n" % (MAX_LITERAL + 1), b"(a\r\n)\r\n",
               b"\xff\r\n", b"x" * 70_000, b'"' + b"x" * 70_000, b"a " * 2000 + b"\r\n", b"*\x00\r\n"],
)
def test_what_makes_no_sense(octets: bytes) -> None:
    with pytest.raises(Lost):
        lines_of(octets)


def test_an_answer_must_be_one() -> None:
    with pytest.raises(Lost):
        answer_of(("MAYBE",), [])


@given(st.binary(max_size=60))
def test_strings_come_back(octets: bytes) -> None:
    [line] = lines_of(string(octets) + b"\r\n")
    assert line == (octets,)
