from __future__ import annotations

import re

from eas.engine.model import Device
from eas.engine.quirks import TABLE, Quirk, quirks_of

GO = Device(user_id="1", id="D1", type="test", agent="go-activesync/0.1")


def test_a_device_has_the_quirks_of_the_rows_that_fit() -> None:
    assert Quirk.PROVISION_WITHOUT_DEVICE_INFORMATION in quirks_of(GO)
    assert not quirks_of(Device(user_id="1", id="D2", type="test", agent="Apple-iPhone"))


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
