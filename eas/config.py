"""Settings: one frozen tree, read once from a TOML file, the environment and the command line; passed down as values.

A later source wins: defaults, file, environment (`EAS_LISTEN`, `EAS_SMARTHOST__HOST`), command line. A setting that does
not exist is an error, with a guess at what was meant. docs/operations.md lists them all, made from here.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal
from zoneinfo import available_timezones

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

PREFIX, NESTED = "EAS_", "__"


class ConfigError(ValueError):
    """One line for each fault, with the path of the setting and what is allowed."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Tls(_Part):
    cert: Path | None = Field(None, description="Certificate chain (PEM), for sites without a proxy in front.")
    key: Path | None = Field(None, description="Private key (PEM) of the certificate.")


class Smarthost(_Part):
    host: str = Field("", description="Where mail for other domains is handed over; empty: it is refused.")
    port: int = Field(587, ge=1, le=65535, description="Its port.")
    security: Literal["starttls", "tls", "none"] = Field("starttls", description="starttls, tls, or none.")
    user: str = Field("", description="Login there; empty for none.")
    password: SecretStr = Field(SecretStr(""), description="Password there.")


class Lmtp(_Part):
    listen: str = Field(
        "", description="HOST:PORT, or the path of a Unix socket, where an MTA delivers by LMTP; empty for none."
    )
    max_bytes: int = Field(50 << 20, ge=1 << 10, description="Largest message taken, in bytes.")


class Bounds(_Part):
    heartbeat_min_seconds: int = Field(60, ge=1, le=3540, description="Shortest wait that a device may ask for.")
    heartbeat_max_seconds: int = Field(3540, ge=60, le=3540, description="Longest wait that a device may ask for.")
    max_collections: int = Field(300, ge=1, description="Collections in one Sync.")
    max_ping_folders: int = Field(300, ge=1, description="Folders in one Ping.")
    max_body_bytes: int = Field(64 << 20, ge=1 << 16, description="Largest request, in bytes.")


class Log(_Part):
    format: Literal["console", "json"] = Field("console", description="console for people, json for machines.")
    level: Literal["debug", "info", "warning", "error"] = Field("info", description="The least that is logged.")


class Settings(_Part):
    data: Path = Field(Path("data"), description="Folder of the embedded store and of all state.")
    listen: str = Field("127.0.0.1:8080", description="HOST:PORT for devices.")
    database: str = Field("", description="SQLAlchemy URL; empty: an SQLite file in the data folder.")
    domain: str = Field("", description="Domain of logins that name none.")
    time_zone: str = Field("UTC", description="IANA zone of users who have none.")
    trusted_proxies: tuple[str, ...] = Field((), description="Networks whose X-Forwarded-For is believed.")
    tls: Tls = Field(default_factory=Tls, description="TLS without a proxy.")
    smarthost: Smarthost = Field(default_factory=Smarthost, description="Outgoing mail.")
    lmtp: Lmtp = Field(default_factory=Lmtp, description="Incoming mail.")
    limits: Bounds = Field(default_factory=Bounds, description="What one request may ask for.")
    log: Log = Field(default_factory=Log, description="The log.")

    @field_validator("listen")
    @classmethod
    def _listen(cls, value: str) -> str:
        host, colon, port = value.rpartition(":")
        if not (colon and host and port.isdigit() and 0 <= int(port) <= 65535):
            raise ValueError("HOST:PORT is wanted, as in 127.0.0.1:8080 or [::1]:8080")
        return value

    @field_validator("time_zone")
    @classmethod
    def _zone(cls, value: str) -> str:
        if value not in available_timezones():
            near = difflib.get_close_matches(value, available_timezones(), 1)
            raise ValueError(f"no such time zone{f'; {near[0]}?' if near else ''}")
        return value

    @property
    def database_url(self) -> str:
        return self.database or f"sqlite+aiosqlite:///{(self.data / 'eas.db').absolute()}"

    @property
    def host(self) -> str:
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.listen.rpartition(":")[2])


def load(
    file: Path | None = None, overrides: Mapping[str, Any] | None = None, environment: Mapping[str, str] | None = None
) -> Settings:
    """`overrides` are dotted paths, None for what was not given. Raises ConfigError."""
    tree: dict[str, Any] = {}
    if file is not None:
        tree = _from_file(file)
    for path, value in (*_from_environment(os.environ if environment is None else environment),
                        *((tuple(k.split(".")), v) for k, v in (overrides or {}).items() if v is not None)):
        _put(tree, path, value)
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        raise ConfigError("\n".join(_explain(error))) from None


def _from_file(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: {error}") from None


#: Variables with our prefix that are no settings: those of tests.
_OTHERS = frozenset({"EAS_XSD", "EAS_SPEC", "EAS_FUZZ_EXAMPLES", "EAS_KILLS", "EAS_PASSWORD"})


def _from_environment(environment: Mapping[str, str]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, value in sorted(environment.items()):
        if name.startswith(PREFIX) and name not in _OTHERS:
            path = tuple(name.removeprefix(PREFIX).lower().split(NESTED))
            yield path, value.split(",") if path == ("trusted_proxies",) else value


def _put(tree: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for name in path[:-1]:
        below = tree.setdefault(name, {})
        if not isinstance(below, dict):
            raise ConfigError(f"{'.'.join(path)}: {name} is no group of settings")
        tree = below
    tree[path[-1]] = value


def _explain(error: ValidationError) -> Iterator[str]:
    for fault in error.errors():
        path = ".".join(str(step) for step in fault["loc"])
        if fault["type"] == "extra_forbidden":
            near = difflib.get_close_matches(path, [name for name, _, _ in describe()], 1)
            yield f"{path}: there is no such setting{f'; {near[0]}?' if near else ''}"
        else:
            yield f"{path}: {fault['msg'].removeprefix('Value error, ')}"


def describe(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """(path, default as text, description) of every setting, for the documentation."""
    for name, info in model.model_fields.items():
        kind = info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from describe(kind, f"{prefix}{name}.")
        else:
            default = info.get_default(call_default_factory=False)
            shown = "" if default in (None, ()) or isinstance(default, SecretStr) else str(default)
            yield f"{prefix}{name}", shown, info.description or ""
