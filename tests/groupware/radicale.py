"""Radicale: CalDAV and CardDAV with sync tokens, without scheduling; one folder of files a user.

`<url><login>/` is the principal and the home set. A new user has a calendar for events and one for tasks and an
address book, as after the setup in Radicale's own page.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

from .dav import DavServer
from .process import HOST, Child, folder, free_ports

#: May write everything; only it writes collections whose names begin with FROZEN.
LIBRARIAN, LIBRARIAN_PASSWORD = "librarian@example.com", "librarian secret"
FROZEN = "frozen-"


@dataclass(slots=True, kw_only=True)
class Radicale(DavServer):
    path: Path = field(default_factory=lambda: folder("radicale"))
    #: A command that is run when something was written.
    hook: str = ""

    def start(self) -> Radicale:
        if self.child is None:
            port = free_ports("http")["http"]
            self.url = f"http://{HOST}:{port}/"
            self.users.passwords[LIBRARIAN] = LIBRARIAN_PASSWORD
            self._write()
            (self.path / "rights").write_text(_RIGHTS)
            (self.path / "config").write_text(_SETTINGS.format(path=self.path, port=port, hook=self.hook))
            self.child = Child(
                command=(sys.executable, "-m", "radicale", "--config", str(self.path / "config")),
                log=self.path / "log",
            )
        self.child.start()
        self.child.wait_for(self.port)
        return self

    def new_user(self, name: str = "", *, empty: bool = False) -> tuple[str, str]:
        """With `empty`, without any collection."""
        login, password = self.users.invent(name)
        self.adopt(login, password, empty=empty)
        return login, password

    def adopt(self, login: str, password: str, *, empty: bool = False) -> None:
        """A user who is known elsewhere."""
        self.users.passwords[login] = password
        self._write()
        if not empty:
            self.make_calendar(f"{login}/calendar/", login, "Calendar", "VEVENT")
            self.make_calendar(f"{login}/tasks/", login, "Tasks", "VTODO")
            self.make_addressbook(f"{login}/contacts/", login, "Contacts")

    def set_password(self, login: str, password: str) -> None:
        self.users.passwords[login] = password
        self._write()

    def make_frozen(self, login: str, name: str = "frozen") -> str:
        """A calendar in the user's home that only LIBRARIAN can write; its path."""
        path = f"{login}/{FROZEN}{name}/"
        self.make_calendar(path, LIBRARIAN, name.title(), "VEVENT")
        return path

    def _write(self) -> None:
        passwords = self.path / "users.new"
        passwords.write_text("".join(f"{login}:{password}\n" for login, password in self.users.passwords.items()))
        passwords.replace(self.path / "users")


_SETTINGS = """
[server]
hosts = 127.0.0.1:{port}
max_connections = 100
timeout = 30

[auth]
type = htpasswd
htpasswd_filename = {path}/users
htpasswd_encryption = plain
delay = 0

[rights]
type = from_file
file = {path}/rights

[storage]
filesystem_folder = {path}/data
hook = {hook}

[logging]
level = warning
"""

# As `owner_only`, with collections of one's own that one cannot write.
_RIGHTS = f"""
[librarian]
user: {LIBRARIAN}
collection: .*
permissions: RWrw

[root]
user: .+
collection:
permissions: R

[principal]
user: .+
collection: {{user}}
permissions: RW

[frozen]
user: .+
collection: {{user}}/{FROZEN}[^/]+
permissions: r

[collections]
user: .+
collection: {{user}}/[^/]+
permissions: rw
"""
