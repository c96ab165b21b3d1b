"""Filters and names of an LDAP search, put together from templates of the settings and what users type. Pure.

What is put in never becomes syntax. RFC 4515 (String Search Filter Representation) 3; RFC 4514 (String Representation
of Distinguished Names) 2.4.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from eas.items import markup


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """Whose search it is: what the templates of the settings are filled with."""

    login: str
    user: str
    domain: str

    @property
    def values(self) -> Mapping[str, str]:
        return {"login": self.login, "user": self.user, "domain": self.domain}


_PLACE = re.compile(r"\{(login|user|domain|dc)\}")


def filled_filter(template: str, who: Who) -> str:
    return _filled(template, who, escaped)


def filled_base(template: str, who: Who) -> str:
    """The name of an entry. `{dc}` is the domain by its labels: "dc=example,dc=com"."""
    return _filled(template, who, escaped_dn)


def filled_login(template: str, who: Who) -> str:
    """What a bind is made with: a name of an entry, or (Active Directory) something like {user}@{domain}."""
    return _filled(template, who, escaped_dn if "=" in template else str)


def _filled(template: str, who: Who, escape: Callable[[str], str]) -> str:
    """In one pass: a login of "{domain}" stays that."""
    dc = ",".join("dc=" + escape(label) for label in who.domain.split(".") if label)
    values = {**{name: escape(value) for name, value in who.values.items()}, "dc": dc}
    return _PLACE.sub(lambda place: values[place[1]], template)


#: NUL, parentheses, asterisk and backslash must be written by their octets (RFC 4515 3), others may: those that lenient
#: parsers take for the operator, or for blanks around the value.
_SPECIAL = re.compile(r"[\x00-\x1f!&()*:<=>\\|~\x7f]|^\s+|\s+\Z")


def _octets(found: re.Match[str]) -> str:
    return "".join(f"\\{octet:02x}" for octet in found[0].encode())


def escaped(value: str) -> str:
    """An assertion value. Halves of surrogates, which are no characters, go."""
    value = value.encode(errors="ignore").decode()
    return _SPECIAL.sub(_octets, value)


_SPECIAL_DN = re.compile(r'[\x00-\x1f"#+,;<=>\\\x7f]|^\s+|\s+\Z')


def escaped_dn(value: str) -> str:
    """A value in a distinguished name. RFC 4514 2.4."""
    value = value.encode(errors="ignore").decode()
    return _SPECIAL_DN.sub(_octets, value)


def both(one: str, other: str) -> str:
    return f"(&{one}{other})" if one and other else one or other


def any_of(filters: Sequence[str]) -> str:
    """Nothing is found by none: an OR without operands is always false (RFC 4526)."""
    return filters[0] if len(filters) == 1 else f"(|{''.join(filters)})"


def begins(attributes: Sequence[str], text: str) -> str:
    """One of the attributes has a value that begins with the text."""
    return any_of([f"({name}={escaped(text)}*)" for name in attributes])


def equals(attributes: Sequence[str], value: str, prefixes: Mapping[str, str] | None = None) -> str:
    """One of the attributes has this value, behind the prefix that the attribute's values have."""
    prefixes = prefixes or {}
    return any_of([f"({name}={escaped(prefixes.get(name.lower(), '') + value)})" for name in attributes])


def present(attributes: Sequence[str]) -> str:
    return any_of([f"({name}=*)" for name in attributes])


_SPACES = re.compile(r" *([,=+;]) *")
_ESCAPE = re.compile(r"(?:\\[0-9a-fA-F]{2})+|\\(.)", re.DOTALL)


def dn_key(dn: str) -> str:
    """Equal for two spellings of a distinguished name, as far as they occur: case, blanks around separators, how
    something is escaped. RFC 4518 would have the schema decide."""

    def plain(found: re.Match[str]) -> str:
        text = found[1] or bytes.fromhex(found[0].replace("\\", "")).decode(errors="replace")
        return "".join(f"\\{ord(c):02x}" if c in '"+,;<=>\\' else c for c in text)

    return _SPACES.sub(r"\1", markup.clean(_ESCAPE.sub(plain, dn.strip()))).casefold()


def is_within(dn: str, bases: Sequence[str]) -> bool:
    """Whether it names an entry of one of the trees."""
    key = dn_key(dn)
    return any(key == base or key.endswith("," + base) for base in map(dn_key, bases))


# --- Checking a template ----------------------------------------------------------------------------------------------

#: Filters inside each other; nobody writes more than ten, and a parser of a server gives up somewhere.
MAX_DEPTH = 50

_ITEM = re.compile(
    r"[A-Za-z0-9.;:_-]+(?:=|~=|>=|<=|:=)(?:[^()*\\\x00]|\\[0-9a-fA-F]{2}|\*)*", re.DOTALL
)


def check_filter(text: str) -> None:
    """Raises ValueError, with what is wrong and where, for what is no filter by RFC 4515 3."""
    end = _check(text, 0, 0)
    if end != len(text):
        raise ValueError(f"unexpected {text[end:end + 10]!r} behind the filter, at character {end + 1}")


def _check(text: str, at: int, depth: int) -> int:
    if depth > MAX_DEPTH:
        raise ValueError(f"more than {MAX_DEPTH} filters inside each other")
    if text[at : at + 1] != "(":
        raise ValueError(f"a parenthesis is missing at character {at + 1}")
    sort = text[at + 1 : at + 2]
    if sort and sort in "&|!":
        begin = end = at + 2
        while text[end : end + 1] == "(":
            end = _check(text, end, depth + 1)
            if sort == "!":
                break
        if sort == "!" and end == begin:
            raise ValueError(f"nothing is negated at character {begin + 1}")
    else:
        item = _ITEM.match(text, at + 1)
        if item is None:
            raise ValueError(f"neither a comparison nor a group of filters at character {at + 2}")
        end = item.end()
    if text[end : end + 1] != ")":
        raise ValueError(f"a closing parenthesis is missing at character {end + 1}")
    return end + 1
