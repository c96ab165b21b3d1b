"""Dovecot 2.3 with Pigeonhole: as it comes, with hooks that it calls, or with capabilities cut so that it is as poor as
other servers.

All in one temporary folder. Each user has a file of their own in `users/`, which is both passdb and userdb: a file
that Dovecot has not read yet counts at once. As root the mails belong to nobody, without root to us.
"""

from __future__ import annotations

import base64
import grp
import hashlib
import hmac
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from serving import free_port

from .authority import authority
from .mail import MailServer
from .narrow import Narrow
from .process import DOMAIN, Child, folder, free_ports, give, program, unprivileged

MASTER, MASTER_PASSWORD = "gateway", "master secret"
#: Stands between a user and the master user in a login name (`auth_master_user_separator`).
MASTER_SEPARATOR = "*"
_TOKEN_SECRET = b"a secret of the tests that signs tokens"
#: What hooks must send here.
HOOK_TOKEN = "a-token-of-the-tests"
DEPLOY = Path(__file__).parents[2] / "deploy" / "dovecot"
#: Seconds until a changed file of a user is seen; Dovecot looks once a second.
_CHANGE_SECONDS = 5.0


class Flavour(StrEnum):
    """FULL has all that Dovecot can do; CONDSTORE lacks QRESYNC and what came with it; PLAIN is IMAP4rev1, IDLE,
    NAMESPACE and CHILDREN, in a personal namespace below INBOX. LUA and OX are FULL with the settings of
    deploy/dovecot/, by which a gateway at `hook_port` is told of changes."""

    FULL = "full"
    LUA = "lua"
    OX = "ox"
    CONDSTORE = "condstore"
    PLAIN = "plain"


CAPABILITIES = {
    Flavour.CONDSTORE: "IMAP4rev1 LITERAL+ SASL-IR ID ENABLE IDLE UNSELECT CHILDREN NAMESPACE SPECIAL-USE UIDPLUS "
                       "CONDSTORE ESEARCH MOVE QUOTA",
    Flavour.PLAIN: "IMAP4rev1 CHILDREN NAMESPACE IDLE",
}


HOOK_SETTINGS = {Flavour.LUA: "90-eas-push.conf", Flavour.OX: "90-eas-push-ox.conf"}


