"""What requests of 16.x bring about in several mailboxes, cut off at every single write: it happens, and once.

As `test_interrupted`; and each request is asked for again when it has been answered, as after a lost answer, and, with
the same key, in other words, as a device does that has more to say by then. [MS-ASCMD] Sync, MeetingResponse,
SmartForward, ItemOperations; docs/design.md "Effects outside our database".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from effects import CALENDAR, DELETED, DRAFTS, EFFECTS, INBOX, SENT, Plan, Stage
from effects_kit import BEN, Desk, Request, house, in_step, tally
from premises import ANNA
from test_interrupted import Death, Scene, When
from wire import Got, e

from eas.protocol.wbxml import Element

pytestmark = pytest.mark.long

#: Of a request that writes more often not every write is tried: that its commands come after each other is all that is
#: new about them.
MANY = 20

Effect = Callable[[Stage], Awaitable[Plan]]


async def _stage(scene: Scene) -> Stage:
    anna = await Desk(scene=scene, person=ANNA, device="DESKA").begin(INBOX, DRAFTS, SENT, DELETED, CALENDAR)
    return Stage(anna=anna, ben=await Desk(scene=scene, person=BEN, device="DESKB").begin(INBOX, CALENDAR))


def _in_other_words(request: Request) -> Request:
    """The same commands, as part of another request."""
    if request.command != "Sync":
        return request
    ((collection,),) = [one.elements for one in request.body.elements]
    at = next(n for n, one in enumerate(collection.elements) if one.tag == "AirSync:Commands")
    inside = (*collection.elements[:at], e("AirSync:WindowSize", "7"), *collection.elements[at:])
    return Request(command="Sync", body=e("AirSync:Sync", e("Collections", Element(collection.tag, inside))))


async def _asked(plan: Plan, request: Request | None = None) -> Got:
    got = await plan.desk.ask(request or plan.request)
    assert plan.status(got) in plan.good, got.root
    return got


async def _at_rest(stage: Stage, plan: Plan, last: Got, note: str) -> None:
    if plan.request.command == "Sync":
        plan.desk.take(last, plan.request)
    found = await tally(plan.desk.scene, stage.word)
    expected = Counter(plan.expected)
    assert found == expected, f"{note}: lost {expected - found}, too many {found - expected}"
    if plan.check is not None:
        await plan.check()
    for type in plan.types:
        await in_step(plan.desk, type)


async def _undisturbed(effect: Effect, stage: Stage) -> int:
    """How many writes it takes. Its answer is lost, and it is asked for again, twice."""
    stage.next()
    plan, mortal = await effect(stage), stage.anna.scene.mortal
    before = mortal.writes
    first = await plan.desk.ask(plan.request)
    writes = mortal.writes - before
    assert plan.status(first) == plan.good[0], first.root
    again = await _asked(plan)
    if plan.request.command == "Sync":
        assert again.body == first.body
    await _at_rest(stage, plan, await _asked(plan, _in_other_words(plan.request)), "undisturbed")
    return writes


async def _cut_off(effect: Effect, stage: Stage, at: int, when: When) -> None:
    stage.next()
    plan, scene = await effect(stage), stage.anna.scene
    scene.mortal.fatal, scene.mortal.when = scene.mortal.writes + at, when
    try:
        await plan.desk.ask(plan.request)
    except Death:
        pass
    else:
        pytest.fail(f"there was no write {at} to die at")
    await scene.restart()
    await _asked(plan, _in_other_words(plan.request) if at % 2 == 0 else None)
    await _at_rest(stage, plan, await _asked(plan), f"cut off {when} write {at}")


@pytest.mark.parametrize("effect", EFFECTS, ids=lambda effect: effect.__name__)
async def test_an_effect_that_is_cut_off_at_any_write_happens_once(effect: Effect, tmp_path: Path) -> None:
    async with house(tmp_path) as scene:
        stage = await _stage(scene)
        # Before a write is after the one before it: nothing happens in between.
        await _cut_off(effect, stage, 1, When.BEFORE)
        writes = await _undisturbed(effect, stage)
        for at in range(1, writes + 1, 1 + writes // MANY):
            await _cut_off(effect, stage, at, When.AFTER)
