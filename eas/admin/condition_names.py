"""What may be amiss with a device: the names, what each means, and what to do. docs/health.md is made of `ABOUT`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """INFO is nothing to worry about, WARNING wants to be looked at, CRITICAL now."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Name(StrEnum):
    NO_SYNC_FOR_LONG = "no-sync-for-long"
    NEVER_SYNCED = "never-finished-first-sync"
    STUCK_ON_ONE_KEY = "stuck-on-one-key"
    RESYNC_LOOP = "resync-loop"
    FOLDER_FAILS = "folder-fails"
    STORM = "storm"
    WAITS_NEVER_HELD = "waits-never-held"
    POLICY_NOT_ACCEPTED = "policy-not-accepted"
    PASSWORD_WRONG = "password-wrong-since"
    BACKEND_AWAY = "backend-away"
    WIPE_PENDING = "wipe-pending"
    QUARANTINED = "quarantined"
    BLOCKED = "blocked"
    DUPLICATE = "duplicate-partnerships"
    DEGRADED_ITEMS = "degraded-items"
    NO_SERVER = "no-server"


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """`title` in few words, `means` and `todo` for people. `severity` is the usual one; a finding may be worse."""

    title: str
    means: str
    todo: str
    severity: Severity


ABOUT: Mapping[Name, About] = {
    Name.NO_SYNC_FOR_LONG: About(
        title="not heard of for long", severity=Severity.WARNING,
        means="The device has not asked for anything for a week or more.",
        todo="Ask its owner whether the phone is still used. If not, remove the device, so that a lost one does not "
             "stay among the known ones; if it is, look whether its account is switched off or its password old.",
    ),
    Name.NEVER_SYNCED: About(
        title="first fetch not finished", severity=Severity.WARNING,
        means="The device was set up more than an hour ago and has not fetched any folder to the end.",
        todo="Look at its last answers: they say what it waits for. Often the policy is not accepted yet, or the app "
             "was closed while it fetched. Opening the mail app and waiting helps; else remove the account and set it "
             "up again.",
    ),
    Name.STUCK_ON_ONE_KEY: About(
        title="stuck in one folder", severity=Severity.WARNING,
        means="The device asks again and again for the same step of a folder: it does not get the answer, or cannot "
              "take it. Nothing new arrives in that folder.",
        todo="Resync that folder. If it comes back, an item in it breaks the app: look at the degraded items, and "
             "update the app.",
    ),
    Name.RESYNC_LOOP: About(
        title="begins a folder over and over", severity=Severity.WARNING,
        means="The device has begun the same folder from nothing several times today: much traffic, little battery.",
        todo="Look whether two programs use the same device id, or a proxy cuts off large answers. Removing the "
             "account and setting it up again usually ends it.",
    ),
    Name.FOLDER_FAILS: About(
        title="a folder is always refused", severity=Severity.WARNING,
        means="One folder has been answered with the same error for a while; the others go on.",
        todo="The last answers say in words what is wrong. Resync that folder if they say nothing better.",
    ),
    Name.STORM: About(
        title="asks far too often", severity=Severity.WARNING,
        means="The device repeats the same request without effect many times a minute; it is slowed down, and its "
              "battery suffers.",
        todo="Restart the phone's mail app; update it. If it goes on, remove the account and set it up again.",
    ),
    Name.WAITS_NEVER_HELD: About(
        title="push does not hold", severity=Severity.WARNING,
        means="The device waits for news, but its connection is cut off each time before the wait is over: news may "
              "arrive late, and the battery suffers.",
        todo="Look for a proxy or firewall that closes idle connections, and let it hold them for half an hour "
             "(docs/operations.md, proxies).",
    ),
    Name.POLICY_NOT_ACCEPTED: About(
        title="policy not accepted", severity=Severity.WARNING,
        means="The device is refused until it has accepted its policy, and it does not.",
        todo="Its owner opens the mail app and accepts the request, or sets a screen lock as asked. A dry run of the "
             "policy says whether this kind of phone can meet it at all.",
    ),
    Name.PASSWORD_WRONG: About(
        title="wrong password", severity=Severity.WARNING,
        means="The device tries to log in with a wrong password and has not got in since.",
        todo="Its owner enters the present password in the phone's account settings. Until then the phone asks in "
             "vain, and may lock the login for others.",
    ),
    Name.BACKEND_AWAY: About(
        title="server behind does not answer", severity=Severity.WARNING,
        means="Requests of the device failed since what stands behind the gateway did not answer.",
        todo="Run `eas doctor`. Phones go on by themselves once the server is back.",
    ),
    Name.WIPE_PENDING: About(
        title="wipe not carried out yet", severity=Severity.WARNING,
        means="A wipe was asked for, and the device has not said that it is done.",
        todo="It is done when the device asks next. If it does not come any more, the data may still be on it: change "
             "the password, and keep the wipe pending.",
    ),
    Name.QUARANTINED: About(
        title="waits to be let in", severity=Severity.WARNING,
        means="The device is in quarantine until somebody decides.",
        todo="Allow it or block it.",
    ),
    Name.BLOCKED: About(
        title="blocked", severity=Severity.INFO,
        means="The device is not let in.",
        todo="Nothing, if that is meant. Remove it once it is not needed as a reminder.",
    ),
    Name.DUPLICATE: About(
        title="the same phone twice", severity=Severity.INFO,
        means="The same phone seems to be registered several times; this registration is the one that is not used.",
        todo="Remove this one if its owner confirms that there is only one such phone.",
    ),
    Name.DEGRADED_ITEMS: About(
        title="items arrived simplified", severity=Severity.INFO,
        means="Some items could not be converted whole; the device has a simplified form of them.",
        todo="The device's page lists them with the reason. Try again after a new release, which also does so by "
             "itself.",
    ),
    Name.NO_SERVER: About(
        title="no server runs", severity=Severity.CRITICAL,
        means="Nothing answers on the control socket of this data folder, and no other process tells of itself.",
        todo="Start `eas serve`; if it ends again, its log says why.",
    ),
}
