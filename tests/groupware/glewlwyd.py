"""Glewlwyd: an OpenID Connect provider, set up over its own API as an admin would in its pages.

It has the scope `mail`, the client `gateway` for the pages, and the client `phone`, which fetches access tokens for
AUDIENCE. Its key can be changed while it runs.
"""

from __future__ import annotations

import secrets
import shutil
import sqlite3
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import httpx
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from .process import HOST, Child, folder, free_ports, program

TABLES = Path("/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3")
MODULES = Path("/usr/lib/glewlwyd")
#: The administrator whom the tables bring along.
ADMIN, ADMIN_PASSWORD = "admin", "password"

#: What its access tokens say they are for: the scopes, where no resource was asked for.
AUDIENCE = "openid mail"
GATEWAY, GATEWAY_SECRET = "gateway", "secret of the gateway & its +"
PHONE, PHONE_SECRET = "phone", "secret-of-phones"

_SETTINGS = """
port={port}
bind_address="127.0.0.1"
external_url="{url}"
login_url="login.html"
api_prefix="api"
log_mode="console"
log_level="INFO"
cookie_secure=0
session_expiration=86400
session_key="GLEWLWYD2_SESSION_ID"
admin_scope="g_admin"
profile_scope="g_profile"
user_module_path="{modules}/user"
user_middleware_module_path="{path}/none"
client_module_path="{modules}/client"
user_auth_scheme_module_path="{modules}/scheme"
plugin_module_path="{modules}/plugin"
hash_algorithm="SHA512"
database = {{ type = "sqlite3"; path = "{path}/glewlwyd.db"; }};
"""


class _AsAdmin(httpx.Auth):
    """Logs in where it is not, or no longer: its login for administration ends after ten minutes."""

    requires_response_body = True

    def __init__(self, url: str) -> None:
        self._url = f"{url}/api/auth/"
        self._cookie = ""

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Cookie"] = self._cookie
        if (yield request).status_code == 401:
            login = yield httpx.Request("POST", self._url, json={"username": ADMIN, "password": ADMIN_PASSWORD})
            self._cookie = login.headers["Set-Cookie"].partition(";")[0]
            request.headers["Cookie"] = self._cookie
            yield request


