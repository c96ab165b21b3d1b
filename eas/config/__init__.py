"""Settings: one frozen tree, read once from a TOML file, the environment and the command line; passed down as values.

A later source wins: defaults, file, environment (`EAS_LISTEN`, `EAS_SMARTHOST__HOST`), command line. A setting that
does not exist is an error, with a guess at what was meant. All faults are told at once, one line each. The table of
settings in docs/operations.md is `markdown()`.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, Field, SecretStr, ValidationError, model_validator
from pydantic.fields import FieldInfo
from sqlalchemy.engine import make_url

from .access import Access
from .groupware import Backend
from .kinds import (
    Address,
    Allowed,
    AnyHost,
    Domain,
    Door,
    File,
    Host,
    HostPort,
    Network,
    Part,
    PublicUrl,
    ShareFolder,
    Url,
    Zone,
    guess,
)
from .login import ClientCertificates, Login, Oidc
from .nodes import Activity, Hooks, Keep, Metrics, Notices, Pages, Profile, Redis, Reports, Stop, Wipe

PREFIX, NESTED = "EAS_", "__"

#: Stands in documented paths for a name that people choose.
NAME = "NAME"

#: Shown in place of a secret that is set.
HIDDEN = "********"

#: Variables with our prefix that are no settings: those of tests, and a password for the command line's own use.
NO_SETTINGS = frozenset({
    "EAS_XSD", "EAS_SPEC", "EAS_FUZZ_EXAMPLES", "EAS_KILLS", "EAS_SEED", "EAS_ZONES", "EAS_BEHIND", "EAS_NO_SERVERS",
    "EAS_TEST_CACHE", "EAS_TEST_POSTGRESQL", "EAS_BENCH_DATA", "EAS_BENCH_SECONDS", "EAS_PASSWORD", "EAS_WORKER",
    "EAS_ROLLS", "EAS_NODES",
})


class ConfigError(ValueError):
    """One line for each fault, with the path of the setting and what is allowed."""


# -- the settings


class Tls(Part):
    cert: File | None = Field(None, description="Certificate chain (PEM), for sites without a proxy in front.")
    key: File | None = Field(None, description="Private key (PEM) of the certificate.")

    @model_validator(mode="after")
    def _both(self) -> Tls:
        if (self.cert is None) != (self.key is None):
            raise ValueError(f"cert and key belong together; {'cert' if self.cert is None else 'key'} is missing")
        return self


class Smarthost(Part):
    host: Host = Field("", description="Where mail for other domains is handed over; empty: such mail is refused.")
    port: int = Field(587, ge=1, le=65535, description="Its port.")
    security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="STARTTLS is insisted on; tls from the start; or none, for a host in the same machine."
    )
    user: str = Field("", description="Login there; empty for none.")
    password: SecretStr = Field(SecretStr(""), description="Password there.")

    @model_validator(mode="after")
    def _user_for_password(self) -> Smarthost:
        if self.password.get_secret_value() and not self.user:
            raise ValueError("there is a password, but user is missing")
        return self


class Lmtp(Part):
    listen: Door = Field("", description="Where an MTA delivers mail by LMTP; empty: nowhere.")
    max_bytes: int = Field(50 << 20, ge=1 << 10, description="Largest message taken, in bytes.")


class Certificates(Part):
    crl_hosts: tuple[AnyHost, ...] = Field(
        (), description="Hosts from which lists of revoked certificates are fetched, wherever a certificate that a "
        "device asks about names them. Nothing is fetched from any other."
    )


class Bounds(Part):
    heartbeat_min_seconds: int = Field(60, ge=1, le=3540, description="Shortest wait that a device may ask for.")
    heartbeat_max_seconds: int = Field(
        3540, ge=60, le=3540, description="Longest wait. Proxies in front must allow a little more."
    )
    max_collections: int = Field(300, ge=1, description="Collections in one Sync.")
    max_ping_folders: int = Field(300, ge=1, description="Folders in one Ping.")
    max_body_bytes: int = Field(64 << 20, ge=1 << 16, description="Largest request, in bytes.")
    max_devices: int = Field(0, ge=0, description="Devices of one user; 0 for any number.")
    free_repeats: int = Field(
        40, ge=0, description="So often a device may repeat a request without effect, with one more every 15 seconds, "
        "before it is slowed down and then told to come back later; 0: it never is."
    )
    requests_at_once: int = Field(
        100, ge=0, description="Requests of devices that one process works on at a time; others wait for their turn, "
        "and are told to come back later after 25 seconds. Phones that wait for news do not count. 0: any number."
    )

    @model_validator(mode="after")
    def _order(self) -> Bounds:
        if self.heartbeat_min_seconds > self.heartbeat_max_seconds:
            raise ValueError("heartbeat_min_seconds is larger than heartbeat_max_seconds")
        return self


class Policies(Part):
    fail_percent: int = Field(
        10, ge=0, le=100, description="A roll-out pauses when more percent of the devices that it has reached do not "
        "take the policy, where it says nothing else itself."
    )


class Documents(Part):
    host: Host = Field(
        "documents", description="What stands for this server in links to shares, as in `\\\\documents\\plans`."
    )
    shares: tuple[ShareFolder, ...] = Field(
        (), description="Folders that devices may read; `{user}` in a path is the login of who asks."
    )
    servers: tuple[Address, ...] = Field(
        (), description="WebDAV collections that devices may read, with the logins that they state; `{user}` as above."
    )


class Log(Part):
    format: Literal["console", "json"] = Field("console", description="For people, or for machines.")
    level: Literal["debug", "info", "warning", "error"] = Field("info", description="The least that is logged.")


class Settings(Part):
    data: Path = Field(Path("data"), description="Folder of the database and of all other state.")
    listen: HostPort = Field("127.0.0.1:8080", description="Where devices connect.")
    database: Url = Field("", description="Where state is kept; empty: in SQLite, `eas.db` in the data folder.")
    database_connections: int = Field(
        15, ge=2, le=1000, description="Most connections of one process to a database that is not SQLite; phones that "
        "wait have none."
    )
    workers: int = Field(
        1, ge=1, le=256, description="Processes that answer on this machine; more than one want `redis.url`."
    )
    watches: int = Field(
        0, ge=0, description="Users of groupware elsewhere whose mailboxes one process watches at a time; 0 for any "
        "number."
    )
    domain: Domain = Field("", description="Domain of logins and addresses that name none.")
    time_zone: Zone = Field("UTC", description="Zone of users who have none of their own.")
    public_url: PublicUrl = Field(
        "", description="Where people and phones reach the gateway from outside; empty: as each request names it, and "
        "links in mails are paths alone."
    )
    trusted_proxies: tuple[Network, ...] = Field(
        (), description="Proxies whose `X-Forwarded-For` is believed. Nobody else's is."
    )
    tls: Tls = Field(default_factory=Tls, description="TLS without a proxy.")
    login: Login = Field(default_factory=Login, description="How phones log in.")
    oidc: Oidc = Field(default_factory=Oidc, description="An identity provider.")
    client_certificates: ClientCertificates = Field(
        default_factory=ClientCertificates, description="Certificates of clients that a proxy has checked."
    )
    smarthost: Smarthost = Field(default_factory=Smarthost, description="Outgoing mail.")
    lmtp: Lmtp = Field(default_factory=Lmtp, description="Incoming mail.")
    certificates: Certificates = Field(default_factory=Certificates, description="S/MIME certificates.")
    limits: Bounds = Field(default_factory=Bounds, description="What one request may ask for.")
    policies: Policies = Field(default_factory=Policies, description="Policies that come in stages.")
    documents: Documents = Field(
        default_factory=Documents, description="Document libraries for devices; there are none unless named here."
    )
    log: Log = Field(default_factory=Log, description="The log, on standard error.")
    redis: Redis = Field(default_factory=Redis, description="Several processes.")
    hooks: Hooks = Field(default_factory=Hooks, description="What a groupware tells.")
    metrics: Metrics = Field(default_factory=Metrics, description="Figures for Prometheus.")
    pages: Pages = Field(default_factory=Pages, description="Pages in a browser.")
    stop: Stop = Field(default_factory=Stop, description="Coming to an end.")
    activity: Activity = Field(default_factory=Activity, description="What devices did.")
    keep: Keep = Field(default_factory=Keep, description="How long things are kept.")
    notices: Notices = Field(default_factory=Notices, description="Notices by mail.")
    reports: Reports = Field(default_factory=Reports, description="Reports.")
    wipe: Wipe = Field(default_factory=Wipe, description="Remote wipes.")
    access: Access = Field(default_factory=Access, description="Which phones are let in, beside the rules.")
    profile: Profile = Field(default_factory=Profile, description="How phones are set up.")
    backends: dict[str, Backend] = Field(
        default_factory=dict, description="Groupware on other servers, by a name of yours; without any, all is kept "
        "by the gateway itself."
    )

    @model_validator(mode="after")
    def _workers_share(self) -> Settings:
        if self.workers > 1 and not self.redis.url:
            raise ValueError("workers is more than 1: they hear of each other through Redis, but redis.url is missing")
        return self

    @model_validator(mode="after")
    def _phones_come_in(self) -> Settings:
        if self.login.phones == ("token",) and not self.oidc.audiences:
            raise ValueError("login.phones is token alone, but no token counts: oidc.audiences is empty")
        if self.client_certificates.header and not self.trusted_proxies:
            raise ValueError("client_certificates.header counts from trusted_proxies only, which is empty")
        return self

    @model_validator(mode="after")
    def _one_backend_a_domain(self) -> Settings:
        seen: dict[str, str] = {}
        for name, backend in self.backends.items():
            for domain in backend.domains or ("",):
                if (other := seen.setdefault(domain, name)) != name:
                    which = f"the domain {domain}" if domain else "all other domains"
                    raise ValueError(f"backends {other} and {name} both are for {which}")
        return self

    @property
    def database_url(self) -> str:
        return self.database or f"sqlite+aiosqlite:///{(self.data / 'eas.db').absolute()}"

    @property
    def host(self) -> str:
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.listen.rpartition(":")[2])


# -- reading them

Steps = tuple[str, ...]


def load(
    file: Path | None = None, overrides: Mapping[str, Any] | None = None, environment: Mapping[str, str] | None = None
) -> Settings:
    """`overrides` are dotted paths, None for what was not given. Raises ConfigError."""
    given: list[tuple[str, Steps, Any]] = []
    if file is not None:
        given += [(str(file), path, value) for path, value in _leaves(_from_file(file), ())]
    given += _from_environment(os.environ if environment is None else environment)
    given += [
        ("command line", tuple(name.split(".")), value)
        for name, value in (overrides or {}).items() if value is not None
    ]
    tree: dict[str, Any] = {}
    sources: dict[Steps, str] = {}
    for source, path, value in given:
        _put(tree, path, value)
        sources[path] = source
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        raise ConfigError("\n".join(sorted(_explain(error, sources)))) from None


def _from_file(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: {error}") from None


def _leaves(tree: Mapping[str, Any], above: Steps) -> Iterator[tuple[Steps, Any]]:
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*above, name))
        else:
            yield (*above, name), value


def _from_environment(environment: Mapping[str, str]) -> Iterator[tuple[str, Steps, Any]]:
    lists = {setting.path for setting in SETTINGS if setting.is_list}
    for name, value in sorted(environment.items()):
        if name.startswith(PREFIX) and name not in NO_SETTINGS:
            path = tuple(name.removeprefix(PREFIX).lower().split(NESTED))
            listed = _documented(".".join(path)) in lists
            yield name, path, [part for part in value.split(",") if part.strip()] if listed else value


def _put(tree: dict[str, Any], path: Steps, value: Any) -> None:
    """A value takes the place of a group and the other way round: whichever is wrong is found by the validation."""
    for name in path[:-1]:
        below = tree.get(name)
        tree[name] = tree = below if isinstance(below, dict) else {}
    tree[path[-1]] = value


def _explain(error: ValidationError, sources: Mapping[Steps, str]) -> Iterator[str]:
    for fault in error.errors():
        steps = tuple(str(step) for step in fault["loc"])
        path = ".".join(step for step in steps if not step.isdigit())
        # The fault may be of a group, or of one value in a list.
        whence: set[str] = set()
        above = steps
        while not whence and above:
            whence = {source for known, source in sources.items() if known[: len(above)] == above[: len(known)]}
            above = above[:-1]  # what is missing was not told by anybody, but its group was
        yield f"{path}: {_reason(path, fault)} ({', '.join(sorted(whence))})"


def _documented(path: str) -> str:
    """The path under which a setting is documented: what people name themselves is NAME there."""
    steps = path.split(".")
    return ".".join((steps[0], NAME, *steps[2:])) if steps[0] == "backends" and len(steps) > 1 else path


def _reason(path: str, fault: Any) -> str:
    path = _documented(path)
    setting = next((setting for setting in SETTINGS if setting.path == path), None)
    said = str(fault["ctx"]["error"]) if fault["type"] == "value_error" else ""
    if fault["type"] == "extra_forbidden":
        groups = {setting.path.rpartition(".")[0] for setting in SETTINGS} - {""}
        words = groups if isinstance(fault["input"], dict) else [setting.path for setting in SETTINGS]
        return "there is no such setting" + guess(path, words)
    if fault["type"] == "missing":
        return "is missing"
    if setting is None:  # a group as a whole
        return said or "this is a group of settings, not a value"
    value = "" if setting.secret else f", not {fault['input']!r}"
    if setting.is_list and not isinstance(fault["input"], str):
        value = f", not {fault['input']!r}"
    return f"{setting.allowed} is wanted{value}" + (f"; {said.lstrip('; ')}" if said else "")


# -- showing them


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting as it is documented. `allowed` continues "... is wanted"; `default` is "" for none."""

    path: str
    default: str
    allowed: str
    description: str
    secret: bool
    is_list: bool


