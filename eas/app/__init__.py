"""The gateway, put together and run: the only package that knows all parts. Imported from here by name."""

from .building import RELEASE, App, build
from .meanings import ANCHORS
from .running import configure_log, serve, work
from .sharing import Herald
from .supervising import supervise
from .tenants import tenants_of
from .workers import as_worker

__all__ = [
    "ANCHORS", "RELEASE", "App", "Herald", "as_worker", "build", "configure_log", "serve", "supervise", "tenants_of",
    "work",
]
