"""Settings of access control: what holds beside the rules, which are kept in the database."""

from __future__ import annotations

from pydantic import Field

from .kinds import Part


class Access(Part):
    quarantine_days: int = Field(
        0, ge=0, le=3650, description="A phone that waits in quarantine for so many days is blocked then; 0: it waits "
        "for ever."
    )
    discovery_minutes: int = Field(
        14, ge=0, le=1440, description="For so long a new phone may keep back its model and system while a rule asks "
        "for them; it is shown its folders, and nothing in them."
    )
    notice_subject: str = Field(
        "Your phone is waiting to be approved", min_length=1, max_length=200,
        description="Subject of the one message that a phone in quarantine is shown."
    )
    notice: str = Field(
        "Your mail, calendar and contacts will come to this phone as soon as an administrator has approved it. You "
        "need not do anything on the phone; it goes on by itself. If it takes long, ask your administrator.",
        min_length=1, max_length=10_000, description="Text of that message."
    )
    tell_users: bool = Field(
        True, description="Whether the owner of a phone in quarantine is told by mail, beside `notices.admins`."
    )
    storm_requests: int = Field(
        0, ge=0, description="A phone is kept out for a while after so many requests that it repeated too fast and "
        "that were held back or sent away within a day; 0: never."
    )
    storm_minutes: int = Field(60, ge=1, le=10_080, description="For how long it is kept out.")
