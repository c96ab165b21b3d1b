"""Chains of certificates, each wrong in one way, and lists of those that were revoked. [MS-ASCMD] ValidateCert."""

from __future__ import annotations

import shutil
import threading
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from certificates_kit import MAIL, NOW, base64, certificate, living, revocations, usage
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given, settings
from hypothesis import strategies as st
from wire import Wire, e

from eas.commands._certificates import MAX_DER, Status, judge, parse, parse_der
from eas.commands._revocation import MAX_LISTS, Revocation
from eas.commands._revocation import parse as parse_list
from eas.engine.errors import Unavailable

ROOT = certificate("root", "root", authority=True)
BETWEEN = certificate("between", "root", authority=True)


def check(
    leaf: x509.Certificate | None, *between: x509.Certificate, anchors: tuple[x509.Certificate, ...] = (ROOT,)
) -> Status:
    found = judge(leaf, between, anchors, NOW)
    return found if isinstance(found, Status) else Status.SUCCESS


def test_a_chain_to_a_configured_root_is_valid() -> None:
    assert check(certificate("anna", "root")) is Status.SUCCESS
    assert check(certificate("anna", "between"), BETWEEN) is Status.SUCCESS
    assert check(certificate("anna", "between"), ROOT, BETWEEN) is Status.SUCCESS


@pytest.mark.parametrize(
    ("status", "leaf", "between"),
    [
        (Status.BAD_SIGNATURE, certificate("anna", "root", signer="mallory"), ()),
        (Status.BAD_SIGNATURE, certificate("anna", "anna", signer="mallory"), ()),
        (Status.UNTRUSTED, certificate("anna", "anna"), ()),
        (Status.UNTRUSTED, certificate("anna", "between"), ()),  # the issuer is missing
        (Status.UNTRUSTED, certificate("anna", "other"), (certificate("other", "other", authority=True),)),
        (Status.EXPIRED, certificate("anna", "root", end=NOW - timedelta(seconds=1)), ()),
        (Status.EXPIRED, certificate("anna", "root", start=NOW + timedelta(seconds=1)), ()),
        (
            Status.CHAIN_EXPIRED, certificate("anna", "between"),
            (certificate("between", "root", authority=True, end=NOW - timedelta(days=1)),),
        ),
        (Status.NOT_FOR_MAIL, certificate("anna", "root", extended=(ExtendedKeyUsageOID.SERVER_AUTH,)), ()),
        (Status.NOT_FOR_MAIL, certificate("anna", "root", allowed=usage(crl_sign=True)), ()),
        (Status.NOT_END_ENTITY, BETWEEN, ()),
        (Status.NOT_END_ENTITY, certificate("anna", "between"), (certificate("between", "root"),)),
        (
            Status.WRONG_USAGE_IN_CHAIN, certificate("anna", "between"),
            (certificate("between", "root", authority=True, allowed=usage(crl_sign=True)),),
        ),
        (
            Status.WRONG_USAGE_IN_CHAIN, certificate("anna", "lower"),
            (
                certificate("between", "root", authority=True, path_length=0),
                certificate("lower", "between", authority=True),
            ),
        ),
        (
            Status.BAD_CHAIN, certificate("anna", "between"),
            (certificate("between", "root", authority=True, permitted="other.example"),),
        ),
        (Status.BAD_FORMAT, None, ()),
    ],
)
def test_what_is_wrong_is_said(
    status: Status, leaf: x509.Certificate | None, between: tuple[x509.Certificate, ...]
) -> None:
    """R4479, R4482, R4491, R4494, R4488, R5847, R4504, R4497, R4484, R4500"""
    assert check(leaf, *between) is status


@pytest.mark.parametrize("extended", [MAIL, None, (ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,)])
def test_mail_may_be_allowed_in_three_ways(extended: Any) -> None:
    assert check(certificate("anna", "root", extended=extended)) is Status.SUCCESS


def test_without_anchors_nothing_is_trusted() -> None:
    assert check(certificate("anna", "root"), ROOT, anchors=()) is Status.UNTRUSTED


def test_a_ring_of_issuers_ends() -> None:
    one = certificate("one", "two", authority=True)
    two = certificate("two", "one", authority=True)
    assert check(certificate("anna", "one"), one, two) is Status.UNTRUSTED


