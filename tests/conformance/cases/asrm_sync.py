"""[MS-ASRM] What Sync does with a message under rights management that it is not asked to open."""

from __future__ import annotations

from boxes_kit import INBOX, box, commands, delete, local, options, received, send_mime
from lab import FROM_14_1, Lab, case
from wire import e


def protected(lab: Lab, subject: str) -> bytes:
    """As Outlook sends it: a note for those who cannot open it, and the content in one attachment."""
    return (
        f"From: <{lab.other.address}>\r\nTo: <{lab.me.address}>\r\nSubject: {subject}\r\nMIME-Version: 1.0\r\n"
        "Content-Class: rpmsg.message\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        "--b\r\nContent-Type: text/plain\r\n\r\nThis message is protected.\r\n"
        "--b\r\nContent-Type: application/x-microsoft-rpmsg-message; name=message.rpmsg\r\n"
        "Content-Disposition: attachment; filename=message.rpmsg\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        "dugEYMQUeJw=\r\n--b--\r\n"
    ).encode()


@case("MS-ASRM", "R335 R348 R128", FROM_14_1)
async def what_is_protected_comes_as_it_was_sent(lab: Lab) -> None:
    subject = lab.unique("protected")
    await send_mime(lab, lab.other, protected(lab, subject), subject)
    inbox = await (await box(lab, INBOX)).begin()
    message = await received(lab, subject, inbox)
    for support in ((e("RightsManagement:RightsManagementSupport", "0"),), ()):
        reader = await box(lab, INBOX)
        await reader.begin(options(e("AirSyncBase:BodyPreference", e("Type", "1")), *support))
        content = reader.has[message]
        assert "RightsManagementLicense" not in {local(one) for one in content.elements}
        assert "This message is protected." in str(content)
        assert "message.rpmsg" in str(content)
    await inbox.go(commands(delete(message)))
