"""What the settings mean to the parts that are put together: texts and numbers become the parts' own values."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from eas.admin import notices
from eas.backends.documents.libraries import Libraries, UserDocuments
from eas.backends.smarthost import Smarthost, Tls
from eas.config import ConfigError, Settings
from eas.engine.model import User
from eas.engine.session import Limits
from eas.engine.wipes import Rules
from eas.items.documents import parse_link
from eas.server.figures import Readers
from eas.server.ports import Manner

from .hooks import hook_rules
from .logging_in import certificate_rules, ways_of

#: The trust anchors of S/MIME (PEM) in the data folder; without the file no chain is trusted.
ANCHORS = "trust-anchors.pem"


def wiping_of(settings: Settings) -> Rules:
    asked = settings.wipe
    return Rules(two_persons=asked.two_persons, approval=timedelta(hours=asked.approval_hours))


def notices_of(settings: Settings) -> notices.Manner:
    told = settings.notices
    return notices.Manner(
        sender=told.sender, admins=told.admins, per_hour=told.per_hour, base_url=settings.public_url,
        domain=settings.domain or "localhost",
    )


def relay_of(settings: Settings) -> Smarthost | None:
    """The way out for mail to other domains; None if there is none."""
    way = settings.smarthost
    if not way.host:
        return None
    return Smarthost(
        host=way.host, port=way.port, login=way.user, password=way.password.get_secret_value(),
        tls=Tls(way.security), local_hostname=settings.domain or "localhost",
    )


def documents_of(settings: Settings) -> Callable[[User], UserDocuments] | None:
    """The documents that are opened to devices; None if there are none."""
    asked = settings.documents
    if not asked.shares and not asked.servers:
        return None
    named = [share.partition("=") for share in asked.shares]
    return Libraries(
        host=asked.host, shares={name.casefold(): Path(folder) for name, _, folder in named},
        servers=[link for address in asked.servers if (link := parse_link(address)) is not None],
    ).of


def manner_of(settings: Settings) -> Manner:
    bounds = settings.limits
    return Manner(
        public_url=settings.public_url,
        trusted_proxies=tuple(_networks("trusted_proxies", settings.trusted_proxies)),
        trust_anchors=_anchors(settings.data / ANCHORS),
        readers=Readers(
            token=settings.metrics.token.get_secret_value(),
            networks=tuple(_networks("metrics.networks", settings.metrics.networks)),
        ),
        hooks=hook_rules(settings), ways=ways_of(settings), certificates=certificate_rules(settings),
        limits=Limits(
            heartbeat_min_seconds=bounds.heartbeat_min_seconds, heartbeat_max_seconds=bounds.heartbeat_max_seconds,
            max_collections=bounds.max_collections, max_ping_folders=bounds.max_ping_folders,
            max_body_bytes=bounds.max_body_bytes, max_devices=bounds.max_devices,
            free_repeats=bounds.free_repeats, requests_at_once=bounds.requests_at_once,
        ),
    )


def _networks(setting: str, texts: Iterable[str]) -> Iterable[IPv4Network | IPv6Network]:
    for one in texts:
        try:
            yield ip_network(one.strip(), strict=False)
        except ValueError as error:
            raise ConfigError(f"{setting}: {error}") from None


def _anchors(file: Path) -> tuple[bytes, ...]:
    if not file.exists():
        return ()
    try:
        certificates = x509.load_pem_x509_certificates(file.read_bytes())
    except (ValueError, OSError) as error:
        raise ConfigError(f"{file}: {error}") from None
    return tuple(certificate.public_bytes(Encoding.DER) for certificate in certificates)
