"""`eas access`: which phones come in; rules, the queue of those that wait to be approved, lists of devices."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from eas.admin import access
from eas.admin.access import Said, Verdict

from .frame import AsJson, ConfigFile, DataFolder, act, done, leave, put_json, put_list, put_one

app = typer.Typer(
    help="Which phones come in: queue, approve, block, quarantine, reset, test, default, rules, list, limit.",
    no_args_is_help=True,
)
rules = typer.Typer(help="Rules: show, add, change, move, remove.", no_args_is_help=True)
lists = typer.Typer(help="The only devices of some users: show, set, clear, import.", no_args_is_help=True)
limits = typer.Typer(help="How many devices somebody may have: show, set, clear.", no_args_is_help=True)
app.add_typer(rules, name="rules")
app.add_typer(lists, name="allow-list")
app.add_typer(limits, name="limit")

UserName = Annotated[str, typer.Argument(metavar="USER", help="A login or an address.")]
DeviceName = Annotated[str, typer.Argument(metavar="DEVICE", help="The id of a device.")]
Number = Annotated[int, typer.Argument(metavar="RULE", help="The number of a rule.")]
Level = Annotated[Said, typer.Argument(metavar="allow|quarantine|block")]
Pattern = Annotated[str, typer.Option(metavar="PATTERN")]
Days = Annotated[float | None, typer.Option(min=0.0, help="For so many days; for good without it.")]
Reason = Annotated[str, typer.Option(help="For the device's page.")]
Priority = Annotated[int, typer.Option(min=1, max=9999, help="The lowest is asked first.")]
Note = Annotated[str, typer.Option(help="What it is for.")]
COLUMNS = ("number", "priority", "level", "words", "note")


@app.command()
def queue(as_json: AsJson = False, config: ConfigFile = None, data: DataFolder = None) -> None:
    """Phones that wait to be approved."""
    found = act(config, data, access.queue)
    put_list(found, ("user", "device", "type", "model", "os", "since", "until", "why"), as_json)


def _decide(
    verdict: Verdict, user: str, device: str, days: float | None, reason: str, as_json: bool, config: Any, data: Any
) -> None:
    until = None if days is None else datetime.now(UTC) + timedelta(days=days)
    found = act(config, data, lambda site: access.decide_on(site, user, device, verdict, until=until, reason=reason))
    done(f"{device} of {user}: {found['access']} ({found['why']})", as_json, **found)


@app.command()
def approve(
    user: UserName, device: DeviceName, days: Days = None, reason: Reason = "", as_json: AsJson = False,
    config: ConfigFile = None, data: DataFolder = None,
) -> None:
    """Let a phone in, whatever the rules say."""
    _decide("allow", user, device, days, reason, as_json, config, data)


@app.command()
def block(
    user: UserName, device: DeviceName, days: Days = None, reason: Reason = "", as_json: AsJson = False,
    config: ConfigFile = None, data: DataFolder = None,
) -> None:
    """Let a phone in no more, at once."""
    _decide("block", user, device, days, reason, as_json, config, data)


@app.command()
def quarantine(
    user: UserName, device: DeviceName, days: Days = None, reason: Reason = "", as_json: AsJson = False,
    config: ConfigFile = None, data: DataFolder = None,
) -> None:
    """Show a phone its folders and a notice, and nothing else."""
    _decide("quarantine", user, device, days, reason, as_json, config, data)


@app.command()
def reset(
    user: UserName, device: DeviceName, as_json: AsJson = False, config: ConfigFile = None, data: DataFolder = None
) -> None:
    """Leave a phone to the rules again."""
    _decide("none", user, device, None, "", as_json, config, data)


@app.command("test")
def try_(
    user: UserName = "",
    device: Annotated[str, typer.Argument(metavar="[DEVICE]", help="Without one: a phone as the options say.")] = "",
    type: Pattern = "", model: Pattern = "", os: Pattern = "", agent: Pattern = "", version: Pattern = "16.1",
    address: Annotated[str, typer.Option(help="As if it came from there.")] = "",
    as_json: AsJson = False, config: ConfigFile = None, data: DataFolder = None,
) -> None:
    """What would happen to a phone now, and which rule decides."""
    if device:
        found = act(config, data, lambda site: access.explain(site, user, device, address))
    else:
        found = act(config, data, lambda site: access.try_out(
            site, type=type, model=model, os=os, agent=agent, version=version, who=user, address=address
        ))
    if as_json:
        put_json(found)
        return
    put_one({name: value for name, value in found.items() if name != "steps"}, False)
    put_list(found["steps"], ("number", "level", "words", "fits"), False)


@app.command()
def default(level: Level, as_json: AsJson = False, config: ConfigFile = None, data: DataFolder = None) -> None:
    """What holds for phones that no rule fits."""
    act(config, data, lambda site: access.set_default(site, level))
    done(f"phones that no rule fits: {level}", as_json, default=level)


# Rules ----------------------------------------------------------------------------------------------------------------


@rules.command("show")
def show_rules(as_json: AsJson = False, config: ConfigFile = None, data: DataFolder = None) -> None:
    """The rules in the order in which they are asked, and the default."""
    found = act(config, data, access.rules)
    if as_json:
        put_json(found)
        return
    last = {"level": found["default"], "words": "the default"}
    put_list([*found["rules"], last], COLUMNS, False)


@rules.command("add")
def add_rule(
    level: Level, type: Pattern = "", model: Pattern = "", os: Pattern = "", agent: Pattern = "",
    version: Pattern = "", user: Pattern = "", group: Pattern = "", network: Pattern = "", priority: Priority = 100,
    note: Note = "", as_json: AsJson = False, config: ConfigFile = None, data: DataFolder = None,
) -> None:
    """Add a rule; all that is given must fit. In a pattern * stands for anything, ? for one character, | between
    alternatives."""
    match = _match(
        type=type, model=model, os=os, agent=agent, version=version, user=user, group=group, network=network
    )
    rule = act(config, data, lambda site: access.add_rule(site, level, match, priority=priority, note=note))
    done(f"rule {rule['number']}: {level} where {rule['words']}", as_json, **rule)


@rules.command("change")
def change_rule(
    rule: Number,
    level: Annotated[Said | None, typer.Option(metavar="allow|quarantine|block")] = None,
    type: Pattern = "", model: Pattern = "", os: Pattern = "", agent: Pattern = "", version: Pattern = "",
    user: Pattern = "", group: Pattern = "", network: Pattern = "", note: Annotated[str | None, typer.Option()] = None,
    as_json: AsJson = False, config: ConfigFile = None, data: DataFolder = None,
) -> None:
    """Change a rule; patterns that are given take the place of all that it has."""
    match = _match(
        type=type, model=model, os=os, agent=agent, version=version, user=user, group=group, network=network
    )
    found = act(config, data, lambda site: access.change_rule(site, rule, level=level, match=match or None, note=note))
    done(f"rule {rule}: {found['level']} where {found['words']}", as_json, **found)


@rules.command("move")
def move_rule(
    rule: Number, priority: Annotated[int, typer.Argument(min=1, max=9999)], as_json: AsJson = False,
    config: ConfigFile = None, data: DataFolder = None,
) -> None:
    """Give a rule another priority; the lowest number is asked first."""
    found = act(config, data, lambda site: access.change_rule(site, rule, priority=priority))
    done(f"rule {rule} has priority {priority}", as_json, **found)


@rules.command("remove")
def remove_rule(rule: Number, as_json: AsJson = False, config: ConfigFile = None, data: DataFolder = None) -> None:
    """Remove a rule."""
    act(config, data, lambda site: access.remove_rule(site, rule))
    done(f"rule {rule} removed", as_json, number=rule)


def _match(**patterns: str) -> dict[str, str]:
    return {name: pattern for name, pattern in patterns.items() if pattern}


# Lists and numbers ----------------------------------------------------------------------------------------------------


@lists.command("show")
def show_lists(
    user: Annotated[str, typer.Argument(metavar="[USER]")] = "", as_json: AsJson = False, config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """The lists of all users, or that of one."""
    found = act(config, data, access.device_lists) if not user else [
        {"user": user, "device": one} for one in act(config, data, lambda site: access.device_list(site, user))
    ]
    put_list(found, ("user", "device"), as_json)


@lists.command("set")
def set_list(
    user: UserName, devices: Annotated[list[str], typer.Argument(metavar="DEVICE...")], as_json: AsJson = False,
    config: ConfigFile = None, data: DataFolder = None,
) -> None:
    """Let in only these devices of a user."""
    act(config, data, lambda site: access.set_device_list(site, user, devices))
    done(f"only {len(devices)} devices of {user} come in", as_json, user=user, devices=devices)


@lists.command("clear")
def clear_list(user: UserName, as_json: AsJson = False, config: ConfigFile = None, data: DataFolder = None) -> None:
    """Take a user's list away."""
    act(config, data, lambda site: access.set_device_list(site, user, []))
    done(f"{user} has no list of devices any more", as_json, user=user)


