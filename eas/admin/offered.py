"""The modules whose actions are offered over HTTP; to import this is to register them. New ones are added here."""

from . import actions, people, staff

__all__ = ["actions", "people", "staff"]
