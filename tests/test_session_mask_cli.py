"""`eas session mask` as its user runs it."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest
from session_kit import Script, keep
from typer.testing import CliRunner, Result

from eas.cli import app as commands
from eas.protocol import http
from eas.protocol.wbxml import Element, encode
from eas.replay.format.reading import open_session

ADDRESS, SUBJECT = '"Anna Smith" &lt;anna.smith@contoso.com&gt;', "Offer 4711"
MAIL = f"""<Add><ServerId>5:1001</ServerId><ApplicationData><email:To>{ADDRESS}</email:To><email:Subject>{SUBJECT}
</email:Subject></ApplicationData></Add>"""


def run(*words: str | Path, code: int = 0, stdin: str | None = None) -> Result:
    result = CliRunner().invoke(commands, ["session", "mask", *map(str, words)], input=stdin)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == code, result.output
    return result


@pytest.fixture
def file(tmp_path: Path) -> Path:
    script = Script()
    script.sync("1", "2", down=MAIL, folder="5")
    script.say("Settings", encode(Element("Settings:Settings", (Element("Settings:DevicePassword", (
        Element("Settings:Set", (Element("Settings:Password", "hunter2"),)),
    )),))))
    return keep(tmp_path / "a.session", script.exchanges, device="PHONE1", user="anna.smith")


def test_a_file(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "b.session"
    result = run(file, "-o", out)
    assert result.output.splitlines()[0] == f"{file} -> {out}: 2 exchanges"
    assert re.search(r"^ +1  people$", result.output, re.MULTILINE)
    assert result.output.splitlines()[-1] == "Nothing was found that looks private."
    text = out.read_text()
    for word in ("anna", "Smith", "contoso", "Offer", "4711", "hunter2", "PHONE1"):
        assert word not in text, word
    assert "masked: pseudonyms" in text
    with open_session(out) as session:
        assert len(list(session.exchanges)) == 2
    assert run("--check", out).output.splitlines() == ["2 exchanges searched", "Nothing was found that looks private."]
    assert out.stat().st_mode & 0o777 == 0o600
    assert {one.name for one in tmp_path.iterdir()} == {"a.session", "b.session"}


def test_check_finds(file: Path) -> None:
    result = run("--check", file, code=1)
    assert re.search(rf"^{re.escape(str(file))}:\d+: address: anna\.smith@contoso\.com$", result.output, re.MULTILINE)


def test_several_files_with_one_key(file: Path, tmp_path: Path) -> None:
    other, folder, key = tmp_path / "b.session.gz", tmp_path / "masked", tmp_path / "key"
    other.write_bytes(gzip.compress(file.read_bytes()))
    folder.mkdir()
    assert "is a new key" in run(file, other, "--to", folder, "--key", key).output
    packed = gzip.decompress((folder / "b.session.gz").read_bytes())
    assert packed == (folder / "a.session").read_bytes()
    assert key.stat().st_mode & 0o777 == 0o600
    assert "new key" not in run(file, "-o", tmp_path / "again", "--key", key).output
    assert (tmp_path / "again").read_bytes() == packed
    run(file, "-o", tmp_path / "other")
    assert (tmp_path / "other").read_bytes() != packed


def test_in_place(file: Path) -> None:
    run(file, "--in-place")
    assert "contoso" not in file.read_text()
    run(file, "--in-place")  # under pseudonyms of pseudonyms


def test_standard_input_and_output(file: Path) -> None:
    result = run(file, "-o", "-")
    assert result.stdout.startswith("eas-session 1\n")
    assert "exchanges" not in result.stdout
    assert "2 exchanges" in result.stderr


def test_what_is_kept(file: Path, tmp_path: Path) -> None:
    run(file, "-o", tmp_path / "b", "--keep", "subjects")
    text = (tmp_path / "b").read_text()
    assert SUBJECT in text
    assert "contoso" not in text
    assert "masked: pseudonyms, but for subjects" in text
    run(file, "-o", tmp_path / "c", "--keep", "people,subjects", code=1)  # and says that addresses are left


WRONG: list[tuple[list[str], str]] = [
    (["a.session"], "where to"),
    (["a.session", "-o", "x", "--in-place"], "where to"),
    (["a.session", "-o", "a.session"], "would be overwritten"),
    (["a.session", "-o", "link"], "would be overwritten"),
    (["a.session", "--to", "."], "would be overwritten"),
    (["a.session", "a.session", "--to", "masked"], "two files"),
    (["a.session", "b.session", "-o", "x"], "one file"),
    (["a.session", "--to", "nowhere"], "no such folder"),
    (["a.session", "-o", "x", "--keep", "secrets"], "one of bodies"),
    (["a.session", "-o", "x", "--key", "short"], "16 bytes"),
    (["nothing", "-o", "x"], "nothing"),
    (["short", "-o", "x"], "short:1: "),
    (["-", "--in-place"], "standard input"),
    (["--check", "short"], "short:1: "),
    (["cut", "--in-place"], "cut:"),
]


@pytest.mark.parametrize(("words", "said"), WRONG)
def test_wrong_calls(file: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str) -> None:
    monkeypatch.chdir(file.parent)
    Path("link").symlink_to("a.session")
    Path("masked").mkdir()
    Path("short").write_text("a")
    Path("cut").write_text(file.read_text().replace("<-- 200", "<!- 200"))
    before = {one: one.read_bytes() for one in Path().iterdir() if one.is_file()}
    assert said in run(*words, code=2).stderr
    assert {one: one.read_bytes() for one in Path().iterdir() if one.is_file()} == before


def test_a_long_session_is_streamed(tmp_path: Path) -> None:
    """What is held does not grow with the file."""
    import tracemalloc

    script = Script()
    for _ in range(300):
        script.say("Sync", told=encode(Element("AirSync:Sync", (Element("Email:Body", "Anna " * 4000),))),
                   answer_headers=[("Content-Type", http.WBXML)])
    file = keep(tmp_path / "long.session", script.exchanges)
    del script
    run(file, "-o", tmp_path / "warm")
    tracemalloc.start()
    run(file, "-o", tmp_path / "out")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert file.stat().st_size > 6_000_000
    assert peak < 3_000_000
