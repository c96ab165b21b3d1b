"""Configuration profiles of phones, as the settings have them."""

from __future__ import annotations

from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from eas.admin.profiles import Profiles, Signer
from eas.config import ConfigError, Settings
from eas.server.ports import Way

from .logging_in import ways_of


def profiles_of(settings: Settings) -> Profiles:
    """Raises ConfigError for files that are not what they should be."""
    asked = settings.profile
    signer = None
    if asked.certificate is not None and asked.key is not None:
        own, *others = _certificates("profile.certificate", asked.certificate)
        chain = _certificates("profile.chain", asked.chain) if asked.chain is not None else []
        signer = Signer(certificate=own, key=_key(asked.key), chain=(*others, *chain))
    return Profiles(organisation=asked.organisation, signer=signer, **_token_addresses(settings))


def _token_addresses(settings: Settings) -> dict[str, str]:
    """Where phones fetch tokens, if they may come in with them and both addresses are told."""
    told = settings.oidc
    if Way.TOKEN not in ways_of(settings) or not told.authorization_url or not told.token_url:
        return {}
    return {"sign_in": told.authorization_url, "token": told.token_url}


def _certificates(setting: str, file: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(file.read_bytes())
    except (ValueError, OSError) as error:
        raise ConfigError(f"{setting}: {file}: {error}") from None


def _key(file: Path) -> RSAPrivateKey | EllipticCurvePrivateKey:
    try:
        key = load_pem_private_key(file.read_bytes(), None)
    except (ValueError, TypeError, OSError) as error:
        raise ConfigError(f"profile.key: {file}: {error}") from None
    if not isinstance(key, RSAPrivateKey | EllipticCurvePrivateKey):
        raise ConfigError(f"profile.key: {file}: an RSA or elliptic key is wanted")
    return key
