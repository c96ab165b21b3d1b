"""Redis in the three forms that a site may have: one server, a master that sentinels know, a cluster of three.

For what the gateway's processes share for the moment, not for groupware. Nothing is written to the disk: a server that
is killed comes back empty, as a flushed one.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import redis

from .process import START_SECONDS, Child, DidNotStart, folder, free_ports, program

HOST = "127.0.0.1"
#: Milliseconds of silence after which a sentinel, or a node of the cluster, takes another one for dead: where one is
#: killed, and where a machine that stands still for some seconds is not to change anything.
DOWN_AFTER, NEVER_DOWN = 1000, 60_000
#: Seconds for a fail-over: a sentinel that was held up itself does nothing for half a minute.
FAIL_OVER_SECONDS = 120.0
SLOTS = 16384


@dataclass(slots=True, kw_only=True)
class RedisServer:
    """One process. `arguments` are settings in the form of the command line."""

    name: str = "redis"
    arguments: tuple[str, ...] = ()
    port: int = field(default_factory=lambda: free_ports("redis")["redis"])
    path: Path = field(default_factory=lambda: folder("redis"))
    child: Child | None = None
    numbers: count[int] = field(default_factory=lambda: count(1))

    @property
    def url(self) -> str:
        return f"redis://{HOST}:{self.port}/0"

    def new_prefix(self) -> str:
        """What all names of a test begin with, as `redis.prefix` of the settings."""
        return f"tests{next(self.numbers)}"

    def start(self) -> RedisServer:
        """Returns when it answers. Raises DidNotStart."""
        if self.child is None:
            self.child = Child(
                command=(
                    program("redis-server", "redis-server"), "--port", str(self.port), "--bind", HOST, "--dir",
                    str(self.path), "--save", "", "--appendonly", "no", "--protected-mode", "no",
                    "--repl-diskless-sync-delay", "0", *self.arguments,
                ),
                log=self.path / "log",
            )
        self.child.start()
        until(lambda: self.run("PING"), f"{self.name} did not start", self.child)
        return self

    def stop(self) -> None:
        if self.child is not None:
            self.child.resume()
            self.child.stop()
        shutil.rmtree(self.path, ignore_errors=True)

    def kill(self) -> None:
        """SIGKILL; what it held is gone."""
        assert self.child is not None
        self.child.kill()

    def restart(self) -> None:
        """Killed, if it runs, and begun anew: empty, at the same port."""
        self.kill()
        self.start()

    def pause(self) -> None:
        """It holds its connections and answers nobody, until `resume`."""
        assert self.child is not None
        self.child.pause()

    def resume(self) -> None:
        assert self.child is not None
        self.child.resume()

    def run(self, *command: str | int) -> Any:
        """A command over a connection of its own, and its answer. Raises redis.RedisError."""
        with redis.Redis(port=self.port, host=HOST, socket_timeout=START_SECONDS, decode_responses=True) as client:
            return client.execute_command(*command)

    def flush(self) -> None:
        self.run("FLUSHALL")

    def keys(self, prefix: str = "") -> list[str]:
        return sorted(self.run("KEYS", f"{prefix}*"))


@dataclass(slots=True, kw_only=True)
class RedisSentinels:
    """A master, a replica, and three sentinels that make the replica master when the master is gone."""

    service: str = "office"
    first: RedisServer = field(default_factory=lambda: RedisServer(name="master"))
    second: RedisServer | None = None
    path: Path = field(default_factory=lambda: folder("sentinel"))
    watchers: list[Child] = field(default_factory=list)
    ports: list[int] = field(default_factory=lambda: list(free_ports("one", "two", "three").values()))

    @property
    def addresses(self) -> tuple[str, ...]:
        """host:port of each sentinel, as `redis.sentinels` of the settings."""
        return tuple(f"{HOST}:{port}" for port in self.ports)

    @property
    def url(self) -> str:
        """Of no server: where the master is the sentinels say."""
        return "redis:///0"

    def new_prefix(self) -> str:
        return self.first.new_prefix()

    def start(self) -> RedisSentinels:
        self.first.start()
        if self.second is None:
            self.second = RedisServer(name="replica", arguments=("--replicaof", f"{HOST} {self.first.port}"))
        self.second.start()
        # What a sentinel sees of a replica first is what it believes for ten seconds.
        self._followed()
        for port in self.ports:
            self.watchers.append(self._sentinel(port))
        self._agreed()
        return self

    def stop(self) -> None:
        for child in self.watchers:
            child.stop()
        for server in self.servers:
            server.stop()
        shutil.rmtree(self.path, ignore_errors=True)

    @property
    def servers(self) -> tuple[RedisServer, ...]:
        return (self.first, self.second) if self.second is not None else (self.first,)

    @property
    def master(self) -> RedisServer:
        """As the first sentinel says."""
        found = self._ask(self.ports[0], "SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.service)
        return next(server for server in self.servers if server.port == int(found[1]))

    def fail_over(self) -> None:
        """Kill the master; returns when the replica is the master."""
        self._agreed()
        old = self.master
        self._patience(DOWN_AFTER)
        old.kill()
        until(
            lambda: self.master is not old and self.master.run("ROLE")[0] == "master", "no fail-over",
            seconds=FAIL_OVER_SECONDS,
        )

    def heal(self) -> None:
        """Start what was killed, as a replica; returns when it follows. The sentinels take ten seconds to see it."""
        master = self.master
        for server in self.servers:
            if server.child is not None and not server.child.runs:
                server.start()
                server.run("REPLICAOF", HOST, master.port)
        self._followed()
        self._patience(NEVER_DOWN)

    def _followed(self) -> None:
        def follows() -> bool:
            replicas = [told for server in self.servers if (told := server.run("ROLE"))[0] == "slave"]
            return [told[3] for told in replicas] == ["connected"]

        until(follows, "the replica does not follow")

    def _agreed(self) -> None:
        until(lambda: all(self._known(port) for port in self.ports), "the sentinels do not know each other")

    def _patience(self, milliseconds: int) -> None:
        for port in self.ports:
            self._ask(port, "SENTINEL", "SET", self.service, "down-after-milliseconds", milliseconds)

    def _sentinel(self, port: int) -> Child:
        # Sentinels write what they learn into their own file.
        file = self.path / f"{port}.conf"
        file.write_text(
            f"port {port}\nbind {HOST}\nprotected-mode no\ndir {self.path}\n"
            f"sentinel monitor {self.service} {HOST} {self.first.port} 2\n"
            f"sentinel down-after-milliseconds {self.service} {NEVER_DOWN}\n"
            f"sentinel failover-timeout {self.service} 3000\n"
        )
        child = Child(
            command=(program("redis-sentinel", "redis-sentinel"), str(file)), log=self.path / f"{port}.log"
        )
        child.start()
        return child

    def _known(self, port: int) -> bool:
        """Whether this sentinel knows the two others and a replica that follows."""
        told = self._ask(port, "SENTINEL", "MASTER", self.service)
        return (told["num-other-sentinels"], told["num-slaves"]) == ("2", "1") and all(
            one["master-link-status"] == "ok" and "down" not in str(one["flags"])
            for one in self._ask(port, "SENTINEL", "REPLICAS", self.service)
        )

    def _ask(self, port: int, *command: str | int) -> Any:
        with redis.Redis(port=port, host=HOST, socket_timeout=START_SECONDS, decode_responses=True) as client:
            return client.execute_command(*command)


@dataclass(slots=True, kw_only=True)
class RedisCluster:
    """Three masters, each with a third of the slots; nobody takes the place of one that is gone. `down_after`:
    milliseconds until the others say that it is."""

    down_after: int = NEVER_DOWN
    servers: list[RedisServer] = field(default_factory=list)
    numbers: count[int] = field(default_factory=lambda: count(1))

    @property
    def url(self) -> str:
        return self.servers[0].url

    def new_prefix(self) -> str:
        return f"tests{next(self.numbers)}"

    def start(self) -> RedisCluster:
        buses = free_ports("one", "two", "three")
        for name, bus in buses.items():
            server = RedisServer(name=name, arguments=(
                "--cluster-enabled", "yes", "--cluster-port", str(bus), "--cluster-node-timeout", str(DOWN_AFTER),
                "--cluster-require-full-coverage", "no", "--cluster-config-file", "nodes.conf",
            ))
            self.servers.append(server.start())
        edges = [SLOTS * number // len(self.servers) for number in range(len(self.servers) + 1)]
        for number, server in enumerate(self.servers):
            server.run("CLUSTER", "ADDSLOTSRANGE", edges[number], edges[number + 1] - 1)
            server.run("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for server, bus in zip(self.servers[1:], list(buses.values())[1:], strict=True):
            self.servers[0].run("CLUSTER", "MEET", HOST, server.port, bus)
        self.settle()
        for server in self.servers:
            server.run("CONFIG", "SET", "cluster-node-timeout", self.down_after)
        return self

    def settle(self) -> None:
        """Returns when every node knows that all are well."""
        until(lambda: all(self._well(server) for server in self.servers), "the cluster is not whole")

    def stop(self) -> None:
        for server in self.servers:
            server.stop()

    def flush(self) -> None:
        for server in self.servers:
            server.flush()

    def keys(self, prefix: str = "") -> list[str]:
        return sorted(key for server in self.servers for key in server.keys(prefix))

    def holder(self, key: str) -> RedisServer:
        """Who has a key, or carries a sharded channel."""
        slot = int(self.servers[0].run("CLUSTER", "KEYSLOT", key))
        return self.servers[min(slot * len(self.servers) // SLOTS, len(self.servers) - 1)]

    def _well(self, server: RedisServer) -> bool:
        told = server.run("CLUSTER", "INFO")
        told = told if isinstance(told, dict) else dict(line.split(":", 1) for line in told.split() if ":" in line)
        return (told["cluster_state"], told["cluster_known_nodes"], told["cluster_slots_ok"]) == (
            "ok", str(len(self.servers)), str(SLOTS)
        )


def until(
    true: Callable[[], object], what: str, child: Child | None = None, seconds: float = START_SECONDS
) -> None:
    """Wait for it; a server that does not answer yet says no. Raises DidNotStart."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if true():
                return
        except redis.RedisError:
            pass
        if time.monotonic() > deadline or (child is not None and not child.runs):
            raise DidNotStart(what + (f":\n{child.said()}" if child is not None else ""))
        time.sleep(0.05)
