"""The groups of users, of which every request asks."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from eas.engine.model import Secret, User
from eas.engine.ports import Accounts, Directory, Mailbox, Outbox

GroupsOf = Callable[[str], Awaitable[Sequence[str]]]

#: Seconds for which a user's groups are remembered at most.
KEPT_SECONDS = 30.0
#: Users whose groups are kept in memory, some hundred octets each.
MAX_USERS = 20_000


@dataclass(slots=True)
class Groups:
    """Looked up once as long as a user's revision stays, which is raised when somebody joins or leaves a group, in
    whatever process: two nodes that named different groups would send a device to and fro between two policies."""

    groups_of: GroupsOf
    monotonic: Callable[[], float]
    _revisions: OrderedDict[str, int] = field(default_factory=OrderedDict)
    _known: dict[str, tuple[int, float, Sequence[str]]] = field(default_factory=dict)

    def heard(self, user: User) -> None:
        self._revisions[user.id] = max(user.revision, self._revisions.get(user.id, 0))
        self._revisions.move_to_end(user.id)
        while len(self._revisions) > MAX_USERS:
            self._known.pop(self._revisions.popitem(last=False)[0], None)

    async def of(self, user_id: str) -> Sequence[str]:
        revision = self._revisions.get(user_id)
        at, until, groups = self._known.get(user_id, (-1, 0.0, ()))
        if revision is None or at < revision or self.monotonic() >= until:
            groups = await self.groups_of(user_id)
            if revision is not None:
                self._known[user_id] = revision, self.monotonic() + KEPT_SECONDS, groups
        return groups


@dataclass(slots=True)
class Heard:
    """`Accounts` that say of everybody who comes in which revision they have."""

    accounts: Accounts
    hear: Callable[[User], None]

    async def verify(self, login: str, password: str) -> User | None:
        return self._heard(await self.accounts.verify(login, password))

    async def vouched(self, login: str, token: Secret | None = None) -> User | None:
        return self._heard(await self.accounts.vouched(login, token))

    def _heard(self, user: User | None) -> User | None:
        if user is not None:
            self.hear(user)
        return user

    def open(self, user: User) -> tuple[Mailbox, Directory, Outbox]:
        return self.accounts.open(user)
