"""OpenLDAP's slapd over an empty folder, with the office of the tests in `dc=example,dc=com`.

Everybody may read what is below BASE (as long as `anonymous` is on), ADMIN may write. Other trees can be added below
`dc=com` ... with `add`: the database holds everything under SUFFIX.
"""

from __future__ import annotations

import base64
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .authority import authority
from .mail import Users
from .process import HOST, Child, folder, free_ports, program

SUFFIX = "dc=com"
BASE = "dc=example,dc=com"
PEOPLE = f"ou=people,{BASE}"
GROUPS = f"ou=groups,{BASE}"
ADMIN, ADMIN_PASSWORD = f"cn=admin,{SUFFIX}", "admin secret"
#: May read.
READER, READER_PASSWORD = f"cn=reader,{SUFFIX}", "reader secret"
#: Entries that everybody but ADMIN is given at most, paged or not: many tests leave people behind in one server.
SIZE_LIMIT = 20_000
#: The passwords of anna, ben and carla.
PASSWORDS = {name: f"{name}-secret" for name in ("anna", "ben", "carla")}


@dataclass(slots=True, kw_only=True)
class Slapd:
    """`port` offers STARTTLS, `ldaps_port` begins with TLS."""

    host: str = HOST
    port: int = 0
    ldaps_port: int = 0
    ca_file: str = ""
    base: str = BASE
    users: Users = field(default_factory=lambda: Users(passwords=dict(PASSWORDS)))
    path: Path = field(default_factory=lambda: folder("slapd"))
    child: Child | None = None

    def start(self) -> Slapd:
        new = self.child is None
        if new:
            self._prepare()
        assert self.child is not None
        self.child.start()
        self.child.wait_for(self.port, self.ldaps_port)
        if new:
            self.add(office())
        return self

    def kill(self) -> None:
        assert self.child is not None
        self.child.kill()

    def restart(self) -> None:
        """On the same ports, with the same entries."""
        assert self.child is not None
        self.child.stop()
        self.start()

    def stop(self) -> None:
        if self.child is not None:
            self.child.kill()
        shutil.rmtree(self.path, ignore_errors=True)

    def add(self, ldif: str) -> None:
        """Entries, or changes where a record has a changetype. Raises AssertionError with what the server says."""
        done = subprocess.run(
            [
                program("ldapmodify", "ldap-utils"), "-a", "-x", "-H", f"ldap://127.0.0.1:{self.port}",
                "-D", ADMIN, "-w", ADMIN_PASSWORD,
            ],
            input=ldif.encode(), capture_output=True, check=False,
        )
        assert done.returncode == 0, done.stderr.decode()

    def new_user(self, name: str = "", base: str = PEOPLE, **attributes: str | Sequence[str]) -> tuple[str, str]:
        """An entry that can log in, with uid and mail of the login; (login, password)."""
        login, password = self.users.invent(name)
        self.adopt(login, password, base, **attributes)
        return login, password

    def adopt(self, login: str, password: str, base: str = PEOPLE, **attributes: str | Sequence[str]) -> None:
        """A user who is known elsewhere."""
        uid = login.partition("@")[0]
        first, _, last = uid.partition("-")
        self.users.passwords[login] = password
        self.add(entry(f"uid={uid},{base}", {
            "objectClass": "inetOrgPerson", "uid": uid, "cn": f"{first.title()} {last}".strip(), "sn": last or uid,
            "givenName": first.title(), "mail": login, "userPassword": password, **attributes,
        }))

    def set_size_limit(self, entries: int) -> None:
        """For everybody but ADMIN, paged searches included. Restarts the server."""
        settings = self.path / "slapd.conf"
        text = settings.read_text()
        before, _, after = text.partition("# size limit\n")
        settings.write_text(f"{before}# size limit\nsizelimit {entries}\n{after.partition(chr(10))[2]}")
        self.restart()

    def _prepare(self) -> None:
        binary = program("slapd", "slapd")
        ports = free_ports("ldap", "ldaps")
        self.port, self.ldaps_port, self.ca_file = ports["ldap"], ports["ldaps"], authority().ca_file
        (self.path / "data").mkdir()
        settings = self.path / "slapd.conf"
        settings.write_text(_SETTINGS.format(
            path=self.path, pair=authority().good, ca=self.ca_file, suffix=SUFFIX, admin=ADMIN,
            password=ADMIN_PASSWORD, limit=SIZE_LIMIT,
        ))
        settings.chmod(0o600)
        self.child = Child(
            command=(
                binary, "-d", "0", "-f", str(settings),
                "-h", f"ldap://127.0.0.1:{self.port}/ ldaps://127.0.0.1:{self.ldaps_port}/",
            ),
            log=self.path / "log",
        )


