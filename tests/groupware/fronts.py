"""What stands in front of the gateway: HAProxy, nginx and Caddy with the configurations of `deploy/`.

Of these only addresses, names and certificates are replaced, so what is tried is what an admin copies. All end TLS with
a certificate of the tests' authority.
"""

from __future__ import annotations

import csv
import shutil
import socket
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .authority import authority
from .process import HOST, Child, DidNotStart, folder, free_ports, program

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"


def changed(text: str, changes: Mapping[str, str]) -> str:
    """Each must be there."""
    for old, new in changes.items():
        assert old in text, f"{old!r} is not in the configuration any more"
        text = text.replace(old, new)
    return text


@dataclass(slots=True, kw_only=True)
class Front:
    """`nodes` are the ports of gateways. A subclass writes its configuration and names its command."""

    nodes: Sequence[int]
    path: Path = field(default_factory=lambda: folder("front"))
    port: int = field(default_factory=lambda: free_ports("front")["front"])
    child: Child | None = None

    @property
    def url(self) -> str:
        return f"https://{HOST}:{self.port}"

    def start(self) -> Front:
        if self.child is None:
            self.write()
            self.check()
            self.child = Child(command=self.command(), log=self.path / "log", environment={"HOME": str(self.path)})
        self.child.start()
        self.child.wait_for(self.port)
        return self

    def stop(self) -> None:
        if self.child is not None:
            self.child.stop()
        shutil.rmtree(self.path, ignore_errors=True)

    def check(self) -> None:
        """What the server's own check says. Raises DidNotStart."""
        done = subprocess.run(
            self.checking(), capture_output=True, text=True, check=False, env={"HOME": str(self.path)}, timeout=30
        )
        if done.returncode:
            raise DidNotStart(done.stdout + done.stderr)

    def write(self) -> None:
        raise NotImplementedError

    def command(self) -> Sequence[str]:
        raise NotImplementedError

    def checking(self) -> Sequence[str]:
        raise NotImplementedError


@dataclass(slots=True, kw_only=True)
class Haproxy(Front):
    #: In plain text, for phones that speak no TLS.
    plain: bool = False
    #: The limit of open files of a test machine allows so many connections, each of which is one to a gateway as well.
    most: int = 2000

    def write(self) -> None:
        pair, pem = authority().good, self.path / "eas.pem"
        pem.write_bytes(pair.certificate.read_bytes() + pair.key.read_bytes())
        shown = f"bind 127.0.0.1:{self.port}" + ("" if self.plain else f" ssl crt {pem} alpn http/1.1")
        text = changed((DEPLOY / "haproxy/haproxy.cfg").read_text(), {
            "bind :443 ssl crt /etc/haproxy/eas.pem alpn http/1.1": shown,
            "maxconn 50000": f"maxconn {self.most}",
        })
        text = changed(text, {"\nglobal\n": f"\nglobal\n    stats socket {self.path}/stats\n"})
        lines = [line for line in text.splitlines() if not line.startswith("    server ")]
        lines += [f"    server node{port} 127.0.0.1:{port}" for port in self.nodes]
        (self.path / "haproxy.cfg").write_text("\n".join([*lines, ""]))

    def command(self) -> Sequence[str]:
        return program("haproxy", "haproxy"), "-db", "-f", str(self.path / "haproxy.cfg")

    def checking(self) -> Sequence[str]:
        return program("haproxy", "haproxy"), "-c", "-f", str(self.path / "haproxy.cfg")

    def seen(self) -> dict[int, str]:
        """How it has found each node, by port: UP, DOWN, and what is between."""
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(self.path / "stats"))
            line.sendall(b"show stat\n")
            with line.makefile(encoding="ascii") as told:
                rows = list(csv.DictReader(told))
        return {int(row["svname"].removeprefix("node")): row["status"] for row in rows if row["svname"][:4] == "node"}


_NGINX = """\
daemon off;
worker_processes 1;
pid {path}/pid;
error_log {path}/log info;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {path}/body;
    proxy_temp_path {path}/proxy;
    fastcgi_temp_path {path}/fastcgi;
    uwsgi_temp_path {path}/uwsgi;
    scgi_temp_path {path}/scgi;
    include {path}/eas.conf;
}}
"""


@dataclass(slots=True, kw_only=True)
class Nginx(Front):
    def write(self) -> None:
        pair = authority().good
        [node] = self.nodes
        (self.path / "eas.conf").write_text(changed((DEPLOY / "nginx/eas.conf").read_text(), {
            "listen 443 ssl": f"listen 127.0.0.1:{self.port} ssl", "127.0.0.1:8080": f"127.0.0.1:{node}",
            "/etc/nginx/eas.crt": str(pair.certificate), "/etc/nginx/eas.key": str(pair.key),
        }))
        (self.path / "nginx.conf").write_text(_NGINX.format(path=self.path))

    def command(self) -> Sequence[str]:
        return program("nginx", "nginx-light"), "-p", str(self.path), "-c", str(self.path / "nginx.conf")

    def checking(self) -> Sequence[str]:
        return (*self.command(), "-t")


@dataclass(slots=True, kw_only=True)
class Caddy(Front):
    def write(self) -> None:
        pair = authority().good
        [node] = self.nodes
        text = changed((DEPLOY / "caddy/Caddyfile").read_text(), {
            "mail.example.org, autodiscover.example.org {":
                f"https://{HOST}:{self.port} {{\n\ttls {pair.certificate} {pair.key}",
            "127.0.0.1:8080": f"127.0.0.1:{node}",
        })
        # No port of the machine's own, and no certificate of anybody else's.
        (self.path / "Caddyfile").write_text(f"{{\n\tadmin off\n\tauto_https disable_redirects\n}}\n{text}")

    def command(self) -> Sequence[str]:
        return program("caddy", "caddy"), "run", "--adapter", "caddyfile", "--config", str(self.path / "Caddyfile")

    def checking(self) -> Sequence[str]:
        return program("caddy", "caddy"), "validate", "--adapter", "caddyfile", "--config", str(self.path / "Caddyfile")
