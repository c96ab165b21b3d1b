"""Settings: where they come from, which wins, and what is said about wrong ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from eas import config
from eas.config import HIDDEN, ConfigError, Settings, load
from eas.engine.session import Limits

ROOT = Path(__file__).parent.parent

WRONG: list[tuple[str, dict[str, str], str]] = [
    # settings file, environment, the fault as it is told
    ('listen = "8080"', {}, "listen: HOST:PORT, as 127.0.0.1:8080 or [::1]:8080 is wanted, not '8080' (eas.toml)"),
    ('listen = "::1:8080"', {},
     "listen: HOST:PORT, as 127.0.0.1:8080 or [::1]:8080 is wanted, not '::1:8080' (eas.toml)"),
    ('listen = "host:99999"', {},
     "listen: HOST:PORT, as 127.0.0.1:8080 or [::1]:8080 is wanted, not 'host:99999' (eas.toml)"),
    ("listen = 8080", {}, "listen: HOST:PORT, as 127.0.0.1:8080 or [::1]:8080 is wanted, not 8080 (eas.toml)"),
    ('time_zone = "Europe/Berlim"', {},
     "time_zone: the IANA name of a time zone, as Europe/Berlin is wanted, "
     "not 'Europe/Berlim'; Europe/Berlin? (eas.toml)"),
    ('domain = "example org"', {}, "domain: a domain, as example.org is wanted, not 'example org' (eas.toml)"),
    ('domain = "@example.org"', {}, "domain: a domain, as example.org is wanted, not '@example.org' (eas.toml)"),
    ('database = "mysql://x"', {},
     "database: an SQLAlchemy URL (sqlite+aiosqlite, postgresql+asyncpg, postgresql+psycopg) is wanted, "
     "not 'mysql://x' (eas.toml)"),
    ('database = "eas.db"', {},
     "database: an SQLAlchemy URL (sqlite+aiosqlite, postgresql+asyncpg, postgresql+psycopg) is wanted, "
     "not 'eas.db' (eas.toml)"),
    ('trusted_proxies = ["10.0.0.0/8", "proxy"]', {},
     "trusted_proxies: a list, each an address or a network, as 10.0.0.0/8 is wanted, not 'proxy' (eas.toml)"),
    ('trusted_proxies = "10.0.0.0/8"', {},
     "trusted_proxies: a list, each an address or a network, as 10.0.0.0/8 is wanted, not '10.0.0.0/8' (eas.toml)"),
    ("", {"EAS_TRUSTED_PROXIES": "10.0.0.0/8,nowhere"},
     "trusted_proxies: a list, each an address or a network, as 10.0.0.0/8 is wanted, "
     "not 'nowhere' (EAS_TRUSTED_PROXIES)"),
    ('[smarthost]\nport = 0', {}, "smarthost.port: a whole number, 1 to 65535 is wanted, not 0 (eas.toml)"),
    ("", {"EAS_SMARTHOST__PORT": "many"},
     "smarthost.port: a whole number, 1 to 65535 is wanted, not 'many' (EAS_SMARTHOST__PORT)"),
    ('[smarthost]\nhost = "mail:25"', {},
     "smarthost.host: a host name or an address, without a port is wanted, not 'mail:25' (eas.toml)"),
    ('[smarthost]\nsecurity = "ssl"', {},
     "smarthost.security: starttls, tls or none is wanted, not 'ssl' (eas.toml)"),
    ('[smarthost]\npassword = "hush"', {}, "smarthost: there is a password, but user is missing (eas.toml)"),
    ("[smarthost]\npassword = 17", {}, "smarthost.password: text is wanted (eas.toml)"),
    ('smarthost = "mail"', {}, "smarthost: this is a group of settings, not a value (eas.toml)"),
    ('[listen]\nport = 1', {},
     "listen: HOST:PORT, as 127.0.0.1:8080 or [::1]:8080 is wanted, not {'port': 1} (eas.toml)"),
    ('[lmtp]\nlisten = "lmtp.sock"', {},
     "lmtp.listen: HOST:PORT, or the path of a Unix socket that begins with / or ./ is wanted, "
     "not 'lmtp.sock' (eas.toml)"),
    ("[limits]\nmax_body_bytes = 1.5", {},
     "limits.max_body_bytes: a whole number, 65536 or more is wanted, not 1.5 (eas.toml)"),
    ("[limits]\nheartbeat_min_seconds = 900\nheartbeat_max_seconds = 600", {},
     "limits: heartbeat_min_seconds is larger than heartbeat_max_seconds (eas.toml)"),
    ('[log]\nlevel = "loud"', {}, "log.level: debug, info, warning or error is wanted, not 'loud' (eas.toml)"),
    ('[tls]\ncert = "/nowhere/cert.pem"\nkey = "/nowhere/key.pem"', {},
     "tls.cert: the path of a file that can be read is wanted, "
     "not '/nowhere/cert.pem'; there is no such file (eas.toml)\n"
     "tls.key: the path of a file that can be read is wanted, "
     "not '/nowhere/key.pem'; there is no such file (eas.toml)"),
    (f'[tls]\ncert = "{__file__}"', {}, "tls: cert and key belong together; key is missing (eas.toml)"),
    (f'[tls]\nkey = "{__file__}"', {}, "tls: cert and key belong together; cert is missing (eas.toml)"),
    ('lissen = "x"', {}, "lissen: there is no such setting; listen? (eas.toml)"),
    ('[smarthost]\npasword = "hush"', {},
     "smarthost.pasword: there is no such setting; smarthost.password? (eas.toml)"),
    ("", {"EAS_SMART_HOST__PORT": "1"}, "smart_host: there is no such setting; smarthost? (EAS_SMART_HOST__PORT)"),
    ("", {"EAS_XYZZY": "1"}, "xyzzy: there is no such setting (EAS_XYZZY)"),
    ("", {"EAS_": "1"}, ": there is no such setting (EAS_)"),
]


def _load(
    tmp_path: Path, text: str, environment: Mapping[str, str], overrides: Mapping[str, Any] | None = None
) -> Settings:
    file = tmp_path / "eas.toml"
    file.write_text(text)
    return load(file, overrides, environment)


@pytest.mark.parametrize(("text", "environment", "fault"), WRONG)
def test_a_wrong_setting_is_told_with_what_is_allowed(
    tmp_path: Path, text: str, environment: dict[str, str], fault: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        _load(tmp_path, text, environment)
    assert str(caught.value).replace(f"{tmp_path}/", "") == fault


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        _load(tmp_path, 'listen = "x"\n[log]\nlevel = "x"', {"EAS_DOMAIN": "-"}, {"smarthost.port": 0})
    assert [line.partition(":")[0] for line in str(caught.value).splitlines()] == [
        "domain", "listen", "log.level", "smarthost.port",
    ]


def test_no_secret_is_told_with_a_fault(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(None, {}, {"EAS_SMARTHOST__PASSWORD": "hush", "EAS_LISTEN": "x"})
    assert "hush" not in str(caught.value)


def test_a_later_source_wins(tmp_path: Path) -> None:
    text = 'domain = "file"\ntime_zone = "Europe/Paris"\n[smarthost]\nhost = "file"\nport = 25\nuser = "file"'
    environment = {"EAS_DOMAIN": "environment", "EAS_SMARTHOST__HOST": "environment", "PATH": "/bin"}
    settings = _load(tmp_path, text, environment, {"smarthost.host": "line", "smarthost.user": None})
    assert (settings.time_zone, settings.domain) == ("Europe/Paris", "environment")
    smarthost = settings.smarthost
    assert (smarthost.host, smarthost.port, smarthost.user, smarthost.security) == ("line", 25, "file", "starttls")


def test_without_any_source_there_are_the_defaults() -> None:
    assert load(None, {}, {}) == Settings()


def test_values_of_the_environment_are_converted() -> None:
    environment = {
        "EAS_TRUSTED_PROXIES": "10.0.0.1/8, ::1", "EAS_LIMITS__MAX_COLLECTIONS": "7", "EAS_DATA": "/var/lib/eas",
        "EAS_DOMAIN": "Example.ORG.", "EAS_PASSWORD": "of the command line",
    }
    settings = load(None, None, environment)
    assert settings.trusted_proxies == ("10.0.0.0/8", "::1/128")
    assert settings.limits.max_collections == 7
    assert settings.data == Path("/var/lib/eas")
    assert settings.domain == "example.org"
    assert load(None, None, {"EAS_TRUSTED_PROXIES": ""}).trusted_proxies == ()


@pytest.mark.parametrize(
    ("listen", "host", "port"),
    [("127.0.0.1:80", "127.0.0.1", 80), ("[::1]:8080", "::1", 8080), ("mail.example.org:0", "mail.example.org", 0)],
)
def test_the_address_is_taken_apart(listen: str, host: str, port: int) -> None:
    settings = Settings(listen=listen)
    assert (settings.host, settings.port) == (host, port)


@pytest.mark.parametrize("listen", ["", "127.0.0.1:24", "/run/eas/lmtp.sock", "./lmtp.sock"])
def test_mail_is_taken_at_a_port_or_a_socket_or_nowhere(listen: str) -> None:
    assert load(None, {"lmtp.listen": listen}, {}).lmtp.listen == listen


def test_the_database_is_in_the_data_folder_unless_told() -> None:
    assert Settings(data=Path("/var/lib/eas")).database_url == "sqlite+aiosqlite:////var/lib/eas/eas.db"
    assert Settings(database="postgresql+asyncpg://h/eas").database_url == "postgresql+asyncpg://h/eas"


def test_files_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none.toml: No such file"):
        load(tmp_path / "none.toml", {}, {})
    for content in (b"listen = ", b"\xff\xfe"):
        (tmp_path / "bad.toml").write_bytes(content)
        with pytest.raises(ConfigError, match=r"bad.toml: "):
            load(tmp_path / "bad.toml", {}, {})


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().listen = "0.0.0.0:1"  # type: ignore[misc]


def test_secrets_are_not_shown() -> None:
    settings = load(None, {}, {
        "EAS_SMARTHOST__USER": "u", "EAS_SMARTHOST__PASSWORD": "hush",
        "EAS_DATABASE": "postgresql+asyncpg://eas:hush@db/eas",
    })
    shown = dict(config.show(settings))
    assert shown["smarthost.password"] == HIDDEN
    assert shown["database"] == "postgresql+asyncpg://eas:***@db/eas"
    assert shown["smarthost.user"] == "u"
    assert "hush" not in str(shown)
    assert "hush" not in repr(settings.smarthost)
    assert dict(config.show(Settings()))["smarthost.password"] == ""


def test_every_setting_is_described() -> None:
    settings = list(config.describe())
    assert len({setting.path for setting in settings}) == len(settings)
    assert all(setting.description.endswith(".") and setting.allowed for setting in settings)
    of_servers = [setting.path for setting in settings if setting.path.startswith("backends.")]
    others = [setting.path for setting in settings if not setting.path.startswith("backends.")]
    assert [path for path, _ in config.show(Settings())] == others
    whole = load(overrides={"backends": {"a": {
        "imap": {"host": "h"}, "smtp": {"host": "h"}, "dav": {"url": "https://h/"}, "ldap": {"host": "h"},
        "sieve": {"host": "h"},
    }}}, environment={})
    shown = [path for path, _ in config.show(whole)]
    assert shown == others + [path.replace(".NAME.", ".a.") for path in of_servers]


BACKEND = """
[backends.office]
domains = ["example.org"]
calendar = "caldav"
[backends.office.imap]
host = "imap.example.org"
[backends.office.imap.folders]
sent = "Gesendet"
[backends.office.smtp]
host = "smtp.example.org"
[backends.office.dav]
url = "https://dav.example.org/"
"""


def test_servers_are_told_by_a_name(tmp_path: Path) -> None:
    file = tmp_path / "eas.toml"
    file.write_text(BACKEND)
    domains = {"EAS_BACKENDS__OFFICE__DOMAINS": "example.org,example.net"}
    office = load(file, environment={"EAS_BACKENDS__OFFICE__IMAP__PORT": "1143", **domains}).backends["office"]
    assert office.imap is not None
    assert (office.imap.host, office.imap.port, office.imap.folders.sent) == ("imap.example.org", 1143, "Gesendet")
    assert office.domains == ("example.org", "example.net")


WRONG_BACKENDS = [
    ('domains = ["example.org"]', 'domains = "example.org"',
     "backends.office.domains: a list, each a domain, as example.org is wanted, not 'example.org' (eas.toml)"),
    ('url = "https://dav.example.org/"', 'url = "dav.example.org"',
     "backends.office.dav.url: an http or https address is wanted, not 'dav.example.org' (eas.toml)"),
    ('host = "imap.example.org"', "port = 143", "backends.office.imap.host: is missing (eas.toml)"),
    ('host = "imap.example.org"', 'host = "imap.example.org"\nsecure = true',
     "backends.office.imap.secure: there is no such setting; backends.NAME.imap.security? (eas.toml)"),
    ('[backends.office.dav]\nurl = "https://dav.example.org/"', "",
     "backends.office: [dav] is missing, which is needed for calendar (eas.toml)"),
    ('domains = ["example.org"]', 'login = "{name}"',
     "backends.office.login: text, in which {user}, {domain} and {login} stand for those of who logs in is wanted, "
     "not '{name}' (eas.toml)"),
]


@pytest.mark.parametrize(("right", "wrong", "fault"), WRONG_BACKENDS)
def test_faults_of_servers_are_told_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, right: str, wrong: str, fault: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert right.replace("\\n", "\n") in BACKEND
    Path("eas.toml").write_text(BACKEND.replace(right, wrong))
    with pytest.raises(ConfigError) as raised:
        load(Path("eas.toml"), environment={})
    assert str(raised.value) == fault


def test_two_backends_for_one_domain_are_a_fault() -> None:
    office = {"mail": "embedded", "check": "ldap", "ldap": {"host": "h"}, "domains": ["example.org"]}
    with pytest.raises(ConfigError, match=r"backends one and two both are for the domain example\.org"):
        load(overrides={"backends": {"one": office, "two": office}}, environment={})


def test_limits_are_those_of_the_engine() -> None:
    """The same names and defaults, so that what is documented is what holds."""
    limits, engine = Settings().limits.model_dump(), Limits()
    assert limits == {name: getattr(engine, name) for name in limits}


def test_the_documentation_has_the_table_of_settings() -> None:
    """If this fails: put what `eas.config.markdown()` gives between the two marks."""
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    table = text.partition("<!-- settings -->\n")[2].partition("<!-- end of settings -->")[0]
    assert table == config.markdown()