@pytest.mark.parametrize("text", ["", "AAAA", "not base64!", "ä", "A" * 3 * MAX_DER, "MIIB"])
def test_what_is_no_certificate_is_none(text: str) -> None:
    assert parse(text) is None


def test_a_certificate_is_read_from_base64() -> None:
    assert parse(b64encode(ROOT.public_bytes(Encoding.DER)).decode()) == ROOT
    assert parse_der(ROOT.public_bytes(Encoding.DER)[:-3]) is None


# Over the line -------------------------------------------------------------------------------------------------------


def request(*certificates: str, chain: tuple[str, ...] = (), crl: str | None = None) -> Any:
    parts = [e("CertificateChain", *(e("Certificate", c) for c in chain))] if chain else []
    parts += [e("Certificates", *(e("Certificate", c) for c in certificates))]
    parts += [e("CheckCRL", crl)] if crl is not None else []
    return e("ValidateCert:ValidateCert", *parts)


@dataclass
class Lists:
    """A server of lists on the loopback: path -> what is there; `asked` are the paths in order."""

    port: int = 0
    content: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def url(self, name: str) -> str:
        return f"http://{self.host}/{name}"


@pytest.fixture
def lists() -> Iterator[Lists]:
    published = Lists()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            published.asked.append(self.path.lstrip("/"))
            content = published.content.get(published.asked[-1])
            if content == b"elsewhere":
                self.send_response(302)
                self.send_header("Location", "/there")
                self.end_headers()
                return
            self.send_response(404 if content is None else 200)
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    published.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield published
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
async def trusting(office: Any, tmp_path: Path, lists: Lists) -> AsyncIterator[Wire]:
    """A device of a server whose administrator trusts the root, and the server of lists."""
    from eas.app import ANCHORS, build
    from eas.config import load

    shutil.copytree(office[0], tmp_path / "data")
    (tmp_path / "data" / ANCHORS).write_bytes(living("root", "root", authority=True).public_bytes(Encoding.PEM))
    settings = load(
        overrides={"data": tmp_path / "data", "domain": "example.com", "certificates.crl_hosts": [lists.host]},
        environment={},
    )
    async with build(settings) as app:
        yield Wire(app=app.asgi)


async def test_one_verdict_a_certificate_in_order(trusting: Wire) -> None:
    """R4474, R5387, R4469"""
    between = base64(living("between", "root", authority=True))
    for version in ("2.5", "12.1", "14.1", "16.1"):
        trusting.version = version
        got = await trusting.post("ValidateCert", request(
            base64(living("anna", "between")), "rubbish", base64(living("anna", "anna")), chain=(between,)
        ))
        assert got.status == "1"
        assert [s.text for s in got.all("Certificate", "Status")] == ["1", "10", "4"]


async def test_a_chain_with_what_is_no_certificate(trusting: Wire) -> None:
    """It is at fault where something is missing, and does no harm where nothing is. R4484, R4485"""
    between, leaf = base64(living("between", "root", authority=True)), living("anna", "between")
    assert await asked(trusting, leaf, chain=(between[:-40],), crl="0") == ["5"]
    assert await asked(trusting, leaf, chain=("rubbish", between), crl="0") == ["1"]
    assert await asked(trusting, leaf, chain=(), crl="0") == ["4"]


async def test_without_a_list_it_cannot_be_told(trusting: Wire) -> None:
    """R893, R895, R898"""
    for crl, status in ((None, "1"), ("0", "1"), ("1", "16"), ("", "16")):
        got = await trusting.post("ValidateCert", request(base64(living("anna", "root")), crl=crl))
        assert got.text("Certificate", "Status") == status


async def asked(device: Wire, *leaves: x509.Certificate, chain: tuple[str, ...] = (), crl: str = "1") -> list[str]:
    got = await device.post("ValidateCert", request(*map(base64, leaves), chain=chain, crl=crl))
    return [status.text for status in got.all("Certificate", "Status")]


def current(issuer: str, *revoked: x509.Certificate, **values: Any) -> bytes:
    """A list in force now, whenever the test runs."""
    now = datetime.now(UTC)
    return revocations(issuer, *revoked, start=now - timedelta(days=1), end=now + timedelta(days=1), **values)


