"""`eas session mask`: what is private in a session replaced by what is made up, and a search for what is left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from eas.replay.masking.findings import Finding

#: Bytes of a key, at least: fewer can be guessed.
_KEY_BYTES = 16
#: Findings that are shown; the rest is counted.
_SHOWN = 50


def mask(
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="Session files; - is standard input.")],
    out: Annotated[str, typer.Option("-o", "--output", metavar="OUT", help="Where to; - is standard output.")] = "",
    in_place: Annotated[bool, typer.Option("--in-place", help="The files themselves, when all went well.")] = False,
    to: Annotated[str, typer.Option("--to", metavar="FOLDER", help="Into this folder, under the same names.")] = "",
    key: Annotated[
        str,
        typer.Option("--key", metavar="FILE", help="The same key, the same pseudonyms. Made where missing."),
    ] = "",
    keep: Annotated[
        list[str] | None, typer.Option("--keep", metavar="KIND", help="What stays: subjects, bodies ...; several.")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing, search for what may be private.")] = False,
) -> None:
    """Mask sessions: people, addresses, texts, ids, dates become others of the same length; passwords go.

    Several files at once get the same pseudonyms. What is written is searched: code 1 where something may be left.
    """
    from .faults import carefully

    def work() -> list[Finding]:
        from eas.replay.masking.filing import search

        if check:
            found = [search(file) for file in files]
            _say(f"{sum(count for _, count in found)} exchanges searched", "")
            return [one for findings, _ in found for one in findings]
        return _mask(_targets(files, out, in_place, to), key, keep or [])

    found = carefully(work)
    for finding in found[:_SHOWN]:
        typer.echo(str(finding), err=out == "-")
    if len(found) > _SHOWN:
        typer.echo(f"and {len(found) - _SHOWN} more", err=out == "-")
    if found:
        raise typer.Exit(1)
    _say("Nothing was found that looks private.", out)


def _mask(targets: list[tuple[str, str]], key: str, keep: list[str]) -> list[Finding]:
    from eas.replay.masking.filing import mask as mask_file
    from eas.replay.masking.masker import KEPT, Masker

    from .faults import Fault

    wanted = {word for one in keep for word in one.lower().replace(",", " ").split()}
    if unknown := sorted(wanted - KEPT):
        raise Fault(f"--keep {unknown[0]}: one of {', '.join(sorted(KEPT))}")
    masker = Masker(_key(key), wanted)
    found: list[Finding] = []
    for source, target in targets:
        count = mask_file(source, target, masker, found)
        _say(f"{source} -> {target}: {count} exchanges", target)
    for kind, number in sorted(masker.counts.items(), key=lambda one: (-one[1], one[0])):
        _say(f"  {number:>9,}  {kind}", targets[0][1])
    return found


def _targets(files: list[str], out: str, in_place: bool, to: str) -> list[tuple[str, str]]:
    """Where each file goes. Raises Fault for what would overwrite a file that is read."""
    from pathlib import Path

    from .faults import Fault

    if bool(out) + in_place + bool(to) != 1:
        raise Fault("where to: one of -o OUT, --to FOLDER, --in-place; or --check, which writes nothing")
    if in_place:
        if "-" in files:
            raise Fault("--in-place: standard input has no place")
        return [(file, file) for file in files]
    if out:
        if len(files) > 1:
            raise Fault("-o takes one file: --to FOLDER for several")
        targets = [(files[0], out)]
    else:
        if not Path(to).is_dir():
            raise Fault(f"{to}: no such folder")
        names = [Path(file).name for file in files]
        if twice := next((name for name in names if names.count(name) > 1), ""):
            raise Fault(f"two files have the name {twice}: one would overwrite the other in {to}")
        targets = [(file, str(Path(to) / name)) for file, name in zip(files, names, strict=True)]
    read = [Path(file) for file in files if file != "-"]
    for _, target in targets:
        if target != "-" and Path(target).exists() and any(one.exists() and one.samefile(target) for one in read):
            raise Fault(f"{target} is read and would be overwritten: --in-place, where that is wanted")
    return targets


def _key(file: str) -> bytes:
    """The key in a file, made where it is missing; without a file one that nobody has afterwards."""
    import os
    import secrets
    from pathlib import Path

    from eas.replay.masking.masker import KEY_BYTES

    from .faults import Fault

    if not file:
        return secrets.token_bytes(KEY_BYTES)
    try:
        made = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        key = Path(file).read_bytes().strip()
        if len(key) < _KEY_BYTES:
            raise Fault(f"{file}: a key has {_KEY_BYTES} bytes at least") from None
        return key
    key = secrets.token_hex(KEY_BYTES).encode()
    with os.fdopen(made, "wb") as stream:
        stream.write(key + b"\n")
    typer.echo(f"eas: {file} is a new key: who has it can tell whether a word that they know was there", err=True)
    return key


def _say(line: str, target: str) -> None:
    """To standard error where the session goes to standard output."""
    typer.echo(line, err=target == "-")
