"""`eas policy`: what devices have to comply with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from eas.admin import policies as files
from eas.admin import policy_actions as actions
from eas.admin import policy_rolls as rolls

from .frame import AsJson, ConfigFile, DataFolder, act, done, put_json, put_list, put_one, put_table

app = typer.Typer(help="Policies: what devices have to comply with.", no_args_is_help=True)

Whose = Annotated[str, typer.Argument(metavar="USER|GROUP", help="A user, a group, or `default` for everybody else.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="The name of a policy.")]
File = Annotated[Path, typer.Argument(help="JSON or TOML.", dir_okay=False)]
Who = Annotated[str, typer.Argument(metavar="USER")]
DeviceId = Annotated[str, typer.Argument(metavar="DEVICE")]
Rank = Annotated[int, typer.Option("--rank", help="Of several groups of a user the lowest counts.")]


def _document(file: Path, name: str = "") -> dict[str, Any]:
    return dict(files.as_json(files.read(file, name)))


@app.command("list")
def list_(as_json: AsJson = False, config: ConfigFile = None, data: DataFolder = None) -> None:
    """All policies, who has them, and for how many devices they are in force."""
    columns = ("name", "based_on", "enforced", "settings", "assigned", "devices")
    put_list(act(config, data, actions.policies), columns, as_json)


@app.command()
def show(whose: Whose, as_json: AsJson = False, config: ConfigFile = None, data: DataFolder = None) -> None:
    """The policy of that name, else the one that this user or group gets; with where each setting comes from."""
    found = act(config, data, lambda site: actions.policy(site, whose))
    if as_json:
        put_json(found)
        return
    put_one({name: value for name, value in found.items() if name not in ("settings", "in_force", "flags")}, False)
    put_table(("setting", "value", "from"), [(one["setting"], one["words"], one["from"]) for one in found["in_force"]])


@app.command("set")
def set_(
    whose: Whose, file: File, rank: Rank = 0, as_json: AsJson = False, config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """Give somebody the policy in a file. Devices that have to take it are asked at once."""
    name = act(config, data, lambda site: actions.set_policy(site, whose, _document(file), rank))
    done(f"{whose} has the policy {name}", as_json, whose=whose, policy=name)


@app.command()
def put(
    name: Name, file: File, as_json: AsJson = False, config: ConfigFile = None, data: DataFolder = None
) -> None:
    """Write a policy without giving it to anybody, or change it for all who have it."""
    act(config, data, lambda site: actions.put_policy(site, name, _document(file, name)))
    done(f"policy {name} is stored", as_json, policy=name)


@app.command()
def assign(
    name: Name, whose: Whose, rank: Rank = 0, as_json: AsJson = False, config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """Give somebody a policy that is stored."""
    act(config, data, lambda site: actions.assign_policy(site, name, whose, rank))
    done(f"{whose} has the policy {name}", as_json, whose=whose, policy=name)


@app.command()
def clear(whose: Whose, as_json: AsJson = False, config: ConfigFile = None, data: DataFolder = None) -> None:
    """Take a user's or group's own policy away; the next one counts."""
    act(config, data, lambda site: actions.clear_policy(site, whose))
    done(f"{whose} has no policy of its own", as_json, whose=whose)


@app.command()
def remove(name: Name, as_json: AsJson = False, config: ConfigFile = None, data: DataFolder = None) -> None:
    """Remove a policy, from all who have it."""
    act(config, data, lambda site: actions.remove_policy(site, name))
    done(f"policy {name} removed", as_json, policy=name)


@app.command("help")
def help_(
    setting: Annotated[str, typer.Argument(metavar="[SETTING]")] = "", as_json: AsJson = False,
    config: ConfigFile = None, data: DataFolder = None,
) -> None:
    """All settings, or one: what it may be, and what the owner of a phone notices of it."""
    found = act(config, data, lambda site: actions.settings(site, setting))
    if setting and not as_json:
        put_one(found[0], False)
    else:
        put_list(found, ("group", "name", "bounds", "default", "since"), as_json)


@app.command("try")
def try_(
    file: File,
    scope: Annotated[str, typer.Option("--for", metavar="all|holders|USER|GROUP", help="Whose devices.")] = "",
    device: Annotated[list[str] | None, typer.Option("--device", help="Only these; can be given again.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Also the devices that take it as it is.")] = False,
    as_json: AsJson = False, config: ConfigFile = None, data: DataFolder = None,
) -> None:
    """What devices would make of the policy in a file; nothing is changed. Exit code 1 if any would be locked out."""
    found = act(config, data, lambda site: actions.try_policy(site, _document(file), scope, tuple(device or ())))
    if as_json:
        put_json(found)
    else:
        _put_trial(found, every)
    if found["locked_out"]:
        raise typer.Exit(1)


def _put_trial(found: dict[str, Any], every: bool) -> None:
    for outcome, number in found["counts"].items():
        typer.echo(f"{number}\t{outcome}\t{found['meaning'][outcome]}")
    rows = [row for row in found["rows"] if every or row["outcome"] not in ("same", "asked", "offered")]
    if rows:
        typer.echo("")
        columns = ("user", "device", "family", "version", "outcome", "why")
        put_table(columns, [[row[column] for column in columns] for row in rows])


@app.command()
def override(
    who: Who, device_id: DeviceId,
    policy: Annotated[str, typer.Argument(metavar="[POLICY]")] = "",
    until: Annotated[str, typer.Option("--until", help="As 2027-01-31T18:00 (UTC); else for ever.")] = "",
    off: Annotated[bool, typer.Option("--off", help="Take it back.")] = False,
    as_json: AsJson = False, config: ConfigFile = None, data: DataFolder = None,
) -> None:
    """Give one device a policy of its own, before its user's and the groups'."""
    if off == bool(policy):
        raise typer.BadParameter("either a policy or --off")
    if off:
        act(config, data, lambda site: actions.clear_override(site, who, device_id))
        done(f"{device_id} has no policy of its own", as_json, device=device_id)
    else:
        act(config, data, lambda site: actions.override_policy(site, who, device_id, policy, until))
        done(f"{device_id} has the policy {policy}", as_json, device=device_id, policy=policy)


@app.command()
def effective(
    who: Who, device_id: DeviceId, as_json: AsJson = False, config: ConfigFile = None, data: DataFolder = None
) -> None:
    """What is in force for a device, where each setting comes from, and where the device stands."""
    found = act(config, data, lambda site: actions.effective(site, who, device_id))
    if as_json:
        put_json(found)
        return
    put_one({name: value for name, value in found.items() if name != "settings"}, False)
    put_table(("setting", "value", "from", "told"), [
        (one["setting"], one["words"], one["from"], "yes" if one["told"] else one["why_not"])
        for one in found["settings"]
    ])


@app.command()
def roll(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="The name of a policy; none lists all.")] = "",
    file: Annotated[Path | None, typer.Argument(help="What the policy shall say.", dir_okay=False)] = None,
    whose: Annotated[str, typer.Option("--for", metavar="USER|GROUP", help="Who shall have it.")] = "",
    to: Annotated[list[str] | None, typer.Option("--to", help="10%, group=Sales; can be given again.")] = None,
    then: Annotated[list[str] | None, typer.Option("--then", help="50%@2027-01-31T08:00, 100%@+48h.")] = None,
    fail: Annotated[int | None, typer.Option("--fail", metavar="PERCENT", help="It pauses beyond this.")] = None,
    rank: Rank = 0,
    pause: Annotated[bool, typer.Option("--pause", help="No further for now.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on after a pause.")] = False,
    back: Annotated[bool, typer.Option("--back", help="All have again what they had.")] = False,
    finish: Annotated[bool, typer.Option("--finish", help="For all, and for good.")] = False,
    as_json: AsJson = False, config: ConfigFile = None, data: DataFolder = None,
) -> None:
    """Bring a policy to devices in stages, and show how it stands."""
    deeds = sum((pause, resume, back, finish))
    if deeds > 1 or (deeds and (file or to or then or whose)):
        raise typer.BadParameter("one thing at a time")
    if not name:
        columns = ("policy", "percent", "groups", "counts", "failing", "paused")
        put_list(act(config, data, rolls.rolls), columns, as_json)
    elif back or finish:
        act(config, data, lambda site: (rolls.take_back_roll if back else rolls.finish_roll)(site, name))
        done(f"{name} is {'taken back' if back else 'in force for all'}", as_json, policy=name)
    elif pause or resume:
        put_one(act(config, data, lambda site: (rolls.pause_roll if pause else rolls.resume_roll)(site, name)), as_json)
    elif file or to or then or whose or fail is not None:
        put_one(act(config, data, lambda site: rolls.roll_policy(
            site, name, tuple(to or ()), document=_document(file, name) if file else None, whose=whose, rank=rank,
            then=tuple(then or ()), fail_percent=fail,
        )), as_json)
    else:
        put_one(act(config, data, lambda site: rolls.roll_status(site, name)), as_json)
