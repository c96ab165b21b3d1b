"""`eas phone URL`: a simulated phone on the command line, over the same client that the tests use.

Without a subcommand it sets the account up where that has not been done, synchronises everything, and shows what is
there or, the next time, what has changed. Exit codes: 0 done, 1 refused or not found, 2 called wrongly.
"""

from __future__ import annotations

import asyncio
import mimetypes
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer
from typer.core import TyperGroup
from tzlocal import get_localzone_name

from eas.commands.ping import Status as PingStatus
from eas.engine.model import FolderType
from eas.protocol.version import Version

from . import mail, services, words
from .account import autodiscover
from .connection import Connection, Credentials, Identity
from .device import DeviceState, Folder, StateFileError
from .errors import ClientError
from .phone import Phone, Wiped
from .show import ROWS, Screen
from .sync import Report

#: Seconds that a Ping waits for, in the middle of what phones ask for.
HEARTBEAT = 480
#: Mails and appointments that are shown after the first synchronisation.
FIRST_ROWS = 8


class PhoneGroup(TyperGroup):
    """`eas phone URL [OPTIONS] [COMMAND]`: the address stands first, where click would take it for a command. A mail
    address in its place is looked up by Autodiscover."""

    # The types are those of the click that typer carries inside it, or of click itself, by typer's version.
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            args = ["--url", *args]
        return super().parse_args(ctx, args)

    def format_usage(self, ctx: Any, formatter: Any) -> None:
        formatter.write_usage(ctx.command_path, "URL --user NAME [OPTIONS] [COMMAND] [ARGS]...")


app = typer.Typer(
    cls=PhoneGroup, help="A simulated phone: sets up an account and synchronises it.", add_completion=False
)


@dataclass(slots=True)
class Settings:
    """What the options before a subcommand say."""

    url: str
    user: str
    password: str
    version: Version | None
    state_path: Path
    screen: Screen
    encoded: bool
    verify: bool
    verbose: bool


