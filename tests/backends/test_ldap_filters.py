"""LDAP filters and names out of templates: what somebody types stays a value."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eas.backends.ldap import client  # noqa: F401  (first: it keeps a warning of ldap3's import to itself)
from eas.backends.ldap.filters import (
    MAX_DEPTH,
    Who,
    any_of,
    begins,
    both,
    check_filter,
    dn_key,
    equals,
    escaped,
    escaped_dn,
    filled_base,
    filled_filter,
    filled_login,
    is_within,
    present,
)

ANNA = Who(login="anna@example.com", user="anna", domain="example.com")


@pytest.mark.parametrize(("value", "written"), [
    ("anna", "anna"),
    ("*", r"\2a"),
    ("a)(uid=*", r"a\29\28uid\3d\2a"),
    ("a\\b", r"a\5cb"),
    ("a\0b", r"a\00b"),
    ("a~=b", r"a\7e\3db"),
    (" a b ", r"\20a b\20"),
    ("Müller", "Müller"),
    ("half\ud800", "half"),
])
def test_a_value_is_written_so_that_it_is_no_syntax(value: str, written: str) -> None:
    assert escaped(value) == written


@pytest.mark.parametrize(("value", "written"), [
    ("anna", "anna"),
    ("anna,ou=admins", r"anna\2cou\3dadmins"),
    ("#1", r"\231"),
    (" a ", r"\20a\20"),
    (" ", r"\20"),
    ("a+b;c<d>\"e\\", r"a\2bb\3bc\3cd\3e\22e\5c"),
])
def test_a_value_of_a_name_is_written_so_that_it_is_no_syntax(value: str, written: str) -> None:
    assert escaped_dn(value) == written


def test_templates_are_filled_once() -> None:
    tricky = Who(login="{domain}", user="{user}*", domain="example.com")
    assert filled_filter("(&(uid={login})(cn={user})(o={domain}))", tricky) == (
        r"(&(uid={domain})(cn={user}\2a)(o=example.com))"
    )
    assert filled_base("ou=people,{dc}", ANNA) == "ou=people,dc=example,dc=com"
    assert filled_base("ou={domain},dc=hosting", Who(login="", user="", domain="a,b")) == r"ou=a\2cb,dc=hosting"


def test_a_bind_is_made_with_a_name_or_with_what_active_directory_takes() -> None:
    odd = Who(login="a,b@example.com", user="a,b", domain="example.com")
    assert filled_login("uid={user},ou=people", odd) == r"uid=a\2cb,ou=people"
    assert filled_login("{login}", odd) == "a,b@example.com"


def test_filters_are_put_together() -> None:
    assert both("(a=1)", "(b=2)") == "(&(a=1)(b=2))"
    assert both("", "(b=2)") == "(b=2)"
    assert any_of([]) == "(|)"
    assert begins(["cn", "sn"], "an*") == r"(|(cn=an\2a*)(sn=an\2a*))"
    assert equals(["mail", "proxyAddresses"], "a@b", {"proxyaddresses": "smtp:"}) == (
        r"(|(mail=a@b)(proxyAddresses=smtp\3aa@b))"
    )
    assert present(["jpegPhoto"]) == "(jpegPhoto=*)"


@pytest.mark.parametrize(("one", "other"), [
    ("uid=Anna, OU=People , dc=example", "UID=anna,ou=people,DC=EXAMPLE"),
    (r"cn=Arnold\, Anna,dc=x", r"cn=Arnold\2C Anna,dc=x"),
    (r"cn=M\c3\bcller,dc=x", "cn=müller,dc=x"),
])
def test_spellings_of_one_name_have_one_key(one: str, other: str) -> None:
    assert dn_key(one) == dn_key(other)


def test_different_names_have_different_keys() -> None:
    assert dn_key("cn=a,dc=b") != dn_key(r"cn=a\,dc=b")


def test_what_lies_in_a_tree() -> None:
    trees = ["ou=people,dc=example,dc=com", "dc=other"]
    assert is_within("uid=anna, OU=People,dc=example,dc=com", trees)
    assert is_within("dc=other", trees)
    assert not is_within("uid=anna,ou=groups,dc=example,dc=com", trees)
    assert not is_within(r"uid=anna\,dc=other", trees)
    assert not is_within("uid=anna,xdc=other", trees)


@pytest.mark.parametrize("good", [
    "(uid={user})", "(&(a=b)(|(c=*)(d=e*f))(!(g>=1)))", "(&)", "(memberOf:1.2.840.113556.1.4.1941:=cn=x,dc=y)",
    r"(cn=a\2ab)", "(userCertificate;binary=*)",
])
def test_filters_that_are_some(good: str) -> None:
    check_filter(good)


@pytest.mark.parametrize("bad", [
    "", "uid=a", "(uid=a", "(uid=a))", "(uid)", "(!)", "(!(a=b)(c=d))", r"(uid=\zz)", "(&(a=b)", "()", "(=a)",
    "(!" * (MAX_DEPTH + 2) + "(a=b)" + ")" * (MAX_DEPTH + 2),
])
def test_filters_that_are_none(bad: str) -> None:
    with pytest.raises(ValueError, match=r"character|filters"):
        check_filter(bad)


@settings(max_examples=150)
@given(st.text(max_size=40))
def test_what_the_server_is_asked_for_is_what_was_typed(value: str) -> None:
    """Read by another's parser: one comparison, with this value."""
    from ldap3.operation.search import parse_filter
    from ldap3.protocol.convert import prepare_filter_for_sending

    value = value.encode(errors="ignore").decode()
    parsed = parse_filter(f"(&(cn={escaped(value)})(uid=x))", None, False, None, None, False).elements[0].elements
    assert len(parsed) == 2
    said = parsed[0].assertion
    if value:
        assert said["attr"] == "cn"
        assert prepare_filter_for_sending(said["value"]) == value.encode()
    check_filter(f"(cn={escaped(value)})")
    check_filter(begins(["cn", "sn"], value))


@settings(max_examples=100)
@given(st.text(max_size=30))
def test_a_value_of_a_name_is_one_part_of_it(value: str) -> None:
    from ldap3.core.exceptions import LDAPInvalidDnError
    from ldap3.utils.dn import parse_dn

    try:
        parts = parse_dn(f"cn={escaped_dn(value)},dc=example")
    except LDAPInvalidDnError:
        assert not value.encode(errors="ignore").decode().strip()  # it takes no empty values
    else:
        assert [name for name, _, _ in parts] == ["cn", "dc"]


@settings(max_examples=100)
@given(st.text(alphabet="()&|!=*\\ab0{}", max_size=40))
def test_whatever_is_no_filter_is_said_to_be_none(text: str) -> None:
    try:
        check_filter(text)
    except ValueError:
        return
    assert text.startswith("(")
    assert text.endswith(")")


@settings(max_examples=100)
@given(st.text(max_size=60))
def test_every_text_has_a_key(text: str) -> None:
    assert dn_key(text) == dn_key(text.upper()) or dn_key(text).casefold() == dn_key(text)
