"""`eas session proxy`: a recording reverse proxy in front of any ActiveSync server."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import ssl
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO
from urllib.parse import urlsplit

import typer

from . import amounts
from .faults import Fault, carefully

if TYPE_CHECKING:
    from eas.replay.format.model import Exchange, Meta
    from eas.replay.proxy.recording import Recording
    from eas.replay.proxy.running import Setup

ANYWHERE = ("0.0.0.0", "::")
STANDARD = "-"


def proxy(
    to: Annotated[str, typer.Option("--to", metavar="URL", help="The server to record: https://mail.example.com")],
    listen: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where phones reach the proxy.")] = "127.0.0.1:8443",
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="The session; .gz packs it, - is standard output."),
    ] = None,
    for_: Annotated[str, typer.Option("--for", metavar="TIME", help="End after 90s, 30m, 2h.")] = "2h",
    max_size: Annotated[str, typer.Option(metavar="SIZE", help="End when the file has 500K, 50M, 2G.")] = "50M",
    contents: Annotated[bool, typer.Option("--contents", help="Keep names and contents, but no passwords.")] = False,
    tls_cert: Annotated[Path | None, typer.Option(dir_okay=False, help="The proxy's certificate chain, PEM.")] = None,
    tls_key: Annotated[Path | None, typer.Option(dir_okay=False, help="Its private key, PEM.")] = None,
    plain: Annotated[bool, typer.Option("--plain", help="Listen without TLS, for clients on this machine.")] = False,
    ca: Annotated[Path | None, typer.Option("--ca", dir_okay=False, help="Trust these for the server, PEM.")] = None,
    insecure: Annotated[bool, typer.Option("--insecure", help="Take any certificate of the server.")] = False,
) -> None:
    """Record what phones and any ActiveSync server say to each other, standing between them. Ctrl-C ends it."""
    seconds, size = amounts.seconds(for_), amounts.size(max_size)
    file = output or Path(f"proxy-{datetime.now():%Y%m%d-%H%M%S}.session")
    said = _Said(sys.stderr if str(file) == STANDARD else sys.stdout)

    def work() -> None:
        tls = _tls(listen, to, tls_cert, tls_key, plain)
        setup = _setup(to, listen, tls, _trust(ca, insecure), seconds)
        if str(file) != STANDARD and file.exists():
            raise Fault(f"{file} is there already; remove it, or name another file with -o", 2)
        said(f"recording {setup.server} to {file}: {'with' if contents else 'without'} names and contents, "
             f"for {for_}, up to {max_size}")
        _record(setup, file, size, contents, said, lambda host, port: _started(said, setup, tls, host, port))

    carefully(work)


@dataclass(frozen=True, slots=True)
class _Said:
    """Lines for whoever looks on; nobody has to."""

    stream: TextIO

    def __call__(self, line: str = "") -> None:
        try:
            print(line, file=self.stream, flush=True)
        except (OSError, ValueError):
            return


# What was asked for --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Tls:
    """`fingerprint` is "" for a certificate of the caller's; `context` None is plain HTTP."""

    context: ssl.SSLContext | None
    fingerprint: str = ""


def _setup(to: str, listen: str, tls: _Tls, trust: ssl.SSLContext | bool, seconds: float) -> Setup:
    from eas.replay.proxy.rewriting import BadUrl, server_at
    from eas.replay.proxy.running import Setup

    host, port = _host_port(listen)
    try:
        return Setup(server=server_at(to), host=host, port=port, tls=tls.context, trust=trust, seconds=seconds)
    except BadUrl as error:
        raise Fault(f"--to: {error}", 2) from None


def _host_port(listen: str) -> tuple[str, int]:
    host, colon, port = listen.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise Fault(f"--listen: HOST:PORT, not {listen!r}", 2)
    return host, int(port)


def _tls(listen: str, to: str, certificate: Path | None, key: Path | None, plain: bool) -> _Tls:
    from eas.replay.proxy.certificate import context_of, own_context

    if plain:
        return _Tls(None)
    if certificate is None:
        if key is not None:
            raise Fault("--tls-key wants --tls-cert beside it", 2)
        host, _ = _host_port(listen)
        return _Tls(*own_context([_reachable(host, to), "localhost", "127.0.0.1", socket.gethostname()]))
    try:
        return _Tls(context_of(certificate, key))
    except OSError as error:
        raise Fault(f"--tls-cert {certificate}: {error.strerror or error}", 2) from None


def _trust(ca: Path | None, insecure: bool) -> ssl.SSLContext | bool:
    if insecure:
        return False
    if ca is None:
        return True
    try:
        return ssl.create_default_context(cafile=ca)
    except OSError as error:
        raise Fault(f"--ca {ca}: {error.strerror or error}", 2) from None


