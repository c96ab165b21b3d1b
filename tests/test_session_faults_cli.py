"""What all `eas session` commands share: times, sizes, and faults as lines with exit codes."""

from __future__ import annotations

import pytest
import typer

from eas.cli.sessions import amounts
from eas.cli.sessions.faults import Fault, carefully
from eas.replay.format.model import SessionError


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("1.5m", 90), ("2h", 7200), ("1d", 86400)])
def test_times(text: str, seconds: float) -> None:
    assert amounts.seconds(text) == seconds


@pytest.mark.parametrize(("text", "size"), [("12", 12), ("500K", 500_000), ("50M", 50_000_000), ("2GB", 2_000_000_000)])
def test_sizes(text: str, size: int) -> None:
    assert amounts.size(text) == size


@pytest.mark.parametrize("text", ["", "2", "0h", "h", "2 weeks", "-1h", "1e9h", "9" * 99 + "s"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        amounts.seconds(text)


@pytest.mark.parametrize("text", ["", "0", "M", "-1", "5T", "1.5M", "9" * 99])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        amounts.size(text)


@pytest.mark.parametrize(("error", "code", "said"), [
    (Fault("two\nlines", 1), 1, "eas: two\neas: lines\n"),
    (SessionError("no time", 4, "x.session"), 2, "eas: x.session:4: no time\n"),
    (FileNotFoundError(2, "No such file or directory", "x.session"), 2, "eas: x.session: No such file or directory\n"),
    (KeyboardInterrupt(), 130, ""),
])
def test_faults_are_lines(error: BaseException, code: int, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        raise error

    with pytest.raises(typer.Exit) as caught:
        carefully(work)
    assert caught.value.exit_code == code
    assert capsys.readouterr().err == said
