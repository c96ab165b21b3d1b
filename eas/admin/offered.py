"""The modules whose actions are offered over HTTP; to import this is to register them. New ones are added here."""

from __future__ import annotations

from importlib import import_module

MODULES = (
    "access",
    "actions",
    "audit",
    "activity",
    "devices",
    "health",
    "overview",
    "own",
    "own_mail",
    "passwords",
    "people",
    "policy_actions",
    "policy_rolls",
    "recordings",
    "reports",
    "setting_up",
    "staff",
    "wiping",
)

for _name in MODULES:
    import_module(f"eas.admin.{_name}")
