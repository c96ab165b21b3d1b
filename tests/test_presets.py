"""The settings files for known groupware load, and each has a page that says whether it was tried."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from eas.app.tenants import tenants_of
from eas.backends.dav.client import DavClients
from eas.backends.ldap.directory import check_settings
from eas.backends.standards.logins import named
from eas.backends.standards.ports import Account
from eas.backends.standards.tenant import Provider, Tenant
from eas.config import load
from eas.engine.model import Secret, User

ROOT = Path(__file__).parents[1]
PRESETS = sorted((ROOT / "deploy" / "backends").glob("*.toml"))
PAGES = ROOT / "docs" / "backends"
#: What real servers run for in these tests.
TRIED = {"dovecot-radicale", "cyrus"}

each = pytest.mark.parametrize("preset", PRESETS, ids=lambda path: path.stem)


def tenant_of(preset: Path) -> Tenant:
    (tenant,) = tenants_of(load(preset, environment={}))
    return tenant


def test_there_is_one_for_each_groupware_that_is_promised() -> None:
    assert {preset.stem for preset in PRESETS} == {
        "dovecot-radicale", "cyrus", "open-xchange", "sogo", "nextcloud", "stalwart", "mailcow",
    }
    # How changes are told has a page of its own.
    pages = {page.stem for page in PAGES.glob("*.md")} - {"README", "dovecot-push"}
    assert pages == {preset.stem for preset in PRESETS}


@each
def test_it_loads_and_is_a_whole_groupware(preset: Path) -> None:
    tenant = tenant_of(preset)
    assert (tenant.mail, tenant.calendar, tenant.tasks, tenant.contacts) == (
        Provider.IMAP, Provider.CALDAV, Provider.CALDAV, Provider.CARDDAV,
    )
    assert None not in (tenant.imap, tenant.smtp, tenant.dav, tenant.sieve)
    if tenant.ldap is not None:
        check_settings(tenant.ldap)


@each
def test_anna_logs_in_with_what_she_types(preset: Path) -> None:
    tenant = tenant_of(preset)
    for typed in ("anna@example.com", "anna", "EXAMPLE\\anna", "defaultcontext\\anna"):
        who = named(typed, [tenant], "")
        assert who is not None
        assert (who.login, who.address) == ("anna@example.com", "anna@example.com"), typed


@each
async def test_addresses_are_filled_with_the_user(preset: Path) -> None:
    tenant = tenant_of(preset)
    user = User(id="u", login="anna@example.com", address="anna@example.com", addresses=(), name="")
    clients = DavClients()
    client = clients.of(Account(
        user=user, tenant=tenant, login=user.login, secret=Secret("x"), ground=None,  # type: ignore[arg-type]
    ))
    for url in (client.start, client.company, *client.homes):
        assert "{" not in url
    assert bool(client.company) == (tenant.directory is Provider.CARDDAV)
    await clients.close()


@each
def test_what_is_commented_out_is_allowed_too(preset: Path, tmp_path: Path) -> None:
    """Lines such as `# master_user = "gateway"` and `# [backends.office.imap.folders]`."""
    text = re.sub(r'^# (?=\[backends|[a-z_]+ = ["\d])', "", preset.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert "# master_user =" not in text
    everything = tmp_path / preset.name
    everything.write_text(text, encoding="utf-8")
    load(everything, environment={})


@each
def test_its_page_says_whether_it_was_tried(preset: Path) -> None:
    page = " ".join((PAGES / f"{preset.stem}.md").read_text(encoding="utf-8").split())
    text = preset.read_text(encoding="utf-8")
    assert f"deploy/backends/{preset.name}" in page
    assert f"docs/backends/{preset.stem}.md" in text
    for said in (page, text):
        assert ("Tried with" in said) == (preset.stem in TRIED)
        assert ("Configured from documentation" in said) == (preset.stem not in TRIED)


@each
def test_the_table_has_it(preset: Path) -> None:
    table = (PAGES / "README.md").read_text(encoding="utf-8")
    (row,) = [line for line in table.splitlines() if f"`{preset.name}`" in line and line.startswith("|")]
    assert f"]({preset.stem}.md)" in row
    assert ("tried with" in row) == (preset.stem in TRIED)


def test_links_between_the_pages_lead_somewhere() -> None:
    for page in (*PAGES.glob("*.md"), ROOT / "docs" / "groupware.md"):
        for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"
