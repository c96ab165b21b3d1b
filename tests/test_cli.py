"""The command line: what it says, how it ends, what is different afterwards."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from typer.testing import CliRunner, Result
from wire import Wire, e

from eas import app, config
from eas.cli import app as commands
from eas.client.connection import Connection, Credentials, Identity
from eas.client.device import DeviceState
from eas.client.errors import ClientError, Unauthorised
from eas.client.phone import Phone, Wiped
from eas.demo.pictures import portrait
from eas.engine.model import FolderType

#: Takes more than a few seconds.
pytestmark = pytest.mark.long


@dataclass
class Eas:
    """`eas` on a data folder of its own."""

    data: Path

    def __call__(self, *words: str, stdin: str | None = None, code: int = 0) -> Result:
        result = CliRunner().invoke(commands, [*words, "--data", str(self.data)], input=stdin)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert result.exit_code == code, result.output
        return result

    def json(self, *words: str, stdin: str | None = None) -> Any:
        return json.loads(self(*words, "--json", stdin=stdin).stdout)

    def with_phone(self, work: Callable[[Phone], Any], user: str = "anna", password: str = "secret") -> Any:
        """Do something with a phone that talks to the gateway on this folder, in memory."""

        async def run() -> Any:
            async with app.build(config.load(None, {"data": str(self.data)}, {})) as parts:
                connection = Connection(
                    "http://gateway.example", Credentials(user=user, password=password), Identity(device_id="PHONE1"),
                    transport=httpx.ASGITransport(app=parts.asgi),
                )
                async with connection:
                    return await work(Phone(DeviceState.new("PHONE1"), connection))

        return asyncio.run(run())


@pytest.fixture
def eas(tmp_path: Path) -> Eas:
    return Eas(tmp_path / "data")


def with_people(eas: Eas) -> Eas:
    for name in ("anna", "ben"):
        eas("user", "add", f"{name}@example.test", "--password", "secret", "--name", name.title())
    return eas


@pytest.fixture
def office(eas: Eas) -> Eas:
    """With Anna and Ben."""
    return with_people(eas)


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Eas:
    """The same for tests that change nothing."""
    return with_people(Eas(tmp_path_factory.mktemp("office") / "data"))


async def set_up(phone: Phone) -> Phone:
    await phone.set_up()
    await phone.sync()
    return phone


def test_users_have_profiles_pictures_and_certificates(eas: Eas, tmp_path: Path) -> None:
    picture, certificate = tmp_path / "anna.png", tmp_path / "anna.pem"
    picture.write_bytes(portrait("Anna"))
    certificate.write_bytes(self_signed("anna@example.test"))
    eas(
        "user", "add", "anna@example.test", "--password-stdin", "--first-name", "Anna", "--last-name", "Bergström",
        "--title", "Manager", "--company", "Nordhang", "--department", "Office", "--office", "1.02", "--phone", "1",
        "--home-phone", "2", "--mobile-phone", "3", "--zone", "Europe/Berlin", "--alias", "a.b@example.test",
        "--picture", str(picture), "--certificate", str(certificate), "--quota", "1000000", stdin="s3cret\n",
    )
    shown = eas.json("user", "show", "anna")
    expected = {
        "login": "anna", "address": "anna@example.test", "aliases": ["a.b@example.test"], "first_name": "Anna",
        "last_name": "Bergström", "title": "Manager", "company": "Nordhang", "department": "Office", "office": "1.02",
        "phone": "1", "home_phone": "2", "mobile_phone": "3", "zone": "Europe/Berlin", "quota": 1000000,
        "picture_bytes": picture.stat().st_size, "certificates": ["CN=anna@example.test"], "activesync": True,
    }
    assert {name: shown[name] for name in expected} == expected
    assert "Bergström" in eas("user", "show", "a.b@example.test").stdout
    assert [user["login"] for user in eas.json("user", "list")] == ["anna"]
    eas.with_phone(set_up, password="s3cret")


def self_signed(name: str) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(Encoding.PEM)


def test_set_changes_what_is_given_and_nothing_else(office: Eas, tmp_path: Path) -> None:
    picture = tmp_path / "p.png"
    picture.write_bytes(portrait("Ben"))
    office("user", "set", "ben", "--title", "Sales", "--alias", "b@example.test", "--picture", str(picture))
    office("user", "set", "ben", "--phone", "42", "--remove-alias", "b@example.test", "--alias", "c@example.test")
    shown = office.json("user", "show", "ben")
    assert (shown["title"], shown["phone"], shown["name"]) == ("Sales", "42", "Ben")
    assert shown["aliases"] == ["c@example.test"]
    assert shown["picture_bytes"] == picture.stat().st_size
    office("user", "set", "ben", "--no-picture", "--title", "")
    shown = office.json("user", "show", "ben")
    assert (shown["title"], shown["picture_bytes"]) == ("", 0)


def test_activesync_off_and_a_new_password_keep_a_phone_out(office: Eas) -> None:
    office.with_phone(set_up)
    office("user", "set", "anna", "--activesync", "off")
    with pytest.raises(ClientError):
        office.with_phone(set_up)
    office("user", "set", "anna", "--activesync", "on")
    office("user", "passwd", "anna", "--password-stdin", stdin="other\n")
    with pytest.raises(Unauthorised):
        office.with_phone(set_up)
    office.with_phone(set_up, password="other")


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("user", "show", "nobody"), 1, "no user nobody"),
        (("user", "set", "nobody", "--title", "x"), 1, "no user nobody"),
        (("user", "remove", "nobody", "--yes"), 1, "no user nobody"),
        (("user", "add", "anna@example.test", "--password", "x"), 1, "anna"),
        (("user", "add", "no-address", "--password", "x"), 1, "not an address"),
        (("user", "add", "c@example.test"), 2, "password"),
        (("user", "add", "c@example.test", "--password", ""), 2, "empty"),
        (("user", "set", "anna", "--zone", "Berlin"), 1, "time zone"),
        (("user", "set", "anna", "--activesync", "maybe"), 2, "maybe"),
        (("user", "set", "anna", "--remove-alias", "x@example.test"), 1, "no alias"),
        (("user", "set", "anna", "--picture", "/nonexistent"), 2, "nonexistent"),
        (("user", "frobnicate"), 2, "frobnicate"),
        (("group", "show", "nobody@example.test"), 1, "no group"),
        (("group", "add", "anna@example.test"), 1, "taken"),
        (("rights", "grant", "anna", "Nowhere", "ben", "read"), 1, "no folder Nowhere"),
        (("rights", "grant", "anna", "Calendar", "nobody", "read"), 1, "nobody"),
        (("rights", "grant", "anna", "Calendar", "ben", "everything"), 2, "everything"),
        (("policy", "set", "nobody", "POLICY"), 1, "no user or group nobody"),
        (("policy", "set", "anna", "/nonexistent"), 1, "No such file"),
        (("policy", "remove", "none"), 1, "no policy"),
        (("device", "show", "anna", "X"), 1, "no device X"),
        (("device", "wipe", "anna", "X"), 1, "no device X"),
        (("deliver", "nobody", "POLICY"), 1, "nobody"),
        (("deliver", "anna", "/nonexistent"), 1, "No such file"),
        (("serve", "--listen", "nonsense"), 2, "HOST:PORT"),
        (("serve", "--tls-cert", "POLICY"), 2, "together"),
        (("serve", "--tls-cert", "x.pem"), 2, "x.pem"),
    ],
)
def test_mistakes_are_one_line_and_an_exit_code(
    untouched: Eas, tmp_path: Path, words: tuple[str, ...], code: int, says: str
) -> None:
    policy = tmp_path / "policy.json"
    policy.write_text("{}")
    result = untouched(*(str(policy) if word == "POLICY" else word for word in words), code=code)
    assert says in result.stderr
    assert "Traceback" not in result.output


def test_removed_users_are_gone_with_their_devices(office: Eas) -> None:
    office.with_phone(set_up)
    assert len(office.json("device", "list")) == 1
    result = CliRunner().invoke(commands, ["user", "remove", "anna", "--data", str(office.data)], input="n\n")
    assert result.exit_code == 1
    office("user", "remove", "anna", "--yes")
    assert [user["login"] for user in office.json("user", "list")] == ["ben"]
    assert office.json("device", "list") == []


def test_groups_have_members_here_and_elsewhere(office: Eas) -> None:
    office("group", "add", "all@example.test", "--name", "All", "--member", "anna", "--member", "x@elsewhere.example")
    shown = office.json("group", "show", "all@example.test")
    assert (shown["name"], shown["members"]) == ("All", ["anna@example.test", "x@elsewhere.example"])
    office("group", "set", "All", "--add-member", "ben", "--remove-member", "x@elsewhere.example")
    assert office.json("group", "list")[0]["members"] == ["anna@example.test", "ben@example.test"]
    office("group", "set", "All", "--remove-member", "carla@example.test", code=1)
    office("group", "remove", "all@example.test")
    assert office.json("group", "list") == []


def test_rights_show_a_folder_to_somebody_else_until_they_are_taken_back(office: Eas) -> None:
    async def shared(phone: Phone) -> list[str]:
        await phone.set_up()
        await phone.folder_sync()  # the first answer may be that of an earlier, unused key 0
        return [f.name for f in phone.state.folders.values() if f.type is FolderType.USER_CALENDAR]

    assert office.with_phone(shared, "ben") == []
    office("rights", "grant", "anna", "Calendar", "ben", "read")
    assert office.json("rights", "list", "anna") == [
        {"folder": "Calendar", "grantee": "ben@example.test", "right": "read", "id": office_id(office)}
    ]
    assert len(office.with_phone(shared, "ben")) == 1
    office("rights", "revoke", "anna", "calendar", "ben")
    assert office.json("rights", "list", "anna") == []
    assert office.with_phone(shared, "ben") == []


def office_id(office: Eas) -> str:
    return str(office.json("rights", "list", "anna")[0]["id"])


def test_policies_reach_users_groups_and_everybody_else(office: Eas, tmp_path: Path) -> None:
    strict, lax = tmp_path / "strict.json", tmp_path / "lax.toml"
    strict.write_text('{"enforced": true, "settings": {"DevicePasswordEnabled": true, "MinDevicePasswordLength": 6}}')
    lax.write_text('[settings]\nAllowCamera = false\n')
    office("group", "add", "all@example.test", "--name", "All", "--member", "ben")
    office("policy", "set", "anna", str(strict))
    office("policy", "set", "All", str(lax))
    assert office.json("policy", "show", "anna")["settings"] == {
        "DevicePasswordEnabled": "1", "MinDevicePasswordLength": "6"
    }
    assert office.json("policy", "show", "ben")["name"] == "lax"
    listed = {found["name"]: found["assigned"] for found in office.json("policy", "list")}
    assert listed == {"default": [], "strict": ["anna"], "lax": ["All"]}

    async def settings(phone: Phone) -> dict[str, str]:
        await phone.set_up()
        return {element.tag.partition(":")[2]: element.text for element in phone.policy}

    assert office.with_phone(settings)["MinDevicePasswordLength"] == "6"
    assert office.with_phone(settings, "ben")["AllowCamera"] == "0"
    office("policy", "clear", "anna")
    office("policy", "set", "default", str(lax))
    assert office.with_phone(settings)["AllowCamera"] == "0"
    office("policy", "remove", "lax")
    assert office.json("policy", "show", "ben")["name"] == "default"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "policy.json"), ("[]", "settings"), ('{"settings": []}', "settings"),
        ('{"enforce": true}', "enforce is none"),
        ('{"settings": {"MinDevicePasswordLength": 99}}', "MinDevicePasswordLength must be"),
        ('{"settings": {"Nonsense": 1}}', "Nonsense is no setting"), ('{"enforced": "yes"}', "enforced must be true"),
        ('{"name": "default"}', "default"), ("\udcff", "policy.json"),
    ],
)
def test_policy_file_that_cannot_be_used_says_why(untouched: Eas, tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "policy.json"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    assert says in untouched("policy", "set", "anna", str(file), code=1).stderr


def test_delivered_mail_is_in_the_inbox_of_everybody_in_a_group(office: Eas, tmp_path: Path) -> None:
    letter = tmp_path / "letter.eml"
    letter.write_text("From: x@elsewhere.example\nTo: all@example.test\nSubject: Hello\nMessage-ID: <1@x>\n\nThere.\n")
    office("group", "add", "all@example.test", "--name", "All", "--member", "anna", "--member", "ben")
    assert office.json("deliver", "All", str(letter))["server_told"] is False

    async def subjects(phone: Phone) -> list[str]:
        await set_up(phone)
        return [item.text("Email:Subject") for item in phone.state.folder(FolderType.INBOX).items.values()]

    assert office.with_phone(subjects) == office.with_phone(subjects, "ben") == ["Hello"]
    office("deliver", "anna", "-", stdin="Subject: Two\n\nx")
    assert sorted(office.with_phone(subjects)) == ["Hello", "Two"]
    assert "empty" in office("deliver", "anna", "-", stdin="", code=1).stderr


def test_quirks_of_a_device_are_shown_and_switched(office: Eas) -> None:
    office.with_phone(set_up)
    assert office.json("device", "show", "anna", "PHONE1")["quirks"] == {}
    office("device", "quirk", "anna", "PHONE1", "symbian-policy", "on")
    assert office.json("device", "show", "anna", "PHONE1")["quirks"] == {"symbian-policy": "switched on"}
    office("device", "quirk", "anna", "PHONE1", "symbian-policy", "off")
    assert office.json("device", "show", "anna", "PHONE1")["quirks"] == {"symbian-policy": "switched off"}
    office("device", "quirk", "anna", "PHONE1", "symbian-policy", "auto")
    assert office.json("device", "show", "anna", "PHONE1")["quirks"] == {}
    assert "no quirk sleep" in office("device", "quirk", "anna", "PHONE1", "sleep", "on", code=1).stderr


def test_the_recovery_password_of_a_device_is_told(office: Eas) -> None:
    office.with_phone(set_up)
    assert "no recovery password" in office("device", "recovery-password", "anna", "PHONE1", code=1).stderr
    asyncio.run(leave_password(office.data, "open sesame"))
    assert office("device", "recovery-password", "anna", "PHONE1").stdout.strip() == "open sesame"


async def leave_password(data: Path, password: str) -> None:
    """[MS-ASCMD] R3660: kept for the user to be told."""
    async with app.build(config.load(None, {"data": str(data)}, {})) as parts:
        device = Wire(app=parts.asgi, password="secret", device="PHONE1", version="14.1")
        stated = e("DevicePassword", e("Set", e("Password", password)))
        assert (await device.post("Settings", e("Settings:Settings", stated))).text("DevicePassword", "Status") == "1"


def test_only_a_device_that_can_wipe_the_account_alone_is_told_to(office: Eas) -> None:
    asyncio.run(come(office.data, "16.0"))
    refused = office("device", "wipe", "anna", "PHONE1", "--account-only", code=1).stderr
    assert "16.1" in refused
    assert office.json("device", "show", "anna", "PHONE1")["wipe"] == "none"
    asyncio.run(come(office.data, "16.1"))
    office("device", "wipe", "anna", "PHONE1", "--account-only")
    shown = office.json("device", "show", "anna", "PHONE1")
    assert (shown["wipe"], shown["wipe_account_only"]) == ("requested", True)


async def come(data: Path, version: str) -> None:
    """The phone asks for the folders, in a version."""
    async with app.build(config.load(None, {"data": str(data)}, {})) as parts:
        device = Wire(app=parts.asgi, password="secret", device="PHONE1", version=version)
        assert (await device.post("FolderSync", e("FolderHierarchy:FolderSync", e("SyncKey", "0")))).status == "1"


def test_devices_are_listed_blocked_allowed_wiped_and_forgotten(office: Eas) -> None:
    office.with_phone(set_up)
    (found,) = office.json("device", "list", "anna")
    assert (found["user"], found["device"], found["access"], found["wipe"]) == ("anna", "PHONE1", "allowed", "none")
    assert found["model"] == "Simulated phone"
    assert found["provisioned"] is True
    assert office.json("device", "show", "anna", "PHONE1")["information"]["OS"] == "eas"
    assert "PHONE1" in office("device", "list").stdout

    office("device", "block", "anna", "PHONE1")
    with pytest.raises(ClientError):
        office.with_phone(set_up)
    office("device", "allow", "anna", "PHONE1")
    office.with_phone(set_up)

    office("device", "cancel-wipe", "anna", "PHONE1", code=1)
    office("device", "wipe", "anna", "PHONE1")
    office("device", "cancel-wipe", "anna", "PHONE1")
    office.with_phone(set_up)
    office("device", "wipe", "anna", "PHONE1")
    with pytest.raises(Wiped):
        office.with_phone(set_up)
    assert office.json("device", "show", "anna", "PHONE1")["wipe"] == "done"
    office("device", "remove", "anna", "PHONE1")
    assert office.json("device", "list", "anna") == []


def test_demo_office_goes_into_an_empty_folder_once(eas: Eas) -> None:
    said = eas.json("demo")
    assert (said["made"], said["logins"], said["domain"], said["password"]) == (
        True, ["anna", "ben", "carla"], "example.test", "demo"
    )
    assert eas.json("demo")["made"] is False
    assert len(eas.json("user", "list")) == 8
    assert [group["name"] for group in eas.json("group", "list")] == ["Everyone", "Front Office", "Workshop"]

    async def classes(phone: Phone) -> dict[str, int]:
        await set_up(phone)
        return {name: sum(len(f.items) for f in phone.state.of_class(name)) for name in CLASSES}

    counts = eas.with_phone(classes, "anna@example.test", "demo")
    assert counts["Email"] > 60
    assert all(counts[name] > 1 for name in CLASSES)
    for listen in ("0.0.0.0:1", "192.0.2.1:1", "gateway.example:1", "[::]:1"):
        result = eas("serve", "--listen", listen, code=2)
        assert "loopback only" in result.stderr


CLASSES = ("Email", "Calendar", "Contacts", "Tasks", "Notes")


def test_interrupted_demo_is_begun_anew_and_other_peoples_store_is_left_alone(office: Eas, tmp_path: Path) -> None:
    assert "users of its own" in office("demo", code=1).stderr
    assert "users of its own" in office("serve", "--demo", "--listen", "127.0.0.1:0", code=1).stderr
    assert len(office.json("user", "list")) == 2
    other = Eas(tmp_path / "other")
    other("user", "add", "anna@example.test", "--password", "x")
    (other.data / "demo.json").write_text('{"done": false}')
    assert other.json("demo")["made"] is True
    assert len(other.json("user", "list")) == 8


#: Commands that need no store.
ALONE = ("phone", "session")


def test_every_command_takes_config_data_and_explains_itself() -> None:
    def leaves(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
        if not hasattr(command, "list_commands"):
            yield path, command
            return
        for name in command.list_commands(None):
            yield from leaves(command.get_command(None, name), (*path, name))

    found = [(path, command) for path, command in leaves(typer.main.get_command(commands), ()) if path[0] not in ALONE]
    assert len(found) > 25
    for path, command in found:
        options = {option for parameter in command.params for option in parameter.opts}
        assert {"--config", "--data"} <= options, path
        assert "--json" in options or path == ("serve",), path
        assert command.help, path
