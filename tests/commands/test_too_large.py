"""What is too much, in the words of the common statuses. [MS-ASCMD] Common Status Codes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from wire import Wire, e

from eas.app import build
from eas.config import load


def mail(body: str = "Hello") -> bytes:
    return f"From: anna@example.com\r\nTo: ben@example.com\r\nSubject: Hello\r\n\r\n{body}\r\n".encode()


async def send(device: Wire, mime: bytes, client_id: str = "1") -> tuple[int, str]:
    """HTTP and common status."""
    if device.version < "14" or device.version == "2.5":
        got = await device.post("SendMail", mime, content_type="message/rfc822", SaveInSent="T")
    else:
        body = e("ComposeMail:SendMail", e("ClientId", client_id), e("SaveInSentItems"), e("Mime", mime))
        got = await device.post("SendMail", body)
    return got.http, got.status if got.body and got.http == 200 else ""


@pytest.mark.parametrize(("version", "http"), [("12.1", 500), ("14.0", 200), ("16.1", 200)])
async def test_a_message_that_is_too_large_is_refused(
    office: tuple[Path, dict[str, str]], tmp_path: Path, version: str, http: int
) -> None:
    """R4860"""
    shutil.copytree(office[0], tmp_path / "data")
    overrides = {"data": tmp_path / "data", "domain": "example.com", "lmtp.max_bytes": 2000}
    async with build(load(overrides=overrides, environment={})) as app:
        device = Wire(app=app.asgi, version=version)
        assert await send(device, mail(body="x" * 3000)) == (http, "122" if http == 200 else "")
        assert await send(device, mail(), "2") == (200, "")