@lists.command("import")
def import_lists(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV: user,device in each line.")],
    as_json: AsJson = False, config: ConfigFile = None, data: DataFolder = None,
) -> None:
    """Add the devices in a file to the lists of their users."""
    try:
        table = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise leave(f"{file}: {error}") from None
    found = act(config, data, lambda site: access.import_lists(site, table))
    done(f"{found['devices']} devices of {found['users']} users are on lists now", as_json, **found)


@limits.command("show")
def show_limits(as_json: AsJson = False, config: ConfigFile = None, data: DataFolder = None) -> None:
    """Who may have another number of devices than all."""
    put_list(act(config, data, access.limits), ("whose", "kind", "most"), as_json)


@limits.command("set")
def set_limit(
    whose: Annotated[str, typer.Argument(metavar="USER|GROUP")],
    most: Annotated[int, typer.Argument(min=0, help="0 for any number.")],
    as_json: AsJson = False, config: ConfigFile = None, data: DataFolder = None,
) -> None:
    """Let a user, or the members of a group, have so many devices."""
    act(config, data, lambda site: access.set_limit(site, whose, most))
    done(f"{whose} may have {most or 'any number of'} devices", as_json, whose=whose, most=most)


@limits.command("clear")
def clear_limit(
    whose: Annotated[str, typer.Argument(metavar="USER|GROUP")], as_json: AsJson = False, config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """Let limits.max_devices hold again."""
    act(config, data, lambda site: access.set_limit(site, whose, None))
    done(f"{whose}: as everybody", as_json, whose=whose)
