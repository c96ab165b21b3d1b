"""InstanceId: one occurrence of a series, by its start. [MS-ASCMD] InstanceId (MeetingResponse, SmartForward,
SmartReply)."""

from __future__ import annotations

import re
from datetime import datetime

from eas.protocol.schema import DASHED, SchemaError
from eas.protocol.version import Version
from eas.protocol.wbxml import Element

#: A dateTime with its punctuation, R3194 and R3200; the compact form is "not in the proper format" here.
_DASHED = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,3})?Z", re.ASCII)


#: As the calendar of 2.5 to 14.1 has its times, and so a device may write an Occurrence in a query.
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z", re.ASCII)


def dashed(occurrence: str | None) -> str | None:
    """The Occurrence of a query as an InstanceId; what is no time stays what it is. [MS-ASHTTP] Command-Specific URI
    Parameters R513, which does not say in which form a device writes it."""
    return occurrence and _COMPACT.sub(r"\1-\2-\3T\4:\5:\6.000Z", occurrence)


def instance_moment(text: str) -> datetime | None:
    """None for anything that is no such dateTime."""
    if _DASHED.fullmatch(text) is None:
        return None
    try:
        moment = DASHED.load(Element("MeetingResponse:InstanceId", text), Version.V14_1)
    except SchemaError:
        return None
    assert isinstance(moment, datetime)
    return moment
