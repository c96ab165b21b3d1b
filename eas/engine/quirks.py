"""Devices differ: what some need that the specification does not have, as a table.

Code asks `Quirk.X in session.quirks`, never who the device is. A row says which devices need the quirk and how that is
known; an admin switches it on or off for one device. docs/quirks.md is made of this table.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from .model import Device


class Quirk(StrEnum):
    """What is done otherwise, by the name under which it is switched."""

    GET_CHANGES_WITH_KEY_0 = "get-changes-with-key-0"
    PROVISION_WITHOUT_DEVICE_INFORMATION = "provision-without-device-information"
    SYMBIAN_POLICY = "symbian-policy"
    REPLY_IS_MAILED_FOR_IT = "reply-is-mailed-for-it"
    MAILS_MEETINGS_ITSELF = "mails-meetings-itself"
    FIND_IN_UNKNOWN_FOLDER = "find-in-unknown-folder"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """`type`, `agent` and `os` are regular expressions that must match somewhere in the DeviceType, the User-Agent and
    the OS of DeviceInformation, without regard to case; "" matches anything. `does` is what the server does for these
    devices, `evidence` where it was seen."""

    quirk: Quirk
    does: str
    evidence: str
    type: str = ""
    agent: str = ""
    os: str = ""

    def fits(self, device: Device) -> bool:
        asked = ((self.type, device.type), (self.agent, device.agent), (self.os, device.information.get("OS", "")))
        return all(re.search(pattern, text, re.IGNORECASE) for pattern, text in asked if pattern)


TABLE: tuple[Row, ...] = (
    Row(
        quirk=Quirk.GET_CHANGES_WITH_KEY_0, agent=r"^go-activesync",
        does="GetChanges in a Sync with key 0 is passed over instead of refused with Status 4.",
        evidence="go-activesync 0.1 sends GetChanges 1 with its first Sync of a collection.",
    ),
    Row(
        quirk=Quirk.PROVISION_WITHOUT_DEVICE_INFORMATION, agent=r"^go-activesync",
        does="At 14.1 and later the first phase of Provision does without DeviceInformation (else Status 165).",
        evidence="go-activesync 0.1 sends a bare Provision and gives up at any Status but 1.",
    ),
    Row(
        quirk=Quirk.SYMBIAN_POLICY, type=r"symbian|nokia", agent=r"symbian|nokia|mailforexchange",
        does="Settings of a policy that the family cannot meet (browser, S/MIME, unsigned programs and their like) are "
             "left at the value that restricts nothing, unless the policy allows no partial compliance.",
        evidence="Symbian Anna gives up the account if any of them has another value (Microsoft FA136114).",
    ),
    Row(
        quirk=Quirk.REPLY_IS_MAILED_FOR_IT,
        # The number is that of the build: 1607 is 16G, iOS 12.4.
        agent=r"^Apple-[^/]+/(?:160[7-9]|16[1-9]\d|1[7-9]\d\d|[2-9]\d\d\d)\b",
        does="Up to 14.1 the server mails the answer to the organizer after a MeetingResponse; from 16.0 the device "
             "says by SendResponse whether it shall.",
        evidence="iOS from 12.4 (agent .../1607) on sends no mail of its own after MeetingResponse; earlier ones do.",
    ),
    Row(
        quirk=Quirk.MAILS_MEETINGS_ITSELF, type=r"^WindowsOutlook",
        does="The server mails no invitations, updates and cancellations that follow from a Sync, in no version.",
        evidence="Outlook for Windows sends the iMIP messages of its meetings itself, whatever the server does.",
    ),
    Row(
        quirk=Quirk.FIND_IN_UNKNOWN_FOLDER, agent=r"^Apple-",
        does="A Find in a folder that does not exist looks into all folders instead of being refused with Status 3.",
        evidence="iOS sends an id of its own with Find that stands for all mailboxes.",
    ),
)


def quirks_of(device: Device) -> frozenset[Quirk]:
    """What the table says of a device, after the switches that were set for it."""
    found = {row.quirk for row in TABLE if row.fits(device)}
    for quirk in Quirk:
        switched = device.quirks.get(quirk.value)
        if switched is not None:
            (found.add if switched else found.discard)(quirk)
    return frozenset(found)
