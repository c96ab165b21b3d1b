"""The settings of a gateway in front of the servers of the tests, as an admin would write them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .cyrus import Cyrus
from .dovecot import Dovecot
from .process import DOMAIN
from .radicale import Radicale
from .slapd import BASE, Slapd
from .smtp import Sink
from .xandikos import Xandikos

Table = Mapping[str, Any]


def backend(
    mail: Dovecot | Cyrus, submission: Sink, *, dav: Radicale | Xandikos | Cyrus | None = None,
    directory: Slapd | None = None, **more: Any,
) -> dict[str, Any]:
    """One backend; what no server is given for stays in the gateway. `more` are settings of it, over these."""
    plain = {"host": mail.host, "ca_file": str(mail.ca_file)}
    made: dict[str, Any] = {
        "domains": [DOMAIN],
        "imap": {**plain, "port": mail.imaps_port, "security": "tls"},
        "smtp": {
            "host": submission.host, "port": submission.port, "security": "starttls",
            "ca_file": str(submission.ca_file),
        },
    }
    if mail.sieve_port:
        made["sieve"] = {**plain, "port": mail.sieve_port, "security": "starttls"}
    if dav is not None:
        made |= {"calendar": "caldav", "tasks": "caldav", "contacts": "carddav"}
        made["dav"] = {"url": dav.url, **({"ca_file": str(dav.ca_file)} if dav.url.startswith("https") else {})}
    if directory is not None:
        made["directory"] = "ldap"
        made["ldap"] = {
            "host": directory.host, "port": directory.ldaps_port, "security": "tls",
            "ca_file": str(directory.ca_file), "bases": [BASE],
        }
    return {**made, **more}


def toml(settings: Table, path: tuple[str, ...] = ()) -> str:
    """A settings file. Values are texts, numbers, truths, lists of texts, and tables of such."""
    lines = [f"[{'.'.join(path)}]"] if path else []
    lines += [f"{name} = {json.dumps(value)}" for name, value in settings.items() if not isinstance(value, Mapping)]
    inner = [toml(value, (*path, name)) for name, value in settings.items() if isinstance(value, Mapping)]
    return "\n".join([*lines, *inner, ""])
