"""What a device did and what mends it: `eas device events|health|resync|repair|retry`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import typer

from eas.admin import actions, activity, health
from eas.admin.site import Site

from .frame import AsJson, ConfigFile, DataFolder, act, done, put_json, put_list, put_table

UserName = Annotated[str, typer.Argument(metavar="USER", help="A login or an address.")]
DeviceName = Annotated[str, typer.Argument(metavar="DEVICE", help="The id of a device.")]
Folder = Annotated[str, typer.Argument(metavar="[FOLDER]", help="The id of a folder, as `report` has it; else all.")]


async def shown(site: Site, user: str, device: str) -> dict[str, Any]:
    """What is known of a device, with its conditions in short."""
    found = await actions.device(site, user, device)
    return {**found, "conditions": [_short(one) for one in await health.device_health(site, user, device)]}


def _short(condition: Mapping[str, Any]) -> str:
    return f"{condition['name']} ({condition['detail']})"


def put_afflicted(found: Sequence[Mapping[str, Any]], user: str, as_json: bool) -> None:
    chosen = [one for one in found if not user or user in (one["user"], one["user_id"])]
    if as_json:
        put_json(chosen)
        return
    rows = (
        (one["user"], one["device"], one["severity"], one["last_seen"], "; ".join(map(_short, one["conditions"])))
        for one in chosen
    )
    put_table(("user", "device", "severity", "last seen", "conditions"), rows)


def report(
    user: UserName, device: DeviceName, as_json: AsJson = False, config: ConfigFile = None, data: DataFolder = None
) -> None:
    """Why it does not sync: conditions, folders with backlog and filter, last answers in words, battery."""
    found = act(config, data, lambda site: activity.report(site, user, device, events=20))
    if as_json:
        put_json(found)
        return
    put_conditions(found["conditions"])
    columns = ("id", "name", "filter", "backlog", "last_sync", "status", "means", "next")
    put_list(found["folders"], columns, False)
    put_list(found["commands"], ("command", "last_sync", "http", "status", "times", "means", "next"), False)
    battery = found["battery"]
    typer.echo(
        f"A day: {battery['requests']} requests, {battery['wakeups']} wake-ups, {battery['bytes'] // 1000} kB. "
        f"{battery['verdict']} {battery['hint']}".rstrip()
    )


def events(
    user: UserName,
    device: DeviceName,
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="How many.")] = 50,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """What it asked last and what it was answered; the newest first, at most 200."""
    found = act(config, data, lambda site: activity.events(site, user, device, count=count))
    columns = ("at", "command", "version", "http", "status", "sent", "taken", "ms", "waited", "ended", "means")
    put_list(found, columns, as_json)


def conditions(
    user: UserName, device: DeviceName, as_json: AsJson = False, config: ConfigFile = None, data: DataFolder = None
) -> None:
    """What is amiss with it, what that means, and what to do."""
    found = act(config, data, lambda site: health.device_health(site, user, device))
    if as_json:
        put_json(found)
    else:
        put_conditions(found)


def put_conditions(found: Sequence[Mapping[str, Any]]) -> None:
    if not found:
        typer.echo("Nothing is amiss.")
    for one in found:
        since = f", since {one['since'][:16].replace('T', ' ')} UTC" if one["since"] else ""
        typer.echo(f"{one['severity'].upper()} {one['name']}: {one['detail']}{since}")
        typer.echo(f"  {one['means']}\n  -> {one['todo']}")


def resync(
    user: UserName,
    device: DeviceName,
    folder: Folder = "",
    as_json: AsJson = False,
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """Have it drop a folder, or all, and fetch it anew; nothing comes twice."""
    found = act(config, data, lambda site: activity.resync(site, user, device, folder=folder))
    _told(found, "begins anew", user, device, as_json)


def repair(
    user: UserName,
    device: DeviceName,
    folder: Folder = "",
    as_json: AsJson = False,
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """Compare a folder, or all, with what it holds and send what differs; it drops nothing."""
    found = act(config, data, lambda site: activity.repair(site, user, device, folder=folder))
    _told(found, "is compared anew", user, device, as_json)


def retry(
    user: UserName,
    device: DeviceName,
    item: Annotated[str, typer.Argument(metavar="[ITEM]", help="As `eas device show` names it; else all.")] = "",
    as_json: AsJson = False,
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """Send items again that it got simplified."""
    count = act(config, data, lambda site: activity.retry(site, user, device, item=item))
    done(f"{device} of {user}: {count} items are sent again", as_json, user=user, device=device, items=count)


def _told(folders: Sequence[str], word: str, user: str, device: str, as_json: bool) -> None:
    number = len([id for id in folders if id != "0"])
    line = f"{device} of {user}: {number} folder{'' if number == 1 else 's'}: {word}"
    done(line, as_json, user=user, device=device, folders=list(folders))


#: By the name under `eas device`.
COMMANDS: Mapping[str, Callable[..., None]] = {
    "report": report, "events": events, "health": conditions, "resync": resync, "repair": repair, "retry": retry,
}
