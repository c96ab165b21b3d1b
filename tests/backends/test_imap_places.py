"""What LIST says, as folders of a phone: types, parents, names, rights. No server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eas.backends.imap.folders import (
    Layout,
    Settings,
    is_level,
    layout_of,
    locator_of,
    missing,
    own_mailboxes,
    places,
    specials,
)
from eas.backends.imap.model import Listed
from eas.backends.imap.special import Use, known
from eas.backends.standards.ports import Place
from eas.engine.errors import NotAllowed
from eas.engine.model import FolderType, Right

DOVECOT = {"personal": (("", "/"),), "other": (("Other Users/", "/"),), "shared": (("Public/", "/"),)}
COURIER = {"personal": (("INBOX.", "."),), "other": (("user.", "."),), "shared": (("", "."),)}


def listed(*names: str, delimiter: str = "/") -> list[Listed]:
    """ "name \\attribute ..." each."""
    found = []
    for one in names:
        name, *attributes = one.split(" \\")
        found.append(Listed(name=name, delimiter=delimiter, attributes=frozenset(f"\\{a}" for a in attributes)))
    return found


def shown(
    names: Sequence[Listed], spaces: Mapping[str, Sequence[tuple[str, str]]] = DOVECOT, *,
    rights: Mapping[str, str] | None = None, **said: object,
) -> dict[str, Place]:
    layout = layout_of(spaces, names)
    made = places(layout, names, Settings(**said), rights=rights or {}, marks={})  # type: ignore[arg-type]
    seen = {""}
    for place in made:
        assert place.parent in seen, "parents before children"
        seen.add(place.locator)
    return {place.locator: place for place in made}


def brief(found: Mapping[str, Place]) -> dict[str, tuple[str, str, FolderType]]:
    return {locator: (place.parent, place.name, place.type) for locator, place in found.items()}


def test_special_use_says_it_before_any_name() -> None:
    found = brief(shown(listed("INBOX", "Sent", "Gesendet \\sent", "Müll \\trash", "Zettel \\drafts", "Spam \\junk")))
    assert found == {
        "INBOX": ("", "Inbox", FolderType.INBOX),
        "Zettel": ("", "Zettel", FolderType.DRAFTS),
        "Gesendet": ("", "Gesendet", FolderType.SENT_ITEMS),
        "Müll": ("", "Müll", FolderType.DELETED_ITEMS),
        "Sent": ("", "Sent", FolderType.USER_MAIL),
        "Spam": ("", "Spam", FolderType.USER_MAIL),
    }
    assert list(found)[:4] == ["INBOX", "Zettel", "Gesendet", "Müll"]


def test_the_settings_come_before_the_usual_names() -> None:
    names = listed("inbox", "Sent", "Versand", "Trash")
    found = brief(shown(names, folders={"sent": "versand"}))
    assert found["Versand"][2] is FolderType.SENT_ITEMS
    assert found["Sent"][2] is FolderType.USER_MAIL
    assert found["Trash"][2] is FolderType.DELETED_ITEMS
    assert found["INBOX"] == ("", "Inbox", FolderType.INBOX)


def test_each_type_is_there_once() -> None:
    names = listed("INBOX", "A \\sent", "Sent \\sent", "B/Sent \\sent", "Deleted Items", "Trash", "Papierkorb")
    types = [place.type for place in shown(names).values() if place.type is not FolderType.USER_MAIL]
    assert sorted(types) == [FolderType.INBOX, FolderType.DELETED_ITEMS, FolderType.SENT_ITEMS]
    found = shown(names)
    assert found["Sent"].type is FolderType.SENT_ITEMS
    assert found["Trash"].type is FolderType.DELETED_ITEMS
    both = shown(listed("INBOX", "All \\sent \\trash"))
    assert both["All"].type is FolderType.SENT_ITEMS


def test_a_name_says_nothing_below_the_first_level() -> None:
    found = shown(listed("INBOX", "Projects", "Projects/Sent", "INBOX/Trash"))
    assert found["Projects/Sent"].type is FolderType.USER_MAIL
    assert (found["INBOX/Trash"].type, found["INBOX/Trash"].parent) == (FolderType.DELETED_ITEMS, "")


def test_what_is_missing_is_to_be_made() -> None:
    own = listed("INBOX", "INBOX.Gesendet", delimiter=".")
    layout = layout_of(COURIER, own)
    said = Settings(folders={"trash": "Müll", "junk": "INBOX.Spam", "notes": "Notes"})
    found = specials(layout, own_mailboxes(layout, own), said)
    assert found == {Use.SENT: "INBOX.Gesendet"}
    assert dict(missing(layout, found, said)) == {
        Use.DRAFTS: "INBOX.Drafts", Use.TRASH: "INBOX.Müll", Use.JUNK: "INBOX.Spam",
    }


def test_the_prefix_of_the_namespace_is_not_shown() -> None:
    names = listed("INBOX", "INBOX.Sent", "INBOX.Work", "INBOX.Work.2026", "INBOX.Work.Lost.Deep", delimiter=".")
    found = brief(shown(names, COURIER))
    assert found["INBOX.Sent"] == ("", "Sent", FolderType.SENT_ITEMS)
    assert found["INBOX.Work"] == ("", "Work", FolderType.USER_MAIL)
    assert found["INBOX.Work.2026"] == ("INBOX.Work", "2026", FolderType.USER_MAIL)
    assert found["INBOX.Work.Lost"] == ("INBOX.Work", "Lost", FolderType.USER_MAIL)
    assert found["INBOX.Work.Lost.Deep"][0] == "INBOX.Work.Lost"


def test_without_a_prefix_folders_of_the_inbox_stand_in_it() -> None:
    found = shown(listed("INBOX", "INBOX/Bills", "Bills"))
    assert found["INBOX/Bills"].parent == "INBOX"
    assert found["Bills"].parent == ""


def test_levels_that_are_no_mailbox_are_shown_empty_if_something_is_below() -> None:
    names = listed("INBOX", "Box \\noselect", "Box/In", "Bare \\noselect", "Gone \\nonexistent \\subscribed", "A/B/C")
    found = shown(names)
    assert set(found) == {"INBOX", "Box", "Box/In", "A", "A/B", "A/B/C"}
    assert {name for name, place in found.items() if is_level(place)} == {"Box", "A", "A/B"}
    assert all(found[name].right is Right.READ for name in ("Box", "A", "A/B"))
    # A level of which all that is below is shown elsewhere is none.
    assert set(shown(listed("INBOX", "[Gmail] \\noselect", "[Gmail]/Sent Mail \\sent"))) == {
        "INBOX", "[Gmail]/Sent Mail"
    }


def test_mailboxes_that_show_messages_of_others_are_left_out() -> None:
    names = listed(
        "INBOX", "[Gmail] \\noselect", "[Gmail]/All \\all", "[Gmail]/Starred \\flagged", "Virtual \\important",
    )
    assert set(shown(names)) == {"INBOX"}


def test_names_that_differ_in_case_alone_are_told_apart() -> None:
    found = shown(listed("INBOX", "inbox ", "Work", "WORK", "work", "Sent", "SENT", "x/Work"))
    names = [(place.parent, place.name.casefold()) for place in found.values()]
    assert len(names) == len(set(names)) == 9
    assert {found[name].name for name in ("Work", "WORK", "work")} == {"WORK", "Work (2)", "work (3)"}
    assert found["x/Work"].name == "Work"


def test_names_are_clean_and_of_bearable_length() -> None:
    found = shown(listed("INBOX", "a\x01b\tc", "\x02", "n" * 300, "m" * 1100, "e//f"))
    assert found["a\x01b\tc"].name == "ab c"
    assert found["\x02"].name == "?"
    assert len(found["n" * 300].name) == 256
    assert "m" * 1100 not in found
    assert found["e//f"].name == "f"


def test_only_what_is_subscribed_where_the_settings_say_so() -> None:
    names = listed(
        "INBOX", "Trash", "Sent \\sent", "Known \\subscribed", "Old", "Old/New \\subscribed", "Gone \\nonexistent",
    )
    assert set(shown(names, subscribed_only=True)) == {"INBOX", "Trash", "Sent", "Known", "Old", "Old/New"}
    assert "Old" in shown(names)


def test_a_mailbox_of_notes_is_left_out() -> None:
    found = shown(listed("INBOX", "Notes", "Notes/Old"), left_out=frozenset({"Notes"}))
    assert set(found) == {"INBOX", "Notes/Old"}
    assert found["Notes/Old"].parent == ""


def test_folders_of_others_have_their_owners_name() -> None:
    names = listed(
        "INBOX", "Other Users \\noselect", "Other Users/ben \\noselect", "Other Users/ben/Plans",
        "Other Users/ben/Plans/2026", "Other Users/carla", "Other Users/carla/Sent \\sent", "Other Users/carla/Secret",
        "Public/Sales", "Public/Sales/Leads",
    )
    rights = {
        "Other Users/ben/Plans": "lrs", "Other Users/ben/Plans/2026": "lrswite", "Other Users/carla": "lr",
        "Other Users/carla/Sent": "l", "Public/Sales": "", "Public/Sales/Leads": "lrsp",
    }
    found = shown(names, rights=rights)
    assert {n: (p.parent, p.name, p.right, p.own) for n, p in found.items() if n != "INBOX"} == {
        "Other Users/ben/Plans": ("", "Plans (ben)", Right.READ, False),
        "Other Users/ben/Plans/2026": ("Other Users/ben/Plans", "2026 (ben)", Right.EDIT, False),
        "Other Users/carla": ("", "Inbox (carla)", Right.READ, False),
        "Public/Sales": ("", "Sales (Public)", Right.EDIT, False),
        "Public/Sales/Leads": ("Public/Sales", "Leads (Public)", Right.READ, False),
    }
    assert not any(is_level(place) for place in found.values())


def test_cyrus_without_alternative_namespace() -> None:
    names = listed("INBOX", "INBOX.Sent", "user.ben", "user.ben.Plans", "bulletins.news", delimiter=".")
    found = shown(names, COURIER, rights={"user.ben": "lrs", "user.ben.Plans": "lr", "bulletins.news": "lr"})
    assert {name: (place.parent, place.name, place.own) for name, place in found.items()} == {
        "INBOX": ("", "Inbox", True), "INBOX.Sent": ("", "Sent", True), "user.ben": ("", "Inbox (ben)", False),
        "user.ben.Plans": ("user.ben", "Plans (ben)", False), "bulletins.news": ("", "news", False),
    }


def test_a_server_without_namespaces_and_one_without_hierarchy() -> None:
    assert set(shown(listed("INBOX", "a.b", delimiter="."), {})) == {"INBOX", "a", "a.b"}
    flat = listed("INBOX", "a.b", delimiter="")
    assert set(shown(flat, {"personal": (("", ""),)})) == {"INBOX", "a.b"}


@pytest.mark.parametrize(
    ("name", "use"),
    [
        ("Sent", Use.SENT), ("SENT ITEMS", Use.SENT), ("sent-mail", Use.SENT), ("Sent_Messages", Use.SENT),
        ("Gesendete Objekte", Use.SENT), ("Éléments envoyés", Use.SENT), ("Envoye\u0301s", Use.SENT),
        ("Elementos enviados", Use.SENT), ("Posta inviata", Use.SENT), ("Skickat", Use.SENT),
        ("Отправленные", Use.SENT), ("送信済み", Use.SENT), ("已发送", Use.SENT), ("보낸편지함", Use.SENT),
        ("Gönderilmiş Öğeler", Use.SENT), ("Drafts", Use.DRAFTS), ("Entwürfe", Use.DRAFTS), ("BROUILLONS", Use.DRAFTS),
        ("Borradores", Use.DRAFTS), ("Bozze", Use.DRAFTS), ("Черновики", Use.DRAFTS), ("下書き", Use.DRAFTS),
        ("草稿箱", Use.DRAFTS), ("Trash", Use.TRASH), ("Papierkorb", Use.TRASH), ("Corbeille", Use.TRASH),
        ("Cestino", Use.TRASH), ("Prullenbak", Use.TRASH), ("Kosz", Use.TRASH), ("Корзина", Use.TRASH),
        ("ゴミ箱", Use.TRASH), ("Deleted Messages", Use.TRASH), ("Junk E-Mail", Use.JUNK), ("Spam", Use.JUNK),
        ("Courrier indésirable", Use.JUNK), ("迷惑メール", Use.JUNK), ("İSTENMEYEN", Use.JUNK),
        ("Archiv", Use.ARCHIVE), ("Arkiv", Use.ARCHIVE), ("Bills", None), ("", None), ("Sent to press", None),
    ],
)
def test_known_names(name: str, use: Use | None) -> None:
    assert known([name]) == ({} if use is None else {use: 0})


@pytest.mark.parametrize(
    ("parent", "name", "locator"),
    [
        ("", "Work", "INBOX.Work"), ("", "  Work ", "INBOX.Work"), ("INBOX", "Work", "INBOX.Work"),
        ("INBOX.Work", "Über/uns", "INBOX.Work.Über/uns"),
        ("", "a.b", None), ("", "", None), ("", " ", None), ("", "a\x07", None), ("", "a\nb", None),
        ("", "n" * 257, None), ("user.ben", "x", None), ("INBOX." + "x" * 900, "y" * 200, None),
    ],
)
def test_the_locator_of_a_new_folder(parent: str, name: str, locator: str | None) -> None:
    layout = layout_of(COURIER, [])
    above = Place(
        locator=parent, parent="", name="", type=FolderType.USER_MAIL, item_class="Email", own=parent[:4] != "user",
    ) if parent else None
    if locator is None:
        with pytest.raises(NotAllowed):
            locator_of(layout, above, name)
    else:
        assert locator_of(layout, above, name) == locator


def test_nothing_is_below_where_there_is_no_hierarchy() -> None:
    layout = Layout(delimiter="")
    above = Place(locator="a", parent="", name="a", type=FolderType.USER_MAIL, item_class="Email")
    assert locator_of(layout, None, "a/b") == "a/b"
    with pytest.raises(NotAllowed):
        locator_of(layout, above, "b")


_NAMES = st.lists(
    st.text(st.sampled_from("aAbB./\x01ß"), max_size=6) | st.sampled_from(["INBOX", "inbox/a", "user.ben.x", "Sent"]),
    max_size=12,
)
_ATTRIBUTES = st.frozensets(st.sampled_from(["\\noselect", "\\sent", "\\trash", "\\subscribed", "\\drafts"]))


@settings(max_examples=150, deadline=None)
@given(_NAMES, st.lists(_ATTRIBUTES, max_size=12), st.sampled_from([DOVECOT, COURIER, {}]), st.booleans())
def test_whatever_is_listed_makes_a_tree(
    names: list[str], attributes: list[frozenset[str]], spaces: dict[str, Sequence[tuple[str, str]]], only: bool
) -> None:
    delimiter = "." if spaces is COURIER else "/"
    marked = [*attributes, *[frozenset[str]()] * len(names)]
    mailboxes = [Listed(name=n, delimiter=delimiter, attributes=a) for n, a in zip(names, marked, strict=False)]
    found = shown(mailboxes, spaces, rights=dict.fromkeys(names, "lr"), subscribed_only=only)
    siblings = [(place.parent, place.name.casefold()) for place in found.values()]
    assert len(set(siblings)) == len(siblings)
    assert all(place.name and len(place.name) <= 256 for place in found.values())
    typed = [place.type for place in found.values() if place.type is not FolderType.USER_MAIL]
    assert len(set(typed)) == len(typed)
