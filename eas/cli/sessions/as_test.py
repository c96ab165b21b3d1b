"""`eas session test`: a session, or a cut of it, as a regression test that pytest plays from then on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .comparing import Ignore
from .faults import carefully

FOLDER = Path("tests/replay/cases")


def as_test(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A session file, masked.")],
    exchanges: Annotated[str, typer.Option("--exchanges", metavar="3,7-12", help="Only those exchanges.")] = "",
    first: Annotated[int | None, typer.Option("--from", metavar="N", min=0, help="From that exchange on.")] = None,
    last: Annotated[int | None, typer.Option("--until", metavar="N", min=0, help="Up to that exchange.")] = None,
    name: Annotated[str, typer.Option("--name", help="Of the case; default: the file's.")] = "",
    folder: Annotated[Path, typer.Option("--to-folder", metavar="FOLDER", help="Where cases are kept.")] = FOLDER,
    ignore: Ignore = None,
    known: Annotated[bool, typer.Option("--known", help="What differs now is known: the test fails when it ends, or "
                                        "something else differs.")] = False,
    shrink: Annotated[bool, typer.Option("--shrink", help="Leave out whatever the difference does not need.")] = False,
    at: Annotated[int | None, typer.Option("--at", metavar="N", help="With --shrink: the difference of that exchange; "
                                           "default: the first one that differs.")] = None,
    attempts: Annotated[int, typer.Option("--attempts", min=1, help="With --shrink: at most so many.")] = 300,
    to: Annotated[str, typer.Option("--to", metavar="URL", help="With --shrink: against that server instead of a "
                                    "gateway in this process; each attempt is a new device.")] = "",
    user: Annotated[str, typer.Option("--user", help="With --to: who logs in.")] = "",
    password_stdin: Annotated[bool, typer.Option("--password-stdin", help="With --to: one line of standard input; "
                                                 "else EAS_PASSWORD, or a prompt.")] = False,
    insecure: Annotated[bool, typer.Option("--insecure", help="With --to: take any certificate.")] = False,
    contents: Annotated[bool, typer.Option("--contents", help="Also a session that is not masked.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a case of that name.")] = False,
) -> None:
    """Make a session a regression test: the file goes to FOLDER, and the test suite plays every file there.

    It is played at once, against a gateway of its own in this process with a mailbox as the session assumes it. Exit
    code 0: it comes out as it should, 1: it does not yet.
    """
    if (to or at is not None) and not shrink:
        raise typer.BadParameter("--to and --at are for --shrink")
    if to and not user:
        raise typer.BadParameter("--to wants --user")

    def work() -> bool:
        from .attempting import Server
        from .testing import Wanted, make_test, password_of

        server = Server(to, user, password_of(password_stdin), insecure) if to else None
        return make_test(Wanted(
            file=file, exchanges=exchanges, first=first, last=last, name=name, folder=folder,
            ignored=tuple(ignore or ()), known=known, shrink=shrink, at=at, attempts=attempts, server=server,
            contents=contents, force=force,
        ))

    raise typer.Exit(0 if carefully(work) else 1)
