"""Every command, registered: importing this module fills the table."""

from __future__ import annotations

from . import (  # noqa: F401 - importing a command registers it
    find,
    folder_create,
    folder_delete,
    folder_sync,
    folder_update,
    get_attachment,
    get_hierarchy,
    get_item_estimate,
    item_operations,
    meeting_response,
    move_items,
    notify,
    ping,
    provision,
    resolve_recipients,
    search,
    send_mail,
    settings,
    smart_forward,
    smart_reply,
    sync,
    validate_cert,
)
from ._registry import COMMANDS

__all__ = ["COMMANDS"]
