"""Policies of the server that a session takes for granted: fields `policy` of its head, each with the number of the
exchange before which it was put in force and what a policy file would say.

    policy: 1 {"enforced": true, "settings": {"DevicePasswordEnabled": true}}
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from eas.admin.acting import Caller, Face, Role
from eas.admin.policy_actions import EVERYBODY, put_policy
from eas.app import App
from eas.replay.format.model import Meta
from eas.replay.playing.play import Stage

POLICY = "policy"


def field_of(number: int, policy: Mapping[str, Any]) -> tuple[str, str]:
    return POLICY, f"{number} {json.dumps(policy)}"


def policies(meta: Meta) -> dict[int, dict[str, Any]]:
    """By number of exchange; empty where the session says of none."""
    split = (said.partition(" ") for said in meta.all(POLICY))
    return {int(number): json.loads(policy) for number, _, policy in split}


async def rule(app: App, policy: Mapping[str, Any]) -> None:
    """In force for everybody from now on."""
    site = replace(app.site, caller=Caller(name="root", role=Role.ADMIN, face=Face.CLI))
    await put_policy(site, EVERYBODY, {**policy, "name": EVERYBODY})


@dataclass(frozen=True, slots=True)
class Ruled:
    """`stage`, and the policies of the session besides. `due` are exchanges during which something is yet to happen."""

    stage: Stage
    app: App
    policies: Mapping[int, Mapping[str, Any]]
    due: set[int] = field(default_factory=set)

    def causes(self, number: int) -> bool:
        found = self.stage.causes(number)
        if found:
            self.due.add(number)
        return found

    async def before(self, number: int) -> tuple[str, ...]:
        if (policy := self.policies.get(number)) is not None:
            await rule(self.app, policy)
        return await self.stage.before(number)

    async def during(self, number: int) -> tuple[str, ...]:
        try:
            return await self.stage.during(number)
        finally:
            self.due.discard(number)
