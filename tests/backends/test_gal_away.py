"""A whole gateway whose directory server is away: the phone hears it of the address list alone, and mail goes on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from groupware.dovecot import Dovecot
from groupware.fixtures import run
from groupware.gateway import backend
from groupware.slapd import Slapd
from groupware.smtp import Sink
from wire import Wire, e

from eas import app as composition
from eas.config import load

GAL = ("Response", "Store")


@dataclass
class Site:
    app: composition.App
    slapd: Slapd
    login: str
    password: str

    def device(self, version: str = "14.1") -> Wire:
        return Wire(app=self.app.asgi, user=self.login, password=self.password, version=version)


@pytest.fixture
def own_slapd() -> Iterator[Slapd]:
    yield from run(Slapd)


@pytest.fixture
async def site(
    dovecot: Dovecot, mail_sink: Sink, own_slapd: Slapd, tmp_path: Path
) -> AsyncIterator[Site]:
    login, password = dovecot.new_user("greta")
    backends = {"office": backend(dovecot, mail_sink, directory=own_slapd)}
    settings = load(overrides={"data": tmp_path, "domain": "example.com", "backends": backends}, environment={})
    async with composition.build(settings) as app:
        yield Site(app, own_slapd, login, password)


def search(text: str) -> object:
    return e("Search:Search", e("Store", e("Name", "GAL"), e("Query", text)))


def resolve(*names: str) -> object:
    return e("ResolveRecipients:ResolveRecipients", *(e("To", name) for name in names))


def find(text: str) -> object:
    criterion = e("GalSearchCriterion", e("Query", text))
    return e("Find:Find", e("SearchId", "11111111-1111-1111-1111-111111111111"), e("ExecuteSearch", criterion))


async def test_people_are_found_in_the_directory(site: Site) -> None:
    device = site.device()
    found = await device.post("Search", search("arn"))
    assert found.text(*GAL, "Status") == "1"
    assert found.text(*GAL, "Result", "Properties", "DisplayName") == "Anna Arnold"
    anna = await device.post("ResolveRecipients", resolve("anna@example.com"))
    assert anna.text("Response", "Recipient", "DisplayName") == "Anna Arnold"


@pytest.mark.parametrize("version", ["2.5", "12.1", "14.1", "16.1"])
async def test_the_address_list_says_that_it_is_away_and_mail_goes_on(site: Site, version: str) -> None:
    """[MS-ASCMD] Status (Search) R4332; Status (ResolveRecipients) R4271; Common Status Codes R7461-R7463"""
    site.slapd.kill()
    device = site.device(version)
    folders = await device.post("FolderSync", e("FolderHierarchy:FolderSync", e("SyncKey", "0")))
    assert (folders.http, folders.status) == (200, "1")
    found = await device.post("Search", search("arn"))
    assert (found.http, found.status, found.text(*GAL, "Status")) == (200, "1", "3")
    resolved = await device.post("ResolveRecipients", resolve("anna@example.com", "arn"))
    assert (resolved.http, resolved.status) == (200, "6")
    if version == "16.1":
        people = await device.post("Find", find("arn"))
        assert (people.http, people.status) == (200, "111")
