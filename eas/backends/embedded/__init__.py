"""The groupware that comes with the gateway: users, folders, mail, calendars and address books in one SQL database."""

from .backend import Embedded, open_embedded
from .groupware import Limits

__all__ = ["Embedded", "Limits", "open_embedded"]
