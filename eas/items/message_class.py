"""MessageClass of a message, by its structure, its header and what its reports say. [MS-ASEMAIL] MessageClass.

IPM.Post, IPM.Octel.Voice, IPM.Voicenotes and IPM.Notification.Meeting are not given: nothing in an Internet message
says that it is one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from eas.items import headers, mime
from eas.items.native import Part

NOTE = "IPM.Note"
VOICEMAIL = "IPM.Note.Microsoft.Voicemail"

_CONTENT_CLASSES = (
    # Content-Class as Exchange's unified messaging, InfoPath and sharing invitations write it, by its beginning.
    ("voice-ca", f"{VOICEMAIL}.UM.CA"),
    ("voice", f"{VOICEMAIL}.UM"),
    ("missedcall", "IPM.Note.Microsoft.Missed.Voice"),
    ("infopathform", "IPM.InfoPathForm"),
    ("sharing", "IPM.Sharing"),
)


def message_class(root: Part, fields: Mapping[bytes, bytes], reports: Mapping[str, bytes]) -> str:
    """The class, but for meetings, which is `meeting.message_class`'s. `reports`: decoded report parts by section."""
    smime = mime.smime_class(root)
    if smime:
        return smime
    if root.type == "multipart/report":
        found = _report(root, reports)
        if found:
            return found
    content_class = fields.get(b"content-class")
    if content_class:
        given = headers.text(content_class).strip().lower().removeprefix("urn:content-classes:").removeprefix("urn:")
        for beginning, known in _CONTENT_CLASSES:
            if given.startswith(beginning):
                return known
    if any(part.type == "application/x-sharing-metadata-xml" for part in root.children):
        return "IPM.Sharing"
    return NOTE


_ACTION = re.compile(rb"^Action[ \t]*:[ \t]*([A-Za-z]+)", re.MULTILINE | re.IGNORECASE)
_DISPOSITION = re.compile(rb"^Disposition[ \t]*:[^;\r\n]*;[ \t]*([A-Za-z]+)", re.MULTILINE | re.IGNORECASE)

#: RFC 3464 Action -> report; the worst of several recipients' counts, which is the first of these.
_DELIVERY = {"failed": "NDR", "delayed": "DELAYED", "delivered": "DR", "relayed": "DR", "expanded": "DR"}
#: RFC 8098 Disposition -> report.
_READ = {"displayed": "IPNRN", "processed": "IPNRN", "deleted": "IPNNRN", "denied": "IPNNRN", "failed": "IPNNRN"}

#: Reports that exist by class of the original. [MS-ASEMAIL] MessageClass R604-R616.
_REPORTS = {
    "IPM.NOTE": frozenset(("NDR", "DR", "DELAYED", "IPNRN", "IPNNRN")),
    "IPM.NOTE.SMIME": frozenset(("NDR", "DR")),
    "IPM.NOTE.SMIME.MULTIPARTSIGNED": frozenset(("NDR", "DR")),
    "IPM.SCHEDULE.MEETING.REQUEST": frozenset(("NDR",)),
    "IPM.SCHEDULE.MEETING.CANCELED": frozenset(("NDR",)),
    "IPM.SCHEDULE.MEETING.RESP.POS": frozenset(("NDR",)),
    "IPM.SCHEDULE.MEETING.RESP.TENT": frozenset(("NDR",)),
}
#: The iTIP method of a returned message -> its class. Whether a reply was positive is inside; most are.
_MEETINGS = {
    "request": "IPM.SCHEDULE.MEETING.REQUEST",
    "cancel": "IPM.SCHEDULE.MEETING.CANCELED",
    "reply": "IPM.SCHEDULE.MEETING.RESP.POS",
    "counter": "IPM.SCHEDULE.MEETING.RESP.TENT",
}


def _report(root: Part, reports: Mapping[str, bytes]) -> str:
    """The class of a multipart/report (RFC 6522); "" where it cannot be told."""
    kind = root.params.get("report-type", "").lower()
    said = b"\n".join(reports.values())
    if kind == "disposition-notification" or any(p.type == "message/disposition-notification" for p in root.children):
        found = _DISPOSITION.search(said)
        suffix = _READ.get(found[1].decode("ascii").lower(), "IPNRN") if found else "IPNRN"
    elif kind == "delivery-status" or any(p.type == "message/delivery-status" for p in root.children):
        actions = {action.decode("ascii").lower() for action in _ACTION.findall(said)}
        suffix = next((report for action, report in _DELIVERY.items() if action in actions), "NDR")
    else:
        return ""
    original = _returned(root)
    if suffix not in _REPORTS[original]:
        original = "IPM.NOTE"
    return f"REPORT.{original}.{suffix}"


def _returned(root: Part) -> str:
    """The class of the message that the report is about, as far as it came back."""
    for part in root.children:
        for message in part.children if part.type == "message/rfc822" else ():
            smime = mime.smime_class(message).upper()
            if smime in _REPORTS:
                return smime
            methods = (p.params.get("method", "").lower() for p in mime.walk(message) if p.type == "text/calendar")
            return next((_MEETINGS[method] for method in methods if method in _MEETINGS), "IPM.NOTE")
    return "IPM.NOTE"
