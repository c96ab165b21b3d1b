"""Occurrences as they are named. [MS-ASCMD] InstanceId; [MS-ASHTTP] Command-Specific URI Parameters."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from eas.commands._instance import dashed, instance_moment
from eas.commands._smart import Request
from eas.protocol.query import Query

NINE = datetime(2030, 3, 5, 9, tzinfo=UTC)


@pytest.mark.parametrize("text", ["2030-03-05T09:00:00.000Z", "2030-03-05T09:00:00Z", "20300305T090000Z"])
def test_an_occurrence_of_a_query_has_either_form(text: str) -> None:
    query = Query(command="SmartReply", device_id="a", device_type="b", item_id="1:1", occurrence=text)
    named = Request.from_mime(b"", query).source.instance_id
    assert named is not None
    assert instance_moment(named) == NINE


@pytest.mark.parametrize("text", ["", "20300305", "20301305T090000Z", "20300305T090000", "x20300305T090000Z", "soon"])
def test_what_is_no_time_names_nothing(text: str) -> None:
    assert instance_moment(dashed(text) or "") is None


def test_an_instance_id_has_one_form() -> None:
    """R3194, R3200: in a document the compact form is not the proper one."""
    assert instance_moment("20300305T090000Z") is None
    assert dashed(None) is None
