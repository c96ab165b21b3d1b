"""Cyrus IMAP 3: mail, Sieve, calendars with scheduling, and contacts out of one server.

It is unpacked beside Dovecot by install.sh and runs as nobody (without root, as us). Passwords are checked by a thread
of the tests that speaks as saslauthd does, so that a new user counts at once.
"""

from __future__ import annotations

import os
import shutil
import socketserver
import struct
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path

from .authority import authority
from .dav import DavHost
from .mail import MailServer, Users
from .process import DOMAIN, HOST, Child, NotInstalled, folder, free_ports, give, unprivileged

#: May act for every user: SASL PLAIN with an authorization identity.
MASTER, MASTER_PASSWORD = "gateway", "master secret"
ADMIN, ADMIN_PASSWORD = "admin", "admin secret"
_SERVICES = ("imap", "imaps", "http", "https", "sieve", "lmtp")


@dataclass(slots=True, kw_only=True)
class Cyrus(MailServer):
    """`url` is the root of the HTTP service, `https_url` the same over TLS; below, `dav/`. `dav` is another client's
    access to it. Folders are beside INBOX, with "/" between levels; without `alternative` below it, with ".", as
    Cyrus 2 had them."""

    alternative: bool = True
    url: str = ""
    https_url: str = ""
    dav: DavHost = field(default_factory=DavHost)
    path: Path = field(default_factory=lambda: folder("cyrus"))
    child: Child | None = None
    passwords: Saslauthd | None = None

    # -- life

    def start(self) -> Cyrus:
        if self.child is None:
            self._prepare()
        assert self.child is not None
        self.child.start()
        self.child.wait_for(self.imap_port, self.imaps_port, self.lmtp_port, self.sieve_port, self.dav.port)
        return self

    def kill(self) -> None:
        assert self.child is not None
        self.child.kill()

    def restart(self) -> None:
        assert self.child is not None
        self.child.stop()
        self.start()

    def stop(self) -> None:
        if self.child is not None:
            self.child.kill()
        if self.passwords is not None:
            self.passwords.stop()
        shutil.rmtree(self.path, ignore_errors=True)

    # -- users

    def new_user(self, name: str = "") -> tuple[str, str]:
        """An empty mailbox with folders for drafts, sent mail, trash and junk; a calendar and an address book."""
        login, password = self.users.invent(name)
        with self.imap(login):
            pass  # the first login makes the mailbox; the collections are made at the first request
        answer = self.dav.request("PROPFIND", f"/dav/calendars/user/{login}/", login, Depth="0")
        assert answer.status == 207, answer
        return login, password

    def set_password(self, login: str, password: str) -> None:
        self.users.passwords[login] = password

    def answers(self) -> list[bytes]:
        """The mails that Sieve scripts and scheduling have sent, oldest first, each with a first line of arguments."""
        return [one.read_bytes() for one in sorted((self.path / "sent").iterdir(), key=lambda f: f.stat().st_mtime_ns)]

    # -- settings

    def _prepare(self) -> None:
        root = unpacked()
        owner = unprivileged()
        ports = free_ports(*_SERVICES)
        self.imap_port, self.imaps_port = ports["imap"], ports["imaps"]
        self.lmtp_port, self.sieve_port = ports["lmtp"], ports["sieve"]
        self.url, self.https_url = f"http://{HOST}:{ports['http']}/", f"https://{HOST}:{ports['https']}/"
        self.ca_file = authority().ca_file
        self.users.passwords |= {MASTER: MASTER_PASSWORD, ADMIN: ADMIN_PASSWORD}
        self.dav = DavHost(url=self.url, users=self.users)
        for name in ("conf/db", "conf/socket", "conf/proc", "conf/lock", "conf/log", "spool", "sieve", "sent"):
            (self.path / name).mkdir(parents=True)
        (self.path / "imapd.conf").write_text(_SETTINGS.format(
            path=self.path, user=owner.pw_name, domain=DOMAIN, master=MASTER, admin=ADMIN, pair=authority().good,
            alternative="yes" if self.alternative else "no",
        ))
        (self.path / "cyrus.conf").write_text(_PROCESSES.format(
            bin=root / "usr/lib/cyrus/bin", settings=self.path / "imapd.conf", **ports
        ))
        sendmail = self.path / "sendmail"
        sendmail.write_text(_SENDMAIL.format(path=self.path))
        sendmail.chmod(0o755)
        give(self.path, owner)
        self.passwords = Saslauthd.start(self.path / "mux", self.users)
        libraries = [str(found) for found in (*root.glob("usr/lib/*-linux-gnu*"), *root.glob("lib/*-linux-gnu*"))]
        self.child = Child(
            command=(
                str(root / "usr/lib/cyrus/bin/master"), "-C", str(self.path / "imapd.conf"),
                "-M", str(self.path / "cyrus.conf"), "-p", str(self.path / "pid"),
            ),
            log=self.path / "log", user=owner.pw_name, environment={"LD_LIBRARY_PATH": ":".join(libraries)},
        )


