"""The pages of policies: all of them, one as a form over the table of settings, what it would do, whose it is, and how
its roll-out stands. Nothing is saved from the form without a look at what it does: the trial comes first.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.datastructures import FormData
from starlette.responses import Response

from eas.admin import policy_actions as actions
from eas.admin import policy_rolls as rolls
from eas.admin.acting import Permission
from eas.admin.errors import ActionError, Invalid, NotFound
from eas.engine.families import ignoring, refusing
from eas.engine.policybook import FLAGS
from eas.items.policy_settings import OF_SERVER, SETTINGS, Choice, Flag, Group, Lines, Number, Setting
from eas.protocol.version import Version

from .rendering import path
from .visits import Page, Visit

PATH = "/admin/policies"
#: Rows of a trial on one page, those that matter most first.
SHOWN = 200
#: The first version in which a policy is a document: what it has everybody is told who can be told anything more.
FIRST_DOCUMENT = Version.V12_0
#: What a number's field says for "no limit", where the policy that it is based on has one.
NONE = "none"

FLAG_WORDS: Mapping[str, tuple[str, str]] = {
    "enforced": ("Enforced", "A phone that does not hold it is not let in until it does. If no, it is only offered."),
    "allow_partial": (
        "A part is enough", "Phones that cannot take every setting are let in with what they can take."
    ),
    "allow_external": ("Managed elsewhere is enough", "Phones that say that another program manages them are let in."),
    "allow_password_recovery": ("Recovery passwords", "The server keeps recovery passwords that phones leave with it."),
}
#: How an outcome looks.
KIND_OF = {
    "same": "ok", "asked": "info", "partly": "warn", "offered": "", "legacy": "bad", "gives-up": "bad",
    "refused": "bad",
}
OUTCOME_WORDS = {
    "same": "Nothing changes", "asked": "Asked again", "partly": "Takes a part", "offered": "Only offered",
    "legacy": "Locked out if it cannot", "gives-up": "Gives up the account", "refused": "Locked out",
}
STANDING_WORDS = {
    "holds": ("Hold it", "ok"), "partly": ("Hold a part", "warn"), "asked": ("Have it, not confirmed", "info"),
    "pending": ("Not asked yet", ""), "offered": ("Only offered", ""), "stuck": ("Asked, do not take it", "bad"),
    "refused": ("Refused", "bad"), "cannot": ("Cannot take it", "bad"),
}


# Looking --------------------------------------------------------------------------------------------------------------


async def show(visit: Visit) -> Response:
    return visit.render(
        "policies/list.html", policies=[{"based_on": "", **found} for found in await actions.policies(visit.site)],
        rolls=await rolls.rolls(visit.site),
        standing=STANDING_WORDS,
    )


async def one(visit: Visit) -> Response:
    """A policy with whose it is, and the form; an empty form without a name."""
    name = visit.text("name")
    everything = {found["name"]: found for found in await actions.policies(visit.site)}
    if name and name not in everything:
        raise NotFound(f"There is no policy {name}.")
    document = everything.get(name, {"name": "", "settings": {}, "based_on": visit.text("based_on")})
    return await _form(visit, document, everything, name)


async def _form(
    visit: Visit, document: Mapping[str, Any], everything: Mapping[str, Any], name: str, wrong: str = "",
    status: int = 200,
) -> Response:
    return visit.render(
        "policies/policy.html", status, document={"name": "", "based_on": "", **document}, name=name, wrong=wrong,
        found=await actions.policy(visit.site, name) if name else None, listed=everything.get(name),
        groups=[(group.value, _fields(document, group)) for group in Group],
        parents=[("", "nothing")] + [(one, one) for one in everything if one != name],
        flags=[(flag, *FLAG_WORDS[flag], document.get(flag)) for flag in FLAGS], no_limit=NONE,
        roll=next((one for one in await rolls.rolls(visit.site) if one["policy"] == name), None),
        standing=STANDING_WORDS,
    )


def _fields(document: Mapping[str, Any], group: Group) -> list[dict[str, Any]]:
    """The settings of a group, as the form shows them."""
    stated, insisted = document.get("settings", {}), document.get("insist", [])
    return [
        {
            "setting": setting, "value": stated.get(setting.name), "kind": type(setting.kind).__name__,
            "options": _options(setting), "insisted": setting.name in insisted,
            "shown": _shown(setting, stated.get(setting.name)), "may_insist": _may_insist(setting),
            "notes": _notes(setting),
        }
        for setting in (*SETTINGS, *OF_SERVER) if setting.group is group
    ]


def _may_insist(setting: Setting) -> bool:
    """Whether there are phones that are not told otherwise."""
    return setting not in OF_SERVER and (setting.spoken.since > FIRST_DOCUMENT or bool(refusing(setting.name)))


def _options(setting: Setting) -> list[tuple[str, str]]:
    if isinstance(setting.kind, Flag):
        return [("1", "Yes"), ("0", "No")]
    return list(setting.kind.values) if isinstance(setting.kind, Choice) else []


def _shown(setting: Setting, value: str | None) -> str:
    """In a field of text: "" where nothing is stated."""
    return "" if value is None else value or (NONE if isinstance(setting.kind, Number) else "")


def _notes(setting: Setting) -> str:
    said = [f"From EAS {setting.spoken.since.text} on."] if setting not in OF_SERVER else []
    if setting.kept:
        said.append("The server keeps to it itself.")
    if families := ignoring(setting.name):
        said.append(f"Not acted on by {', '.join(families)}.")
    if families := refusing(setting.name):
        said.append(f"{', '.join(families)} gives up the account over it: not sent there unless you insist.")
    return " ".join(said)


# Writing --------------------------------------------------------------------------------------------------------------


def document_of(form: FormData) -> dict[str, Any]:
    """The policy that a form states, as in a file."""
    said = {name: str(value).strip() for name, value in form.items() if isinstance(value, str)}
    document: dict[str, Any] = {"name": said.get("name", ""), "settings": {}}
    if said.get("based_on"):
        document["based_on"] = said["based_on"]
    for flag in FLAGS:
        if said.get(flag) in ("yes", "no"):
            document[flag] = said[flag] == "yes"
    for setting in (*SETTINGS, *OF_SERVER):
        text = said.get(f"set:{setting.name}", "")
        if text:
            empty = isinstance(setting.kind, Number) and setting.kind.empty and text == NONE
            document["settings"][setting.name] = "" if empty else _lines(setting, text)
    insisted = [str(name) for name in form.getlist("insist")]
    return {**document, "insist": insisted} if insisted else document


def _lines(setting: Setting, text: str) -> str:
    return "\n".join(text.split("\r\n")) if isinstance(setting.kind, Lines) else text


async def trial(visit: Visit) -> Response:
    """What the form would do; with the buttons that do it."""
    document = _sent(visit) if visit.text("document") else document_of(visit.form)
    scope = visit.text("scope")
    try:
        found = await actions.try_policy(visit.site, document, scope)
    except (Invalid, ActionError) as error:
        everything = {one["name"]: one for one in await actions.policies(visit.site)}
        stored = visit.text("stored")
        return await _form(visit, document, everything, stored if stored in everything else "", str(error), 422)
    return visit.render(
        "policies/trial.html", document=document, sent=json.dumps(document), trial=found, shown=found["rows"][:SHOWN],
        kinds=KIND_OF, words=OUTCOME_WORDS, scope=found["scope"], new=not visit.text("stored"),
        stored=visit.text("stored"),
    )


def _sent(visit: Visit) -> dict[str, Any]:
    """The document that a trial handed on. Raises Invalid."""
    try:
        document = json.loads(visit.text("document"))
    except ValueError:
        raise Invalid("This form is damaged; go back and try again.") from None
    if not isinstance(document, dict):
        raise Invalid("This form is damaged; go back and try again.")
    return document


async def save(visit: Visit) -> Response:
    document = _sent(visit)
    name = await actions.put_policy(visit.site, str(document.get("name", "")), document)
    return visit.redirect(
        path(f"{PATH}/policy", name=name),
        f"{name} is saved. Phones that have to take it are asked now; each fetches it with its next request.",
    )


async def begin(visit: Visit) -> Response:
    """A roll-out of what the trial showed."""
    document = _sent(visit)
    name = str(document.get("name", ""))
    await rolls.roll_policy(
        visit.site, name, _reach(visit), document=document, whose=visit.text("whose"), then=visit.text("then").split()
    )
    return visit.redirect(path(f"{PATH}/policy", name=name), f"The roll-out of {name} has begun.")


def _reach(visit: Visit) -> list[str]:
    percent, group = visit.text("percent"), visit.text("group")
    return [*([f"{percent.removesuffix('%')}%"] if percent else []), *([f"group={group}"] if group else [])]


async def move(visit: Visit) -> Response:
    """Further, pause, go on, back, finish."""
    name, deed = visit.text("name"), visit.text("deed")
    back = path(f"{PATH}/policy", name=name)
    if deed == "further":
        await rolls.roll_policy(visit.site, name, _reach(visit))
        return visit.redirect(back, "It reaches further now; these phones are asked at once.")
    if deed not in DEEDS:
        raise Invalid("Nothing was chosen.")
    act, said = DEEDS[deed]
    await act(visit.site, name)
    return visit.redirect(back if deed != "back" or _stored(await actions.policies(visit.site), name) else PATH, said)


DEEDS: Mapping[str, tuple[Any, str]] = {
    "pause": (rolls.pause_roll, "Paused: it goes no further, and who has the new policy keeps it."),
    "resume": (rolls.resume_roll, "It goes on."),
    "back": (rolls.take_back_roll, "Taken back: all phones have again what they had, and are asked for it."),
    "finish": (rolls.finish_roll, "The new policy is in force for all."),
}


def _stored(listed: Sequence[Mapping[str, Any]], name: str) -> bool:
    return any(one["name"] == name for one in listed)


async def assign(visit: Visit) -> Response:
    name, whose = visit.text("name"), visit.text("whose")
    rank = visit.text("rank", "0")
    if not rank.removeprefix("-").isdigit() or len(rank) > 6:
        raise Invalid("The rank is a number; of several groups the lowest counts.")
    await actions.assign_policy(visit.site, name, whose, int(rank))
    return visit.redirect(path(f"{PATH}/policy", name=name), f"{whose} has the policy {name} now.")


async def clear(visit: Visit) -> Response:
    name, whose = visit.text("name"), visit.text("whose")
    user, _, device = whose.partition("/")
    if device:
        await actions.clear_override(visit.site, user, device)
    else:
        await actions.clear_policy(visit.site, whose)
    return visit.redirect(path(f"{PATH}/policy", name=name), f"{whose} no longer has the policy {name}.")


async def override(visit: Visit) -> Response:
    name, who, device, until = visit.text("name"), visit.text("who"), visit.text("device"), visit.text("until")
    await actions.override_policy(visit.site, who, device, name, until)
    return visit.redirect(path(f"{PATH}/policy", name=name), f"The device {device} has the policy {name} now.")


async def remove(visit: Visit) -> Response:
    name = visit.text("name")
    await actions.remove_policy(visit.site, name)
    return visit.redirect(PATH, f"{name} is removed. Whoever had it has now what comes next.")


_RULE = Permission.RULE
PAGES = (
    Page(path=PATH, handler=show, permission=Permission.SEE, menu="Policies"),
    Page(path=f"{PATH}/policy", handler=one, permission=Permission.SEE),
    *(
        Page(path=f"{PATH}/{name}", handler=handler, permission=_RULE, methods=("POST",))
        for name, handler in (
            ("try", trial), ("save", save), ("begin", begin), ("move", move), ("assign", assign), ("clear", clear),
            ("override", override), ("remove", remove),
        )
    ),
)