class Glewlwyd:
    def __init__(self) -> None:
        self.path = folder("glewlwyd")
        self.port = free_ports("http")["http"]
        self.url = f"http://{HOST}:{self.port}"
        self.issuer = f"{self.url}/api/oidc"
        self.redirects = [f"http://mail.example.com{area}/oidc/callback" for area in ("/admin", "/my")]
        self.child: Child | None = None
        self._admin = httpx.Client(base_url=f"{self.url}/api", auth=_AsAdmin(self.url), timeout=30)

    # -- the process

    def start(self) -> None:
        """Raises NotInstalled, DidNotStart."""
        command = program("glewlwyd", "glewlwyd")
        (self.path / "none").mkdir(exist_ok=True)
        if not (self.path / "glewlwyd.db").exists():
            with closing(sqlite3.connect(self.path / "glewlwyd.db")) as database:
                database.executescript(TABLES.read_text())
        settings = self.path / "glewlwyd.conf"
        settings.write_text(_SETTINGS.format(port=self.port, url=self.url, path=self.path, modules=MODULES))
        self.child = Child(command=[command, f"--config-file={settings}"], log=self.path / "log")
        self.child.start()
        self.child.wait_for(self.port)
        if not self._admin.get("/mod/plugin/oidc").is_success:
            self._set_up()

    def stop(self) -> None:
        if self.child is not None:
            self.child.stop()
            self.child = None
        self._admin.close()
        shutil.rmtree(self.path, ignore_errors=True)

    # -- what an admin does

    def _set_up(self) -> None:
        self._post("/scope/", {
            "name": "mail", "display_name": "Mail", "description": "mail", "password_required": False, "scheme": {},
        })
        users = self._admin.get("/mod/user/database").json()
        users["parameters"]["data-format"]["groups"] = {"multiple": True, "read": True, "write": True}
        self._admin.put("/mod/user/database", json=users).raise_for_status()
        self._admin.put("/mod/user/database/reset").raise_for_status()
        self._post("/mod/plugin/", _plugin(self.issuer))
        for client, secret, redirects in ((GATEWAY, GATEWAY_SECRET, self.redirects), (PHONE, PHONE_SECRET, [])):
            self._post("/client/", {
                "client_id": client, "name": client, "password": secret, "client_secret": secret, "confidential": True,
                "enabled": True, "redirect_uri": redirects, "scope": ["openid", "mail"],
                "authorization_type": ["code", "password", "refresh_token"],
                "token_endpoint_auth_method": ["client_secret_basic", "client_secret_post"],
            })

    def new_user(self, address: str, *groups: str) -> str:
        """The password of a new user, whose name is the address; one that another test has left goes."""
        password = secrets.token_urlsafe(12)
        self._admin.delete(f"/user/{quote(address)}")
        self._post("/user/", {
            "username": address, "name": address.partition("@")[0], "email": address, "password": password,
            "enabled": True, "scope": ["openid", "mail", "g_profile"], "groups": list(groups),
        })
        return password

    def rotate(self) -> None:
        """Another key: tokens of the old one are not its own any more."""
        self._admin.put("/mod/plugin/oidc", json=_plugin(self.issuer)).raise_for_status()
        self._admin.put("/mod/plugin/oidc/reset").raise_for_status()

    def set_lifetime(self, seconds: int) -> None:
        """Of the access tokens to come."""
        plugin = self._admin.get("/mod/plugin/oidc").json()
        plugin["parameters"]["access-token-duration"] = seconds
        self._admin.put("/mod/plugin/oidc", json=plugin).raise_for_status()
        self._admin.put("/mod/plugin/oidc/reset").raise_for_status()

    def _post(self, path: str, value: Any) -> None:
        answer = self._admin.post(path, json=value)
        assert answer.is_success, answer.text

    # -- what users and their programs do

    def tokens(
        self, user: str, password: str, *, scope: str = AUDIENCE, client: str = PHONE, secret: str = PHONE_SECRET
    ) -> dict[str, Any]:
        """As a phone fetches them, without the steps in a browser."""
        form = {"grant_type": "password", "username": user, "password": password, "scope": scope}
        answer = httpx.post(f"{self.issuer}/token", data=form, auth=(client, secret), timeout=30)
        assert answer.is_success, answer.text
        return dict(answer.json())

    def revoke(self, token: str, client: str = PHONE, secret: str = PHONE_SECRET) -> None:
        answer = httpx.post(f"{self.issuer}/revoke", data={"token": token}, auth=(client, secret), timeout=30)
        assert answer.is_success, answer.text

    def log_in(self, address: str, user: str, password: str) -> str:
        """What its pages do in a browser that was sent to `address`: log in, grant what is asked for, come back. Where
        the browser is sent then."""
        asked = parse_qs(urlsplit(address).query)
        with httpx.Client(base_url=f"{self.url}/api", timeout=30) as browser:
            browser.post("/auth/", json={"username": user, "password": password}).raise_for_status()
            client = asked["client_id"][0]
            browser.put(f"/auth/grant/{client}", json={"scope": asked["scope"][0]}).raise_for_status()
            answer = browser.get(f"{address}&g_continue")
            assert answer.status_code == 302, answer.text
            return answer.headers["location"]


def _plugin(issuer: str) -> dict[str, Any]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    on = dict.fromkeys((
        "allow-non-oidc", "auth-type-code-enabled", "auth-type-password-enabled", "auth-type-refresh-enabled",
        "auth-type-id-token-enabled", "pkce-allowed", "pkce-required", "introspection-revocation-allowed",
        "introspection-revocation-allow-target-client", "jwks-show", "session-management-allowed",
    ), True)
    return {
        "module": "oidc", "name": "oidc", "display_name": "OpenID Connect", "enabled": True,
        "parameters": {
            **on, "iss": issuer, "jwt-type": "rsa", "jwt-key-size": "256", "key": private.decode(),
            "cert": public.decode(), "code-duration": 600, "refresh-token-duration": 86400,
            "access-token-duration": 3600, "pkce-method-plain-allowed": False, "subject-type": "public",
            "session-cookie-name": "GLEWLWYD2_OIDC_SID", "session-cookie-expiration": 3600,
            "name-claim": "mandatory", "email-claim": "mandatory", "email-claim-scope": ["openid"],
            "claims": [
                {"name": "preferred_username", "type": "string", "user-property": "username", "mandatory": True,
                 "on-demand": False, "scope": ["openid"]},
                {"name": "groups", "type": "string", "user-property": "groups", "mandatory": True,
                 "on-demand": False, "scope": ["openid"]},
            ],
            "additional-parameters": [{"user-parameter": "email", "token-parameter": "email", "token-changed": False}],
        },
    }