def describe(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[Setting]:
    for name, info in model.model_fields.items():
        group, below = _group(info.annotation)
        if group is not None:
            yield from describe(group, f"{prefix}{name}.{below}")
        else:
            default = "" if info.is_required() else _text(info.get_default(call_default_factory=True))
            yield Setting(
                path=f"{prefix}{name}", default=default, allowed=_allowed(info), description=info.description or "",
                secret=info.annotation is SecretStr, is_list=get_origin(info.annotation) is tuple,
            )


def _group(kind: Any) -> tuple[type[BaseModel] | None, str]:
    """The group of settings that a field holds, and what stands between its path and theirs; None for a value."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind, ""
    members = get_args(kind)
    if get_origin(kind) is UnionType and type(None) in members:
        return _group(next(member for member in members if member is not type(None)))
    if get_origin(kind) is dict:
        return _group(members[1])[0], f"{NAME}."
    return None, ""


def _allowed(info: FieldInfo) -> str:
    parts = [info.annotation, *info.metadata]
    for part in list(parts):
        parts += get_args(part) if get_origin(part) is not Literal else ()
    parts += [inner for part in list(parts) for inner in getattr(part, "__metadata__", ())]
    words = next((part.words for part in parts if isinstance(part, Allowed)), None)
    if words is not None:
        return f"a list, each {words}" if get_origin(info.annotation) is tuple else words
    if get_origin(info.annotation) is Literal:
        *most, last = get_args(info.annotation)
        return f"{', '.join(most)} or {last}"
    if info.annotation is int:
        bounds = {name: getattr(part, name) for part in info.metadata for name in ("ge", "le") if hasattr(part, name)}
        upper = f" to {bounds['le']}" if "le" in bounds else " or more"
        return f"a whole number, {bounds['ge']}{upper}"
    if get_origin(info.annotation) is dict:
        return "a table of texts"
    return {Path: "a path", SecretStr: "text", str: "text", bool: "true or false"}[info.annotation]  # type: ignore[index]


def _text(value: Any) -> str:
    if isinstance(value, SecretStr):
        return HIDDEN if value.get_secret_value() else ""
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    if isinstance(value, dict):
        return ", ".join(f"{name}={one}" for name, one in value.items())
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def show(settings: Settings) -> Iterator[tuple[str, str]]:
    """(path, value as text) of every setting as it is in force; no secrets, also not inside of URLs."""
    yield from _shown(settings, "")


def _shown(group: BaseModel, prefix: str) -> Iterator[tuple[str, str]]:
    for name, info in type(group).model_fields.items():
        value: Any = getattr(group, name)
        if isinstance(value, BaseModel):
            yield from _shown(value, f"{prefix}{name}.")
        elif isinstance(value, dict) and _group(info.annotation)[0] is not None:
            for key, one in value.items():
                yield from _shown(one, f"{prefix}{name}.{key}.")
        elif _group(info.annotation)[0] is None:
            if f"{prefix}{name}" == "database" and value:
                value = make_url(value).render_as_string(hide_password=True)
            yield f"{prefix}{name}", _text(value)


def markdown() -> str:
    """The table of settings for docs/operations.md."""
    lines = ["| setting | default | allowed | what it is |", "|---|---|---|---|"]
    for one in SETTINGS:
        default = f"`{one.default}`" if one.default else ""
        lines.append(f"| `{one.path}` | {default} | {one.allowed} | {one.description} |")
    return "\n".join(lines) + "\n"


SETTINGS: tuple[Setting, ...] = tuple(describe())
