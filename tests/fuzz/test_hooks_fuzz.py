"""What calls a hook may send anything: it is read as changes, or it is Unreadable."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fuzz_settings import examples
from hypothesis import given
from hypothesis import strategies as st

from eas.backends.standards.logins import known_as
from eas.backends.standards.spellings import MAX_LOCATOR, spellings
from eas.backends.standards.tenant import Tenant
from eas.server.hooks import MAX_CHANGES, MAX_FOLDER, MAX_NAME, Unreadable, read_changes

TENANTS = (Tenant(name="a", domains=("example.com",), login="{user}"), Tenant(name="b", login="{login}"))
NAMES = st.sampled_from([
    "user", "folder", "folders", "collections", "event", "events", "hierarchy", "domain", "backend", "subject",
])
TEXTS = st.one_of(st.text(max_size=20), st.sampled_from([
    "anna@example.com", "a\\b@c", "@", "INBOX", "MailboxCreate", "/a/%zz/", "http://[", "imap://x/y;z", "&AGE-", "&",
    "\0", "\ud800", "x" * 400, "x" * 5000,
]))
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS), lambda inner: st.lists(inner, max_size=4),
    max_leaves=6,
)
CHANGES = st.dictionaries(NAMES, VALUES, max_size=6)
USERS = st.builds(lambda change, user: {**change, "user": user}, CHANGES, TEXTS)


def read(body: bytes) -> None:
    try:
        changes = read_changes(body)
    except Unreadable:
        return
    assert len(changes) <= MAX_CHANGES
    for change in changes:
        assert 0 < len(change.user) <= MAX_NAME
        "".join((change.user, change.domain, change.backend, *(change.folders or ()))).encode()
        assert all(known.login for known in known_as(
            change.user, TENANTS, "example.com", domain=change.domain, backend=change.backend
        ))
        for folder in change.folders or ():
            assert 0 < len(folder) <= MAX_FOLDER
            assert all(0 < len(one) <= MAX_LOCATOR for one in spellings(folder))


@examples(300)
@given(st.one_of(USERS, st.lists(st.one_of(USERS, CHANGES), max_size=4), VALUES))
def test_anything_in_json(told: Any) -> None:
    read(json.dumps(told).encode())


@examples(300)
@given(st.binary(max_size=200))
def test_any_octets(body: bytes) -> None:
    read(body)


@examples(200)
@given(USERS, st.integers(0, 200), st.binary(max_size=3))
def test_octets_that_are_nearly_right(told: Any, at: int, octets: bytes) -> None:
    body = json.dumps(told, ensure_ascii=False).encode("utf-8", "surrogatepass")
    read(body[:at] + octets + body[at + len(octets):])


@examples(300)
@given(st.text(max_size=60))
def test_any_folder_has_spellings(folder: str) -> None:
    for one in spellings(folder):
        assert 0 < len(one) <= MAX_LOCATOR


@pytest.mark.parametrize("depth", [10, 100_000])
def test_deep_nesting(depth: int) -> None:
    with pytest.raises(Unreadable):
        read_changes(b'{"user":"anna","folders":' + b"[" * depth + b"]" * depth + b"}")
