"""Keys: what is proven, what was issued, and what a repeated, late or different request means."""

import itertools

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from eas.engine.errors import NotPrimed, StaleKey
from eas.engine.keys import MAX_ISSUED, ZERO, Asked, Head, Held, advance, judge, revise


def head(key, parent, request="r"):
    return Head(key=key, parent=parent, request=request)


def after(held, key, request, new):
    verdict = judge(held, key, request)
    return advance(held, verdict, head(new, verdict.base.key, request))


def primed():
    return after(None, ZERO, "r0", "a")


def test_nothing_is_known_before_key_0():
    with pytest.raises(NotPrimed):
        judge(None, "a", "r")


def test_key_0_asked_again_before_its_answer_is_used_gets_the_same_key():
    verdict = judge(primed(), ZERO, "r0")
    assert (verdict.asked, verdict.base.key) == (Asked.REPEAT, "a")


def test_key_0_after_its_answer_was_used_starts_anew():
    held = after(primed(), "a", "r1", "b")
    assert judge(held, ZERO, "r0").asked is Asked.START


def test_key_0_asked_again_after_the_device_moved_something_there_starts_anew():
    """What it moved is known under the first key, and would not be told."""
    held = Held(row=1, issued=(Head(key="a", parent=ZERO, request="r0", token="1", top=7),))
    assert judge(held, ZERO, "r0").asked is Asked.START
    assert judge(held, "a", "r1").asked is Asked.NEXT


def test_a_late_copy_of_key_0_does_not_kill_the_key_in_use():
    held = after(after(primed(), "a", "r1", "b"), "b", "r2", "c")
    held = after(held, ZERO, "r0", "z")
    assert judge(held, "c", "r3").asked is Asked.NEXT
    assert judge(held, "z", "r1").asked is Asked.NEXT
    assert judge(held, "b", "r2").base.key == "c"  # the lost answer is still there, too


def test_a_lost_answer_is_given_again():
    held = after(primed(), "a", "r1", "b")
    verdict = judge(held, "a", "r1")
    assert (verdict.asked, verdict.base.key) == (Asked.REPEAT, "b")


def test_another_request_with_the_proven_key_leaves_the_issued_one_valid():
    held = after(primed(), "a", "r1", "b")
    verdict = judge(held, "a", "r2")
    assert verdict.asked is Asked.AGAIN
    assert verdict.base.key == "a"


def test_both_stay_valid_until_one_is_used():
    held = after(after(primed(), "a", "r1", "b"), "b", "r2", "c")
    both = after(held, "b", "other", "d")
    assert judge(both, "c", "x").asked is Asked.NEXT
    assert judge(both, "d", "x").asked is Asked.NEXT
    used = after(both, "d", "x", "e")
    with pytest.raises(StaleKey):
        judge(used, "c", "x")


def test_keys_that_were_proven_once_are_stale_later():
    held = after(after(primed(), "a", "r1", "b"), "b", "r2", "c")
    with pytest.raises(StaleKey):
        judge(held, "a", "r1")


def test_what_is_issued_beside_each_other_is_bounded():
    held = after(primed(), "a", "r1", "b")
    for n in range(20):
        held = after(held, "a", f"r{n}", f"k{n}")
    assert len(held.issued) == MAX_ISSUED
    assert judge(held, "k19", "x").asked is Asked.NEXT


def test_the_present_head_is_the_one_named_last():
    held = after(after(primed(), "a", "r1", "b"), "b", "r2", "c")
    late = after(held, ZERO, "r0", "z")
    assert late.present.key == "z"
    assert revise(late, judge(late, "c", "x").base).present.key == "c"
    assert Held().present is None


class LossyLine(RuleBasedStateMachine):
    """A device and a server whose answers may be lost, and whose requests may come late or twice, agree in the end.

    The server's generations are sets of ids; the device must never be given an id that it holds.
    """

    def __init__(self):
        super().__init__()
        self.names = (f"k{n}" for n in itertools.count(1))
        self.requests = (f"r{n}" for n in itertools.count(1))
        self.present, self.held = set(), None
        self.bodies = {ZERO: (frozenset(), ())}
        self.key, self.items, self.sent = ZERO, set(), []

    @rule(id=st.integers(1, 8))
    def somebody_writes(self, id):
        self.present.add(id)

    @rule(id=st.integers(1, 8))
    def somebody_deletes(self, id):
        self.present.discard(id)

    def serve(self, key, request, window):
        verdict = judge(self.held, key, request)
        if verdict.asked is Asked.REPEAT:
            return verdict.base.key, self.bodies[verdict.base.key][1]
        known, _ = self.bodies[verdict.base.key]
        if verdict.asked is Asked.START:
            said = ()
        else:
            said = [("-", id) for id in known - self.present] + [("+", id) for id in self.present - known]
            said = tuple(sorted(said)[:window])
        new = next(self.names)
        known = (known - {id for verb, id in said if verb == "-"}) | {id for verb, id in said if verb == "+"}
        self.bodies[new] = (frozenset(known), said)
        self.held = advance(self.held, verdict, head(new, verdict.base.key, request))
        return new, said

    def ask(self, window, lost):
        if not self.sent or self.sent[-1][0] != self.key:
            self.sent.append((self.key, next(self.requests), window))
        key, request, window = self.sent[-1]
        new, said = self.serve(key, request, window)
        if lost:
            return None
        if key == ZERO:
            self.items = set()
        for verb, id in said:
            assert (id in self.items) == (verb == "-")
            (self.items.remove if verb == "-" else self.items.add)(id)
        self.key = new
        return said

    @rule(window=st.integers(1, 3), lost=st.booleans())
    def sync(self, window, lost):
        self.ask(window, lost)

    @rule(window=st.integers(1, 3))
    def asks_differently_after_a_lost_answer(self, window):
        self.sent.append((self.key, next(self.requests), window))
        self.ask(window, lost=False)

    @rule(at=st.integers(0, 3))
    def a_late_copy_arrives(self, at):
        if len(self.sent) > at:
            key, request, window = self.sent[-1 - at]
            try:
                self.serve(key, request, window)
            except StaleKey:
                assert key != self.key

    @rule()
    def starts_anew(self):
        self.key = ZERO
        self.sent.append((ZERO, next(self.requests), 1))
        self.ask(1, lost=False)

    @rule()
    def drains(self):
        self.ask(3, lost=False)
        while self.key == ZERO or self.ask(3, lost=False):
            pass
        assert self.items == self.present


LossyLine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestLossyLine = LossyLine.TestCase
