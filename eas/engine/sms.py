"""Text messages of a phone (class SMS): taken and not kept.

Phones that back their text messages up send each as an Add of class SMS into a folder of mail, some without having been
asked. The mailbox is for mail: the messages are answered as if they were stored, so that no phone sends them for ever,
and then forgotten. The ServerId is made of the ClientId, so that a repeated request gets the same; what a phone
later says of such an id is passed over as well. Nothing is ever sent of this class.

[MS-ASCMD] Class (Sync) R934, R6298; docs/protocol.md.
"""

from __future__ import annotations

from hashlib import blake2b

from eas.protocol.version import SMS as SPOKEN
from eas.protocol.version import Version

from .apply import DeviceCommand, Done, ItemStatus, Result
from .model import Folder

SMS = "SMS"
_EMAIL = "Email"

#: What stands before the digest in an id: no id of an item has a letter there (eas.engine.ids).
_MARK = "sms"
_DIGEST_OCTETS = 8


def swallowed(command: DeviceCommand, folder: Folder, version: Version) -> Result | None:
    """The answer to a command on a text message; None for a command on anything else."""
    if version not in SPOKEN or folder.item_class != _EMAIL:
        return None
    prefix = f"{folder.id}:{_MARK}"
    if command.verb is Done.ADD:
        if command.item_class != SMS or command.data is None:
            return None
        digest = blake2b(command.named.encode(), digest_size=_DIGEST_OCTETS).hexdigest()
        return Result(verb=Done.ADD, named=command.named, status=ItemStatus.SUCCESS, server_id=prefix + digest)
    if not command.named.startswith(prefix) or command.verb is Done.FETCH:
        return None
    return Result(verb=command.verb, named=command.named, status=ItemStatus.SUCCESS, instance=command.instance)
