"""What can go wrong with a document, as statuses; and a server without documents. [MS-ASCMD] Status (Search), Status
(ItemOperations); [MS-ASDOC]"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from library_kit import asking, fetching, furnish
from wire import Wire

from eas import app as composition
from eas.backends.documents.libraries import UserDocuments
from eas.commands import _documents, _fetch
from eas.config import load
from eas.engine import errors

VERSIONS = ("12.0", "12.1", "14.0", "14.1", "16.0", "16.1")
LINK = "\\\\documents\\library"

#: The error, and the Status of Search and of ItemOperations.
ROWS: tuple[tuple[errors.BackendError, str, str], ...] = (
    (errors.Unavailable(), "3", "12"),  # [MS-ASCMD] R4332, R4164
    (errors.BadLink(), "4", "4"),  # [MS-ASCMD] R4336, R4156
    (errors.NotAllowed(), "5", "5"),  # [MS-ASCMD] R4339, R4157
    (errors.ItemGone(), "6", "6"),  # [MS-ASCMD] R4342, R4158
    (errors.Unreachable(), "7", "7"),  # [MS-ASCMD] R4345, R4159
    (errors.TooLarge(), "8", "11"),  # [MS-ASCMD] R4350, R4163
    (errors.TimedOut(), "10", "12"),  # [MS-ASCMD] R4354
    (errors.Blocked(), "13", "5"),  # [MS-ASCMD] R4364
    (errors.CredentialsRequired(), "14", "18"),  # [MS-ASCMD] R4367, R4169
)


@pytest.fixture
async def library(office: tuple[Path, dict[str, str]], tmp_path: Path) -> AsyncIterator[Any]:
    data, folder = tmp_path / "data", tmp_path / "library"
    shutil.copytree(office[0], data)
    folder.mkdir()
    furnish(folder)
    settings = {"data": data, "domain": "example.com", "documents.shares": [f"library={folder}"]}
    async with composition.build(load(overrides=settings, environment={})) as app:
        yield app.asgi


@pytest.mark.parametrize("version", VERSIONS)
async def test_each_error_has_its_status(library: Any, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    device = Wire(app=library, version=version)
    for error, of_search, of_fetch in ROWS:

        async def fails(*args: Any, error: Exception = error) -> Any:
            raise error

        monkeypatch.setattr(UserDocuments, "listing", fails)
        monkeypatch.setattr(UserDocuments, "read", fails)
        got = await device.post("Search", asking(LINK))
        assert (got.status, got.text("Response", "Store", "Status")) == ("1", of_search), error
        got = await device.post("ItemOperations", fetching(LINK))
        assert (got.status, got.text("Response", "Fetch", "Status")) == ("1", of_fetch), error
    told = {type(error) for error, _, _ in ROWS}
    assert set(_fetch.STATUS_OF_DOCUMENT) == told
    assert set(_documents.STATUS_OF) == told - {errors.Unavailable}


async def test_a_search_of_2_5_knows_people_alone(library: Any) -> None:
    got = await Wire(app=library, version="2.5").post("Search", asking(LINK))
    assert got.text("Response", "Store", "Status") == "2"


@pytest.mark.parametrize("version", VERSIONS)
async def test_without_documents_every_link_is_blocked(wire: Any, version: str) -> None:
    got = await wire(version=version).post("Search", asking(LINK))
    assert (got.status, got.text("Response", "Store", "Status")) == ("1", "13")
    got = await wire(version=version).post("ItemOperations", fetching(LINK))
    assert (got.status, got.text("Response", "Fetch", "Status")) == ("1", "5")
