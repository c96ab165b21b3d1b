"""The servers of the settings as plain values: `eas.config.groupware` -> `eas.backends.standards.tenant`."""

from __future__ import annotations

from pathlib import Path

from eas.backends.standards.tenant import (
    DavServer,
    ImapServer,
    LdapServer,
    Provider,
    Security,
    SieveServer,
    SmtpServer,
    Tenant,
)
from eas.config import Settings
from eas.config.groupware import Backend, Dav, Imap, Ldap, Sieve, Smtp


def tenants_of(settings: Settings) -> tuple[Tenant, ...]:
    return tuple(_tenant(name, backend, settings) for name, backend in settings.backends.items())


def _tenant(name: str, backend: Backend, settings: Settings) -> Tenant:
    domain = backend.domain or next(iter(backend.domains), settings.domain)
    return Tenant(
        name=name, domains=backend.domains, domain=domain, login=backend.login, address=backend.address,
        check=backend.check, zone=backend.time_zone if "time_zone" in backend.model_fields_set else settings.time_zone,
        mail=Provider(backend.mail), calendar=Provider(backend.calendar), contacts=Provider(backend.contacts),
        tasks=Provider(backend.tasks), notes=Provider(backend.notes), directory=Provider(backend.directory),
        poll_seconds=backend.poll_seconds, hooks=backend.changes == "hooks", tokens=backend.tokens,
        imap=_imap(backend.imap) if backend.imap else None, smtp=_smtp(backend.smtp) if backend.smtp else None,
        dav=_dav(backend.dav) if backend.dav else None, ldap=_ldap(backend.ldap) if backend.ldap else None,
        sieve=_sieve(backend.sieve) if backend.sieve else None,
    )


def _imap(asked: Imap) -> ImapServer:
    return ImapServer(
        host=asked.host, port=asked.port, security=Security(asked.security), ca_file=_path(asked.ca_file),
        timeout_seconds=asked.timeout_seconds, mechanism=asked.mechanism, master_user=asked.master_user,
        master_password=asked.master_password.get_secret_value(), master_separator=asked.master_separator,
        per_user=asked.connections_per_user, per_node=asked.connections, idle_seconds=asked.idle_seconds,
        folders={use: name for use, name in asked.folders.model_dump().items() if name},
        subscribed_only=asked.subscribed_only,
    )


def _smtp(asked: Smtp) -> SmtpServer:
    return SmtpServer(
        host=asked.host, port=asked.port, security=Security(asked.security), ca_file=_path(asked.ca_file),
        timeout_seconds=asked.timeout_seconds, login=asked.user, password=asked.password.get_secret_value(),
        anonymous=asked.anonymous, attempts=asked.attempts,
    )


def _dav(asked: Dav) -> DavServer:
    return DavServer(
        url=asked.url, addressbook_url=asked.addressbook_url, calendars=asked.calendars,
        addressbooks=asked.addressbooks, ca_file=_path(asked.ca_file), timeout_seconds=asked.timeout_seconds,
        login=asked.user, password=asked.password.get_secret_value(), schedules=asked.schedules,
    )


def _ldap(asked: Ldap) -> LdapServer:
    return LdapServer(
        host=asked.host, port=asked.port, security=Security(asked.security), ca_file=_path(asked.ca_file),
        timeout_seconds=asked.timeout_seconds, bases=asked.bases, filter=asked.filter, bind_dn=asked.bind_dn,
        bind_password=asked.bind_password.get_secret_value(), attributes=asked.attributes, user_dn=asked.user_dn,
        user_filter=asked.user_filter, cache_seconds=asked.cache_seconds, max_entries=asked.max_entries,
    )


def _sieve(asked: Sieve) -> SieveServer:
    return SieveServer(
        host=asked.host, port=asked.port, security=Security(asked.security), ca_file=_path(asked.ca_file),
        timeout_seconds=asked.timeout_seconds, script=asked.script, master_user=asked.master_user,
        master_password=asked.master_password.get_secret_value(),
    )


def _path(file: Path | None) -> str:
    return str(file) if file is not None else ""
