"""What can be wrong with an action, in words for whoever asked for it."""

from __future__ import annotations


class ActionError(Exception):
    """The action was not done; the message says why."""


class NotFound(ActionError):
    """Who or what was named is not there."""


class Refused(ActionError):
    """It is there, and this cannot be done with it."""


class Invalid(ActionError):
    """What was given (a file, a value) cannot be used."""


class Forbidden(ActionError):
    """Who asked may not."""
