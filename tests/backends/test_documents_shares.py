"""Folders as file shares: what lies outside is never read. [MS-ASDOC]"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from eas.backends.documents import shares
from eas.backends.documents.libraries import Libraries, UserDocuments
from eas.engine.errors import BackendError, BadLink, Blocked, ItemGone, NotAllowed, TooLarge
from eas.engine.model import User

TEAM = "\\\\documents\\team"


def user(login: str = "anna") -> User:
    return User(id="u", login=login, address="a@example.com", addresses=("a@example.com",), name="Anna")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    team = tmp_path / "team"
    (team / "sub").mkdir(parents=True)
    (team / "B.txt").write_bytes(b"0123456789")
    (team / "a.pdf").write_bytes(b"")
    (team / "sub" / "inner").write_bytes(b"inner")
    (tmp_path / "secret").write_bytes(b"secret")
    (team / "link").symlink_to(tmp_path / "secret")
    (team / "up").symlink_to(tmp_path, target_is_directory=True)
    os.mkfifo(team / "pipe")
    (team / "back\\slash").write_bytes(b"")
    return team


def documents(folder: Path, login: str = "anna", path: str = "") -> UserDocuments:
    return Libraries(shares={"team": Path(path) if path else folder}).of(user(login))


async def test_a_listing_has_the_folder_first_then_folders_then_files(folder: Path) -> None:
    found, total = await documents(folder).listing(TEAM, None, 0, 100)
    assert [(one.display_name, one.is_folder, one.length, one.content_type) for one in found] == [
        ("team", True, 0, "application/octet-stream"), ("sub", True, 0, "application/octet-stream"),
        ("a.pdf", False, 0, "application/pdf"), ("B.txt", False, 10, "text/plain"),
    ]
    assert total == 4
    assert [one.link_id for one in found[:2]] == [TEAM, f"{TEAM}\\sub"]
    page, total = await documents(folder).listing(TEAM, None, 2, 1)
    assert ([one.display_name for one in page], total) == (["a.pdf"], 4)
    for one in found:
        again, _ = await documents(folder).listing(one.link_id, None, 0, 1)
        assert again == [one]


@pytest.mark.parametrize(
    ("link", "error"),
    [
        ("\\\\documents\\team\\link", ItemGone), ("\\\\documents\\team\\up", ItemGone),
        ("\\\\documents\\team\\up\\secret", ItemGone), ("\\\\documents\\team\\pipe", ItemGone),
        ("\\\\documents\\team\\nothing", ItemGone), ("\\\\documents\\team\\B.txt\\x", ItemGone),
        ("\\\\documents\\team\\" + "x" * 300, ItemGone), ("\\\\documents\\team\\..\\secret", BadLink),
        ("file://documents/team/%2e%2e/secret", BadLink), ("\\\\documents\\secret", Blocked),
        ("\\\\documents", Blocked), ("\\\\elsewhere\\team\\B.txt", Blocked), ("http://documents/team/B.txt", Blocked),
    ],
)
async def test_nothing_leads_out_of_a_share(folder: Path, link: str, error: type[BackendError]) -> None:
    for ask in (documents(folder).listing(link, None, 0, 9), documents(folder).read(link, None, 0, None)):
        with pytest.raises(error):
            await ask


async def test_reading_whole_and_by_ranges(folder: Path) -> None:
    there = documents(folder)
    for first, last, data in ((0, None, b"0123456789"), (3, 5, b"345"), (8, 99, b"89"), (10, 20, b""), (99, None, b"")):
        got = await there.read("file://documents/TEAM/B.txt", None, first, last)
        assert (got.data, got.first, got.total) == (data, first, 10)
    assert (await there.read(f"{TEAM}\\a.pdf", None, 0, None)).total == 0
    with pytest.raises(ItemGone):
        await there.read(f"{TEAM}\\sub", None, 0, None)


async def test_limits(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shares, "MAX_OCTETS", 5)
    monkeypatch.setattr(shares, "MAX_ENTRIES", 2)
    with pytest.raises(TooLarge):
        await documents(folder).read(f"{TEAM}\\B.txt", None, 0, None)
    assert (await documents(folder).read(f"{TEAM}\\B.txt", None, 2, 6)).data == b"23456"
    with pytest.raises(TooLarge):
        await documents(folder).listing(TEAM, None, 0, 1)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
async def test_what_the_file_system_refuses(folder: Path) -> None:
    (folder / "B.txt").chmod(0)
    with pytest.raises(NotAllowed):
        await documents(folder).read(f"{TEAM}\\B.txt", None, 0, None)


async def test_a_folder_of_each_user(folder: Path) -> None:
    (folder / "sub" / "anna").mkdir()
    (folder / "sub" / "anna" / "mine").write_bytes(b"mine")
    path = str(folder / "sub" / "{user}")
    assert (await documents(folder, "anna", path).read(f"{TEAM}\\mine", None, 0, None)).data == b"mine"
    for login in ("ben", "..", ".", "", "anna/..", "a\\b", ".hidden"):
        with pytest.raises((ItemGone, Blocked)):
            await documents(folder, login, path).read(f"{TEAM}\\mine", None, 0, None)