async def test_the_list_says_who_is_revoked(trusting: Wire, lists: Lists) -> None:
    """Also without CheckCRL: what is known is not passed over. R686, R4509"""
    good, revoked = (living(name, "root", crl=(lists.url("root.crl"),)) for name in ("anna", "mallory"))
    lists.content["root.crl"] = current("root", revoked)
    assert await asked(trusting, good, revoked) == ["1", "13"]
    assert await asked(trusting, good, revoked, crl="0") == ["1", "13"]
    assert lists.asked == ["root.crl"], "fetched once, and kept"


async def test_every_authority_between_is_looked_up(trusting: Wire, lists: Lists) -> None:
    """R688, R4515"""
    between = living("between", "root", authority=True, crl=(lists.url("root.crl"),))
    leaf = living("anna", "between", crl=(lists.url("between.crl"),))
    lists.content |= {"root.crl": current("root", between), "between.crl": current("between")}
    assert await asked(trusting, leaf, chain=(base64(between),)) == ["15"]
    lists.content["between.crl"] = current("between", leaf)
    without = living("between", "root", authority=True)
    assert await asked(trusting, living("anna", "between", crl=(lists.url("between.crl"),)), chain=(base64(without),)) \
        == ["16"], "nobody tells about the authority"


async def test_nothing_is_fetched_from_hosts_that_are_not_allowed(trusting: Wire, lists: Lists) -> None:
    """R4517"""
    lists.content["root.crl"] = current("root")
    for url in (
        f"http://localhost:{lists.port}/root.crl", f"http://anna@127.0.0.1:{lists.port}/root.crl", "http://[::1/x",
        f"https://127.0.0.1:{lists.port + 1}/root.crl", "file:///etc/passwd", f"ldap://{lists.host}/root.crl",
        f"http://{lists.host}/{'x' * 3000}",
    ):
        assert await asked(trusting, living("anna", "root", crl=(url,))) == ["16"]
    assert lists.asked == []


async def test_a_server_without_the_list_is_offline(trusting: Wire, lists: Lists) -> None:
    """R4511, R4512; with 0 that is passed over (R895); a redirect is not followed, a second address is tried"""
    leaf = living("anna", "root", crl=(lists.url("gone.crl"),))
    assert await asked(trusting, leaf) == ["14"]
    assert await asked(trusting, leaf, crl="0") == ["1"]
    assert lists.asked == ["gone.crl"], "it is left alone for a while"
    lists.content |= {"moved.crl": b"elsewhere", "there": current("root"), "root.crl": current("root")}
    assert await asked(trusting, living("anna", "root", crl=(lists.url("moved.crl"),))) == ["14"]
    assert "there" not in lists.asked
    both = living("anna", "root", crl=(lists.url("gone.crl"), lists.url("root.crl")))
    assert await asked(trusting, both) == ["1"]


# Lists ---------------------------------------------------------------------------------------------------------------


@dataclass
class Published:
    content: Mapping[str, bytes | Exception]
    asked: list[str] = field(default_factory=list)

    async def fetch(self, url: str) -> bytes | None:
        self.asked.append(url)
        found = self.content.get(url)
        if isinstance(found, Exception):
            raise found
        return found


LEAF = certificate("anna", "root", crl=("http://crl/1",))


def distribution(**said: Any) -> x509.IssuingDistributionPoint:
    usual: dict[str, Any] = {
        "full_name": None if said else [x509.UniformResourceIdentifier("http://crl/1")], "relative_name": None,
        "only_contains_user_certs": False, "only_contains_ca_certs": False, "only_some_reasons": None,
        "indirect_crl": False, "only_contains_attribute_certs": False,
    }
    return x509.IssuingDistributionPoint(**(usual | said))


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (revocations("root"), Status.SUCCESS),
        (revocations("root", LEAF), Status.REVOKED),
        (revocations("root", certificate("ben", "root")), Status.SUCCESS),
        (revocations("root", LEAF, signer="mallory"), Status.REVOCATION_UNKNOWN),
        (revocations("mallory", LEAF, signer="root"), Status.REVOCATION_UNKNOWN),
        (revocations("root", end=NOW - timedelta(hours=1)), Status.REVOCATION_UNKNOWN),
        (revocations("root", start=NOW + timedelta(hours=1)), Status.REVOCATION_UNKNOWN),
        (revocations("root", extensions=[(x509.CRLNumber(7), False)]), Status.SUCCESS),
        (revocations("root", extensions=[(distribution(), True)]), Status.SUCCESS),
        (revocations("root", extensions=[(distribution(only_contains_user_certs=True), True)]), Status.SUCCESS),
        (revocations("root", extensions=[(distribution(only_contains_ca_certs=True), True)]),
         Status.REVOCATION_UNKNOWN),
        (revocations("root", extensions=[(distribution(indirect_crl=True), True)]), Status.REVOCATION_UNKNOWN),
        (revocations("root", extensions=[(x509.DeltaCRLIndicator(1), True)]), Status.REVOCATION_UNKNOWN),
        (revocations("root")[:-4], Status.REVOCATION_UNKNOWN),
        (b"<html>", Status.REVOCATION_UNKNOWN),
        (b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n", Status.REVOCATION_UNKNOWN),
        (None, Status.REVOCATION_UNKNOWN),
        (Unavailable("no"), Status.REVOCATION_OFFLINE),
    ],
)
async def test_what_a_list_is_worth(content: Any, status: Status) -> None:
    """R4509, R4512, R4517, R892, R893, R895"""
    published = Published({"http://crl/1": content})
    assert await Revocation(published, NOW).of_chain((LEAF, ROOT), strict=True) is status
    lenient = Status.REVOKED if status is Status.REVOKED else Status.SUCCESS
    assert await Revocation(published, NOW).of_chain((LEAF, ROOT), strict=False) is lenient


