"""What can go wrong for a client.

    ClientError
      LostAnswer        the server may have done what was asked, or not
      Unauthorised      401: name or password is wrong
      Forbidden         403: this user or device is not let in
      Busy              503: to be asked again later
      HttpFailure       any other HTTP status than 200
      Refusal           a Status that says that nothing was done
        NeedsProvisioning   449, or Status 139-145
      BadAnswer         an answer that is not what the protocol has there
"""

from __future__ import annotations

from eas.protocol.statuses import CommonStatus

#: The statuses after which a device provisions (again). [MS-ASPROV] R5280, R4899-R4917 of [MS-ASCMD].
PROVISIONING = frozenset(
    {
        CommonStatus.REMOTE_WIPE_REQUESTED,
        CommonStatus.LEGACY_DEVICE_ON_STRICT_POLICY,
        CommonStatus.DEVICE_NOT_PROVISIONED,
        CommonStatus.POLICY_REFRESH,
        CommonStatus.INVALID_POLICY_KEY,
    }
)


class ClientError(Exception):
    """Base."""


class LostAnswer(ClientError):
    """No answer came: the connection failed or timed out."""


class Unauthorised(ClientError):
    """HTTP 401."""


class Forbidden(ClientError):
    """HTTP 403."""


class Busy(ClientError):
    """HTTP 503. `retry_after` in seconds, None if the server did not say."""

    def __init__(self, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class HttpFailure(ClientError):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Refusal(ClientError):
    """A command was answered with a Status other than success."""

    def __init__(self, command: str, status: int, detail: str = "") -> None:
        super().__init__(f"{command}: {describe(status)}" + (f" ({detail})" if detail else ""))
        self.command = command
        self.status = status


class NeedsProvisioning(Refusal):
    """The server wants Provision first. `status` is 449 where HTTP said so."""


class BadAnswer(ClientError):
    """The answer cannot be read, or lacks what it must have."""


def describe(status: int) -> str:
    """A status in words: common statuses by name, others by number alone, since each command has its own."""
    try:
        return f"Status {status}, {CommonStatus(status).name.lower().replace('_', ' ')}"
    except ValueError:
        return f"Status {status}"
