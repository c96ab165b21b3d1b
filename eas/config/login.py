"""Settings of who may come in how: ways for phones, an identity provider, client certificates."""

from __future__ import annotations

import string
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator

from .kinds import Allowed, File, Part

_HERE = ("localhost", "127.0.0.1", "::1")


def _safe_url(value: str) -> str:
    parts = urlsplit(value)
    if value and parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _HERE):
        raise ValueError
    return value


def _names(value: str) -> str:
    try:
        named = {name for _, name, _, _ in string.Formatter().parse(value) if name is not None}
    except ValueError:
        raise ValueError from None
    if not named or not named <= {"cn", "uid", "mail", "upn"}:
        raise ValueError
    return value


def _header(value: str) -> str:
    if value and not value.replace("-", "").isalnum():
        raise ValueError
    return value.lower()


SafeUrl = Annotated[str, AfterValidator(_safe_url), Allowed("an https address, or http on this machine")]
Names = Annotated[str, AfterValidator(_names), Allowed("text with {cn}, {uid}, {mail} or {upn} of the certificate")]
Header = Annotated[str, AfterValidator(_header), Allowed("the name of a header")]
Text = Annotated[str, Allowed("a text")]
PhoneWay = Annotated[
    Literal["password", "device-password", "token"], Allowed("password, device-password or token")
]


class Login(Part):
    phones: tuple[PhoneWay, ...] = Field(
        ("password", "device-password", "token"), min_length=1, description="How phones may log in: with the password "
        "of the mailbox, with one made for this phone alone, with a token of the identity provider (`oidc.audiences`)."
    )


class Oidc(Part):
    issuer: SafeUrl = Field(
        "", description="The identity provider (OpenID Connect), exactly as it names itself; empty: there is none."
    )
    client_id: str = Field("", description="The gateway's own id there; empty: nobody logs in to the pages with it.")
    client_secret: SecretStr = Field(
        SecretStr(""), description="The gateway's own secret there; empty: a public client."
    )
    ca_file: File | None = Field(None, description="Certificates (PEM) to trust in place of the system's.")
    timeout_seconds: int = Field(10, ge=1, le=60, description="How long an answer is waited for.")
    leeway_seconds: int = Field(30, ge=0, le=300, description="So far apart may its clock be.")
    login_claim: str = Field("email", min_length=1, description="The claim that is a user's login here.")
    audiences: tuple[Text, ...] = Field(
        (), description="Phones log in with its tokens if they are for one of these (claim `aud`); empty: none may."
    )
    clients: tuple[Text, ...] = Field(
        (), description="Only tokens that one of these has fetched (claim `azp` or `client_id`), the first of which "
        "phones are told; empty: any client."
    )
    scope: str = Field("", description="Only tokens to which this scope was granted; empty: any.")
    tokens: Literal["signed", "introspected"] = Field(
        "signed", description="Whether tokens of phones are read by the provider's keys, or the provider is asked."
    )
    jwks_url: SafeUrl = Field("", description="Its keys, where its own document does not tell.")
    introspection_url: SafeUrl = Field("", description="Where it is asked, where its own document does not tell.")
    authorization_url: SafeUrl = Field(
        "", description="Where phones fetch tokens, where its own document does not tell."
    )
    token_url: SafeUrl = Field(
        "", description="Where phones turn a login into a token. With `authorization_url` it goes into the "
        "configuration profiles for Apple's devices."
    )
    name: str = Field("your organisation", description="What people call it: \"Log in with ...\".")
    scopes: tuple[Text, ...] = Field(
        ("openid", "email", "profile"), description="What is asked for at logins to the pages."
    )
    roles_claim: str = Field("groups", description="The claim by which staff is known; `a.b` is b within a.")
    admins: tuple[Text, ...] = Field((), description="Values of it that make an administrator.")
    helpdesk: tuple[Text, ...] = Field((), description="Values of it for the help desk.")
    auditors: tuple[Text, ...] = Field((), description="Values of it for auditors.")
    owners: bool = Field(True, description="Whether owners of phones may log in to /my with it.")

    @model_validator(mode="after")
    def _with_an_issuer(self) -> Oidc:
        if not self.issuer and (self.client_id or self.audiences):
            raise ValueError("issuer is missing")
        if self.tokens == "introspected" and not self.client_id:
            raise ValueError("tokens is introspected: client_id and client_secret are needed")
        return self


class ClientCertificates(Part):
    header: Header = Field(
        "", description="Where a trusted proxy puts the certificate of the client; empty: none counts. The proxy must "
        "check it, and replace what clients send under this name."
    )
    content: Literal["certificate", "subject"] = Field(
        "certificate", description="What the header has: the whole certificate (PEM, also percent-encoded, or base64), "
        "or its subject (RFC 4514)."
    )
    login: Names = Field("{mail}", description="The login that it names.")
    alone: bool = Field(
        True, description="Whether it is enough; else every phone must show one, and a password or a token of the same "
        "person."
    )
