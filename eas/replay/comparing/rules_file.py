"""Rules of one's own, in TOML:

    strict = true            # the order of different elements counts, too
    tolerance = 60           # seconds that a time may be off

    [[rule]]
    where = "Sync/**/email:Categories"
    manner = "ignore"
    why = "the old server had none"
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from eas.replay.format.model import SessionError

from .rules import Manner, Rule, Rules

#: Kinds of ids that a rule with manner "id" can speak of; one's own kinds are as good.
_FIELDS = frozenset({"where", "manner", "why", "kind"})


def ignoring(rules: Rules, places: Iterable[str]) -> Rules:
    """Those places are passed over. Raises SessionError for what is no place."""
    return rules.and_(_rule({"where": place, "manner": Manner.IGNORE.value, "why": "asked for"}, place)
                      for place in places)


def read_rules(rules: Rules, file: Path) -> Rules:
    """With those of the file, which go before. Raises SessionError, OSError."""
    try:
        found = tomllib.loads(file.read_text("utf-8"))
        return _with(rules, found)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SessionError(f"no TOML: {error}", file=str(file)) from None
    except SessionError as error:
        raise SessionError(error.message, file=str(file)) from None


def _with(rules: Rules, found: Mapping[str, Any]) -> Rules:
    if unknown := set(found) - {"strict", "tolerance", "rule"}:
        raise SessionError(f"unknown: {', '.join(sorted(unknown))} (there are strict, tolerance and [[rule]])")
    strict, tolerance = found.get("strict", rules.strict), found.get("tolerance", rules.tolerance.total_seconds())
    if not isinstance(strict, bool):
        raise SessionError("strict is true or false")
    if not isinstance(tolerance, int | float) or isinstance(tolerance, bool) or not 0 <= tolerance <= 10**9:
        raise SessionError("tolerance is a number of seconds")
    listed = found.get("rule", [])
    if not isinstance(listed, list):
        raise SessionError("rules are tables: [[rule]]")
    table = [_rule(one, f"rule {number}") for number, one in enumerate(listed, 1)]
    return replace(rules.and_(table), strict=strict, tolerance=timedelta(seconds=tolerance))


def _rule(fields: Any, name: str) -> Rule:
    if not isinstance(fields, dict) or not all(isinstance(value, str) for value in fields.values()):
        raise SessionError(f"{name}: where, manner, why and kind are texts")
    if unknown := set(fields) - _FIELDS:
        raise SessionError(f"{name}: unknown: {', '.join(sorted(unknown))}")
    rule_where = fields.get("where", "")
    if not rule_where.strip("/ ") or any(not step for step in rule_where.strip("/").split("/")):
        raise SessionError(f"{name}: {rule_where!r} is no place; say `email:Subject` or `Collection/**/Read`")
    try:
        manner = Manner(fields.get("manner", ""))
    except ValueError:
        known = ", ".join(manner.value for manner in Manner)
        raise SessionError(f"{name}: no manner {fields.get('manner', '')!r}; there are {known}") from None
    kind = fields.get("kind", "") or ("other" if manner is Manner.ID else "")
    return Rule(rule_where, manner, fields.get("why", ""), kind)
