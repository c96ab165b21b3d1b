"""Which modules have the pages of each area, in the order of the menu. A module lists its pages in its PAGES."""

from __future__ import annotations

from collections.abc import Mapping

from .sessions import ADMIN, MY, Area

ADMIN_MODULES = (
    "home",
    "devices",
    "deeds",
    "device", "recordings",
    "live",
    "users",
    "wipes",
    "audit",
    "access",
    "policies",
    "reports",
    "staff",
)
MY_MODULES: tuple[str, ...] = (
    "my",
    "my_setup",
    "my_passwords",
    "my_filters",
    "my_away",
    "my_log",
)

MODULES: Mapping[Area, tuple[str, ...]] = {ADMIN: ADMIN_MODULES, MY: MY_MODULES}
