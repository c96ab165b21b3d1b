"""The gateway in memory before real servers, and whole devices (eas.client) that talk to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from eas import app as composition
from eas.client.connection import Connection, Credentials, Identity
from eas.client.device import DeviceState
from eas.client.phone import Phone
from eas.config import load
from eas.engine.model import FolderType
from eas.protocol.version import Version

URL = "http://mail.example.com"


@dataclass(kw_only=True)
class Estate:
    """`app` stands before the servers of its settings."""

    app: composition.App
    lines: list[Connection] = field(default_factory=list)

    def phone(
        self, login: str, password: str, device: str = "PHONE1", version: Version = Version.V16_1, **values: Any
    ) -> Phone:
        """Not set up yet."""
        line = Connection(
            URL, Credentials(user=login, password=password), Identity(device_id=device), version=version,
            transport=httpx.ASGITransport(self.app.asgi),
        )
        self.lines.append(line)
        return Phone(DeviceState(url=URL, user=login, device_id=device), line, **values)


@asynccontextmanager
async def estate(data: Path, backends: Mapping[str, Any], **more: Any) -> AsyncIterator[Estate]:
    """Over a data folder, which outlives it; `more` are other settings."""
    settings = load(overrides={"data": data, "backends": backends, **more}, environment={})
    async with composition.build(settings) as app:
        made = Estate(app=app)
        try:
            yield made
        finally:
            for line in made.lines:
                await line.close()


async def ready(phone: Phone) -> Phone:
    """Set up and synchronised."""
    await phone.set_up()
    await phone.sync()
    return phone


def subjects(phone: Phone, type: FolderType = FolderType.INBOX) -> list[str]:
    """What the device shows in a folder, as people know it."""
    folder = phone.state.folder(type)
    shown = ("Email:Subject", "Calendar:Subject", "Contacts:FileAs", "Tasks:Subject", "Notes:Subject")
    return sorted(
        next((text for tag in shown if (text := item.text(tag))), "") for item in folder.items.values()
    )


def letter(subject: str, to: str, sender: str = "sender@elsewhere.example", text: str = "Good morning.") -> bytes:
    return (
        f"From: {sender}\r\nTo: {to}\r\nSubject: {subject}\r\nMessage-ID: <{subject}.{to}>\r\n"
        f"Date: Sat, 21 Nov 2026 08:00:00 +0000\r\nMIME-Version: 1.0\r\n"
        f"Content-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"
    ).encode()
