"""What is known of one request, from its coming to its end."""

from __future__ import annotations

from dataclasses import dataclass

from eas.engine.activity import FolderNote


@dataclass(slots=True)
class Note:
    """What is known of a request, for its line in the log and for the figures; filled in as it becomes known. `waited`
    in seconds; `rung_at` is when what it waited for was seen (by the monotonic clock, 0 for nothing). `gone`: the
    client went while it waited. `anew`: the device begins a folder, or all of them, from the first key. `user_id` is
    that of the partnership, `login` what somebody stated who was not let in, `who` the id of whoever was recognised.
    `held_since` is when a wait began that goes on (monotonic, 0 for none) and `how` what ended the last one; `watched`
    counts the folders. `folders` and `moved` are what became of the folders of a Sync, and of items by class and
    direction."""

    user: str = ""
    device: str = ""
    command: str = ""
    version: str = ""
    status: str = ""
    items: int | None = None
    waited: float = 0.0
    rung_at: float = 0.0
    gone: bool = False
    anew: bool = False
    user_id: str = ""
    login: str = ""
    who: str = ""
    held_since: float = 0.0
    how: str = ""
    watched: int = 0
    folders: tuple[FolderNote, ...] = ()
    moved: tuple[tuple[str, str, int], ...] = ()
