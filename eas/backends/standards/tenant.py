"""One set of servers and whose it is: plain values, made from the settings by `eas.app`.

A gateway has none (then everything is embedded), one, or several, told apart by the domains of their users.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Security(StrEnum):
    """`STARTTLS` is insisted on. `NONE` is for a server on the same machine."""

    NONE = "none"
    STARTTLS = "starttls"
    TLS = "tls"


class Provider(StrEnum):
    """Where the items of a class come from."""

    IMAP = "imap"
    CALDAV = "caldav"
    CARDDAV = "carddav"
    LDAP = "ldap"
    EMBEDDED = "embedded"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """`ca_file` "" goes by the system's certificates. The name in the certificate must be `host`."""

    host: str
    port: int
    security: Security = Security.TLS
    ca_file: str = ""
    timeout_seconds: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ImapServer(Server):
    """`master_user` and `master_password` enter every mailbox as its owner (SASL PLAIN with an authorization identity;
    with `master_separator`, as Dovecot's "*", as LOGIN user*master); "" for the user's own password. `mechanism` is
    auto, login, plain, oauthbearer or xoauth2.

    `per_user` and `per_node` are the most connections at a time. `folders` names the special folders by their use
    (drafts, sent, trash, junk, notes) where the server does not tell; they are made if they are missing.
    `subscribed_only` shows only those folders that the user has subscribed to.
    """

    port: int = 993
    mechanism: str = "auto"
    master_user: str = ""
    master_password: str = field(default="", repr=False)
    master_separator: str = ""
    per_user: int = 3
    per_node: int = 500
    idle_seconds: float = 45.0
    folders: Mapping[str, str] = field(default_factory=dict)
    subscribed_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpServer(Server):
    """Submission. `login` and `password` are the gateway's own; "" to log in as the user; `anonymous` for neither."""

    port: int = 465
    login: str = ""
    password: str = field(default="", repr=False)
    anonymous: bool = False
    attempts: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class DavServer:
    """CalDAV and CardDAV. `url` is where discovery begins (the host's root, or a principal); `{login}` and `{user}` in
    it are the user's. `calendars` and `addressbooks` name the home sets where nothing is discovered. `schedules`: auto
    (as the server says), yes or no. Redirects to other hosts are not followed."""

    url: str
    addressbook_url: str = ""
    calendars: str = ""
    addressbooks: str = ""
    ca_file: str = ""
    timeout_seconds: float = 30.0
    login: str = ""
    password: str = field(default="", repr=False)
    schedules: str = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class LdapServer(Server):
    """`bases` are the trees of the address list; `{domain}`, `{login}` and `{user}` in them and in the filters are the
    user's, escaped, and `{dc}` in `bases` and `user_dn` is the domain as "dc=example,dc=com". `bind_dn` "" binds
    without credentials. `attributes` maps the fields of `engine.model.Person` (and `addresses`, `hidden`) to LDAP
    attributes, several of them apart by commas, over the usual ones. `user_dn` and `user_filter` are for checking
    passwords: the entry of a login, directly or by a search in `bases`."""

    port: int = 636
    bases: tuple[str, ...] = ()
    filter: str = "(|(objectClass=inetOrgPerson)(objectClass=groupOfNames))"
    bind_dn: str = ""
    bind_password: str = field(default="", repr=False)
    attributes: Mapping[str, str] = field(default_factory=dict)
    user_dn: str = ""
    user_filter: str = "(|(uid={user})(mail={login}))"
    cache_seconds: float = 300.0
    max_entries: int = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SieveServer(Server):
    """ManageSieve. The vacation notice stands in a script of its own, `script`, which is included or becomes the active
    one. Master user as for IMAP."""

    port: int = 4190
    security: Security = Security.STARTTLS
    script: str = "eas-vacation"
    master_user: str = ""
    master_password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """`domains` whose users these are; () for all that no other tenant has. `domain` is meant where a login names none.

    `login` makes what the servers are entered with, `address` the primary address, out of `{user}`, `{domain}` and
    `{login}` (as typed, without what stands before a backslash). `check` says which server checks passwords (imap,
    ldap, dav). `notes` may come from caldav (VJOURNAL) or imap (a folder of mails).
    `poll_seconds`: how often folders are looked at while a device waits, where their server tells nothing by itself.
    `hooks`: of changes in mail it tells by itself (`hooked`), so that no connection listens.
    `tokens`: the servers take the tokens that devices log in with.
    """

    name: str
    domains: tuple[str, ...] = ()
    domain: str = ""
    login: str = "{user}@{domain}"
    address: str = "{user}@{domain}"
    check: str = "imap"
    zone: str = "UTC"
    mail: Provider = Provider.IMAP
    calendar: Provider = Provider.EMBEDDED
    contacts: Provider = Provider.EMBEDDED
    tasks: Provider = Provider.EMBEDDED
    notes: Provider = Provider.EMBEDDED
    directory: Provider = Provider.NONE
    poll_seconds: float = 20.0
    hooks: bool = False
    tokens: bool = False
    imap: ImapServer | None = None
    smtp: SmtpServer | None = None
    dav: DavServer | None = None
    ldap: LdapServer | None = None
    sieve: SieveServer | None = None
