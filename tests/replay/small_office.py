"""A real server with two people and a few letters, and two clients of different origin that use it through the proxy.

`pyactivesync` (MIT, 16.1 only) knows nothing of us; `eas phone` is our own. What they say is what is recorded.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path
from unittest.mock import patch

from groupware.authority import authority
from proxying import Proxy
from pyactivesync import BodyType, Client, Contact, ContactChange, EmailChange, FolderType, OofState
from serving import EAS, Server
from typer.testing import CliRunner

from eas.cli import app as commands

ANNA, BEN = "anna@example.com", "ben@example.com"
PASSWORD = "Sommer-Wiese-7"

#: The name for which the authority's certificate is.
HOST = "localhost"


def letter(number: int, subject: str, text: str, attached: bytes = b"") -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Carla <carla@example.net>"
    message["To"] = ANNA
    message["Subject"] = subject
    message["Date"] = f"Mon, 16 Nov 2026 0{number}:00:00 +0000"
    message["Message-ID"] = f"<letter-{number}@example.net>"
    message.set_content(text)
    if attached:
        message.add_attachment(attached, maintype="text", subtype="csv", filename="prices.csv")
        message.set_boundary(f"letter-{number}")
    return message


LETTERS = (
    letter(1, "Offer for the hall", "Good morning,\n\nour offer is attached.\n\nCarla\n", b"item;price\nroof;1200\n"),
    letter(2, "Grüße aus Köln", "Schöne Grüße!\n"),
    letter(3, "Lunch on Friday?", "Shall we meet at noon?\n"),
    letter(4, "Old price list", "This one is out of date.\n"),
)


def run(*words: str, data: Path, given: bytes = b"") -> None:
    done = CliRunner().invoke(commands, [*words, "--data", str(data)], input=given)
    assert done.exit_code == 0, done.output


@contextmanager
def office(folder: Path, people: tuple[str, ...] = (ANNA, BEN)) -> Iterator[Server]:
    """`people` in the order in which they are made: another order gives other ids."""
    data = folder / "data"
    for address in people:
        run("user", "add", address, "--password", PASSWORD, data=data)
    for message in LETTERS:
        run("deliver", ANNA, "-", data=data, given=bytes(message))
    with Server(data=data) as server:
        yield server


@contextmanager
def recorded(server: Server, file: Path, *arguments: str) -> Iterator[Proxy]:
    """A proxy with a certificate that clients can check."""
    pair = authority().good
    words = ("--tls-cert", str(pair.certificate), "--tls-key", str(pair.key), *arguments)
    with Proxy(server.url, file, words) as proxy:
        yield proxy
        assert proxy.end() == 0


def pyactivesync_day(proxy: Proxy) -> None:
    """All that pyactivesync can do, once, asserting what it says of it."""
    with (
        patch.dict(os.environ, REQUESTS_CA_BUNDLE=authority().ca_file),
        Client(f"{HOST}:{proxy.port}", ANNA, PASSWORD, device_id="pyactivesync01") as client,
    ):
        folders = {folder.type: folder.id for folder in client.list_folders()}
        inbox, drafts, contacts = (
            folders[kind] for kind in (FolderType.INBOX, FolderType.DRAFTS, FolderType.CONTACTS)
        )
        _read_and_answer(client, inbox)
        _drafts_and_contacts(client, drafts, contacts)
        _folders_and_moves(client, inbox)
        _look_up(client, inbox)
        _wait(client, inbox)


def _read_and_answer(client: Client, inbox: str) -> None:
    key = client.sync_folder(inbox).sync_key
    assert client.get_item_estimate(inbox, key) == len(LETTERS)
    first = client.sync_folder(inbox, key, window_size=3)
    assert first.more_available
    rest = client.sync_folder(inbox, first.sync_key)
    items = {item.fields["Email.Subject"]: item.server_id for item in (*first.added, *rest.added)}
    assert items.keys() == {message["Subject"] for message in LETTERS}
    fetched = client.fetch_item(inbox, items["Offer for the hall"], body_type=BodyType.PLAIN_TEXT)
    assert fetched.body is not None
    assert "our offer is attached" in str(fetched.body.data)
    (attachment,) = fetched.attachments
    assert client.fetch_attachment(attachment.file_reference).replace(b"\r", b"") == b"item;price\nroof;1200\n"
    changed = client.apply_email_changes(inbox, rest.sync_key, [
        EmailChange(items["Offer for the hall"], read=True, flagged=True),
        EmailChange(items["Old price list"], delete=True),
    ])
    assert set(changed.statuses.values()) == {"1"}
    answer = EmailMessage()
    answer["From"], answer["To"], answer["Subject"] = ANNA, BEN, "Re: Offer for the hall"
    answer.set_content("Please look at this offer.\n")
    client.send_mail(answer, client_id="0123456789abcdef")


def _drafts_and_contacts(client: Client, drafts: str, contacts: str) -> None:
    key = client.sync_folder(drafts).sync_key
    draft = EmailMessage()
    draft["To"], draft["Subject"] = BEN, "Friday"
    draft.set_content("Not finished\n")
    made = client.create_email_draft(drafts, key, draft, client_id="draft-1")
    assert made.status == "1"
    assert made.server_id
    key = client.sync_folder(contacts).sync_key
    dora = Contact(first_name="Dora", last_name="Example", email1_address="dora@example.org", birthday=None)
    added = client.create_contact(contacts, key, dora, client_id="contact-1")
    assert added.status == "1"
    assert added.server_id
    changed = client.apply_contact_changes(contacts, added.sync_key, [
        ContactChange(added.server_id, contact=Contact(first_name="Dora", last_name="Example", job_title="Carpenter")),
    ])
    assert client.apply_contact_changes(
        contacts, changed.sync_key, [ContactChange(added.server_id, delete=True)]
    ).statuses == {added.server_id: "1"}


def _folders_and_moves(client: Client, inbox: str) -> None:
    made = client.create_folder("Projects")
    client.update_folder(made.id, "Plans")
    key = client.sync_folder(inbox).sync_key
    items = {item.fields["Email.Subject"]: item.server_id for item in client.sync_folder(inbox, key).added}
    moved = client.move_item(items["Lunch on Friday?"], inbox, made.id)
    client.move_item(moved, made.id, inbox)
    client.delete_folder(made.id)


def _look_up(client: Client, inbox: str) -> None:
    assert [one.email_address for one in client.search_gal("ben")] == [BEN]
    assert client.resolve_recipients(BEN)
    assert len(client.search_mailbox(inbox, free_text="offer")) == 1
    assert client.search_mailbox(inbox, date_received_after="2020-01-01T00:00:00.000Z")
    client.set_oof(OofState.ENABLED, reply_message="I am at the sea.")
    assert client.get_oof().state is OofState.ENABLED
    client.set_oof(OofState.DISABLED)


def _wait(client: Client, inbox: str) -> None:
    key = client.sync_folder(inbox).sync_key
    key = client.sync_folder(inbox, key).sync_key
    news = EmailMessage()
    news["From"], news["To"], news["Subject"] = ANNA, ANNA, "Note to myself"
    news.set_content("Bread\n")
    client.send_mail(news, client_id="fedcba9876543210")
    answer = client.ping(inbox, heartbeat=120, timeout=200)
    assert (answer.status, answer.changed_folder_ids) == ("2", [inbox])
    assert [item.fields["Email.Subject"] for item in client.sync_folder(inbox, key).added] == ["Note to myself"]


def eas_phone_day(proxy: Proxy, state: Path) -> None:
    """A day with `eas phone`."""
    for words in (
        (), ("show",), ("change", "inbox", "Offer", "read=yes", "flag=yes"), ("add", "contact", "first_name=Dora"),
        ("send", "--to", BEN, "--subject", "Lunch", "--text", "At noon?"), ("delete", "inbox", "Old price list"),
        ("search", "roof"), ("search", "--people", "ben"), ("move", "inbox", "Lunch on Friday?", "deleted_items"),
        ("sync",),
    ):
        options = ("--insecure", "--user", ANNA, "--password", PASSWORD, "--state", str(state))
        command = [str(EAS), "phone", f"https://{HOST}:{proxy.port}", *options, *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, (words, done.stderr)
