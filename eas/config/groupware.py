"""Settings of the servers that hold the mail, calendars and address books of a company: `[backends.NAME]`.

What each means is said with `eas.backends.standards.tenant`, which `eas.app` makes of them.
"""

from __future__ import annotations

import string
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, model_validator

from .kinds import Allowed, Domain, File, Host, Part, Zone

#: What a template may name.
PLACEHOLDERS = frozenset({"user", "domain", "login"})


def _template(value: str, placeholders: frozenset[str] = PLACEHOLDERS) -> str:
    try:
        named = {name for _, name, _, _ in string.Formatter().parse(value) if name is not None}
    except ValueError:
        raise ValueError from None
    if not named <= placeholders:
        raise ValueError
    return value


def _entry(value: str) -> str:
    return _template(value, PLACEHOLDERS | {"dc"})


def _http(value: str) -> str:
    if value and not value.startswith(("https://", "http://")):
        raise ValueError
    return value


Template = Annotated[str, AfterValidator(_template), Allowed("text, in which {user}, {domain} and {login} stand for "
                                                              "those of who logs in")]
Entry = Annotated[str, AfterValidator(_entry), Allowed("the name of an LDAP entry, in which {user}, {domain} and "
                                                       "{login} stand for those of who logs in, and {dc} for the "
                                                       "domain as dc=example,dc=org")]
HttpUrl = Annotated[str, AfterValidator(_http), Allowed("an http or https address")]

Security = Literal["tls", "starttls", "none"]
_SECURITY = "TLS from the start; STARTTLS, which is insisted on; or none, for a server on the same machine."


class Folders(Part):
    drafts: str = Field("", description="The mailbox of drafts, where the server does not tell.")
    sent: str = Field("", description="The mailbox of sent messages, where the server does not tell.")
    trash: str = Field("", description="The mailbox of deleted messages, where the server does not tell.")
    junk: str = Field("", description="The mailbox of junk, where the server does not tell.")
    notes: str = Field("", description="The mailbox of notes, if notes come from IMAP; empty: `Notes`.")


class Imap(Part):
    host: Host = Field(description="The IMAP server.")
    port: int = Field(993, ge=1, le=65535, description="Its port.")
    security: Security = Field("tls", description=_SECURITY)
    ca_file: File | None = Field(None, description="Certificates (PEM) to trust in place of the system's.")
    timeout_seconds: int = Field(30, ge=1, le=600, description="How long an answer is waited for.")
    mechanism: Literal["auto", "plain", "login", "oauthbearer", "xoauth2"] = Field(
        "auto", description="How to log in; auto goes by what the server offers and what the user has."
    )
    master_user: str = Field("", description="A login that may enter every mailbox; empty: users' own passwords.")
    master_password: SecretStr = Field(SecretStr(""), description="Password of the master user.")
    master_separator: str = Field(
        "", description="With `*`, as in Dovecot, the master user logs in as `user*master`; empty: by SASL PLAIN."
    )
    connections_per_user: int = Field(3, ge=1, le=100, description="Most connections of one user at a time.")
    connections: int = Field(
        500, ge=1,
        description="Most connections of this gateway at a time. At most half of them listen for users whose devices "
        "wait; the folders of further users are looked at now and then.",
    )
    idle_seconds: int = Field(45, ge=1, description="An unused connection is kept for so long.")
    subscribed_only: bool = Field(False, description="Show only folders that the user has subscribed to.")
    folders: Folders = Field(default_factory=Folders, description="Special folders.")

    @model_validator(mode="after")
    def _whole_master(self) -> Imap:
        if bool(self.master_user) != bool(self.master_password.get_secret_value()):
            raise ValueError("master_user and master_password belong together")
        return self


class Smtp(Part):
    host: Host = Field(description="The server to which messages of users are submitted.")
    port: int = Field(465, ge=1, le=65535, description="Its port.")
    security: Security = Field("tls", description=_SECURITY)
    ca_file: File | None = Field(None, description="Certificates (PEM) to trust in place of the system's.")
    timeout_seconds: int = Field(30, ge=1, le=600, description="How long an answer is waited for.")
    user: str = Field("", description="The gateway's own login there; empty: that of the user.")
    password: SecretStr = Field(SecretStr(""), description="The gateway's own password there.")
    anonymous: bool = Field(False, description="Submit without any login.")
    attempts: int = Field(3, ge=1, le=10, description="Tries of one request before the device is told to come again.")


class Dav(Part):
    url: HttpUrl = Field(description="Where discovery begins: the server's root, or a principal.")
    addressbook_url: HttpUrl = Field(
        "", description="Where discovery of address books begins, if not there; of the company's address book, if "
        "`directory` is carddav."
    )
    calendars: str = Field("", description="The path of the user's calendars, where discovery finds none.")
    addressbooks: str = Field("", description="The path of the user's address books, where discovery finds none.")
    ca_file: File | None = Field(None, description="Certificates (PEM) to trust in place of the system's.")
    timeout_seconds: int = Field(30, ge=1, le=600, description="How long an answer is waited for.")
    user: Template = Field("", description="The gateway's own login there; empty: that of the user.")
    password: SecretStr = Field(SecretStr(""), description="The gateway's own password there.")
    schedules: Literal["auto", "yes", "no"] = Field(
        "auto", description="Whether the server itself sends invitations (RFC 6638); auto: as it says."
    )


