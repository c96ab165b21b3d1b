"""Who works at Nordhang Joinery, and whom they know outside. All invented; numbers are from ranges kept for fiction."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .model import DOMAIN, PASSWORD, DemoGroup, DemoPerson
from .pictures import portrait

_PEOPLE = (
    DemoPerson(
        login="anna", first_name="Anna", last_name="Bergström", title="Office Manager", department="Office",
        office="House A, 1.02", phone="+49 30 23125 102", mobile_phone="+49 171 3920 002",
        aliases=("anna.bergstroem", "info"), password=PASSWORD,
    ),
    DemoPerson(
        login="ben", first_name="Ben", last_name="Okafor", title="Sales and Customers", department="Sales",
        office="House A, 1.04", phone="+49 30 23125 104", mobile_phone="+49 171 3920 004",
        aliases=("ben.okafor", "sales"), password=PASSWORD,
    ),
    DemoPerson(
        login="carla", first_name="Carla", last_name="Méndez", title="Interior Designer", department="Design",
        office="House B, Studio", phone="+49 30 23125 201", mobile_phone="+49 171 3920 011",
        aliases=("carla.mendez",), password=PASSWORD,
    ),
    DemoPerson(
        login="david", first_name="David", last_name="Lindqvist", title="Workshop Lead", department="Workshop",
        office="Hall 1", phone="+49 30 23125 301", mobile_phone="+49 171 3920 021",
    ),
    DemoPerson(
        login="emma", first_name="Emma", last_name="Nováková", title="Accounts", department="Office",
        office="House A, 1.03", phone="+49 30 23125 103", mobile_phone="+49 171 3920 003", aliases=("accounts",),
    ),
    DemoPerson(
        login="farid", first_name="Farid", last_name="Rahimi", title="Fitting on Site", department="Workshop",
        office="Hall 2", phone="+49 30 23125 302", mobile_phone="+49 171 3920 022",
    ),
    DemoPerson(
        login="greta", first_name="Greta", last_name="Sørensen", title="Purchasing", department="Office",
        office="House A, 1.05", phone="+49 30 23125 105", mobile_phone="+49 171 3920 005",
    ),
    DemoPerson(
        login="hiro", first_name="Hiro", last_name="Tanaka", title="CNC Engineer", department="Workshop",
        office="Hall 1, Gallery", phone="+49 30 23125 303", mobile_phone="+49 171 3920 023",
    ),
)

GROUPS = (
    DemoGroup(address=f"everyone@{DOMAIN}", name="Everyone", members=tuple(p.login for p in _PEOPLE)),
    DemoGroup(address=f"workshop@{DOMAIN}", name="Workshop", members=("david", "farid", "hiro")),
    DemoGroup(address=f"front-office@{DOMAIN}", name="Front Office", members=("anna", "ben", "emma", "greta")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outsider:
    """A customer, a supplier, a friend. `number` is the customer number, kept where EAS has no element for it."""

    key: str
    first_name: str
    last_name: str
    address: str
    company: str = ""
    title: str = ""
    phone: str = ""
    mobile: str = ""
    street: str = ""
    postal_code: str = ""
    city: str = ""
    country: str = "Germany"
    number: str = ""
    category: str = "Customers"

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()


OUTSIDERS = (
    Outsider(
        key="ines", first_name="Inês", last_name="Carvalho", address="ines@cafe-hafenblick.example",
        phone="+49 40 66969 110", company="Café Hafenblick", title="Owner", mobile="+49 171 3920 061",
        street="Kaistraße 7", postal_code="20457", city="Hamburg", number="K-1042",
    ),
    Outsider(
        key="joel", first_name="Joel", last_name="Weissmann", address="j.weissmann@stadtarchiv.example",
        company="City Archive", title="Head of Building", phone="+49 30 23125 870", street="Am Speicher 12",
        postal_code="10243", city="Berlin", number="K-1017",
    ),
    Outsider(
        key="kim", first_name="Kim", last_name="Sandvik", address="kim.sandvik@fjordhotel.example",
        company="Fjordhotel", title="Operations", phone="+47 22 00 01 18", street="Brygga 3", postal_code="5003",
        city="Bergen", country="Norway", number="K-1061",
    ),
    Outsider(
        key="lena", first_name="Lena", last_name="Hofstätter", address="lena@praxis-hofstaetter.example",
        company="Hofstätter Dental Practice", title="Dentist", phone="+43 1 9346 021", street="Lindengasse 21",
        postal_code="1070", city="Wien", country="Austria", number="K-1058",
    ),
    Outsider(
        key="mateusz", first_name="Mateusz", last_name="Zieliński", address="m.zielinski@drewno-polnoc.example",
        company="Drewno Północ", title="Timber sales", phone="+48 22 123 45 67", street="Leśna 4", postal_code="80-299",
        city="Gdańsk", country="Poland", category="Suppliers",
    ),
    Outsider(
        key="noor", first_name="Noor", last_name="van Dijk", address="noor@beslag-huis.example", company="Beslaghuis",
        title="Fittings and hinges", phone="+31 20 555 0142", street="Handelskade 40", postal_code="1019 BN",
        city="Amsterdam", country="Netherlands", category="Suppliers",
    ),
    Outsider(
        key="oleg", first_name="Олег", last_name="Мельник", address="oleg@lak-ta-farba.example", company="Лак та Фарба",
        title="Lacquers", phone="+380 44 555 01 22", city="Київ", country="Ukraine", category="Suppliers",
    ),
    Outsider(
        key="priya", first_name="Priya", last_name="Raman", address="priya.raman@yarrow-lofts.example",
        company="Yarrow Lofts", title="Project architect", phone="+1 212 555 0163", mobile="+1 917 555 0119",
        street="88 Yarrow St, Floor 4", postal_code="10013", city="New York", country="United States", number="K-1066",
    ),
    Outsider(
        key="quentin", first_name="Quentin", last_name="Lefèvre", address="q.lefevre@librairie-du-quai.example",
        company="Librairie du Quai", title="Libraire", phone="+33 1 99 00 12 34", street="14 quai des Lilas",
        postal_code="69002", city="Lyon", country="France", number="K-1049",
    ),
    Outsider(
        key="rosa", first_name="Rosa", last_name="Bergström", address="rosa@familie-bergstroem.example",
        mobile="+49 171 3920 062", city="Potsdam", category="Family",
    ),
    Outsider(
        key="sam", first_name="Sam", last_name="Adeyemi", address="sam.adeyemi@kletterhalle.example",
        mobile="+49 171 3920 063", city="Berlin", category="Friends",
    ),
    Outsider(
        key="yuki", first_name="Yuki", last_name="Mori", address="y.mori@kanna-tools.example", company="Kanna Tools",
        title="Export", phone="+81 3 5550 0143", city="Kyōto", country="Japan", category="Suppliers",
    ),
)


def people() -> tuple[DemoPerson, ...]:
    """All eight, with their portraits."""
    return tuple(replace(person, picture=portrait(person.name)) for person in _PEOPLE)


#: Name and address of everybody who writes, by key.
ADDRESS_OF: dict[str, tuple[str, str]] = {
    **{p.login: (p.name, p.address) for p in _PEOPLE},
    **{o.key: (o.name, o.address) for o in OUTSIDERS},
    **{g.address.partition("@")[0]: (g.name, g.address) for g in GROUPS},
    "planer": ("Machine Planner", f"planner@{DOMAIN}"),
    "board": ("Woodworkers' Board", "board@woodworkers-board.example"),
    "hall": ("Climbing Hall", "news@kletterhalle.example"),
}
MEMBERS_OF: dict[str, tuple[str, ...]] = {g.address.partition("@")[0]: g.members for g in GROUPS}
LOG_INS = tuple(p.login for p in _PEOPLE if p.password)
