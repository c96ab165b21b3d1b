"""`eas doctor`."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Annotated, Any

import typer

from eas import app
from eas.admin.doctor import Finding, Patient, Verdict, examine
from eas.admin.doctor.login import Ways
from eas.backends.standards.logins import named
from eas.config import Settings
from eas.engine.model import Secret

from .frame import AsJson, ConfigFile, DataFolder, Fault, carefully, put_json, read_password, settings_of

_MARKS = {
    Verdict.OK: ("ok", typer.colors.GREEN), Verdict.WARN: ("warn", typer.colors.YELLOW),
    Verdict.FAIL: ("FAIL", typer.colors.RED), Verdict.SKIP: ("-", typer.colors.BRIGHT_BLACK),
}
#: Where what was found begins in a line.
_COLUMN = 7


def doctor(
    user: Annotated[str, typer.Option(metavar="LOGIN", help="Log in as this user, as a device would.")] = "",
    password: Annotated[str | None, typer.Option(hidden=True)] = None,
    password_stdin: Annotated[bool, typer.Option("--password-stdin", help="Read the password from a line.")] = False,
    master: Annotated[bool, typer.Option("--master", help="No password: enter by the master users.")] = False,
    url: Annotated[str, typer.Option(metavar="URL", help="Where devices find the gateway: try that, too.")] = "",
    as_json: AsJson = False,
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """Look at the configuration and the servers: what is missing, and what it costs.

    Makes a folder and a calendar of its own at the servers of the user and deletes them again; sends no mail. Leaves
    with 0 if nothing has failed, else with 1.
    """
    settings = settings_of(config, data)
    secret = Secret(value=read_password(password, password_stdin)) if user and not master else None
    findings: list[Finding] = []
    shown = _Shown()

    def put(finding: Finding) -> None:
        findings.append(finding)
        if not as_json:
            shown.put(finding)

    async def run() -> None:
        tenants = app.tenants_of(settings)
        who = named(user, tenants, settings.domain) if user else None
        if user and who is None:
            raise Fault(f"{user} is of none of the backends in the settings", 2)
        async with app.build(settings) as parts:
            patient = Patient(
                tenants=tenants, ground=parts.embedded.groupware, database=parts.database.engine.dialect.name,
                who=who, secret=secret, url=url, hooks=bool(settings.hooks.token.get_secret_value()),
                ways=_ways(settings, parts),
            )
            await examine(patient, put)

    carefully(lambda: asyncio.run(run()))
    counts = {verdict: sum(1 for finding in findings if finding.verdict is verdict) for verdict in Verdict}
    if as_json:
        put_json({
            "findings": [asdict(finding) for finding in findings],
            "counts": {verdict.value: count for verdict, count in counts.items()},
        })
    else:
        typer.echo(_summed(counts))
    if counts[Verdict.FAIL]:
        raise typer.Exit(1)


def _ways(settings: Settings, parts: app.App) -> Ways:
    return Ways(
        device_passwords="device-password" in settings.login.phones, tokens=parts.identity.tokens is not None,
        certificates=bool(settings.client_certificates.header), introspected=settings.oidc.tokens == "introspected",
        provider=parts.identity.provider,
    )


class _Shown:
    """One line a check, under a heading for each server; what to know and to do is indented below it."""

    def __init__(self) -> None:
        self._where: tuple[str, str] | None = None

    def put(self, finding: Finding) -> None:
        where = (finding.tenant, finding.server)
        if where != self._where:
            typer.echo(("" if self._where is None else "\n") + _heading(finding))
            self._where = where
        mark, colour = _MARKS[finding.verdict]
        typer.echo(f"  {typer.style(mark.ljust(_COLUMN - 2), fg=colour)}{finding.check}: {finding.said}")
        for line in (finding.means, finding.advice):
            if line:
                typer.echo(" " * (_COLUMN + 2) + line)


def _heading(finding: Finding) -> str:
    return f"{finding.tenant}: {finding.server}" if finding.tenant else finding.server


def _summed(counts: dict[Verdict, int]) -> str:
    failed, warned = counts[Verdict.FAIL], counts[Verdict.WARN]
    told: list[str] = []
    if failed:
        told.append(f"{failed} {_plural('check', failed)} failed")
    if warned:
        told.append(f"{warned} {_plural('thing', warned)} to know")
    if counts[Verdict.SKIP]:
        told.append(f"{counts[Verdict.SKIP]} not tried")
    return "\n" + ("; ".join(told) if told else "all is well")


def _plural(word: str, count: Any) -> str:
    return word if count == 1 else f"{word}s"
