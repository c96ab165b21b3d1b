"""Which servers a login means, and what they are entered with."""

from __future__ import annotations

import pytest

from eas.backends.standards.logins import named
from eas.backends.standards.tenant import Tenant

OFFICE = Tenant(name="office", domains=("example.org", "example.net"), domain="example.org")
SCHOOL = Tenant(name="school", domains=("school.example",), login="{user}", address="{user}@pupils.school.example")
OTHERS = Tenant(name="others", login="{login}")


@pytest.mark.parametrize(
    ("typed", "tenant", "login", "address"),
    [
        ("anna@example.org", "office", "anna@example.org", "anna@example.org"),
        ("Anna@Example.NET", "office", "Anna@example.net", "Anna@example.net"),
        ("anna", "office", "anna@example.org", "anna@example.org"),
        ("defaultcontext\\anna", "office", "anna@example.org", "anna@example.org"),
        ("example.net\\anna", "office", "anna@example.net", "anna@example.net"),
        ("EXAMPLE\\anna", "office", "anna@example.org", "anna@example.org"),
        ("WORKGROUP\\anna", "office", "anna@example.org", "anna@example.org"),
        ("SCHOOL\\ben", "school", "ben", "ben@pupils.school.example"),
        ("ben@school.example", "school", "ben", "ben@pupils.school.example"),
        ("WORD\\ben@school.example", "school", "ben", "ben@pupils.school.example"),
        (" \\anna ", "office", "anna@example.org", "anna@example.org"),
        ("carla@elsewhere.example", "others", "carla@elsewhere.example", "carla@elsewhere.example"),
    ],
)
def test_a_login_in_any_of_its_forms(typed: str, tenant: str, login: str, address: str) -> None:
    found = named(typed, (OFFICE, SCHOOL, OTHERS), "example.org")
    assert found is not None
    assert (found.tenant.name, found.login, found.address) == (tenant, login, address)


@pytest.mark.parametrize("typed", ["", " ", "\\", "@example.org", "example.org\\"])
def test_nobody_is_named(typed: str) -> None:
    assert named(typed, (OFFICE, OTHERS), "example.org") is None


def test_a_domain_of_nobody_is_nobody_unless_one_takes_all() -> None:
    assert named("anna@elsewhere.example", (OFFICE, SCHOOL), "") is None
    assert named("anna@elsewhere.example", (), "") is None


def test_a_login_without_a_domain_needs_one_that_is_meant() -> None:
    assert named("anna", (OFFICE, SCHOOL), "") is None
    only = named("anna", (OFFICE,), "")
    assert only is not None
    assert only.login == "anna@example.org"


def test_where_no_domain_is_known_the_user_alone_is_the_login() -> None:
    found = named("anna", (Tenant(name="all"),), "")
    assert found is not None
    assert (found.login, found.domain) == ("anna", "")


def test_a_label_of_two_domains_is_nobodys() -> None:
    """Whoever types it is of the default domain, like everybody who types some word."""
    other = Tenant(name="other", domains=("example.com",))
    found = named("EXAMPLE\\anna", (OFFICE, other), "example.com")
    assert found is not None
    assert found.login == "anna@example.com"