@dataclass(slots=True, kw_only=True)
class Dovecot(MailServer):
    """`submission_port` relays to `relay_port` on loopback, if that is given. Files are below `path`. The poorer
    flavours stand behind a filter (`narrow.py`), which has TLS, but no STARTTLS."""

    flavour: Flavour = Flavour.FULL
    submission_port: int = 0
    relay_port: int = 0
    #: Of the gateway, of which nothing is known here.
    hook_port: int = field(default_factory=free_port)
    #: Settings beside those below.
    more: str = ""
    path: Path = field(default_factory=lambda: folder("dovecot"))
    child: Child | None = None
    narrow: Narrow | None = None

    # -- life

    def start(self) -> Dovecot:
        if self.child is None:
            self._prepare()
        assert self.child is not None
        self.child.start()
        # The filter answers at once; it is the server behind it that takes its time.
        behind = self.narrow.behind if self.narrow is not None else 0
        self.child.wait_for(*(port for port in (
            behind, self.imap_port, self.imaps_port, self.lmtp_port, self.sieve_port, self.submission_port
        ) if port))
        return self

    def kill(self) -> None:
        """All of it at once: connections break where they are."""
        assert self.child is not None
        self.child.kill()

    def restart(self) -> None:
        """On the same ports with the same mails."""
        assert self.child is not None
        self.child.stop()
        self.start()

    def stop(self) -> None:
        if self.narrow is not None:
            self.narrow.stop()
        if self.child is not None:
            self.child.kill()
        shutil.rmtree(self.path, ignore_errors=True)

    def log(self) -> str:
        """What the server said."""
        assert self.child is not None
        return self.child.said(1_000_000)

    # -- users

    def new_user(self, name: str = "", *, quota: str = "") -> tuple[str, str]:
        """An empty mailbox. `quota` as Dovecot writes it: "100K"."""
        login, password = self.users.invent(name)
        self._write(login, quota)
        return login, password

    def set_password(self, login: str, password: str) -> None:
        """Returns when it counts. Sessions that are open stay so."""
        self.users.passwords[login] = password
        self._write(login, "")
        time.sleep(_CHANGE_SECONDS / 2)

    def set_quota(self, login: str, quota: str) -> None:
        """"" for none. Returns when it counts for new sessions."""
        self._write(login, quota)
        time.sleep(_CHANGE_SECONDS / 2)

    def _write(self, login: str, quota: str) -> None:
        rule = f"userdb_quota_rule=*:storage={quota}" if quota else ""
        self._file(login).write_text(f"{login}:{{PLAIN}}{self.password(login)}:::::: {rule}\n")
        self._file(login).chmod(0o644)

    def _file(self, login: str) -> Path:
        return self.path / "users" / login

    def token(self, login: str, seconds: float = 600.0) -> str:
        """For OAUTHBEARER and XOAUTH2, a JWT signed with HS256."""
        now = int(time.time())
        claims = {"sub": login, "iat": now - 10, "exp": int(now + seconds), "iss": "tests"}
        signed = b".".join(_base64url(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
        signature = hmac.new(_TOKEN_SECRET, signed, hashlib.sha256).digest()
        return (signed + b"." + _base64url(signature)).decode()

    def ask(self, introspection: str) -> None:
        """From the next start on take the tokens that a provider says are active, at this address, with a login and its
        password in it. The login that is stated beside a token must be the `username` that the provider tells."""
        (self.path / "oauth2.conf").write_text(_INTROSPECTED.format(url=introspection))

    def answers(self) -> list[bytes]:
        """The mails that Sieve scripts have sent, oldest first, each with a first line of its recipients."""
        return [one.read_bytes() for one in sorted((self.path / "sent").iterdir(), key=lambda f: f.stat().st_mtime_ns)]

    @contextmanager
    def commands(self, login: str) -> Iterator[list[str]]:
        """All that the server reads from sessions of the user that begin inside, a line each, from the server's own
        log of the traffic; the list is filled when the context ends and the sessions' lines are written."""
        raw = self.path / "raw" / login
        raw.mkdir()
        give(raw, unprivileged())
        lines: list[str] = []
        try:
            yield lines
        finally:
            lines += self.traffic(login)
            shutil.rmtree(raw)

    def traffic(self, login: str) -> list[str]:
        """What was read so far inside `commands`, without timestamps."""
        raw = self.path / "raw" / login
        found = [line for file in raw.glob("*.in") for line in file.read_text("utf-8", "replace").splitlines()]
        return [line.partition(" ")[2] for line in sorted(found)]

    # -- settings

    def _prepare(self) -> None:
        binary = program("dovecot", "dovecot-imapd")
        ports = free_ports("imap", "imaps", "lmtp", "sieve", "submission", "inner", "inners")
        self.imap_port, self.imaps_port = ports["imap"], ports["imaps"]
        self.lmtp_port, self.sieve_port = ports["lmtp"], ports["sieve"]
        self.submission_port = ports["submission"] if self.relay_port else 0
        self.ca_file = authority().ca_file
        inside = (self.imap_port, self.imaps_port)
        if self.flavour in CAPABILITIES:
            inside = (ports["inner"], ports["inners"])
            self.narrow = Narrow(
                behind=ports["inner"], port=self.imap_port, tls_port=self.imaps_port,
                capabilities=frozenset(CAPABILITIES[self.flavour].split()),
            ).start()
        for name in ("users", "home", "raw", "sent", "run", "state", "keys/default/HS256"):
            (self.path / name).mkdir(parents=True)
        for name in ("home", "raw", "sent"):
            give(self.path / name, unprivileged())
        (self.path / "keys/default/HS256/default").write_bytes(base64.b64encode(_TOKEN_SECRET))
        (self.path / "masters").write_text(f"{MASTER}:{{PLAIN}}{MASTER_PASSWORD}\n")
        (self.path / "oauth2.conf").write_text(_OAUTH2.format(path=self.path))
        sendmail = self.path / "sendmail"
        sendmail.write_text(_SENDMAIL.format(path=self.path))
        sendmail.chmod(0o755)
        settings = self.path / "dovecot.conf"
        settings.write_text(self._settings(*inside))
        self.child = Child(command=(binary, "-F", "-c", str(settings)), log=self.path / "dovecot.log")

    def _settings(self, imap: int, imaps: int) -> str:
        owner = unprivileged()
        return "\n".join((
            _SETTINGS.format(
                path=self.path, uid=owner.pw_uid, gid=owner.pw_gid, pair=authority().good, domain=DOMAIN,
                protocols="imap lmtp sieve submission" if self.relay_port else "imap lmtp sieve",
                relay=self.relay_port, separator=MASTER_SEPARATOR, imap=imap, imaps=imaps,
                lmtp=self.lmtp_port, sieve=self.sieve_port, submission=self.submission_port,
            ),
            _NAMESPACES[self.flavour],
            self.more,
            self._hooks(),
            f"imap_capability = {CAPABILITIES[self.flavour]}" if self.flavour in CAPABILITIES else "",
            "" if os.geteuid() == 0 else _ROOTLESS.format(user=owner.pw_name, group=grp.getgrgid(owner.pw_gid).gr_name),
        ))


    def _hooks(self) -> str:
        """The settings that admins are given, with the values of here."""
        if self.flavour not in HOOK_SETTINGS:
            return ""
        text = (DEPLOY / HOOK_SETTINGS[self.flavour]).read_text()
        for given, here in (
            ("gateway.example.com:8080", f"127.0.0.1:{self.hook_port}"), ("change-me", HOOK_TOKEN.replace("%", "%%")),
            ("/etc/dovecot/eas-push.lua", str(shutil.copy(DEPLOY / "eas-push.lua", self.path))),
        ):
            text = text.replace(given, here)
        return text

    def notify_of(self, login: str) -> None:
        """Switch on what the OX driver says of a user, as an admin would."""
        subprocess.run([
            "doveadm", "-c", str(self.path / "dovecot.conf"), "mailbox", "metadata", "set", "-u", login, "-s", "",
            "/private/vendor/vendor.dovecot/http-notify", f"user={login}",
        ], check=True, capture_output=True)


def _base64url(octets: bytes) -> bytes:
    return base64.urlsafe_b64encode(octets).rstrip(b"=")


_SETTINGS = """
protocols = {protocols}
listen = 127.0.0.1
base_dir = {path}/run
state_dir = {path}/state
log_path = /dev/stderr
auth_verbose = yes
auth_mechanisms = plain login xoauth2 oauthbearer
auth_master_user_separator = {separator}
auth_failure_delay = 0
disable_plaintext_auth = no
first_valid_uid = 1
last_valid_uid = 0
mail_uid = {uid}
mail_gid = {gid}
mail_location = sdbox:~/mail
mail_plugins = quota
mail_fsync = never
postmaster_address = postmaster@{domain}
hostname = mail.{domain}
sendmail_path = {path}/sendmail
recipient_delimiter = +
rawlog_dir = {path}/raw/%u
ssl = yes
ssl_cert = <{pair.certificate}
ssl_key = <{pair.key}
submission_relay_host = 127.0.0.1
submission_relay_port = {relay}
submission_relay_trusted = no

passdb {{
  driver = passwd-file
  args = {path}/masters
  master = yes
  result_success = continue
}}
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {path}/oauth2.conf
}}
passdb {{
  driver = passwd-file
  args = username_format=%u {path}/users/%u
}}
userdb {{
  driver = passwd-file
  args = username_format=%u {path}/users/%u
  default_fields = home={path}/home/%u
}}

plugin {{
  quota = count:User quota
  quota_vsizes = yes
  quota_grace = 0
  sieve = file:~/sieve;active=~/.dovecot.sieve
  sieve_vacation_send_from_recipient = yes
}}
protocol imap {{
  mail_plugins = $mail_plugins imap_quota
  imap_id_retain = yes
}}
protocol lmtp {{
  mail_plugins = $mail_plugins sieve
}}

service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service auth {{
  client_limit = 2000
}}
service imap-login {{
  service_count = 0
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service imap {{
  service_count = 100
}}
service lmtp {{
  inet_listener lmtp {{
    port = {lmtp}
  }}
}}
service managesieve-login {{
  service_count = 0
  inet_listener sieve {{
    port = {sieve}
  }}
}}
service submission-login {{
  service_count = 0
  inet_listener submission {{
    port = {submission}
  }}
}}
"""

_FULL_NAMESPACE = """
namespace {
  inbox = yes
  separator = /
  mailbox Drafts {
    special_use = \\Drafts
    auto = subscribe
  }
  mailbox Sent {
    special_use = \\Sent
    auto = subscribe
  }
  mailbox Trash {
    special_use = \\Trash
    auto = subscribe
  }
  mailbox Junk {
    special_use = \\Junk
    auto = subscribe
  }
}
"""
_NAMESPACES = {
    Flavour.FULL: _FULL_NAMESPACE,
    Flavour.LUA: _FULL_NAMESPACE,
    Flavour.OX: _FULL_NAMESPACE,
    Flavour.CONDSTORE: _FULL_NAMESPACE,
    Flavour.PLAIN: """
namespace {
  inbox = yes
  separator = .
  prefix = INBOX.
}
""",
}

_OAUTH2 = """
introspection_mode = local
local_validation_key_dict = fs:posix:prefix={path}/keys/
username_attribute = sub
issuers = tests
"""

_INTROSPECTED = """
introspection_mode = post
introspection_url = {url}
username_attribute = username
active_attribute = active
active_value = true
timeout_msecs = 5000
"""

# A mail of its own for each call; the recipients are the arguments after the options.
_SENDMAIL = """#!/bin/sh
file=$(mktemp {path}/sent/XXXXXXXX.part)
{{ echo "$@"; cat; }} > "$file"
mv "$file" "${{file%.part}}"
"""

# Services that would change their root or account; they cannot, and need not, when all is ours.
_ROOTLESS = """
default_internal_user = {user}
default_login_user = {user}
default_internal_group = {group}
service anvil {{
  chroot =
}}
service imap-login {{
  chroot =
}}
service managesieve-login {{
  chroot =
}}
service submission-login {{
  chroot =
}}
service old-stats {{
  chroot =
}}
service stats {{
  chroot =
}}
"""
