"""The common statuses against the specification, and what older versions get instead."""

from __future__ import annotations

import csv
import os
import re
from pathlib import Path

import pytest

from eas.protocol.statuses import HTTP_BEFORE_14, CommonStatus, http_before_14, spoken
from eas.protocol.version import COMMON_STATUS, Version

SPEC = os.environ.get("EAS_SPEC")

# Status -> HTTP status of 2.5 to 12.1 where the specification states one.
STATED = {
    101: 400,  # R7545
    103: 400,  # R7547
    106: 400,  # R7548
    110: 500,  # R7550
    111: 503,  # R7551
    112: 403,  # R7552
    113: 507,  # R7553
    125: 403,  # R7554
    126: 403,  # R7555
    132: 403,  # R7556
    137: 501,  # R7558
    138: 400,  # R7559
    140: 449,  # R7562
    141: 449,  # R7563
    142: 449,  # R7564
    143: 449,  # R7565
    144: 449,  # R7566
    147: 400,  # R7567
}


def test_numbers_are_those_assigned() -> None:
    """157-159 and 180-182 are not assigned."""
    assigned = {*range(101, 157), *range(160, 180), 183, 184}
    assert {int(status) for status in CommonStatus} == assigned


@pytest.mark.parametrize("number", STATED)
def test_stated_http_status_before_14(number: int) -> None:
    assert http_before_14(CommonStatus(number)) == STATED[number]


def test_send_mail_and_provision_have_their_own() -> None:
    """[MS-ASCMD] R7549, R7557."""
    assert http_before_14(CommonStatus.INVALID_IDS, "SendMail") == 500
    assert http_before_14(CommonStatus.INVALID_IDS, "SmartReply") == 400
    assert http_before_14(CommonStatus.SYNC_STATE_NOT_FOUND, "Provision") == 500
    assert http_before_14(CommonStatus.SYNC_STATE_NOT_FOUND, "Sync") == 403


def test_every_status_has_an_http_status_that_says_error() -> None:
    assert all(400 <= http_before_14(status) < 600 for status in CommonStatus)
    assert http_before_14(CommonStatus.MAIL_SUBMISSION_FAILED) == 500


def test_none_of_the_table_needs_a_version_above_14() -> None:
    """What stands in for a status from 14.1 on would never be asked for; too many devices is met in every version."""
    later = {status for status in HTTP_BEFORE_14 if spoken(status) != COMMON_STATUS}
    assert later == {CommonStatus.MAXIMUM_DEVICES_REACHED}


@pytest.mark.parametrize(
    ("status", "since"),
    [(163, Version.V14_0), (164, Version.V14_1), (177, Version.V14_1), (178, Version.V16_0), (184, Version.V16_0)],
)
def test_first_version_of_a_status(status: int, since: Version) -> None:
    assert spoken(CommonStatus(status)).since == since


@pytest.mark.skipif(SPEC is None, reason="EAS_SPEC names no folder with the requirements of the specification")
def test_names_and_numbers_are_those_of_the_specification() -> None:
    """Rows such as "The value of the element InvalidContent is 101."; that of 155 misses its first letter (R4939)."""
    assert SPEC is not None
    with (Path(SPEC) / "requirements" / "MS-ASCMD.csv").open(encoding="utf-8", newline="") as file:
        descriptions = [row["description"] for row in csv.DictReader(file)]
    named = re.compile(r"\[In Common Status Codes\] The value of the element (\w+) is (\d+)\.")
    stated = {match[1].replace("_", "").lower(): int(match[2]) for text in descriptions if (match := named.match(text))}
    ours = {status.name.replace("_", "").lower(): int(status) for status in CommonStatus}
    stated["movecommanddisallowedfornonpersistentmoveaction"] = stated.pop(
        "ovecommanddisallowedfornonpersistentmoveaction"
    )
    assert len(stated) > 60
    assert {name: number for name, number in stated.items() if ours.get(name) != number} == {}