class Ldap(Part):
    host: Host = Field(description="The LDAP server.")
    port: int = Field(636, ge=1, le=65535, description="Its port.")
    security: Security = Field("tls", description=_SECURITY)
    ca_file: File | None = Field(None, description="Certificates (PEM) to trust in place of the system's.")
    timeout_seconds: int = Field(10, ge=1, le=600, description="How long an answer is waited for.")
    bases: tuple[Entry, ...] = Field((), description="The trees of the address list.")
    filter: Template = Field(
        "(|(objectClass=inetOrgPerson)(objectClass=groupOfNames))", description="Which entries belong to it."
    )
    bind_dn: str = Field("", description="Whom to bind as; empty: anonymously.")
    bind_password: SecretStr = Field(SecretStr(""), description="Its password.")
    attributes: dict[str, str] = Field(
        default_factory=dict, description="Attributes of the directory by field (name, address, phone, ...), where "
        "they are not the usual ones."
    )
    user_dn: Entry = Field("", description="The entry of a login, for checking passwords; empty: it is searched.")
    user_filter: Template = Field("(|(uid={user})(mail={login}))", description="The search for the entry of a login.")
    cache_seconds: int = Field(300, ge=1, description="How old the index of the address list may be.")
    max_entries: int = Field(50_000, ge=0, description="A larger tree is searched on the server each time.")


class Sieve(Part):
    host: Host = Field(description="The ManageSieve server.")
    port: int = Field(4190, ge=1, le=65535, description="Its port.")
    security: Security = Field("starttls", description=_SECURITY)
    ca_file: File | None = Field(None, description="Certificates (PEM) to trust in place of the system's.")
    timeout_seconds: int = Field(30, ge=1, le=600, description="How long an answer is waited for.")
    script: str = Field("eas-vacation", min_length=1, description="The name of the script with the vacation notice.")
    master_user: str = Field("", description="A login that may act for every user; empty: users' own passwords.")
    master_password: SecretStr = Field(SecretStr(""), description="Password of the master user.")


class Backend(Part):
    domains: tuple[Domain, ...] = Field(
        (), description="Whose users these are; empty: all that no other backend names."
    )
    domain: Domain = Field("", description="Meant where a login names none; empty: the first of `domains`.")
    login: Template = Field("{user}@{domain}", description="What the servers are logged in to with.")
    address: Template = Field("{user}@{domain}", description="The user's address.")
    check: Literal["imap", "ldap", "dav"] = Field("imap", description="Which server checks passwords.")
    time_zone: Zone = Field("UTC", description="Zone of these users.")
    mail: Literal["imap", "embedded", "none"] = Field("imap", description="Where mail is.")
    calendar: Literal["caldav", "embedded", "none"] = Field("embedded", description="Where appointments are.")
    contacts: Literal["carddav", "embedded", "none"] = Field("embedded", description="Where contacts are.")
    tasks: Literal["caldav", "embedded", "none"] = Field("embedded", description="Where tasks are.")
    notes: Literal["caldav", "imap", "embedded", "none"] = Field("embedded", description="Where notes are.")
    directory: Literal["ldap", "carddav", "embedded", "none"] = Field("none", description="The company's address list.")
    poll_seconds: int = Field(
        20, ge=1, le=3600,
        description="While a device waits, folders of which their server tells nothing by itself are looked at so "
        "often, and less often while nothing happens.",
    )
    changes: Literal["watch", "hooks"] = Field(
        "watch", description="How changes are learned of while devices wait: the gateway watches the servers, or they "
        "call its hooks and it only looks now and then."
    )
    tokens: bool = Field(
        False, description="Whether the servers take the OAuth tokens of phones (OAUTHBEARER or XOAUTH2; DAV: Bearer), "
        "where the gateway has no login of its own there."
    )
    imap: Imap | None = Field(None, description="The IMAP server.")
    smtp: Smtp | None = Field(None, description="The submission server.")
    dav: Dav | None = Field(None, description="The CalDAV and CardDAV server.")
    ldap: Ldap | None = Field(None, description="The LDAP server.")
    sieve: Sieve | None = Field(None, description="The ManageSieve server; without one nobody answers automatically.")

    @model_validator(mode="after")
    def _servers(self) -> Backend:
        for group, users in _NEEDED:
            if getattr(self, group) is None and (by := [name for name, kind in users if getattr(self, name) == kind]):
                raise ValueError(f"[{group}] is missing, which is needed for {' and '.join(by)}")
        return self


#: (group, the settings that need it, with the value that does).
_NEEDED = (
    ("imap", (("mail", "imap"), ("notes", "imap"), ("check", "imap"))),
    ("smtp", (("mail", "imap"),)),
    ("dav", (("calendar", "caldav"), ("contacts", "carddav"), ("tasks", "caldav"), ("notes", "caldav"),
             ("directory", "carddav"), ("check", "dav"))),
    ("ldap", (("directory", "ldap"), ("check", "ldap"))),
)
