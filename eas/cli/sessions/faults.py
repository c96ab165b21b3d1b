"""What can go wrong with a session, as a line and an exit code. `eas.cli.frame` does the same for commands that open
the store, and takes seconds to import, which a command that reads a file need not."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TypeVar

import typer

T = TypeVar("T")

#: Called wrongly, or a file that cannot be read.
UNREADABLE = 2


class Fault(Exception):
    """Something to say before leaving; `code` is the exit code."""

    def __init__(self, message: str, code: int = UNREADABLE) -> None:
        super().__init__(message)
        self.code = code


def carefully(work: Callable[[], T]) -> T:
    """The work; a Fault, a SessionError or an OSError becomes a line on standard error and an exit code, Ctrl-C 130.
    A reader that goes away (`| head`) ends it silently."""
    from eas.replay.format.model import SessionError

    try:
        return work()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes it once more at the end
        raise typer.Exit(0) from None
    except Fault as error:
        raise leave(str(error), error.code) from None
    except SessionError as error:
        raise leave(str(error)) from None
    except OSError as error:
        raise leave(f"{error.filename}: {error.strerror}" if error.filename else str(error)) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def leave(message: str, code: int = UNREADABLE) -> typer.Exit:
    """Say why to standard error; the exception is to be raised."""
    for line in message.splitlines():
        typer.echo(f"eas: {line}", err=True)
    return typer.Exit(code)
