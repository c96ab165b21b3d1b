"""`eas session test`, as a user calls it: what it writes is a case, and a long session with a fault becomes short."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import structlog
from premises import ANNA, Premises
from serving import Server
from typer.testing import CliRunner

from eas.cli import app
from eas.replay.format.reading import open_session
from eas.replay.testing.cases import Case, Known

LIBRARY = Path(__file__).parents[1] / "fixtures" / "sessions"
FIRST = LIBRARY / "ios-16.1" / "first-sync.session"


@pytest.fixture(autouse=True)
def _log() -> object:
    before = structlog.get_config()
    yield
    structlog.configure(**before)


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    folder = tmp_path / "cases"
    folder.mkdir()
    return folder


def run(cases: Path, *words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["session", "test", *words, "--to-folder", str(cases)])
    return result.exit_code, result.output


def faulty(folder: Path) -> Path:
    """The phone was told of a status with its first appointments that no gateway tells."""
    text = FIRST.read_text("utf-8")
    begin = text.index("<-- ", text.index("\n=== 9 "))
    file = folder / "faulty.session"
    file.write_text(text[:begin] + text[begin:].replace("<Status>1<", "<Status>3<", 1), "utf-8")
    return file


def numbers(file: Path) -> list[int]:
    with open_session(file) as session:
        return [exchange.number for exchange in session.exchanges]


def test_a_cut_becomes_a_case(cases: Path) -> None:
    code, said = run(cases, str(FIRST), "--exchanges", "3-7", "--name", "contacts", "--ignore", "email:Preview")
    file = cases / "contacts.session"
    assert (code, said) == (0, f"{file} with 5 exchanges: comes out as it should\n")
    assert numbers(file) == [3, 4, 5, 6, 7]
    with open_session(file) as session:
        assert Case.of(session.meta) == Case((), ("email:Preview",))
        assert session.meta.get("device") == "APPLF2LDNQXV00ACHQ0TA1B2C3D4"
    assert run(cases, str(FIRST), "--from", "3", "--until", "4", "--name", "contacts")[0] == 2
    assert numbers(file) == [3, 4, 5, 6, 7]
    assert run(cases, str(FIRST), "--from", "3", "--until", "4", "--name", "contacts", "--force")[0] == 0
    assert numbers(file) == [3, 4]


def test_what_does_not_come_out_is_told_or_known(cases: Path, tmp_path: Path) -> None:
    session = str(faulty(tmp_path))
    code, said = run(cases, session, "--until", "9")
    assert code == 1
    assert said.startswith("  9: Collection Calendar: Status is '1', not '3'")
    assert said.endswith("does not come out as it should yet\n")
    code, said = run(cases, session, "--until", "9", "--known", "--name", "known")
    assert code == 0
    with open_session(cases / "known.session") as found:
        assert Known.read("9 status Sync/Collections/Collection[Calendar]/Status") in Case.of(found.meta).known


@pytest.mark.long
def test_a_fault_becomes_short(cases: Path, tmp_path: Path) -> None:
    code, said = run(cases, str(faulty(tmp_path)), "--shrink", "--name", "short")
    lines = said.splitlines()
    left = numbers(cases / "short.session")
    assert code == 1
    assert lines[0] == "to keep: 9: Collection Calendar: Status is '1', not '3' (All went well)"
    assert lines[1].startswith(f"from 15 exchanges to {len(left)}, in ")
    assert {5, 8, 9} <= set(left)  # the folders, the key, the fault
    assert len(left) <= 7
    with open_session(cases / "short.session") as found:
        assert any(note.startswith("shrunk from 15 exchanges") for note in found.meta.all("note"))


@pytest.mark.parametrize(("words", "said"), [
    (("nowhere.session",), "No such file"),
    (("--exchanges", "99"), "there is no such exchange"),
    (("--exchanges", "x"), "no numbers of exchanges"),
    (("--exchanges", "1", "--from", "2"), "either --exchanges"),
    (("--name", "../x"), "is no name for a case"),
    (("--ignore", "//"), "is no place"),
    (("--at", "3"), "for --shrink"),
    (("--shrink", "--to", "https://mail.example.com"), "--user"),
])
def test_wrong_calls(cases: Path, words: tuple[str, ...], said: str) -> None:
    file = () if words[0].endswith(".session") else (str(FIRST),)
    code, told = run(cases, *file, *words)
    assert code == 2
    assert said in told
    assert not list(cases.iterdir())


def test_sessions_that_may_be_private_are_refused(cases: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.session"
    file.write_text(FIRST.read_text("utf-8").replace("masked: made up\n", ""), "utf-8")
    code, said = run(cases, str(file), "--until", "2")
    assert code == 2
    assert "is not masked" in said
    assert not list(cases.iterdir())
    assert run(cases, str(file), "--until", "2", "--contents")[0] == 0


def test_there_is_nothing_to_shrink(cases: Path) -> None:
    code, said = run(cases, str(FIRST), "--until", "4", "--shrink")
    assert code == 2
    assert "there is no difference to keep" in said


@pytest.mark.server
@pytest.mark.long
def test_a_fault_of_another_server_becomes_short(
    cases: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each attempt is a new device there; who cannot log in is told so."""
    async def people(data: Path) -> None:
        async with Premises.opened(data) as premises:
            await premises.add(ANNA)

    data = tmp_path / "data"
    data.mkdir()
    asyncio.run(people(data))
    server = Server(data=data, settings={"EAS_DOMAIN": "example.test"}).start()
    try:
        to = ("--shrink", "--to", server.url, "--user", ANNA.login, "--until", "9", "--at", "5", "--attempts", "40")
        file = tmp_path / "faulty.session"
        text = FIRST.read_text("utf-8")
        begin = text.index("<-- ", text.index("\n=== 5 "))
        file.write_text(text[:begin] + text[begin:].replace("<Status>1<", "<Status>9<", 1), "utf-8")
        monkeypatch.setenv("EAS_PASSWORD", ANNA.password)
        _, said = run(cases, str(file), *to)
        assert said.startswith("to keep: 5: Status is '1', not '9'")
        assert 5 in numbers(cases / "faulty.session")
        assert len(numbers(cases / "faulty.session")) <= 3
        monkeypatch.setenv("EAS_PASSWORD", "wrong")
        assert run(cases, str(file), *to, "--force") == (2, f"eas: anna cannot log in on {server.url}\n")
    finally:
        server.stop()
