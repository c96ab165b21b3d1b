"""Configuration profiles, signatures, codes, and the addresses that are good once."""

from __future__ import annotations

import asyncio
import plistlib
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from lxml import etree

from eas.admin.profiles import Profiles, profile, qr, set_up
from eas.app.profiles import profiles_of
from eas.config import ConfigError, load

TOLD = set_up("https://mail.example.com", "anna@example.com", "anna")


def _read(octets: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    whole = plistlib.loads(octets)
    [account] = whole["PayloadContent"]
    return whole, account


def test_what_stands_in_a_profile() -> None:
    whole, account = _read(profile(TOLD, Profiles(organisation="Example & Co"), user_id="u1"))
    assert whole["PayloadType"] == "Configuration"
    assert whole["PayloadOrganization"] == "Example & Co"
    assert {name: account[name] for name in ("PayloadType", "Host", "SSL", "UserName", "EmailAddress")} == {
        "PayloadType": "com.apple.eas.account", "Host": "mail.example.com", "SSL": True,
        "UserName": "anna@example.com", "EmailAddress": "anna@example.com",
    }
    assert not {"Password", "OAuth"} & account.keys()
    assert whole["PayloadIdentifier"] == "com.example.mail.eas"


def test_names_stay_the_same_for_a_user_and_differ_between_them() -> None:
    first, again, other = (_read(profile(TOLD, Profiles(), user_id=user)) for user in ("u1", "u1", "u2"))
    assert first == again
    uuids = {value["PayloadUUID"] for pair in (first, other) for value in pair}
    assert len(uuids) == 4
    assert all(UUID(one) for one in uuids)


def test_where_phones_log_in_with_an_identity_provider() -> None:
    site = Profiles(sign_in="https://id.example.com/auth", token="https://id.example.com/token")
    _, account = _read(profile(TOLD, site, user_id="u1"))
    assert (account["OAuth"], account["OAuthSignInURL"], account["OAuthTokenRequestURL"]) == (
        True, "https://id.example.com/auth", "https://id.example.com/token"
    )
    _, account = _read(profile(TOLD, site, user_id="u1", password="secret"))  # Apple allows one of them
    assert account["Password"] == "secret"
    assert "OAuth" not in account


def test_where_a_server_is() -> None:
    told = set_up("http://localhost:8080", "anna@example.com", "anna")
    assert (told.host, told.tls) == ("localhost:8080", False)
    assert set_up("https://x", "anna", "anna").login == "anna"


def _certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.example.com")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1)).sign(key, SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return folder / "cert.pem", folder / "key.pem"


def _settings(**more: Any) -> Any:
    return load(overrides={f"profile.{name}": value for name, value in more.items()}, environment={})


def test_a_signed_profile_is_verified_by_others(tmp_path: Path) -> None:
    certificate, key = _certificate(tmp_path)
    site = profiles_of(_settings(certificate=str(certificate), key=str(key), chain=str(certificate)))
    signed = tmp_path / "signed"
    signed.write_bytes(profile(TOLD, site, user_id="u1"))
    verified = subprocess.run(
        ["openssl", "cms", "-verify", "-inform", "DER", "-in", str(signed), "-CAfile", str(certificate),
         "-purpose", "any"], capture_output=True, check=True,
    )
    assert verified.stdout == profile(TOLD, replace(site, signer=None), user_id="u1")


def test_files_that_are_none(tmp_path: Path) -> None:
    certificate, key = _certificate(tmp_path)
    for wrong in ({"certificate": key, "key": key}, {"certificate": certificate, "key": certificate}):
        with pytest.raises(ConfigError, match="profile"):
            profiles_of(_settings(**{name: str(file) for name, file in wrong.items()}))
    with pytest.raises(ConfigError, match="key is missing"):
        _settings(certificate=str(certificate))


def test_a_code_is_a_picture_without_anything_that_runs() -> None:
    root = etree.fromstring(qr("https://mail.example.com/my/get/" + "x" * 32))
    assert root.get("viewBox")
    assert {etree.QName(one).localname for one in root.iter()} <= {"svg", "path", "title", "g"}
    assert not any(name.startswith("on") or name == "style" for one in root.iter() for name in one.attrib)


async def test_an_address_is_good_once_and_not_for_long(world: Any) -> None:
    links, now = world.app.site.links, datetime.now(UTC)
    token, until = await links.make("u1", now)
    assert until - now == timedelta(minutes=15)
    assert await links.look(token, until) is None
    taken = await asyncio.gather(*[links.take(token, now) for _ in range(5)])
    assert sum(one is not None for one in taken) == 1
    assert await links.look(token, now) is None


async def test_not_too_many_addresses_at_a_time(world: Any) -> None:
    links, now = world.app.site.links, datetime.now(UTC)
    tokens = [(await links.make("u1", now + timedelta(seconds=n)))[0] for n in range(25)]
    other, _ = await links.make("u2", now)
    good = [await links.look(token, now + timedelta(seconds=30)) is not None for token in tokens]
    assert good == [False] * 5 + [True] * 20
    assert await links.look(other, now) is not None