def unpacked() -> Path:
    """Where install.sh has unpacked it. Raises NotInstalled."""
    script = Path(__file__).with_name("install.sh")
    root = Path(subprocess.run([script, "--cyrus"], capture_output=True, text=True, check=True).stdout.strip())
    if not (root / "complete").exists():
        raise NotInstalled(f"Cyrus is not in {root}: run tests/groupware/install.sh")
    return root


class Saslauthd:
    """A socket at `path` where passwords are checked: four strings (login, password, service, realm), each after its
    length in two octets, are answered with OK or NO in the same form."""

    def __init__(self, server: socketserver.ThreadingUnixStreamServer) -> None:
        self.server = server
        self.thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True, name="saslauthd")
        self.thread.start()

    @classmethod
    def start(cls, path: Path, users: Users) -> Saslauthd:
        class Check(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                login, password, _, realm = (self._string() for _ in range(4))
                full = login if "@" in login or not realm else f"{login}@{realm}"
                said = b"OK" if password and users.passwords.get(full) == password else b"NO"
                self.wfile.write(struct.pack("!H", len(said)) + said)

            def _string(self) -> str:
                (length,) = struct.unpack("!H", self.rfile.read(2))
                return self.rfile.read(length).decode()

        path.unlink(missing_ok=True)
        server = socketserver.ThreadingUnixStreamServer(str(path), Check)
        server.daemon_threads = True
        os.chmod(path, 0o777)
        return cls(server)

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


_SETTINGS = """
configdirectory: {path}/conf
partition-default: {path}/spool
defaultpartition: default
sievedir: {path}/sieve
cyrus_user: {user}
servername: mail.{domain}
admins: {admin}
proxyservers: {master}
altnamespace: {alternative}
unixhierarchysep: {alternative}
virtdomains: userid
defaultdomain: internal.invalid
sasl_pwcheck_method: saslauthd
sasl_saslauthd_path: {path}/mux
sasl_mech_list: PLAIN LOGIN
allowplaintext: yes
failedloginpause: 0
tls_server_cert: {pair.certificate}
tls_server_key: {pair.key}
autocreate_quota: 0
autocreate_post: yes
autocreate_inbox_folders: Drafts|Sent|Trash|Junk
autocreate_subscribe_folders: Drafts|Sent|Trash|Junk
xlist-drafts: Drafts
xlist-sent: Sent
xlist-trash: Trash
xlist-junk: Junk
duplicatesuppression: no
lmtp_downcase_rcpt: yes
sendmail: {path}/sendmail
smtp_backend: sendmail
postmaster: postmaster@{domain}
sieve_vacation_min_response: 0
httpmodules: caldav carddav
calendar_user_address_set: {domain}
caldav_allowscheduling: on
caldav_create_attach: off
"""

_PROCESSES = """
START {{
  recover cmd="{bin}/ctl_cyrusdb -C {settings} -r"
  idled cmd="{bin}/idled -C {settings}"
}}
SERVICES {{
  imap cmd="{bin}/imapd -C {settings}" listen="127.0.0.1:{imap}" prefork=1
  imaps cmd="{bin}/imapd -s -C {settings}" listen="127.0.0.1:{imaps}" prefork=0
  http cmd="{bin}/httpd -C {settings}" listen="127.0.0.1:{http}" prefork=1
  https cmd="{bin}/httpd -s -C {settings}" listen="127.0.0.1:{https}" prefork=0
  sieve cmd="{bin}/timsieved -C {settings}" listen="127.0.0.1:{sieve}" prefork=0
  lmtp cmd="{bin}/lmtpd -a -C {settings}" listen="127.0.0.1:{lmtp}" prefork=0
}}
EVENTS {{
}}
"""

# A mail of its own for each call.
#: Cyrus speaks SMTP with it (`sendmail -bs`).
_SENDMAIL = """#!/bin/sh
cr=$(printf '\\r')
to=
printf '220 here\\r\\n'
while IFS= read -r line; do
  case $line in
    [Rr][Cc][Pp][Tt]*) to="$to ${{line%"$cr"}}"; printf '250 OK\\r\\n' ;;
    [Dd][Aa][Tt][Aa]*)
      printf '354 Go ahead\\r\\n'
      file=$(mktemp {path}/sent/XXXXXXXX.part)
      printf '%s\\n' "$to" > "$file"
      while IFS= read -r line && [ "$line" != ".$cr" ]; do
        case $line in ..*) line=${{line#.}} ;; esac
        printf '%s\\n' "$line" >> "$file"
      done
      mv "$file" "${{file%.part}}"
      to=
      printf '250 Taken\\r\\n' ;;
    [Qq][Uu][Ii][Tt]*) printf '221 Bye\\r\\n'; exit 0 ;;
    *) printf '250 OK\\r\\n' ;;
  esac
done
"""