def _reachable(host: str, to: str) -> str:
    """A name under which phones reach what listens on `host`."""
    if host not in ANYWHERE:
        return host
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:  # connecting it sends nothing
        try:
            probe.connect((urlsplit(to if "://" in to else f"https://{to}").hostname or "", 443))
        except OSError:
            return socket.gethostname()
        return str(probe.getsockname()[0])


# The run -------------------------------------------------------------------------------------------------------------


def _record(
    setup: Setup, file: Path, size: int, contents: bool, said: _Said, started: Callable[[str, int], None]
) -> None:
    from eas.replay.format.writing import writer
    from eas.replay.proxy.recording import Recording
    from eas.replay.proxy.running import run

    keep, keep_meta = _keeping(contents)
    with writer(file) as open_file:
        recording = Recording(
            open_file, keep=keep, keep_meta=keep_meta, max_size=size,
            told=lambda exchange, sent, got: said(line_of(exchange, sent, got)),
        )
        try:
            asyncio.run(run(setup, recording, started))
        except OSError as error:
            file.unlink(missing_ok=True)
            raise Fault(f"cannot listen on {setup.host}:{setup.port}: {os.strerror(error.errno or 0)}") from None
    recording.close(file)
    for line in _summary(recording, file):
        said(line)
    if recording.fault is not None:
        raise Fault(f"{file} could not be written to its end: {recording.fault}")


def _keeping(contents: bool) -> tuple[Callable[[Exchange], Exchange], Callable[[Meta], Meta]]:
    from eas.replay.masking.secrets import without_passwords

    if contents:
        return without_passwords, lambda meta: meta
    from eas.replay.masking.masker import KEY_BYTES, Masker

    masker = Masker(secrets.token_bytes(KEY_BYTES))
    return masker.exchange, masker.meta


# Words ---------------------------------------------------------------------------------------------------------------


def _started(said: _Said, setup: Setup, tls: _Tls, host: str, port: int) -> None:
    scheme = "https" if setup.tls else "http"
    at = f"{_reachable(host, setup.server)}:{port}"
    said(f"listening on {scheme}://{f'[{host}]' if ':' in host else host}:{port}")
    said()
    said("On the phone, in a new account of type Exchange or ActiveSync (Corporate):")
    said(f"  server       {at}")
    said("  the rest     as for the server itself: e-mail, user name, password, domain")
    if tls.fingerprint:
        said("  certificate  made for this run, so the phone warns of it; its SHA-256 begins " + tls.fingerprint[:23])
    insecure = " --insecure" if tls.fingerprint else ""
    said(f"Without a phone: eas phone {scheme}://{at}{insecure} --user NAME")
    if host in ("127.0.0.1", "::1"):
        said(f"Only this machine reaches {host}; for a phone in your network: --listen 0.0.0.0:{port}")
    said("Ctrl-C ends the recording.")
    said()


def line_of(exchange: Exchange, sent: int, got: int) -> str:
    """One line on an exchange: when, command, HTTP status and Status, bytes to and from the server, seconds, device."""
    answer = exchange.answer
    command, device = _who(exchange)
    said = "none" if answer.status is None else str(answer.status)
    status = _status(exchange)
    words = [
        f"{exchange.time.astimezone():%H:%M:%S}", f"{command:<17}", f"{said:>4}", f"{status:<10}",
        f"{_bytes(sent):>9} up", f"{_bytes(got):>9} down", f"{answer.seconds:8.3f} s", f" {device}",
        answer.why and f"({answer.why})",
    ]
    return " ".join(filter(None, words)).rstrip()


def _who(exchange: Exchange) -> tuple[str, str]:
    from eas.protocol import query as queries

    request = exchange.request
    if "autodiscover" in request.path.lower():
        return "Autodiscover", ""
    try:
        query = queries.parse(request.query)
    except queries.QueryError:
        return request.method, ""
    return query.command or request.method, query.device_id


def _status(exchange: Exchange) -> str:
    """The Status at the root of the answer, in words, where it is not 1."""
    from eas.replay.format.model import Document

    body = exchange.answer.body
    if not isinstance(body, Document):
        return ""
    found = next((one.text for one in body.root.elements if one.tag.endswith(":Status")), "")
    return "" if found in ("", "1") else f"Status {found}"


def _bytes(number: int) -> str:
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return f"{number} B"


def _summary(recording: Recording, file: Path) -> list[str]:
    figures, seen = recording.figures, recording.seen.values
    where = "standard output" if str(file) == STANDARD else str(file)
    lines = [
        "",
        f"{figures.exchanges} exchange{'' if figures.exchanges == 1 else 's'} in {where}; {figures.failed} without an "
        f"answer or with a fault of the server; {_bytes(figures.sent)} up, {_bytes(figures.received)} down",
    ]
    for name in ("server", "device", "client", "protocol"):
        if values := list(seen.get(name, ())):
            lines.append(f"  {name}: {', '.join(values)}")
    if figures.exchanges and str(file) != STANDARD:
        lines.append(f"Read it: eas session show {file}")
    return lines
