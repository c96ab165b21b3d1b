"""/admin/staff: who may administer, and the tokens of programs."""

from __future__ import annotations

from starlette.responses import Response

from eas.admin import staff
from eas.admin.acting import STAFF, Permission, Role
from eas.admin.errors import Invalid

from .visits import Page, Visit

PATH = "/admin/staff"

#: What each role may, for whoever gives it.
ROLES = {
    Role.ADMIN: "Everything: devices, wipes, policies, users, staff.",
    Role.HELPDESK: "Sees devices and mends them: resync, repair, allow, block. No wipes, no policies, no contents.",
    Role.AUDITOR: "Sees devices, reports and the audit log. Changes nothing.",
}


async def show(visit: Visit) -> Response:
    return await _page(visit)


async def _page(visit: Visit, token: str = "") -> Response:
    """`token`: one that was just made, which is shown this once."""
    return visit.render(
        "staff/staff.html", members=await staff.members(visit.site), tokens=await staff.tokens(visit.site),
        roles=[(role.value, role.value.capitalize(), ROLES[role]) for role in STAFF], token=token,
    )


async def add(visit: Visit) -> Response:
    name, own = visit.text("name"), visit.text("kind") != "mailbox"
    password = str(visit.form.get("password", ""))
    if own and not password:
        raise Invalid("A password is needed, or choose that of the mailbox.")
    await staff.add(visit.site, name, role_of(visit), password if own else "")
    return visit.redirect(PATH, f"{name} may administer now.")


async def change(visit: Visit) -> Response:
    name = visit.text("name")
    await staff.set_role(visit.site, name, role_of(visit))
    return visit.redirect(PATH, f"{name} has another role now, and has to log in again.")


async def password(visit: Visit) -> Response:
    name = visit.text("name")
    await staff.set_password(visit.site, name, str(visit.form.get("password", "")))
    return visit.redirect(PATH, f"{name} has a new password.")


async def remove(visit: Visit) -> Response:
    name = visit.text("name")
    await staff.remove(visit.site, name)
    return visit.redirect(PATH, f"{name} may no longer administer.")


async def add_token(visit: Visit) -> Response:
    days = visit.text("days", "0")
    if not days.isdigit():
        raise Invalid("Days are a whole number, 0 for ever.")
    made = await staff.add_token(visit.site, visit.text("name"), visit.text("label"), int(days))
    # Not after a redirect: the token must not be kept anywhere on the way.
    return await _page(visit, made["token"])


async def remove_token(visit: Visit) -> Response:
    await staff.remove_token(visit.site, visit.text("id"))
    return visit.redirect(PATH, "The token is no longer valid.")


def role_of(visit: Visit) -> Role:
    try:
        return Role(visit.text("role"))
    except ValueError:
        raise Invalid("A role is to be chosen.") from None


PAGES = (
    Page(path=PATH, handler=show, permission=Permission.RULE, menu="Staff"),
    *(
        Page(path=f"{PATH}/{step}", handler=handler, permission=Permission.RULE, methods=("POST",))
        for step, handler in (
            ("add", add), ("role", change), ("password", password), ("remove", remove), ("token", add_token),
            ("revoke", remove_token),
        )
    ),
)
