"""Policies as files.

A policy file is JSON or TOML: the settings of EASProvisionDoc by name, true and false for its booleans, and what the
server makes of devices that do not follow; `based_on` names the policy that counts where this one says nothing, and
`insist` the settings that devices are told although they cannot take them:

    {"based_on": "staff", "enforced": true, "allow_partial": false,
     "settings": {"DevicePasswordEnabled": true, "MinDevicePasswordLength": 6}}

One setting is not told to devices: DevicePolicyRefreshInterval, the hours after which they have to fetch it again.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eas.engine.model import Policy
from eas.engine.policybook import FLAGS
from eas.items import policy as document

from .errors import Invalid

#: Bytes of a file; the longest lists of applications fit.
MAX_FILE = 1 << 20
#: Characters of a policy's name.
MAX_NAME = 64
_MEMBERS = (*FLAGS, "name", "based_on", "insist", "settings")


def read(path: Path, name: str = "") -> Policy:
    """The policy in a file, named by it, by `name`, or by the file. Raises Invalid with all that is wrong."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise Invalid(f"{path}: {error.strerror}") from None
    if len(raw) > MAX_FILE:
        raise Invalid(f"{path}: more than {MAX_FILE} bytes")
    try:
        text = raw.decode("utf-8")
        said = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Invalid(f"{path}: {error}") from None
    return parse(said, name or path.stem, str(path))


def parse(said: Any, name: str, where: str) -> Policy:
    """Raises Invalid."""
    if not isinstance(said, dict) or not isinstance(said.get("settings", {}), dict):
        raise Invalid(f'{where}: not an object with "settings"')
    unknown = [key for key in said if key not in _MEMBERS]
    wrong = [f"{key} is none of name, settings, based_on, insist, {', '.join(FLAGS)}" for key in unknown]
    wrong += [f"{key} must be true or false" for key in FLAGS if not isinstance(said.get(key, True), bool)]
    settings = {key: _text(value) for key, value in said.get("settings", {}).items()}
    wrong += document.problems(settings)
    stated, based_on, insist = said.get("name", name), said.get("based_on") or "", said.get("insist", [])
    if not isinstance(stated, str) or not stated.strip() or len(stated) > MAX_NAME:
        wrong.append(f"name must be a text of at most {MAX_NAME} characters")
    if not isinstance(based_on, str):
        wrong.append("based_on must be the name of a policy")
    if not isinstance(insist, list) or any(one not in _TOLD for one in insist):
        wrong.append("insist must be a list of settings that devices are told")
    if wrong:
        raise Invalid("\n".join(f"{where}: {problem}" for problem in wrong))
    return Policy(
        name=stated, settings=settings, based_on=based_on, insist=tuple(insist),
        inherits=tuple(key for key in FLAGS if key not in said) if based_on else (),
        **{key: said[key] for key in FLAGS if key in said},
    )


_TOLD = [setting.name for setting in document.SETTINGS]


def _text(value: Any) -> str:
    """A value as it stands in the document: 1 and 0 for booleans, a line an entry for lists, "" for null."""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, list):
        return "\n".join(map(str, value))
    return "" if value is None else str(value)


def as_json(policy: Policy) -> Mapping[str, Any]:
    """What `read` would make the same policy of."""
    flags = {key: getattr(policy, key) for key in FLAGS if key not in policy.inherits}
    based_on = {"based_on": policy.based_on} if policy.based_on else {}
    insist = {"insist": list(policy.insist)} if policy.insist else {}
    return {"name": policy.name, **based_on, **flags, **insist, "settings": dict(policy.settings)}
