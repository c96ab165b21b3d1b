"""Settings of what several processes share, and of running them: Redis, hooks, metrics, stopping, keeping, notices."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, model_validator

from .kinds import Allowed, File, HostPort, Mailbox, Network, Part


def _redis(value: str) -> str:
    if value and not value.startswith(("redis://", "rediss://", "unix://")):
        raise ValueError
    return value


RedisUrl = Annotated[
    str, AfterValidator(_redis), Allowed("a URL, as redis://host:6379/0, rediss://host:6379/0 or unix:///path")
]


class Redis(Part):
    url: RedisUrl = Field(
        "", description="What the processes of a site share for the moment; empty: there is one process. Losing it "
        "loses no data. With `cluster`, any of its nodes; with `sentinels`, only scheme and database count."
    )
    cluster: bool = Field(False, description="It is a Redis Cluster.")
    sentinels: tuple[HostPort, ...] = Field((), description="Sentinels that know where the master is.")
    service: str = Field("mymaster", description="The name of the master with the sentinels.")
    user: str = Field("", description="Login there; empty for none.")
    password: SecretStr = Field(SecretStr(""), description="Password there.")
    ca_file: File | None = Field(None, description="Certificates (PEM) to trust in place of the system's, for rediss.")
    prefix: str = Field("eas", description="What all names of this site begin with, where several share one Redis.")

    @model_validator(mode="after")
    def _one_kind(self) -> Redis:
        if self.cluster and self.sentinels:
            raise ValueError("there are sentinels, or it is a cluster, not both")
        if not self.url and (self.cluster or self.sentinels):
            raise ValueError("url is missing")
        return self


class Hooks(Part):
    token: SecretStr = Field(
        SecretStr(""), description="What a groupware must send as `Authorization: Bearer` (or as password, to "
        "`/hooks/dovecot`) to tell of changes; empty: there are no hooks."
    )
    networks: tuple[Network, ...] = Field((), description="Who may call hooks at all; empty: anybody with the token.")


class Metrics(Part):
    token: SecretStr = Field(
        SecretStr(""), description="What must be sent as `Authorization: Bearer` to read `/metrics`."
    )
    networks: tuple[Network, ...] = Field(
        ("127.0.0.0/8", "::1"), description="Who may read `/metrics` without the token. This machine counts only if "
        "`trusted_proxies` has it: else whatever its proxy passes on would come from here."
    )


class Pages(Part):
    enabled: bool = Field(True, description="Whether there are pages for staff (/admin) and owners (/my), and the API.")
    staff_networks: tuple[Network, ...] = Field(
        (), description="Whence /admin and the API may be used; empty: from anywhere."
    )
    session_hours: int = Field(12, ge=1, le=720, description="So long a login to the pages lasts.")
    idle_minutes: int = Field(60, ge=5, le=43200, description="Unused for so long, it ends before.")


class Stop(Part):
    drain_seconds: int = Field(
        0, ge=0, le=600, description="When told to stop: for so long `/health/ready` says no while all else goes on, "
        "so that what is in front sends new requests elsewhere."
    )
    release_seconds: int = Field(
        5, ge=0, le=600, description="Over so long the phones that wait are answered then, lest all come at once."
    )
    grace_seconds: int = Field(15, ge=0, le=600, description="So long requests under way may take after that.")


class Keep(Part):
    unused_device_days: int = Field(
        0, ge=0, description="Devices that were not heard of for so many days are removed with all that is known of "
        "them; 0: never. One with a wipe that is not carried out yet stays."
    )
    unused_state_days: int = Field(
        180, ge=0, description="What a device held of its folders is dropped after so many days without a request: it "
        "begins anew then; 0: never."
    )
    intent_days: int = Field(
        7, ge=1, description="For so many days it is remembered what became of effects, lest a device ask again."
    )
    audit_days: int = Field(
        0, ge=0, description="The audit log is kept for so many days; what was removed is sealed by an entry, so that "
        "the rest can still be verified; 0: for ever."
    )
    recordings_days: int = Field(
        14, ge=1, le=365, description="Recordings of what devices and the server say to each other are removed so many "
        "days after their end."
    )
    activity_days: int = Field(
        90, ge=1, description="What devices did is kept for so many days: counts of days and hours, last events."
    )


class Activity(Part):
    write_seconds: int = Field(
        300, ge=5, le=3600, description="What a phone did is written down together once in so many seconds; sooner "
        "where something goes wrong, or somebody looks."
    )


class Wipe(Part):
    two_persons: bool = Field(
        False, description="What one of the staff wants to have wiped waits until another one agrees; owners wipe "
        "their own phones at once."
    )
    approval_hours: int = Field(24, ge=1, le=720, description="For so long it waits; then it is dropped.")


class Reports(Part):
    monthly_to: tuple[Mailbox, ...] = Field(
        (), description="Who gets the summary of the month by mail, on the first of the next; empty: nobody."
    )


class Notices(Part):
    sender: Mailbox = Field(
        "", description="From whom notices come, and where it is reported that one could not be delivered; empty: "
        "postmaster@ of `domain`, and nowhere."
    )
    admins: tuple[Mailbox, ...] = Field(
        (), description="Who is told by mail of what staff has to know: wipes, phones in quarantine, blocks."
    )
    per_hour: int = Field(20, ge=1, le=1000, description="Most notices about one thing to one address in an hour.")


class Profile(Part):
    organisation: str = Field(
        "", description="Whose account it is, as a phone shows it when a profile is installed; empty: the host's name."
    )
    certificate: File | None = Field(
        None, description="Certificate (PEM) that signs Apple configuration profiles, so that a phone shows them as "
        "verified; without, they are not signed."
    )
    key: File | None = Field(None, description="Its private key (PEM), RSA or elliptic.")
    chain: File | None = Field(None, description="The certificates (PEM) between it and one that phones know.")

    @model_validator(mode="after")
    def _both(self) -> Profile:
        if (self.certificate is None) != (self.key is None):
            missing = "certificate" if self.certificate is None else "key"
            raise ValueError(f"certificate and key belong together; {missing} is missing")
        return self
