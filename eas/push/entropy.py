"""New names and keys that cannot be guessed. `Entropy` of eas.engine.ports."""

from __future__ import annotations

import secrets

#: Enough that no two are ever equal and none is guessed; 32 characters as text, a SyncKey may have 64.
KEY_BYTES = 16


class SystemEntropy:
    def key(self) -> str:
        return secrets.token_hex(KEY_BYTES)

    def number(self) -> str:
        return str(secrets.randbelow(2**32 - 1) + 1)