@app.callback(invoke_without_command=True)
def phone(
    context: typer.Context,
    url: Annotated[str, typer.Option(hidden=True)] = "",
    user: Annotated[str, typer.Option(help="The login, in any form that the server takes.")] = "",
    password: Annotated[str, typer.Option(envvar="EAS_PASSWORD", help="Asked for where it is not given.")] = "",
    version: Annotated[str, typer.Option(help="12.1, 14.0 or 14.1; else the highest that the server has.")] = "",
    state: Annotated[Path | None, typer.Option(help="The file in which the phone keeps what it has.")] = None,
    zone: Annotated[str, typer.Option(help="The phone's time zone, as Europe/Berlin; else this machine's.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="JSON on standard output.")] = False,
    base64: Annotated[bool, typer.Option(help="Ask with the short query, as present-day phones do.")] = False,
    insecure: Annotated[bool, typer.Option(help="Take any certificate.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show each request.")] = False,
) -> None:
    if not url or not user:
        raise typer.BadParameter("an address and --user are needed: eas phone URL --user NAME")
    here = words.Here(_zone(zone))
    context.obj = Settings(
        url=url, user=user, password=password or typer.prompt("Password", hide_input=True, err=True),
        version=_version(version), state_path=state or _usual_state(url, user),
        screen=Screen(as_json=as_json, here=here), encoded=base64, verify=not insecure, verbose=verbose,
    )
    if context.invoked_subcommand is None:
        run(context, synchronise)


def _version(text: str) -> Version | None:
    try:
        return Version.parse(text) if text else None
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name or get_localzone_name() or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        if name:
            raise typer.BadParameter(f"no time zone {name!r}") from None
        return ZoneInfo("UTC")


def _usual_state(url: str, user: str) -> Path:
    parts = urlsplit(url if "://" in url else f"https://{url}")
    safe = "".join(c if c.isalnum() or c in ".-@" else "_" for c in f"{parts.netloc}-{user}")
    return Path.home() / ".local" / "state" / "eas-phone" / f"{safe}.json"


# Running ------------------------------------------------------------------------------------------------------------

Action = Callable[[Phone, Settings], Awaitable[None]]


def run(context: typer.Context, action: Action) -> None:
    """Open the phone, do something with it, and turn what can go wrong into a line and an exit code."""
    settings: Settings = context.obj
    try:
        asyncio.run(_with_phone(settings, action))
    except (ClientError, Wiped, StateFileError, words.WordError, KeyError) as error:
        message = error.args[0] if isinstance(error, KeyError) else error
        typer.echo(f"eas phone: {message}", err=True)
        raise typer.Exit(1) from None
    except OSError as error:
        typer.echo(f"eas phone: {error}", err=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


async def _with_phone(settings: Settings, action: Action) -> None:
    settings.state_path.parent.mkdir(parents=True, exist_ok=True)
    try:
        state = DeviceState.load(settings.state_path)
    except FileNotFoundError:
        state = DeviceState.new()
    if state.user and state.user != settings.user:
        raise StateFileError(f"{settings.state_path} is the phone of {state.user}, not of {settings.user}")
    if state.wiped:
        raise Wiped(f"this phone was wiped; remove {settings.state_path} for a new one")
    credentials = Credentials(user=settings.user, password=settings.password)
    url = state.url or settings.url
    if "@" in url and "://" not in url:
        url = (await autodiscover(url, credentials, verify=settings.verify)).url
        settings.screen.say(f"found {url}")
    connection = Connection(
        url, credentials,
        Identity(device_id=state.device_id), version=state.version or Version.V14_1, policy_key=state.policy_key,
        encoded=settings.encoded, verify=settings.verify,
    )
    if settings.verbose:
        connection.watchers.append(lambda e: settings.screen.say(
            f"  {e.command}: {e.request_size} octets -> HTTP {e.status}, {e.response_size} octets, {e.seconds:.3f} s"
        ))
    async with connection:
        device = Phone(state, connection, state_path=settings.state_path)
        if state.version is None or (settings.version is not None and settings.version is not state.version):
            await device.set_up(settings.version)
            settings.screen.say(f"account set up: EAS {device.version.text}, {len(state.folders)} folders")
        await action(device, settings)


@contextmanager
def progress(device: Phone, screen: Screen) -> Iterator[None]:
    """How far a Sync is, while it lasts."""
    if screen.as_json or not screen.console.is_terminal:
        yield
        return
    with screen.console.status("synchronising") as status:
        def tell(report: Report) -> None:
            items = sum(len(folder.items) for folder in device.state.folders.values())
            status.update(f"synchronising: {items} items")

        device.on_round = tell
        yield


async def sync_all(device: Phone, settings: Settings, folders: Sequence[Folder] | None = None) -> Report:
    with progress(device, settings.screen):
        if folders is None:
            await device.folder_sync()
        return await device.sync(folders)


async def synchronise(device: Phone, settings: Settings) -> None:
    first = not any(folder.items for folder in device.state.folders.values())
    report = await sync_all(device, settings)
    settings.screen.report(device.state, report, first=first)
    if first and not settings.screen.as_json:
        for kind in (FolderType.INBOX, FolderType.CALENDAR):
            settings.screen.folder(device.state.folder(kind), FIRST_ROWS)


def folder_named(device: Phone, name: str) -> Folder:
    """By name, id, or type as in `inbox`, `sent_items`. Raises KeyError."""
    try:
        return device.state.folder(name)
    except KeyError:
        kind = FolderType.__members__.get(name.upper().replace(" ", "_").replace("-", "_"))
        if kind is None:
            raise
        return device.state.folder(kind)


async def settle(device: Phone, settings: Settings, folder: Folder, done: str) -> None:
    """Send what is pending in a folder, and say what became of it. Raises WordError if it was not taken."""
    report = await sync_all(device, settings, [folder])
    if report.failures:
        failure = report.failures[0]
        raise words.WordError(f"the server did not take it: Status {failure.status} ({failure.words})")
    if settings.screen.as_json:
        settings.screen.report(device.state, report, first=False)
    else:
        settings.screen.say(done)


# Subcommands --------------------------------------------------------------------------------------------------------

FolderName = Annotated[str, typer.Argument(metavar="FOLDER", help="Name, id or type of a folder.")]
ItemName = Annotated[str, typer.Argument(metavar="ITEM", help="Id of an item, or words of its title.")]
Fields = Annotated[list[str], typer.Argument(metavar="NAME=VALUE...", help="Fields; a wrong name lists them all.")]


@app.command("sync")
def sync_command(context: typer.Context) -> None:
    """Synchronise everything (the same as no subcommand)."""
    run(context, synchronise)


@app.command()
def show(
    context: typer.Context,
    folder: Annotated[str, typer.Argument(help="A folder; without one, all folders.")] = "",
    item: Annotated[str, typer.Argument(help="An item in it.")] = "",
    rows: Annotated[int, typer.Option(help="How many items at most.")] = ROWS,
) -> None:
    """Show what the phone has, without asking the server."""

    async def action(device: Phone, settings: Settings) -> None:
        if not folder:
            settings.screen.folders(device.state)
            return
        found = folder_named(device, folder)
        if item:
            settings.screen.item(found.item_class, words.find(found, item))
        else:
            settings.screen.folder(found, rows)

    run(context, action)


@app.command()
def add(
    context: typer.Context,
    kind: Annotated[str, typer.Argument(help="contact, event, task or note")],
    fields: Fields,
) -> None:
    """Add an item: `add event subject=Lunch start=2026-11-23T12:30`."""
    if kind not in words.KINDS:
        raise typer.BadParameter(f"{kind!r} is none of {', '.join(words.KINDS)}")

    async def action(device: Phone, settings: Settings) -> None:
        item_class, folder_type = words.KINDS[kind]
        folder = device.state.folder(folder_type)
        device.add(folder, words.new_item(item_class, fields, settings.screen.here))
        await settle(device, settings, folder, f"added to {folder.name}")

    run(context, action)


@app.command()
def change(context: typer.Context, folder: FolderName, item: ItemName, fields: Fields) -> None:
    """Change fields of an item; of a mail: read=yes, flag=yes, categories=a,b."""

    async def action(device: Phone, settings: Settings) -> None:
        found = folder_named(device, folder)
        chosen = words.find(found, item)
        if found.item_class == "Email":
            device.mark(found, chosen.server_id, **mail_marks(fields))
        else:
            named = words.fields_of(found.item_class, fields, settings.screen.here)
            device.edit(found, chosen.server_id, **named)
        await settle(device, settings, found, "changed")

    run(context, action)


def mail_marks(fields: Sequence[str]) -> dict[str, Any]:
    """The few things that can change about a mail. Raises WordError."""
    marks: dict[str, Any] = {}
    for word in fields:
        name, _, value = word.partition("=")
        if name in ("read", "flag") and value.lower() in words.FLAGS:
            marks["flagged" if name == "flag" else name] = words.FLAGS[value.lower()]
        elif name == "categories":
            marks[name] = tuple(filter(None, (part.strip() for part in value.split(","))))
        else:
            raise words.WordError(f"{word!r}: of a mail, read=yes|no, flag=yes|no and categories=A,B can be changed")
    return marks


@app.command()
def delete(context: typer.Context, folder: FolderName, item: ItemName) -> None:
    """Delete an item; mail goes to Deleted Items first."""

    async def action(device: Phone, settings: Settings) -> None:
        found = folder_named(device, folder)
        device.delete(found, words.find(found, item).server_id)
        await settle(device, settings, found, "deleted")

    run(context, action)


@app.command()
def move(context: typer.Context, folder: FolderName, item: ItemName, to: FolderName) -> None:
    """Move an item to another folder."""

    async def action(device: Phone, settings: Settings) -> None:
        source, target = folder_named(device, folder), folder_named(device, to)
        chosen = words.find(source, item)
        moved = await device.move(source, [chosen.server_id], target)
        if not moved:
            raise words.WordError("the server did not move it")
        await sync_all(device, settings, [source, target])
        if settings.screen.as_json:
            settings.screen.json(moved)
        else:
            settings.screen.say(f"moved to {target.name}")

    run(context, action)


Text = Annotated[str, typer.Option("--text", help="What to write; - reads it from standard input.")]
Files = Annotated[list[Path] | None, typer.Option("--attach", exists=True, dir_okay=False, help="A file; repeatable.")]


def _message(sender: str, to: Sequence[str], subject: str, text: str, attach: Sequence[Path] = ()) -> bytes:
    files = [
        (path.name, mimetypes.guess_type(path.name)[0] or "application/octet-stream", path.read_bytes())
        for path in attach
    ]
    body = typer.get_text_stream("stdin").read() if text == "-" else text
    return mail.compose(sender, to, subject, body, date=datetime.now(UTC), attachments=files)


async def _sender(device: Phone, settings: Settings) -> str:
    """The user's own address, as the server knows it."""
    known = await services.addresses(device)
    return known[0] if known else settings.user


@app.command()
def send(
    context: typer.Context,
    to: Annotated[list[str], typer.Option(help="A recipient; repeatable.")],
    subject: Annotated[str, typer.Option()] = "",
    text: Text = "",
    attach: Files = None,
) -> None:
    """Send a mail."""

    async def action(device: Phone, settings: Settings) -> None:
        mime = _message(await _sender(device, settings), to, subject, text, attach or ())
        client_id = await mail.send(device, mime)
        if settings.screen.as_json:
            settings.screen.json({"client_id": client_id})
        else:
            settings.screen.say(f"sent to {', '.join(to)}")

    run(context, action)


@app.command()
def reply(context: typer.Context, folder: FolderName, item: ItemName, text: Text = "", attach: Files = None) -> None:
    """Answer a mail; the server adds the original text."""

    async def action(device: Phone, settings: Settings) -> None:
        found = folder_named(device, folder)
        chosen = words.find(found, item)
        to = [chosen.text("Email:ReplyTo") or chosen.text("Email:From")]
        subject = chosen.text("Email:Subject")
        subject = subject if subject.casefold().startswith("re:") else f"Re: {subject}"
        mime = _message(await _sender(device, settings), to, subject, text, attach or ())
        await mail.reply(device, found, chosen.server_id, mime)
        settings.screen.say(f"answered {to[0]}")

    run(context, action)


@app.command()
def forward(
    context: typer.Context,
    folder: FolderName,
    item: ItemName,
    to: Annotated[list[str], typer.Option(help="A recipient; repeatable.")],
    text: Text = "",
) -> None:
    """Pass a mail on, with all that is attached to it."""

    async def action(device: Phone, settings: Settings) -> None:
        found = folder_named(device, folder)
        chosen = words.find(found, item)
        subject = f"Fwd: {chosen.text('Email:Subject')}"
        mime = _message(await _sender(device, settings), to, subject, text)
        await mail.forward(device, found, chosen.server_id, mime)
        settings.screen.say(f"forwarded to {', '.join(to)}")

    run(context, action)


@app.command()
def search(
    context: typer.Context,
    text: Annotated[str, typer.Argument(help="Words to look for.")],
    people: Annotated[bool, typer.Option("--people", help="In the address list instead of the mail.")] = False,
) -> None:
    """Search the mail, or the address list, on the server."""

    async def action(device: Phone, settings: Settings) -> None:
        screen = settings.screen
        if people:
            entries = await services.search_people(device, text)
            rows = [(e.name, e.address or "", e.title or "", e.phone or "", e.office or "") for e in entries]
            if screen.as_json:
                screen.json([dict(zip(("name", "address", "title", "phone", "office"), r, strict=True)) for r in rows])
            else:
                screen.table(f"{len(rows)} people", ("Name", "Address", "Title", "Phone", "Office"), rows)
            return
        hits, total = await services.search_mailbox(device, text)
        if screen.as_json:
            found = ((h.long_id, h.collection_id, h.item.text("Email:Subject")) for h in hits)
            screen.json([dict(zip(("id", "folder", "title"), hit, strict=True)) for hit in found])
            return
        names = {folder.id: folder.name for folder in device.state.folders.values()}
        shown = [
            (h.item.text("Email:Subject"), h.item.text("Email:From"), names.get(h.collection_id, h.collection_id))
            for h in hits[:ROWS]
        ]
        screen.table(f"{total} mails", ("Subject", "From", "Folder"), shown)

    run(context, action)


@app.command()
def ping(
    context: typer.Context,
    heartbeat: Annotated[int, typer.Option(help="Seconds that the server may hold the question.")] = HEARTBEAT,
    once: Annotated[bool, typer.Option("--once", help="Stop after the first answer.")] = False,
) -> None:
    """Wait for news, and show what arrives, until Ctrl-C."""

    async def action(device: Phone, settings: Settings) -> None:
        await sync_all(device, settings)
        settings.screen.say("waiting")
        seconds = heartbeat
        while True:
            answer = await device.ping(heartbeat=seconds)
            if answer.status is PingStatus.INVALID_HEARTBEAT and answer.heartbeat:
                seconds = answer.heartbeat
                continue
            if answer.status is PingStatus.HIERARCHY_CHANGED:
                await device.folder_sync()
            elif answer.status is PingStatus.CHANGES:
                changed = [device.state.folders[id] for id in answer.folders if id in device.state.folders]
                report = await sync_all(device, settings, changed)
                settings.screen.report(device.state, report, first=False)
            elif answer.status is not PingStatus.EXPIRED:
                raise words.WordError(f"Ping: Status {answer.status} ({answer.status.name})")
            if once:
                return

    run(context, action)


@app.command()
def fetch(context: typer.Context, folder: FolderName, item: ItemName) -> None:
    """Fetch a whole item from the server, and show it."""

    async def action(device: Phone, settings: Settings) -> None:
        found = folder_named(device, folder)
        chosen = words.find(found, item)
        whole = await mail.fetch_item(device, found, chosen.server_id)
        settings.screen.item(found.item_class, type(chosen)(server_id=chosen.server_id, data=whole))

    run(context, action)


@app.command()
def oof(
    context: typer.Context,
    text: Annotated[str, typer.Argument(help="The note; without one, show what is set.")] = "",
    off: Annotated[bool, typer.Option("--off", help="Switch it off.")] = False,
) -> None:
    """Show or set the out-of-office note."""

    async def action(device: Phone, settings: Settings) -> None:
        if text or off:
            await services.set_out_of_office(device, None if off else text)
        kept = await services.out_of_office(device)
        states = {0: "off", 1: "on", 2: "at the times set"}
        replies = {reply.reply for reply in kept.messages if reply.enabled and reply.reply}
        if settings.screen.as_json:
            settings.screen.json({"state": kept.state, "replies": sorted(replies)})
        else:
            settings.screen.say(f"out of office: {states.get(kept.state, kept.state)}")
            for said in sorted(replies):
                settings.screen.say(f"  {said}")

    run(context, action)
