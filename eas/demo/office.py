"""The whole demo office, put together."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

from eas.engine.model import Audience, FolderType, OofReply, OutOfOffice, Right

from . import agenda, cards, mailing
from .model import DemoFolder, DemoRight, Office
from .people import GROUPS, people


def build(now: datetime) -> Office:
    """`now` is an aware datetime."""
    folders = tuple(
        DemoFolder(owner=owner, name=name, type=FolderType.USER_MAIL)
        for name, owners in mailing.FILES_FOR.items()
        for owner in owners
    )
    return Office(
        people=people(),
        groups=GROUPS,
        folders=folders,
        mails=tuple(sorted((*mailing.mails(now), *agenda.invitations(now)), key=lambda mail: mail.received)),
        records=(*cards.contacts(), *agenda.appointments(now), *agenda.tasks(now), *agenda.notes(now)),
        rights=(
            DemoRight(owner="carla", folder=FolderType.CALENDAR, grantee="anna", right=Right.EDIT),
            DemoRight(owner="anna", folder=FolderType.CALENDAR, grantee="front-office", right=Right.READ),
            DemoRight(owner="ben", folder="City Archive", grantee="carla", right=Right.READ),
        ),
        out_of_office={"carla": _holiday(now)},
    )


def _holiday(now: datetime) -> OutOfOffice:
    """Carla's, entered ahead of time."""
    start = datetime.combine(now.date() + timedelta(days=30 - now.weekday()), time(6), UTC)
    return OutOfOffice(
        state=2, start=start, end=start + timedelta(days=12),
        replies={
            Audience.INTERNAL: OofReply(enabled=True, text="I am on holiday. Ben has the key to the studio."),
            Audience.EXTERNAL_KNOWN: OofReply(
                enabled=True, text="Thank you for your message. I am away; Ben Okafor (ben@example.test) can help you.",
            ),
            Audience.EXTERNAL_UNKNOWN: OofReply(enabled=False),
        },
    )
