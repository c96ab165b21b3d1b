"""`eas session show`: a session as a person reads it, and what went wrong in it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class Bodies(StrEnum):
    """How much of each message."""

    SHORT = "short"
    FULL = "full"


class Side(StrEnum):
    REQUESTS = "requests"
    ANSWERS = "answers"


def show(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A session file; - is standard input.")],
    command: Annotated[str, typer.Option("--command", help="These alone: Sync,Ping.")] = "",
    folder: Annotated[str, typer.Option("--folder", help="What is about this folder: its id or its name.")] = "",
    status: Annotated[
        str, typer.Option("--status", help="With this status, HTTP's or any: 3, 503, none; !1 is all that is not well.")
    ] = "",
    begin: Annotated[
        str, typer.Option("--from", help="From this exchange or time on: 17, 10:00, 2026-11-21T10:00.")
    ] = "",
    end: Annotated[str, typer.Option("--to", help="Up to this exchange or time.")] = "",
    only: Annotated[Side | None, typer.Option("--only", help="Messages of one side.")] = None,
    headers: Annotated[bool, typer.Option("--headers", help="With the headers.")] = False,
    bodies: Annotated[Bodies, typer.Option("--bodies", help="Cut long messages and lines, or not.")] = Bodies.SHORT,
    no_bodies: Annotated[bool, typer.Option("--no-bodies", help="One line for each exchange.")] = False,
    decoded: Annotated[bool, typer.Option("--decoded", help="Say behind numbers what they mean.")] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say what went wrong, and what to do. Exit code 1 if something did.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON for each exchange.")] = False,
) -> None:
    """Show a session: a line for each exchange, what was not well, and the messages.

    A line: number, time, seconds since the one before, command, HTTP status, seconds to the answer, bytes in and out.
    """
    from eas.replay.showing.choosing import Bound, Choice, ChoiceError, Wanted

    from .faults import Fault, carefully
    from .reader import Manner, View

    def work() -> bool:
        try:
            choice = Choice(
                commands={name.strip().lower() for name in command.split(",") if name.strip()}, folder=folder,
                status=Wanted.parse(status) if status else None, begin=Bound.parse(begin) if begin else None,
                end=Bound.parse(end) if end else None,
            )
        except ChoiceError as error:
            raise Fault(str(error)) from None
        manner = Manner(
            headers=headers, full=None if no_bodies else bodies is Bodies.FULL, requests=only is not Side.ANSWERS,
            answers=only is not Side.REQUESTS, decoded=decoded, as_json=as_json,
        )
        return View(choice, manner, explain).show(file)

    if not carefully(work):
        raise typer.Exit(1)
