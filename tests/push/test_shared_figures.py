"""What is counted between processes of a site, over a real Redis."""

from __future__ import annotations

from time import monotonic

import pytest
from figures import Figures
from groupware.redis import RedisServer
from prometheus_client import generate_latest
from site_kit import SOON, nodes, until

from eas import measures
from eas.push.redis import RedisSite

pytestmark = pytest.mark.server


def _figures() -> Figures:
    return Figures.parsed(generate_latest(measures.REGISTRY).decode())


async def test_a_ring_keeps_its_age_from_node_to_node(redis_server: RedisServer) -> None:
    """The time at which it was seen there, not at which it is heard here; also while Redis is away meanwhile."""
    site = RedisSite(url=redis_server.url, prefix=redis_server.new_prefix())
    before = _figures()
    async with nodes(site, 2) as (a, b):
        waiting = await b.listen("anna", "phone", "5")
        began = monotonic()
        a.bell._seen_at["anna"] = began - 3.0  # an earlier ring that could not be said
        a.bell.ring("anna", ["5"])
        assert await waiting.wait(SOON) == {"5"}
        # Not known is how long it was under way from one to the other.
        assert began - 3.1 < waiting.rung_at < monotonic() - 2.9
        await until(lambda: not a.bell._seen_at)
    after = _figures()
    for direction in ("sent", "heard"):
        labels = {"sample": "eas_node_messages_total", "direction": direction}
        assert after.total(**labels) > before.total(**labels)
    assert after.total("eas_redis_connects_total") - before.total("eas_redis_connects_total") == 2
    assert after.total("eas_redis_seconds_count") > before.total("eas_redis_seconds_count")
