"""`eas access` on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from eas.cli import app

RUNNER = CliRunner()


@pytest.fixture
def site(tmp_path: Path) -> Any:
    def run(*words: str, code: int = 0) -> str:
        result = RUNNER.invoke(app, [*words, "--data", str(tmp_path / "data")])
        assert result.exit_code == code, result.output
        return result.stdout

    run("user", "add", "anna@example.com", "--password", "anna-secret")
    return run


def test_rules_lists_and_the_default(site: Any, tmp_path: Path) -> None:
    site("access", "default", "quarantine")
    said = site("access", "rules", "add", "allow", "--type", "iPhone|iPad", "--group", "Sales", "--note", "ours")
    assert said == "rule 1: allow where type is iPhone|iPad and group is Sales\n"
    site("access", "rules", "add", "block", "--network", "10.0.0.0/99", code=1)
    site("access", "rules", "move", "1", "5")
    shown = json.loads(site("access", "rules", "show", "--json"))
    assert (shown["default"], shown["rules"][0]["priority"], shown["rules"][0]["note"]) == ("quarantine", 5, "ours")
    tried = json.loads(site("access", "test", "anna", "--type", "iPad", "--json"))
    assert (tried["level"], tried["by"]) == ("quarantine", "default")
    assert "quarantine" in site("access", "test")
    file = tmp_path / "devices.csv"
    file.write_text("user,device\nanna,APPL123\n", encoding="utf-8")
    site("access", "allow-list", "import", str(file))
    assert site("access", "allow-list", "show", "anna") == "anna\tAPPL123\n"
    site("access", "allow-list", "clear", "anna")
    assert site("access", "allow-list", "show") == ""
    site("access", "limit", "set", "anna", "3")
    assert site("access", "limit", "show") == "anna\tuser\t3\n"
    assert site("access", "queue") == ""
    site("access", "approve", "anna", "NONE", code=1)
    site("access", "rules", "remove", "1")
    assert json.loads(site("access", "rules", "show", "--json"))["rules"] == []
