"""Certificates of clients that a proxy tells of: whose they are, and that nobody else can tell of them."""

from __future__ import annotations

import shutil
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID, ObjectIdentifier
from groupware.authority import authority
from groupware.fixtures import run
from groupware.fronts import Caddy, Front, Haproxy, Nginx, changed
from serving import Server
from wire import basic

from eas import app, config
from eas.admin import actions
from eas.admin.acting import SERVER
from eas.config import ConfigError
from eas.protocol import http
from eas.server.certificates import BadCertificate, CertificateRules, certified

NOW = datetime.now(UTC)
PROXY = "127.0.0.1"
HEADER = "X-Client-Cert"
UPN = ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")
LOGIN_PAGE = Path(__file__).resolve().parents[2] / "docs" / "login.md"


@dataclass(frozen=True)
class Made:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def der(self) -> str:
        return b64encode(self.certificate.public_bytes(serialization.Encoding.DER)).decode()

    def written(self, path: Path) -> tuple[Path, Path]:
        path.mkdir(parents=True, exist_ok=True)
        (path / "crt.pem").write_text(self.pem)
        (path / "key.pem").write_bytes(self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ))
        return path / "crt.pem", path / "key.pem"


def made(
    *names: tuple[ObjectIdentifier, str], mail: str = "", upn: str = "", days: int = 30, issuer: Made | None = None
) -> Made:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(oid, value) for oid, value in names])
    builder = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key()).serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=60)).not_valid_after(NOW + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    others: list[x509.GeneralName] = [x509.RFC822Name(mail)] if mail else []
    if upn:
        others.append(x509.OtherName(UPN, bytes([0x0C, len(upn)]) + upn.encode()))
    if others:
        builder = builder.add_extension(x509.SubjectAlternativeName(others), critical=False)
    return Made(builder.sign(issuer.key if issuer else key, hashes.SHA256()), key)


COMMON, MAIL, UID = NameOID.COMMON_NAME, NameOID.EMAIL_ADDRESS, NameOID.USER_ID
ANNA = made((COMMON, "Anna"), (UID, "anna"), mail="anna@example.com", upn="anna@corp.example")
SUBJECT_ONLY = made((COMMON, "Anna"), (MAIL, "anna@example.com"))
OVER = made((COMMON, "Anna"), mail="anna@example.com", days=-1)
NAMELESS = made((COMMON, "A phone"))
BEN = made((COMMON, "Ben"), mail="ben@example.com")
STRANGER = made((COMMON, "X"), mail="stranger@example.com")

RULES = CertificateRules(header="x-client-cert")


def told(text: str, rules: CertificateRules = RULES, peer: str = PROXY, times: int = 1) -> str:
    scope = {"client": (peer, 1), "headers": [(b"X-Client-Cert", text.encode())] * times}
    return certified(scope, {"x-client-cert": text}, rules, config_networks(PROXY), NOW)


def config_networks(*texts: str) -> Any:
    from ipaddress import ip_network

    return [ip_network(text) for text in texts]


@pytest.mark.parametrize("text", [
    quote(ANNA.pem), ANNA.der, ANNA.pem.replace("\n", " ").strip(), ANNA.pem.replace("\n", "\t").strip(),
    quote(SUBJECT_ONLY.pem),
])
def test_proxies_write_it_in_many_ways(text: str) -> None:
    assert told(text) == "anna@example.com"


def test_the_login_is_made_of_what_it_says() -> None:
    for template, login in (
        ("{uid}", "anna"), ("{cn}", "Anna"), ("{upn}", "anna@corp.example"), ("{uid}@x.example", "anna@x.example"),
    ):
        assert told(ANNA.der, replace(RULES, login=template)) == login
    subject = replace(RULES, subject=True)
    assert told("emailAddress=anna@example.com,CN=Anna,O=Example", subject) == "anna@example.com"
    assert told("CN=anna,O=Example\\, Inc.", replace(subject, login="{cn}")) == "anna"


def test_none_is_none() -> None:
    assert [told(text) for text in ("", " ", "-")] == ["", "", ""]
    assert told(ANNA.der, peer="192.0.2.1") == ""
    assert told("rubbish", peer="192.0.2.1") == ""


@pytest.mark.parametrize("text", [
    "rubbish", "AAAA", quote(OVER.pem), NAMELESS.der, "%", "-----BEGIN CERTIFICATE-----", "A" * 40_000, "é",
])
def test_what_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(BadCertificate):
        told(text)
    with pytest.raises(BadCertificate):
        told(text if len(text) > 40 else "x=", replace(RULES, subject=True))


def test_twice_is_once_too_often() -> None:
    with pytest.raises(BadCertificate, match="replace"):
        told(ANNA.der, times=2)


# As a phone meets it --------------------------------------------------------------------------------------------------


@asynccontextmanager
async def opened(data: Path, peer: str = PROXY, **certificates: Any) -> AsyncIterator[httpx.AsyncClient]:
    settings = {
        "data": str(data), "domain": "example.com", "trusted_proxies": [PROXY],
        "client_certificates": {"header": HEADER, **certificates},
    }
    async with app.build(config.load(None, settings, {})) as parts:
        for name in ("anna", "ben"):
            await actions.add_user(replace(parts.site, caller=SERVER), f"{name}@example.com", f"{name}-secret", {})
        transport = httpx.ASGITransport(parts.asgi, client=(peer, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://mail.example.com") as client:
            yield client


async def asked(client: httpx.AsyncClient, certificate: Made | None, password: str = "", user: str = "anna") -> int:
    headers = {HEADER: certificate.der} if certificate is not None else {}
    if password:
        headers["Authorization"] = basic(user, password)
    return (await client.options(http.PATH, headers=headers)).status_code


async def test_it_is_enough(tmp_path: Path) -> None:
    async with opened(tmp_path) as client:
        assert await asked(client, ANNA) == 200
        assert await asked(client, None) == 401
        assert await asked(client, None, "anna-secret") == 200
        assert await asked(client, ANNA, "anna-secret") == 200
        assert await asked(client, ANNA, "wrong") == 401
        assert await asked(client, BEN, "anna-secret") == 403
        assert await asked(client, STRANGER) == 403
        assert await asked(client, OVER) == 403
        assert await asked(client, NAMELESS, "anna-secret") == 403


async def test_or_it_is_wanted_besides(tmp_path: Path) -> None:
    async with opened(tmp_path, alone=False) as client:
        assert await asked(client, ANNA) == 401
        assert await asked(client, ANNA, "anna-secret") == 200
        assert await asked(client, None, "anna-secret") == 403
        assert await asked(client, BEN, "anna-secret") == 403


async def test_from_elsewhere_it_is_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path, peer="192.0.2.1") as client:
        assert await asked(client, ANNA) == 401
        assert await asked(client, ANNA, "ben-secret", "ben") == 200


def test_without_a_proxy_that_is_trusted_it_cannot_be_set() -> None:
    with pytest.raises(ConfigError, match="trusted_proxies"):
        config.load(None, {"client_certificates": {"header": HEADER}}, {})
    for wrong in ({"login": "anna"}, {"login": "{dn}"}, {"header": "X: y"}):
        with pytest.raises(ConfigError):
            config.load(None, {"trusted_proxies": [PROXY], "client_certificates": {"header": HEADER, **wrong}}, {})


# Behind real proxies, with what docs/login.md says --------------------------------------------------------------------

PHONES = made((COMMON, "Authority of the phones"))
PHONE = made((COMMON, "Anna"), mail="anna@example.com", issuer=PHONES)


def snippet(name: str) -> str:
    return LOGIN_PAGE.read_text().partition(f"```{name}\n")[2].partition("```")[0]


class CertifiedNginx(Nginx):
    def write(self) -> None:
        Nginx.write(self)
        inner = "        proxy_set_header X-Forwarded-Proto $scheme;\n"
        _rewrite(self, "eas.conf", {
            "    server_name ": f"{snippet('nginx-server')}    server_name ", inner: inner + snippet("nginx-location"),
        }, "/etc/nginx/phones-ca.crt")


class CertifiedHaproxy(Haproxy):
    def write(self) -> None:
        Haproxy.write(self)
        _rewrite(self, "haproxy.cfg", {
            " alpn http/1.1": " alpn http/1.1" + snippet("haproxy-bind").rstrip(),
            "    option forwardfor\n": "    option forwardfor\n" + snippet("haproxy-frontend"),
        }, "/etc/haproxy/phones-ca.pem")


class CertifiedCaddy(Caddy):
    def write(self) -> None:
        Caddy.write(self)
        pair = authority().good
        tls = f"\ttls {pair.certificate} {pair.key}"
        inside = snippet("caddy-site").partition("{\n")[2]
        _rewrite(self, "Caddyfile", {
            tls: f"{tls} {{\n{inside.rstrip()}\n",
            "handle @activesync {\n": "handle @activesync {\n" + snippet("caddy-handle"),
        }, "/etc/caddy/phones-ca.crt")


def _rewrite(front: Front, name: str, changes: dict[str, str], authority_file: str) -> None:
    (front.path / "phones-ca.pem").write_text(PHONES.pem)
    text = changed((front.path / name).read_text(), changes)
    (front.path / name).write_text(changed(text, {authority_file: str(front.path / "phones-ca.pem")}))


@pytest.fixture(scope="module")
def gateway(office: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    data = tmp_path_factory.mktemp("certified") / "data"
    shutil.copytree(office[0], data)
    settings = {
        "EAS_DOMAIN": "example.com", "EAS_TRUSTED_PROXIES": PROXY, "EAS_CLIENT_CERTIFICATES__HEADER": HEADER,
    }
    with Server(data=data, settings=settings) as server:
        yield server


@pytest.fixture(scope="module", params=[CertifiedHaproxy, CertifiedNginx, CertifiedCaddy])
def front(request: pytest.FixtureRequest, gateway: Server) -> Iterator[Front]:
    yield from run(lambda: request.param(nodes=[gateway.port]))


@pytest.mark.server
@pytest.mark.long
async def test_a_proxy_with_our_lines_tells_of_phones_and_of_nobody_else(front: Front, tmp_path: Path) -> None:
    async def status(shown: Made | None, **headers: str) -> int:
        context = ssl.create_default_context(cafile=authority().ca_file)
        if shown is not None:
            context.load_cert_chain(*shown.written(tmp_path / "shown"))
        async with httpx.AsyncClient(verify=context, base_url=front.url, timeout=60) as client:
            stated = {name.replace("_", "-"): value for name, value in headers.items()}
            return (await client.options(http.PATH, headers=stated)).status_code

    assert await status(PHONE) == 200
    assert await status(None) == 401
    # Who writes the header without a certificate writes it in vain, in any casing.
    for name in ("X_Client_Cert", "x_client_cert", "X_CLIENT_CERT"):
        assert await status(None, **{name: PHONE.der}) == 401
    assert await status(PHONE, X_Client_Cert=BEN.der) == 200
    # One that is signed by nobody we know does not come through.
    try:
        refused = await status(BEN)
    except (httpx.TransportError, ssl.SSLError):
        refused = 400
    assert refused in (400, 401, 495)
