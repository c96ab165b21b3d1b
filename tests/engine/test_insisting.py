"""How often devices asked for folders that are not there."""

from __future__ import annotations

from eas.engine import insisting
from eas.engine.insisting import MOST_FOLDERS, TOLD, Insisting


def asked(counts: Insisting, times: int, *, device: str = "D1", hierarchy: str = "k1", folder: str = "7") -> list[bool]:
    return [counts.asks("u", device, hierarchy, folder) for _ in range(times)]


def test_so_often() -> None:
    counts = Insisting()
    assert asked(counts, TOLD + 2) == [False] * TOLD + [True] * 2
    assert asked(counts, 1, folder="8") == [False]
    assert asked(counts, 1, device="D2") == [False]


def test_what_makes_it_begin_anew() -> None:
    counts = Insisting()
    asked(counts, TOLD)
    assert asked(counts, 1, hierarchy="k2") == [False], "a FolderSync that another process answered"
    asked(counts, TOLD, hierarchy="k2")
    counts.found("u", "D1", "7")
    assert asked(counts, 1, hierarchy="k2") == [False]
    asked(counts, TOLD, hierarchy="k2")
    counts.listed("u", "D1")
    assert (len(counts), asked(counts, 1, hierarchy="k2")) == (0, [False])
    counts.found("u", "D9", "7")
    counts.listed("u", "D9")


def test_only_so_much_is_remembered(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(insisting, "MOST", 2)
    counts = Insisting()
    for device in ("D1", "D2", "D1", "D3"):
        asked(counts, TOLD, device=device)
    assert len(counts) == 2
    assert asked(counts, 1, device="D1") == [True], "it was told later than D2"
    assert asked(counts, 1, device="D2") == [False]
    for folder in range(MOST_FOLDERS):
        asked(counts, 1, folder=f"f{folder}")
    assert asked(counts, 1) == [False], "the folder of which it was told longest ago"
