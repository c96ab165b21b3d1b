"""What a request asks for."""

from __future__ import annotations

from eas.protocol import query as queries
from eas.replay.format.model import Request


def command_of(request: Request) -> str:
    """The command, "" for none (OPTIONS, Autodiscover)."""
    if not request.query:
        return ""
    try:
        return queries.parse(request.query).command
    except queries.QueryError as error:
        return error.command
