"""The clock and the dice of this machine: Clock and Entropy of eas.engine.ports."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime

#: 128 bits: no two keys are ever equal.
_KEY_BYTES = 16


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


class SystemEntropy:
    def key(self) -> str:
        return secrets.token_hex(_KEY_BYTES)

    def number(self) -> str:
        return str(secrets.randbelow(2**32 - 1) + 1)