def entry(dn: str, attributes: Mapping[str, str | bytes | Sequence[str | bytes]]) -> str:
    """LDIF of an entry, every value in base64, for all of them can be anything."""
    lines = [f"dn:: {_base64(dn)}"]
    for name, values in attributes.items():
        for value in [values] if isinstance(values, str | bytes) else values:
            lines.append(f"{name}:: {_base64(value)}" if value else f"{name}:")
    return "\n".join(lines) + "\n\n"


def _base64(value: str | bytes) -> str:
    return base64.b64encode(value.encode() if isinstance(value, str) else value).decode()


#: The smallest JPEG that programs take for a picture: a grey pixel.
PHOTO = base64.b64decode(
    "/9j/4AAQSkZJRgABAQEASABIAAD/2wBDAP//////////////////////////////////////////////////////////////////////////////"
    "////////wgALCAABAAEBAREA/8QAFBABAAAAAAAAAAAAAAAAAAAAAP/aAAgBAQABPxA="
)


def _certificate() -> bytes:
    """One in DER; whose it is does not matter to a directory."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    return x509.load_pem_x509_certificate(authority().good.certificate.read_bytes()).public_bytes(Encoding.DER)


def office() -> str:
    """What a new server holds, as LDIF."""

    def person(uid: str, first: str, last: str, **more: str | bytes | Sequence[str | bytes]) -> str:
        return entry(f"uid={uid},{PEOPLE}", {
            "objectClass": "inetOrgPerson", "uid": uid, "cn": f"{first} {last}", "sn": last, "givenName": first,
            "mail": f"{uid}@example.com", "userPassword": PASSWORDS[uid], "o": "Example Ltd", **more,
        })

    def group(cn: str, mail: str, *uids: str) -> str:
        return entry(f"cn={cn},{GROUPS}", {
            "objectClass": ["groupOfNames", "extensibleObject"], "cn": cn, "mail": mail,
            "member": [f"uid={uid},{PEOPLE}" for uid in uids],
        })

    return "".join((
        entry(SUFFIX, {"objectClass": ["dcObject", "organization"], "dc": "com", "o": "All"}),
        entry(READER, {
            "objectClass": ["organizationalRole", "simpleSecurityObject"], "cn": "reader",
            "userPassword": READER_PASSWORD,
        }),
        entry(BASE, {"objectClass": ["dcObject", "organization"], "dc": "example", "o": "Example Ltd"}),
        entry(PEOPLE, {"objectClass": "organizationalUnit", "ou": "people"}),
        entry(GROUPS, {"objectClass": "organizationalUnit", "ou": "groups"}),
        person(
            "anna", "Anna", "Arnold", title="Head of Sales", ou="Sales", telephoneNumber="+49 30 100",
            mobile="+49 170 100", homePhone="+49 30 900", physicalDeliveryOfficeName="1.01", initials="AA",
            jpegPhoto=PHOTO, **{"userCertificate;binary": _certificate()},
        ),
        person("ben", "Ben", "Berger", title="Engineer", ou="Works", telephoneNumber="+49 30 200"),
        person("carla", "Carla", "Costa", title="Häuptling", ou="Küche", jpegPhoto=PHOTO),
        group("staff", "staff@example.com", "anna", "ben", "carla"),
        group("sales", "sales@example.com", "anna", "carla"),
        entry(f"cn=empty,{GROUPS}", {
            "objectClass": ["groupOfNames", "extensibleObject"], "cn": "empty", "mail": "empty@example.com",
            "member": "",
        }),
    ))


_SETTINGS = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {path}/pid
argsfile {path}/args
TLSCACertificateFile {ca}
TLSCertificateFile {pair.certificate}
TLSCertificateKeyFile {pair.key}
# size limit
sizelimit {limit}

database mdb
suffix "{suffix}"
rootdn "{admin}"
rootpw "{password}"
directory {path}/data
maxsize 268435456
dbnosync
index objectClass,uid,mail eq
index cn,sn,givenName,displayName sub,eq
access to attrs=userPassword by anonymous auth by self write by * none
access to * by * read
"""
