"""The modules whose actions are offered over HTTP; to import this is to register them. New ones are added here."""

from . import actions, devices, passwords, people, staff

__all__ = ["actions", "devices", "passwords", "people", "staff"]
