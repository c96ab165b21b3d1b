"""Mail filters and messages, made up by hypothesis and by hand, for tests of the values, of Sieve and of delivery."""

from __future__ import annotations

from email.message import EmailMessage

from hypothesis import strategies as st

from eas.items.mail_filters import MATCHES, Action, Condition, Do, Field, Filter

_TYPED = st.characters(exclude_categories=["Cc", "Cs", "Cn", "Zl", "Zp", "Co"])
#: What people type, and what could break out of a quoted string, a comment or a pattern.
TEXTS = st.one_of(
    st.text(_TYPED, min_size=1, max_size=30), st.text('"\\*?#{}$;/:[](),<>%. äß€', min_size=1, max_size=20),
    st.sampled_from(["${1}", '";discard;"', "*/ stop; /*", "text:", "\\", '\\"', "# >>> eas-vacation 0123456789ab"]),
).filter(lambda text: bool(text.strip()))
FOLDERS = st.sampled_from(["INBOX", "Work", "Work/Ärger", 'a "quoted" \\ one', "50% & more", "# <<< eas-vacation"])
ADDRESSES = st.sampled_from(["a@example.com", "first.last+tag@sub.example.com", "o'neil@example.org"])


@st.composite
def conditions(draw: st.DrawFn) -> Condition:
    field = draw(st.sampled_from(Field))
    match = draw(st.sampled_from(MATCHES[field]))
    value = draw(TEXTS)
    if field is Field.SIZE:
        value = str(draw(st.integers(1, 100_000)))
    elif field is Field.ATTACHMENT:
        value = ""
    header = draw(st.sampled_from(["X-Spam", "List-Id", "x!#$%&'*+-.^_`|~", '"'])) if field is Field.HEADER else ""
    return Condition(field=field, match=match, value=value, header=header)


@st.composite
def filters(draw: st.DrawFn) -> Filter:
    done = draw(st.lists(st.sampled_from(Do), min_size=1, max_size=4, unique=True).filter(
        lambda some: not {Do.MOVE, Do.DELETE} <= set(some)
    ))
    values = {Do.MOVE: FOLDERS, Do.COPY: FOLDERS, Do.FORWARD: ADDRESSES}
    return Filter(
        name=draw(TEXTS), on=draw(st.booleans()), every=draw(st.booleans()),
        conditions=tuple(draw(st.lists(conditions(), max_size=4))),
        actions=tuple(Action(do=do, value=draw(values[do]) if do in values else "") for do in done),
    )


def when(field: Field, match: str, value: str = "", header: str = "", **more: object) -> Filter:
    """A filter of one condition, which moves to "Work" unless `do` says otherwise."""
    from eas.items.mail_filters import Match

    actions = more.pop("do", (Action(do=Do.MOVE, value="Work"),))
    return Filter(
        name="f", conditions=(Condition(field=field, match=Match(match), value=value, header=header),),
        actions=actions,  # type: ignore[arg-type]
    )


def letter(
    subject: str = "Hello", *, sender: str = "Ben Example <ben@example.com>", to: str = "anna@example.com",
    cc: str = "", text: str = "How are you?", attached: tuple[str, str] | None = None, disposition: str = "attachment",
    **more: str,
) -> bytes:
    """`attached` is the name and the type of a file. Names of `more` have dashes for underscores."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, to, subject
    if cc:
        message["Cc"] = cc
    for name, value in more.items():
        message[name.replace("_", "-")] = value
    message["Date"] = "Sat, 21 Nov 2026 08:00:00 +0000"
    message.set_content(text)
    if attached is not None:
        main, _, sub = attached[1].partition("/")
        message.add_attachment(b"octets", main, sub, filename=attached[0], disposition=disposition)
    return message.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


W, NOT = "Work", "INBOX"
#: A filter, a message, and where it goes. The same on every server.
CASES: list[tuple[Filter, bytes, str]] = [
    (when(Field.FROM, "is", "BEN@example.com"), letter(), W),
    (when(Field.FROM, "is", "ben@example.co"), letter(), NOT),
    (when(Field.FROM, "contains", "ben exam"), letter(), W),
    (when(Field.FROM, "begins", "ben@"), letter(), W),
    (when(Field.FROM, "ends", "@example.com"), letter(), W),
    (when(Field.FROM, "ends", "@example.com"), letter(sender="x@sub.example.org"), NOT),
    (when(Field.FROM, "ends-not", "@example.com"), letter(sender="x@sub.example.org"), W),
    (when(Field.FROM, "is-not", "ben@example.com"), letter(), NOT),
    (when(Field.TO, "is", "carla@example.com"), letter(to="anna@example.com, Carla <carla@example.com>"), W),
    (when(Field.TO, "is", "carla@example.com"), letter(cc="carla@example.com"), NOT),
    (when(Field.CC, "is", "carla@example.com"), letter(cc="carla@example.com"), W),
    (when(Field.RECIPIENT, "is", "carla@example.com"), letter(cc="carla@example.com"), W),
    (when(Field.RECIPIENT, "is-not", "carla@example.com"), letter(cc="carla@example.com"), NOT),
    (when(Field.CC, "contains-not", "carla"), letter(), W),
    (when(Field.SUBJECT, "is", "hello"), letter(), W),
    (when(Field.SUBJECT, "contains", "[list]"), letter("Re: [LIST] news"), W),
    (when(Field.SUBJECT, "contains", "*"), letter("no star"), NOT),
    (when(Field.SUBJECT, "begins", "100% *?"), letter("100% *? sure"), W),
    (when(Field.SUBJECT, "begins", "100% *?"), letter("100% and sure"), NOT),
    (when(Field.SUBJECT, "ends", 'a "b" \\'), letter('say a "b" \\'), W),
    (when(Field.SUBJECT, "contains", "Grüße"), letter("Viele Grüße"), W),
    (when(Field.SUBJECT, "contains", "grüße"), letter("Viele GRÜSSE"), W),
    (when(Field.SUBJECT, "contains", "${1}"), letter("costs ${1}"), W),
    (when(Field.HEADER, "contains", "announce", "List-Id"), letter(List_Id="<announce.example.com>"), W),
    (when(Field.HEADER, "contains", "announce", "List-Id"), letter(), NOT),
    (when(Field.HEADER, "is-not", "x", "X-None"), letter(), W),
    (when(Field.TEXT, "contains", "how ARE"), letter(), W),
    (when(Field.TEXT, "contains", "invoice"), letter(), NOT),
    (when(Field.TEXT, "contains-not", "invoice"), letter(), W),
    (when(Field.SIZE, "over", "10"), letter(text="x " * 10_000), W),
    (when(Field.SIZE, "over", "10"), letter(), NOT),
    (when(Field.SIZE, "under", "10"), letter(), W),
    (when(Field.ATTACHMENT, "there"), letter(attached=("plan.zip", "application/zip")), W),
    (when(Field.ATTACHMENT, "there"), letter(), NOT),
    (when(Field.ATTACHMENT, "missing"), letter(), W),
    (when(Field.ATTACHMENT, "there"), letter(attached=("a.pdf", "application/pdf"), disposition="inline"), W),
    (when(Field.ATTACHMENT, "there"), letter(attached=("a.png", "image/png"), disposition="inline"), NOT),
    (Filter(name="all", actions=(Action(do=Do.MOVE, value=W),)), letter(), W),
    (Filter(name="off", on=False, actions=(Action(do=Do.MOVE, value=W),)), letter(), NOT),
]