async def test_an_authority_that_may_not_sign_lists() -> None:
    root = certificate("root", "root", authority=True, allowed=usage(key_cert_sign=True))
    found = Revocation(Published({"http://crl/1": revocations("root", LEAF)}), NOW)
    assert await found.of_chain((LEAF, root), strict=True) is Status.REVOCATION_UNKNOWN


async def test_a_list_is_read_once_for_a_request_and_only_so_many() -> None:
    published = Published({})
    found = Revocation(published, NOW)
    for number in range(MAX_LISTS + 5):
        leaf = certificate("anna", "root", crl=(f"http://crl/{number}",))
        assert await found.of_chain((leaf, ROOT), strict=True) is Status.REVOCATION_UNKNOWN
        await found.of_chain((leaf, ROOT), strict=True)
    assert published.asked == [f"http://crl/{number}" for number in range(MAX_LISTS)]


def test_a_list_as_text_is_read_too() -> None:
    der = revocations("root", LEAF)
    pem = b"-----BEGIN X509 CRL-----\n" + b64encode(der) + b"\n-----END X509 CRL-----\n"
    found = parse_list(pem)
    assert found is not None
    assert found == parse_list(der)


CHANGES = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=3)


def changed(der: bytes, changes: list[tuple[int, int]]) -> bytes:
    made = bytearray(der)
    for at, value in changes:
        made[at % len(made)] = value
    return bytes(made)


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@settings(max_examples=150, deadline=None)
@given(CHANGES)
def test_whatever_octets_a_certificate_has_it_gets_a_verdict(changes: list[tuple[int, int]]) -> None:
    found = judge(parse_der(changed(LEAF.public_bytes(Encoding.DER), changes)), (), (ROOT,), NOW)
    assert isinstance(found, Status | tuple)


def test_a_certificate_of_no_version_is_none() -> None:
    der = bytearray(LEAF.public_bytes(Encoding.DER))
    at = der.index(b"\xa0\x03\x02\x01\x02") + 4
    der[at] = 29
    assert parse_der(bytes(der)) is None


@settings(max_examples=150, deadline=None)
@given(CHANGES)
async def test_whatever_octets_a_list_has_nobody_is_cleared_by_it(changes: list[tuple[int, int]]) -> None:
    content = changed(revocations("root", LEAF), changes)
    found = await Revocation(Published({"http://crl/1": content}), NOW).of_chain((LEAF, ROOT), strict=True)
    assert found in (Status.REVOKED, Status.REVOCATION_UNKNOWN)


@pytest.mark.parametrize("body", [request(), request(*["x"] * 101), e("ValidateCert:ValidateCert"), e("Ping:Ping")])
async def test_what_is_no_request(wire: Callable[..., Wire], body: Any) -> None:
    """R4476, R5662"""
    got = await wire().post("ValidateCert", body)
    assert (got.status, len(got.root.elements)) == ("2", 1)


async def test_without_configured_anchors_nothing_is_trusted(wire: Callable[..., Wire]) -> None:
    root = base64(living("root", "root", authority=True))
    got = await wire().post("ValidateCert", request(base64(living("anna", "root")), chain=(root,)))
    assert got.text("Certificate", "Status") == "4"
