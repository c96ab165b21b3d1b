"""What devices are called."""

from __future__ import annotations

import pytest

from eas.admin.kinds import OTHER, kind_of


@pytest.mark.parametrize(
    ("type", "agent", "os", "word"),
    [
        ("iPhone", "Apple-iPhone15C2/2203.52", "iOS 26.1", "iPhone"),
        ("iPad", "Apple-iPad13C1/2203.52", "", "iPad"),
        ("Outlook", "Outlook-iOS-Android/1.0", "", "Outlook for iOS and Android"),
        ("WindowsOutlook15", "Microsoft Outlook 16.0", "", "Outlook for Windows"),
        ("WindowsMail", "MSFT-WIN-4/10.0", "", "Windows Mail"),
        ("SAMSUNGSMS911B", "SAMSUNG-SM-S911B/101.14", "Android 14", "Samsung"),
        ("Android", "Android-Mail/2026.01.04", "Android 16", "Gmail"),
        ("Android", "Android/9-EAS-2.0", "", "Android"),
        ("PocketPC", "MSFT-PPC/5.2.5082", "", "Windows Mobile"),
        ("WP8", "MSFT-WP/8.10", "", "Windows Phone"),
        ("nokiaE63", "NokiaE63/MailforExchange", "", "Nokia"),
        ("EASPHONE", "eas-phone/0.1", "eas", "Simulated phone"),
        ("", "", "", OTHER),
    ],
)
def test_devices_have_the_names_that_people_use(type: str, agent: str, os: str, word: str) -> None:
    assert kind_of(type, agent, os) == word
