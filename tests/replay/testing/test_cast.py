"""Who was there when a session was recorded, as it says itself."""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest
from test_compare import mail, sync
from test_session_diff import exchange

from eas.items.timezone import blob_of
from eas.replay.format.model import LeftOut, Meta, Text
from eas.replay.testing.cast import Cast, Person, cast

BLOB = blob_of(ZoneInfo("Europe/Berlin"), 2026).text
MEETING = f"<calendar:Timezone>{BLOB}</calendar:Timezone>"
TO = '<email:To>"Anna Arnold" &lt;anna@example.com&gt;, Ben Berger &lt;ben@example.com&gt;, x@elsewhere.test</email:To>'


def test_people_and_zone() -> None:
    found = cast(Meta((("user", "anna@example.com"),)), [exchange(1, "Sync", None, sync(mail(1, "A", TO + MEETING)))])
    assert found == Cast(
        Person("anna@example.com", "Anna Arnold"), "Europe/Berlin",
        (Person("carla@example.com"), Person("ben@example.com", "Ben Berger")),
    )
    assert found.domain == "example.com"


def test_names_beside_addresses() -> None:
    meeting = ("<calendar:OrganizerEmail>ben@example.com</calendar:OrganizerEmail>"
               "<calendar:OrganizerName>Ben Berger</calendar:OrganizerName>")
    told = b"<User><DisplayName>Anna Arnold</DisplayName><EMailAddress>anna@example.com</EMailAddress></User>"
    first, then = exchange(1, "Sync", None, None), exchange(2, "Sync", None, sync(mail(1, "A", meeting)))
    found = cast(Meta(), [replace(first, answer=replace(first.answer, body=Text("xml", told))), then])
    assert found.user == Person("anna@example.com", "Anna Arnold")
    assert Person("ben@example.com", "Ben Berger") in found.others


@pytest.mark.parametrize(("user", "address"), [
    ("", "anna@example.com"), ("EXAMPLE\\Ben", "ben@example.com"), ("Ben@Example.org", "ben@example.org"),
    ("a b", "somebody@example.com"), ("\\", "somebody@example.com"),
])
def test_whoever_it_was_gets_an_address(user: str, address: str) -> None:
    one = exchange(1, "Sync", None, None)
    left = replace(one, answer=replace(one.answer, body=LeftOut(9)))
    assert cast(Meta((("user", user),)), [left]).user.address == address


def test_a_zone_that_is_none() -> None:
    bad = "<calendar:Timezone>AAAA</calendar:Timezone>"
    assert cast(Meta(), [exchange(1, "Sync", None, sync(mail(1, "A", bad)))]).zone == "UTC"
