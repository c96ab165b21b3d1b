"""`eas serve` and `eas demo`."""

from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

import typer

from eas import app
from eas.admin import demo as demo_office
from eas.config import ConfigError, Settings
from eas.demo.model import DOMAIN, PASSWORD
from eas.demo.people import LOG_INS

from .frame import AsJson, ConfigFile, DataFolder, Fault, act, carefully, done, leave, settings_of

WHO = (
    f"log in as {', '.join(LOG_INS[:-1])} or {LOG_INS[-1]} (at {DOMAIN}), password {PASSWORD}; {LOG_INS[0]} is admin "
    "at /admin, everybody has /my"
)


def serve(
    listen: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Where devices reach it.")] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Fill an empty data folder with a demo office first.")] = False,
    workers: Annotated[int | None, typer.Option(help="Processes that answer; more than one want Redis.")] = None,
    tls_cert: Annotated[Path | None, typer.Option(dir_okay=False, help="Certificate chain, PEM.")] = None,
    tls_key: Annotated[Path | None, typer.Option(dir_okay=False, help="Its private key, PEM.")] = None,
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """Run the gateway."""
    settings = settings_of(
        config, data, listen=listen, workers=workers, **{"tls.cert": _text(tls_cert), "tls.key": _text(tls_key)}
    )
    if demo or demo_office.is_demo(settings.data):
        refuse_strangers(settings)
    worker = app.as_worker()
    if demo and worker is None:
        _fill(config, data)
        typer.echo(f"demo office: {WHO}", err=True)

    def started(host: str, port: int) -> None:
        scheme = "https" if settings.tls.cert else "http"
        shown = f"[{host}]" if ":" in host else host
        typer.echo(f"listening on {scheme}://{shown}:{port}", err=True)

    def run() -> None:
        try:
            if worker is not None:
                app.work(settings, worker)
            elif settings.workers == 1:
                app.serve(settings, started)
            elif code := app.supervise(settings, started):
                raise typer.Exit(code)
        except ConfigError as error:
            raise Fault(str(error), 2) from error

    carefully(run)


def demo(as_json: AsJson = False, config: ConfigFile = None, data: DataFolder = None) -> None:
    """Fill an empty data folder with the demo office."""
    settings_of(config, data)
    filled = _fill(config, data)
    done(
        f"demo office {'made' if filled else 'is there already'}: {WHO}", as_json, made=filled, logins=LOG_INS,
        domain=DOMAIN, password=PASSWORD,
    )


def _fill(config: Path | None, data: Path | None) -> bool:
    settings = settings_of(config, data)
    return act(config, data, lambda site: demo_office.fill(site, settings.data, datetime.now(UTC)))


def refuse_strangers(settings: Settings) -> None:
    """A store whose passwords everybody knows is for this machine alone. Leaves with code 2."""
    if settings.host == "localhost":
        return
    try:
        if ip_address(settings.host).is_loopback:
            return
    except ValueError:
        pass
    raise leave(
        f"the passwords of the demo office are known to everybody: it is served on loopback only, not on "
        f"{settings.listen}", 2,
    )


def _text(path: Path | None) -> str | None:
    return str(path) if path is not None else None
