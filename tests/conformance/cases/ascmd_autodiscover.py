"""[MS-ASCMD] Autodiscover, the XML form."""

from __future__ import annotations

from typing import Any

from lab import ALL, Lab, Login, case
from lxml import etree
from wire import Got, basic

REQUEST = "http://schemas.microsoft.com/exchange/autodiscover/mobilesync/requestschema/2006"
MOBILE = "http://schemas.microsoft.com/exchange/autodiscover/mobilesync/responseschema/2006"
OUTLOOK = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
FRAMEWORK = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"
PATH = "/autodiscover/autodiscover.xml"


def request(address: str | None, schema: str | None = MOBILE, times: int = 1) -> bytes:
    parts = "" if address is None else f"<EMailAddress>{address}</EMailAddress>"
    parts += "" if schema is None else f"<AcceptableResponseSchema>{schema}</AcceptableResponseSchema>"
    return f'<Autodiscover xmlns="{REQUEST}">{times * f"<Request>{parts}</Request>"}</Autodiscover>'.encode()


async def post(lab: Lab, body: bytes, path: str = PATH, login: Login | None = None) -> Got:
    who = login or lab.me
    headers = {"Authorization": basic(who.user, who.password), "Content-Type": "text/xml"}
    return await lab.talker().ask("POST", path, headers, body)


def tree(got: Got) -> Any:
    assert got.http == 200
    assert got.headers["content-type"].startswith("text/xml")
    return etree.fromstring(got.body)


@case("MS-ASCMD", "R3799 R2285 R2286 R2287 R2288 R3818 R5545 R5698 R5547", ALL)
async def what_is_no_request_gets_an_error(lab: Lab) -> None:
    me = lab.me.address
    for body, code in (
        (b"<Autodiscover", "600"), (b"<Other/>", "600"), (request(me, times=0), "600"),
        (request(me, times=2), "600"), (request(None), "600"), (request(me, schema=None), "600"),
        (request(me, OUTLOOK), "601"), (request(me, "http://schemas.example.net/other"), "601"),
    ):
        root = tree(await post(lab, body))
        (error,) = root.findall(f"{{{FRAMEWORK}}}Response/{{{FRAMEWORK}}}Error")
        assert error.findtext(f"{{{FRAMEWORK}}}ErrorCode") == code, body
        assert error.findtext(f"{{{FRAMEWORK}}}Message")
        assert int(error.get("Id")) >= 0
        time, _, fraction = error.get("Time").partition(".")
        assert len(time.split(":")) == 3
        assert fraction.isdigit()


@case("MS-ASCMD", "R8 R41 R806 R3815 R2225 R2228 R3482 R3484 R4001 R4648", ALL)
async def the_address_of_the_server_is_told(lab: Lab) -> None:
    for login in (lab.me, lab.other):
        got = await post(lab, request(login.address), login=login)
        root = tree(got)
        assert root.tag == f"{{{FRAMEWORK}}}Autodiscover"
        (response,) = root
        assert response.tag == f"{{{MOBILE}}}Response"
        assert [etree.QName(part).localname for part in response] == ["Culture", "User", "Action"]
        texts = {etree.QName(node).localname: node.text for node in response.iter(f"{{{MOBILE}}}*")}
        assert texts["EMailAddress"].lower() == login.address.lower()
        assert texts["Type"] == "MobileSync"
        assert texts["Url"].endswith("/Microsoft-Server-ActiveSync")
        assert texts["Name"] == texts["Url"]
        assert "Status" not in texts


@case("MS-ASCMD", "R41 R806", ALL)
async def the_path_may_be_in_any_casing(lab: Lab) -> None:
    for path in (PATH, "/Autodiscover/Autodiscover.xml", "/AutoDiscover/AutoDiscover.xml"):
        root = tree(await post(lab, request(lab.me.address), path))
        assert root.find(f".//{{{MOBILE}}}Server/{{{MOBILE}}}Url").text


@case("MS-ASCMD", "R41", ALL)
async def without_a_login_nothing_is_told(lab: Lab) -> None:
    got = await lab.talker().ask("POST", PATH, {"Content-Type": "text/xml"}, request(lab.me.address))
    assert got.http == 401
    assert lab.me.address.encode() not in got.body
