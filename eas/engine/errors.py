"""What can go wrong below the commands. A command turns these into its statuses; none of them knows a number.

    SyncError
      NotPrimed  StaleKey  CollectionGone  HierarchyChanged  NotRemembered  Contended
    BackendError
      Unavailable  ItemGone  FolderGone  FolderExists  VersionConflict  NoRecurrence  NotAllowed  TooLarge  NoSpace
      Undeliverable
      BadLink  Blocked  CredentialsRequired  Unreachable  TimedOut
"""

from __future__ import annotations

from enum import Enum, auto


class SyncError(Exception):
    """Base: the state of the synchronisation does not allow what was asked."""


class NotPrimed(SyncError):
    """No Sync with key 0 came first."""


class StaleKey(SyncError):
    """The key is none that its collection knows."""


class CollectionGone(SyncError):
    """The collection id is unknown to this user, or its folder was deleted."""


class HierarchyChanged(SyncError):
    """The folders have changed since the device last heard of them."""


class NotRemembered(SyncError):
    """An empty or partial request refers to one that is not remembered, or whose keys have been superseded."""


class Contended(SyncError):
    """Another request moved the state while this one was being computed, again and again."""


class BackendError(Exception):
    """Base: the groupware refused or failed."""


class Unavailable(BackendError):
    """The groupware cannot be reached or is overloaded just now; the same request may succeed later."""


class ItemGone(BackendError):
    """The item does not exist (any more)."""


class FolderGone(BackendError):
    """The folder, or the parent that was named, does not exist (any more)."""


class FolderExists(BackendError):
    """A folder of that name stands there already."""


class VersionConflict(BackendError):
    """The item is no longer in the version that the write was conditional on."""


class NoRecurrence(BackendError):
    """One instance was named of an appointment that does not recur."""


class NotAllowed(BackendError):
    """The user has no right to do this."""


class TooLarge(BackendError):
    """Larger than the groupware takes."""


class NoSpace(BackendError):
    """The user's quota or the disk is full."""


class Refusal(Enum):
    """Why a message was not taken for delivery."""

    NO_RECIPIENT = auto()
    UNKNOWN_RECIPIENT = auto()
    SENDER = auto()
    TOO_LARGE = auto()
    REJECTED = auto()
    UNREACHABLE = auto()


class Undeliverable(BackendError):
    """A message was refused as a whole; nothing was sent."""

    def __init__(self, reason: Refusal, detail: str = "") -> None:
        super().__init__(detail or reason.name)
        self.reason = reason


class BadLink(BackendError):
    """What should name a document is no link."""


class Blocked(BackendError):
    """A document that lies outside of what the admin opened to devices."""


class CredentialsRequired(BackendError):
    """The document's server wants a name and a password, and the device gave none."""


class Unreachable(BackendError):
    """The document's server cannot be connected to."""


class TimedOut(BackendError):
    """The document's server did not answer in time."""
