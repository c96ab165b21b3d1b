"""The gateway, put together and run: the only package that knows all parts. Imported from here by name."""

from .building import ANCHORS, RELEASE, App, build
from .running import configure_log, serve
from .sharing import Herald
from .tenants import tenants_of

__all__ = ["ANCHORS", "RELEASE", "App", "Herald", "build", "configure_log", "serve", "tenants_of"]
