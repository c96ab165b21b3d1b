"""Putting the demo office into an empty store. What it consists of stands in `eas.demo`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from secrets import token_urlsafe

from eas.backends.embedded import items, prepare
from eas.backends.embedded.codec import millis
from eas.backends.embedded.groupware import Writing
from eas.demo.model import COMPANY, DOMAIN, PASSWORD, ZONE, DemoMail, DemoRecord, Office
from eas.demo.office import build
from eas.demo.people import LOG_INS
from eas.engine.model import FolderType
from eas.store.staff import Member

from .acting import Role
from .errors import Refused
from .site import Site

#: The file in the data folder that says: everybody knows the passwords of this store.
MARK = "demo.json"


def is_demo(data: Path) -> bool:
    return (data / MARK).exists()


async def fill(site: Site, data: Path, now: datetime) -> bool:
    """Fill an empty store; False if the demo office is there already. Raises Refused if somebody else is.

    A fill that was interrupted is begun anew.
    """
    mark = data / MARK
    done = mark.exists() and bool(json.loads(mark.read_text(encoding="utf-8")).get("done"))
    if done:
        return False
    people = await site.people.users()
    if people and not mark.exists():
        raise Refused(f"{data} has users of its own; the demo office goes into an empty folder (--data)")
    _write(mark, {"done": False})
    for group in await site.people.groups():
        await site.people.remove_group(group.id)
    for account in people:
        await site.people.remove_user(account.id)
    await _fill(site, build(now))
    await site.staff.add_member(Member(name=LOG_INS[0], role=Role.ADMIN.value, created=now))
    _write(mark, {"done": True, "logins": LOG_INS, "domain": DOMAIN, "password": PASSWORD})
    site.ring_all()
    return True


def _write(mark: Path, said: Mapping[str, object]) -> None:
    spare = mark.with_suffix(".new")
    spare.write_text(json.dumps(said), encoding="utf-8")
    spare.replace(mark)


async def _fill(site: Site, office: Office) -> None:
    people = site.people
    for person in office.people:
        account = await people.add_user(
            person.address, person.password or token_urlsafe(24), zone=ZONE,
            aliases=[f"{alias}@{DOMAIN}" for alias in person.aliases], name=person.name, alias=person.login,
            first_name=person.first_name, last_name=person.last_name, title=person.title, company=COMPANY,
            department=person.department, office=person.office, phone=person.phone, mobile_phone=person.mobile_phone,
        )
        away = office.out_of_office.get(person.login)
        await people.change_user(
            account.id, picture=person.picture, activesync=bool(person.password),
            **({"out_of_office": away} if away is not None else {}),
        )
    for group in office.groups:
        await people.add_group(group.address, group.name, [f"{member}@{DOMAIN}" for member in group.members])
    for folder in office.folders:
        await people.add_folder(_address(folder.owner), folder.name, folder.type)
    for owner in LOG_INS:
        mails = [mail for mail in office.mails if mail.owner == owner]
        records = [record for record in office.records if record.owner == owner]
        numbers, classes = await _folders(site, owner)
        await site.groupware.write(_writer(numbers, classes, mails, records))
    for right in office.rights:
        numbers, _ = await _folders(site, right.owner)
        await people.set_right(
            _address(right.owner), str(numbers[right.folder]), _address(right.grantee), right.right
        )


def _address(login: str) -> str:
    return f"{login}@{DOMAIN}"


async def _folders(site: Site, owner: str) -> tuple[dict[FolderType | str, int], dict[int, str]]:
    """The number of each folder by type and by name, and its class by number."""
    infos = await site.people.folders(_address(owner))
    numbers: dict[FolderType | str, int] = {}
    for info in infos:
        numbers[info.folder.name] = numbers[info.folder.type] = int(info.folder.id)
    return numbers, {int(info.folder.id): info.folder.item_class for info in infos}


def _writer(
    numbers: Mapping[FolderType | str, int],
    classes: Mapping[int, str],
    mails: Sequence[DemoMail],
    records: Sequence[DemoRecord],
) -> Callable[[Writing], None]:
    """One transaction for all that somebody has, mail in the order of its arrival."""

    def work(tx: Writing) -> None:
        for mail in mails:
            prepared = prepare.message(mail.message, mail.received)
            items.create(tx, numbers[mail.folder], prepared, None, mail.flags, millis(mail.received))
        for record in records:
            number = numbers[record.folder]
            items.create(tx, number, prepare.record(classes[number], record.data), None)

    return work
