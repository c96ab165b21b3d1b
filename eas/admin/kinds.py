"""What a device is, in the word that people use for it: by its type, its agent and its own words. For lists and counts
only: what is done otherwise for a device is decided by eas.engine.quirks."""

from __future__ import annotations

import re
from functools import lru_cache

#: (word, DeviceType, User-Agent, OS): regular expressions that must be found, "" fits anything. The first that fits.
KINDS: tuple[tuple[str, str, str, str], ...] = (
    ("iPhone", r"^iPhone", "", ""),
    ("iPhone", "", r"^Apple-iPhone", ""),
    ("iPad", r"^iPad", "", ""),
    ("iPad", "", r"^Apple-iPad", ""),
    ("Mac", "", r"^MacOSX|Mac OS X", ""),
    ("Outlook for iOS and Android", "", r"Outlook-(iOS|Android)", ""),
    ("Outlook for iOS and Android", r"^Outlook$", "", ""),
    ("Outlook for Windows", r"^WindowsOutlook", "", ""),
    ("Windows Mail", r"^(WindowsMail|UniversalOutlook|Windows8?Mail)", "", ""),
    ("Nine", "", r"^(Nine|9Folders)|NineMail", ""),
    ("Samsung", r"^SAMSUNG|^SEC", "", ""),
    ("Samsung", "", r"^SAMSUNG", ""),
    ("Gmail", "", r"^(Android-Mail|Gmail)", ""),
    ("BlackBerry", r"^BlackBerry", "", ""),
    ("Nokia", r"nokia|symbian", "", ""),
    ("Nokia", "", r"MailforExchange|symbian", ""),
    ("Windows Phone", r"^(WP|WindowsPhone)", "", ""),
    ("Windows Mobile", r"^(PocketPC|SmartPhone)", "", ""),
    ("Android", r"android", "", ""),
    ("Android", "", r"android", ""),
    ("Simulated phone", "", "", r"^eas$"),
)
OTHER = "Other"


@lru_cache(4096)
def kind_of(type: str, agent: str, os: str = "") -> str:
    return next(
        (
            word for word, *patterns in KINDS
            if all(re.search(p, text, re.IGNORECASE) for p, text in zip(patterns, (type, agent, os), strict=True))
        ),
        OTHER,
    )
