"""`eas report`: what there is, as tables, CSV or JSON; the summary of a month as a text, or as mails."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer

from eas.admin import reports
from eas.admin.sheet import as_csv

from .frame import AsJson, ConfigFile, DataFolder, act, done, leave, put_json, put_list

MONTHLY = "monthly"
Name = StrEnum("Name", {name: name for name in (*reports.REPORTS, MONTHLY)})  # type: ignore[misc]
_HELP = "\n\n".join(f"{name}: {report.title}." for name, report in reports.REPORTS.items())


def report(
    name: Annotated[Name, typer.Argument(help="Which one; monthly is a summary as a text.")],
    days: Annotated[int, typer.Option(help="For `unused`: days without a request.", min=0)] = reports.DAYS,
    csv: Annotated[bool, typer.Option("--csv", help="CSV on standard output, safe for spreadsheets.")] = False,
    mail_to: Annotated[list[str] | None, typer.Option(help="`monthly`: send it there; may be repeated.")] = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """Who has which devices, how old they are, whether they hold their policy."""
    if name.value == MONTHLY:
        _monthly(mail_to or [], as_json, config, data)
        return
    if mail_to:
        raise leave("--mail-to is for the summary: eas report monthly --mail-to ...", 2)
    columns = reports.REPORTS[name.value].columns
    rows = act(config, data, lambda site: reports.rows_of(site, name.value, days))
    if csv:
        sys.stdout.write(as_csv(columns, rows))
    else:
        put_list(rows, columns, as_json)


def _monthly(mail_to: list[str], as_json: bool, config: ConfigFile, data: DataFolder) -> None:
    if not mail_to:
        told = act(config, data, reports.monthly)
        put_json(told) if as_json else typer.echo(f"{told['subject']}\n\n{told['text']}")
        return
    handed = act(config, data, lambda site: reports.mail_monthly(site, to=mail_to))
    if missed := [one for one in mail_to if one not in handed]:
        raise leave(f"could not be sent to {', '.join(missed)}; the log says why")
    done(f"sent to {', '.join(handed)}", as_json, to=handed)
