from __future__ import annotations

import re

from eas.engine.model import Device
from eas.engine.quirks import TABLE, Quirk, quirks_of

GO = Device(user_id="1", id="D1", type="test", agent="go-activesync/0.1")


def test_a_device_has_the_quirks_of_the_rows_that_fit() -> None:
    assert Quirk.PROVISION_WITHOUT_DEVICE_INFORMATION in quirks_of(GO)
    assert not quirks_of(Device(user_id="1", id="D2", type="test", agent="wire/1"))


def test_a_switch_of_the_device_outweighs_the_table() -> None:
    off = Device(
        user_id="1", id="D1", type="test", agent=GO.agent, quirks={Quirk.PROVISION_WITHOUT_DEVICE_INFORMATION: False}
    )
    on = Device(user_id="1", id="D3", type="test", quirks={Quirk.GET_CHANGES_WITH_KEY_0: True, "gone": True})
    assert Quirk.PROVISION_WITHOUT_DEVICE_INFORMATION not in quirks_of(off)
    assert quirks_of(on) == {Quirk.GET_CHANGES_WITH_KEY_0}


def test_every_quirk_has_a_row_and_every_row_its_reason() -> None:
    assert {row.quirk for row in TABLE} == set(Quirk)
    for row in TABLE:
        assert row.does
        assert row.evidence
        assert row.type or row.agent or row.os
        for pattern in (row.type, row.agent, row.os):
            re.compile(pattern)


def device(agent: str = "", type: str = "test") -> Device:
    return Device(user_id="1", id="D1", type=type, agent=agent)


def test_who_leaves_the_reply_to_a_meeting_to_the_server() -> None:
    """iOS from 12.4 on, by the build in its agent."""
    agents = {
        "Apple-iPhone11C2/1607.77": True, "Apple-iPad7C3/1701.577": True, "Apple-iPhone14C5/2001.50": True,
        "Apple-iPhone10C1/1606.10": False, "Apple-iPhone6C1/1208.321": False, "Apple-iPhone/701.341": False,
        "Android/9": False,
    }
    for agent, expected in agents.items():
        assert (Quirk.REPLY_IS_MAILED_FOR_IT in quirks_of(device(agent))) is expected, agent


def test_who_mails_meetings_itself() -> None:
    assert Quirk.MAILS_MEETINGS_ITSELF in quirks_of(device("Outlook/15.0 (15.0.4420.1017)", "WindowsOutlook15"))
    assert Quirk.MAILS_MEETINGS_ITSELF not in quirks_of(device("Outlook-iOS-Android/1.0", "Outlook"))


def test_who_answers_in_the_calendar() -> None:
    assert Quirk.ANSWERS_IN_THE_CALENDAR in quirks_of(device("Apple-iPhone6C1/1208.321"))
    assert Quirk.ANSWERS_IN_THE_CALENDAR in quirks_of(device("Outlook/15.0", "WindowsOutlook15"))
    assert Quirk.ANSWERS_IN_THE_CALENDAR not in quirks_of(device("Android/9"))


def test_outlook_for_windows_holds_what_it_moved() -> None:
    def device(type: str, agent: str = "") -> Device:
        return Device(user_id="1", id="D1", type=type, agent=agent)

    assert Quirk.HOLDS_WHAT_IT_MOVED in quirks_of(device("WindowsOutlook15", "Outlook/16.0 (16.0.4266.1001; MSI; x64)"))
    for other in (device("Outlook", "Outlook-iOS-Android/1.0"), device("WindowsMail"), device("iPhone")):
        assert Quirk.HOLDS_WHAT_IT_MOVED not in quirks_of(other)
