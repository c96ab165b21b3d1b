"""One token of a real provider opens the gateway and, passed on by it, the mail server behind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from groupware.dovecot import Dovecot, Flavour
from groupware.fixtures import run
from groupware.gateway import backend
from groupware.glewlwyd import AUDIENCE, PHONE, PHONE_SECRET, Glewlwyd
from groupware.smtp import Sink
from wire import Wire, e

from eas import app as composition
from eas.config import load

FOLDER_SYNC = e("FolderHierarchy:FolderSync", e("SyncKey", "0"))


@pytest.fixture(scope="module")
def trusting(glewlwyd: Glewlwyd) -> Iterator[Dovecot]:
    """A mail server that asks the provider about tokens."""

    def made() -> Dovecot:
        return Dovecot(flavour=Flavour.FULL)

    for server in run(made):
        server.ask(f"{glewlwyd.issuer}/introspect".replace("://", f"://{PHONE}:{PHONE_SECRET}@"))
        server.restart()
        yield server


async def test_it_is_passed_on(
    trusting: Dovecot, glewlwyd: Glewlwyd, mail_sink: Sink, tmp_path: Path
) -> None:
    login, _ = trusting.new_user()
    password = glewlwyd.new_user(login)
    token = glewlwyd.tokens(login, password)["access_token"]
    settings = {
        "data": tmp_path, "backends": {"office": backend(trusting, mail_sink, tokens=True)},
        "oidc": {"issuer": glewlwyd.issuer, "audiences": [AUDIENCE], "clients": [PHONE]},
    }
    async with composition.build(load(overrides=settings, environment={})) as app:
        wire = Wire(app=app.asgi, headers={"Authorization": f"Bearer {token}"})
        got = await wire.post("FolderSync", FOLDER_SYNC)
        assert (got.http, got.status) == (200, "1")
        assert len(got.all("Changes", "Add")) >= 4
        # Somebody whom the provider knows and the mail server does not, which this one says by hanging up.
        stranger = f"stranger-{login}"
        other = glewlwyd.tokens(stranger, glewlwyd.new_user(stranger))["access_token"]
        wire = Wire(app=app.asgi, headers={"Authorization": f"Bearer {other}"})
        assert (await wire.post("FolderSync", FOLDER_SYNC)).http in (401, 503)
