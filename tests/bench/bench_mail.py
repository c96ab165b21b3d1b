"""What a message costs, in microseconds of CPU. Run it by hand: `python tests/bench/bench_mail.py`.

The budgets are this project's own: structure of a 20 KB message under 300, a message rendered under 250, 3,000
recipients under 5,000. It prints; what must not get worse by orders is asserted in tests/items/test_email.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from eas.items import email, headers, mime
from eas.items.body import BodyPreference, BodyType, Wanted
from eas.items.native import Mail, MailFlags, Part, Viewer
from eas.protocol import schema
from eas.protocol.version import Version

_ROUNDS = 7


def best(work: Callable[[], object], times: int = 200) -> float:
    """Microseconds of CPU of the best of some rounds."""
    least = float("inf")
    for _ in range(_ROUNDS):
        start = time.process_time()
        for _ in range(times):
            work()
        least = min(least, (time.process_time() - start) / times)
    return least * 1e6


def header(to: str = "Jane Doe <jane@example.org>, Team <team@example.org>") -> bytes:
    received = "".join(
        f"Received: from mx{i}.example.net (mx{i}.example.net [192.0.2.{i}])\r\n\tby mail.example.org with ESMTPS id "
        f"4Xyz{i}\r\n\tfor <jane@example.org>; Mon, 1 Jul 2024 09:0{i}:00 +0000 (UTC)\r\n"
        for i in range(6)
    )
    return (
        received + "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.net; s=key;\r\n\tb="
        + "A" * 340
        + "\r\nFrom: =?utf-8?Q?J=C3=BCrgen_M=C3=BCller?= <juergen@example.net>\r\n"
        f"To: {to}\r\nCc: \"Doe, John\" <john@example.org>\r\n"
        "Subject: =?utf-8?B?UsO8Y2tmcmFnZSB6dXIgUGxhbnVuZw==?=\r\nDate: Mon, 1 Jul 2024 11:00:00 +0200\r\n"
        "Message-ID: <1234@example.net>\r\nReferences: <a@example.org> <b@example.net>\r\nMIME-Version: 1.0\r\n"
    ).encode()


def message(to: str = "Jane Doe <jane@example.org>, Team <team@example.org>") -> bytes:
    """About 20 KB: text and HTML, an inline image and an attachment."""
    text = "".join(f"Zeile {i} eines Textes, der weder kurz noch lang ist.\r\n" for i in range(40))
    html = "<html><head><style>p{margin:0}</style></head><body>" + "".join(
        f'<p class="x">Zeile {i} eines <b>Textes</b>, weder kurz noch &uuml;berlang ist er.<br></p>\r\n'
        for i in range(70)
    )
    image = ("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJ\r\n") * 90
    return header(to) + (
        'Content-Type: multipart/mixed; boundary="=_mixed"\r\n\r\n--=_mixed\r\n'
        'Content-Type: multipart/alternative; boundary="=_alt"\r\n\r\n--=_alt\r\n'
        f"Content-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n--=_alt\r\n"
        'Content-Type: multipart/related; boundary="=_rel"\r\n\r\n--=_rel\r\n'
        f"Content-Type: text/html; charset=utf-8\r\n\r\n{html}\r\n--=_rel\r\n"
        "Content-Type: image/png; name=a.png\r\nContent-ID: <a@b>\r\nContent-Transfer-Encoding: base64\r\n"
        f"Content-Disposition: inline\r\n\r\n{image[:4000]}\r\n--=_rel--\r\n--=_alt--\r\n--=_mixed\r\n"
        "Content-Type: application/pdf; name=b.pdf\r\nContent-Transfer-Encoding: base64\r\n"
        f"Content-Disposition: attachment; filename=b.pdf\r\n\r\n{image}\r\n--=_mixed--\r\n"
    ).encode()


NOW = datetime(2024, 7, 1, tzinfo=UTC)
VIEWER = Viewer(addresses=("jane@example.org",), name="Jane", zone="Europe/Berlin", now=NOW)


def mail(raw: bytes, wanted: Wanted) -> Mail:
    """As a backend hands it over: the header, and the sections that are wanted, cut."""
    structure = mime.structure(raw)
    sections = {
        section: mime.cut_from(raw, part, octets)
        for section, octets in mime.sections_wanted(structure, wanted).items()
        if section and (part := mime.part_at(structure, section))
    }
    return Mail(
        id=1, version="1", flags=MailFlags(), received=NOW, size=len(raw),
        header=raw[: mime.header_end(raw)], structure=structure, sections=sections,
    )  # fmt: skip


def reference(part: Part) -> str:
    return f"1:2:{part.section}"


def rendered(item: Mail, wanted: Wanted) -> email.Email:
    return email.render(item, wanted, VIEWER, Version.V14_1, reference)


def main() -> None:
    raw = message()
    structure = mime.structure(raw)
    html = Wanted(preferences=(BodyPreference(type=BodyType.HTML, truncation_size=4096, preview=120),))
    text = Wanted(preferences=(BodyPreference(type=BodyType.TEXT, truncation_size=512),))
    many = message(", ".join(f'"Name Number {i}" <user{i}@example.com>' for i in range(3000)))
    print(f"message of {len(raw)} octets, header of {mime.header_end(raw)}")
    print(f"structure                    {best(lambda: mime.structure(raw)):8.1f} us")
    print(f"header fields                {best(lambda: headers.parse(raw[: mime.header_end(raw)])):8.1f} us")
    print(f"sections_wanted              {best(lambda: mime.sections_wanted(structure, html)):8.1f} us")
    for name, wanted in (("HTML, 4 KiB, preview", html), ("text, 512", text)):
        item = mail(raw, wanted)
        done = rendered(item, wanted)
        taken = best(partial(rendered, item, wanted)), best(partial(schema.content, done, Version.V14_1))
        print(f"render ({name})".ljust(28), "{:8.1f} us; to elements {:6.1f} us".format(*taken))
    crowd = mail(many, html)
    print(f"render, 3,000 recipients     {best(partial(rendered, crowd, html), 5):8.1f} us")
    print(f"structure, 3,000 recipients  {best(lambda: mime.structure(many), 20):8.1f} us")


if __name__ == "__main__":
    main()
