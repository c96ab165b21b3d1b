"""What a device does until it has all: autodiscover, OPTIONS, policy, folders, the first Sync of each."""

from __future__ import annotations

from collections.abc import Sequence

from eas.engine.model import FolderType
from eas.protocol.version import COLLECTION_CLASS, POLICY_AS_TEXT, PROVISION_DEVICE_INFORMATION, Version
from eas.protocol.wbxml import Element

from .device import Device, Folder, Got, Surprise, texts, walk

AUTODISCOVER = """<?xml version="1.0" encoding="utf-8"?>
<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/mobilesync/requestschema/2006">
  <Request>
    <EMailAddress>anna@example.com</EMailAddress>
    <AcceptableResponseSchema>http://schemas.microsoft.com/exchange/autodiscover/mobilesync/responseschema/2006</AcceptableResponseSchema>
  </Request>
</Autodiscover>
"""

#: Syncs of one collection in a row; a story with more of them goes round in circles.
MOST = 20


async def account(d: Device) -> None:
    """Up to and with the list of folders."""
    if d.manner.options:
        await d.options()
    if d.manner.provisions == "first":
        await provision(d)
    got = await folder_sync(d)
    if got.status == 449 or (not d.folders and got.text("FolderHierarchy:Status") in ("141", "142", "144")):
        await provision(d)
        await folder_sync(d)
    if d.manner.information and not in_provision(d):
        await tell_information(d)


async def autodiscover(d: Device, path: str = "/Autodiscover/Autodiscover.xml") -> Got:
    return await d.post_xml(path, AUTODISCOVER)


def in_provision(d: Device) -> bool:
    return d.manner.information_in_provision and d.version in PROVISION_DEVICE_INFORMATION


def information(d: Device) -> str:
    said = f"<settings:Set>{d.manner.information}</settings:Set>"
    return f"<settings:DeviceInformation>{said}</settings:DeviceInformation>"


async def provision(d: Device) -> None:
    """Both phases."""
    type = "MS-WAP-Provisioning-XML" if d.version in POLICY_AS_TEXT else "MS-EAS-Provisioning-WBXML"
    said = information(d) if d.manner.information and in_provision(d) else ""
    d.policy = "0"
    given = await d.post("Provision", (
        f'<Provision xmlns="Provision">{said}<Policies><Policy><PolicyType>{type}</PolicyType></Policy></Policies>'
        "</Provision>"
    ))
    d.policy = key = given.text("Provision:PolicyKey")
    final = await d.post("Provision", (
        f'<Provision xmlns="Provision"><Policies><Policy><PolicyType>{type}</PolicyType><PolicyKey>{key}</PolicyKey>'
        "<Status>1</Status></Policy></Policies></Provision>"
    ))
    d.policy = final.text("Provision:PolicyKey")


async def tell_information(d: Device) -> Got:
    return await d.post("Settings", (
        '<Settings xmlns="Settings"><DeviceInformation><Set>'
        f"{d.manner.information.replace('settings:', '')}</Set></DeviceInformation></Settings>"
    ))


async def folder_sync(d: Device) -> Got:
    got = await d.post(
        "FolderSync", f'<FolderSync xmlns="FolderHierarchy"><SyncKey>{d.folder_key}</SyncKey></FolderSync>'
    )
    if got.status == 200 and got.text("FolderHierarchy:Status") == "1":
        d.folder_key = got.text("FolderHierarchy:SyncKey")
        for change in got.all("FolderHierarchy:Add") + got.all("FolderHierarchy:Update"):
            said = texts(change)
            id, type = said["FolderHierarchy:ServerId"], FolderType(int(said["FolderHierarchy:Type"]))
            name = said["FolderHierarchy:DisplayName"]
            if id in d.folders:
                d.folders[id].name = name
            else:
                d.folders[id] = Folder(id=id, type=type, name=name)
        for gone in got.all("FolderHierarchy:Delete"):
            d.folders.pop(texts(gone)["FolderHierarchy:ServerId"], None)
    return got


# Sync -----------------------------------------------------------------------------------------------------------------


def collection(d: Device, folder: Folder, commands: str = "", *, quiet: bool = False, **others: str | None) -> str:
    """The Collection of a Sync, as the family writes it. `quiet`: without asking for changes. `others` are children by
    name, over what the family says; None leaves one out."""
    m = d.manner
    primed = folder.key != "0"
    said: dict[str, str | None] = dict(m.later if primed else m.first)
    wants = m.wants.get(folder.item_class, "")
    if primed and wants and not (commands and not m.options_with_changes):
        said["Options"] = wants
    if primed and said.get("WindowSize") is None and m.window:
        said["WindowSize"] = str(m.window)
    if not primed and (supported := m.supported.get(folder.item_class)) is not None:
        said["Supported"] = supported
    if d.version in COLLECTION_CLASS:
        said["Class"] = folder.item_class
    if quiet:
        said["GetChanges"] = "0"
    said |= {"SyncKey": folder.key, "CollectionId": folder.id, "Commands": commands or None, **others}
    return "<Collection>" + "".join(_child(name, said.get(name)) for name in m.order) + "</Collection>"


def _child(name: str, content: str | None) -> str:
    return "" if content is None else f"<{name}/>" if content == "" else f"<{name}>{content}</{name}>"


def sync_of(collections: Sequence[str], more: str = "") -> str:
    return f'<Sync xmlns="AirSync"><Collections>{"".join(collections)}</Collections>{more}</Sync>'


async def sync(d: Device, *folders: Folder, commands: str = "", more: str = "", lost: str = "", **others: str | None
               ) -> Got:
    """One request for these folders; what comes is kept."""
    got = await d.post("Sync", sync_of([collection(d, f, commands, **others) for f in folders], more), lost=lost)
    if not lost:
        keep(d, got)
    return got


async def sync_ruled(d: Device, folder: Folder) -> Got:
    """Refused for the sake of a policy, as the version says it; provisioned, the same is asked again."""
    request = sync_of([collection(d, folder)])
    got = await d.post("Sync", request)
    if got.status != 449 and got.text("AirSync:Status") not in ("142", "143", "144"):
        raise Surprise(f"Sync without the policy: HTTP {got.status}")
    await provision(d)
    got = await d.post("Sync", request)
    keep(d, got)
    return got


def keep(d: Device, got: Got) -> list[Element]:
    """What a Sync answered goes into the device; its collections."""
    if got.status != 200:
        raise Surprise(f"Sync: HTTP {got.status}")
    if not got.body:
        return []
    found = got.all("AirSync:Collection")
    for told in found:
        said = texts(told)
        folder = d.folders[said["AirSync:CollectionId"]]
        if said["AirSync:Status"] != "1":
            raise Surprise(f"Sync of {folder.name}: Status {said['AirSync:Status']}")
        folder.key = said["AirSync:SyncKey"]
        for change in _in(told, "AirSync:Commands"):
            id = texts(change)["AirSync:ServerId"]
            if change.tag in ("AirSync:Add", "AirSync:Change"):
                folder.items[id] = folder.items.get(id, {}) | texts(change)
            else:
                folder.items.pop(id, None)
        for told_of in _in(told, "AirSync:Responses"):
            said = texts(told_of)
            if said.get("AirSync:Status") != "1":
                raise Surprise(f"{told_of.tag} in {folder.name}: {said}")
            if told_of.tag == "AirSync:Add" and "AirSync:ServerId" in said:
                folder.items[said["AirSync:ServerId"]] = {"AirSync:ClientId": said["AirSync:ClientId"]}
    return found


def _in(told: Element, tag: str) -> tuple[Element, ...]:
    inside = told.child(tag)
    return inside.elements if inside is not None else ()


async def first_sync(d: Device, *types: FolderType) -> None:
    """Key 0 and all that is there, by the family's order and packing."""
    folders = [d.of(type) for type in types or d.manner.folders]
    if d.manner.together:
        await sync(d, *folders)
        await fill(d, *folders)
        return
    for folder in folders:
        await sync(d, folder)
        if d.manner.estimates:
            await estimate(d, folder)
        await fill(d, folder)


async def fill(d: Device, *folders: Folder) -> None:
    """Sync until nothing more is there."""
    left = list(folders)
    for _ in range(MOST):
        got = await sync(d, *left)
        told = keep_more(d, got)
        left = [folder for folder in left if folder.id in told]
        if not left:
            return
    raise Surprise("there is always more")


def keep_more(d: Device, got: Got) -> set[str]:
    """The collections of which there is more."""
    if not got.body:
        return set()
    return {
        texts(told)["AirSync:CollectionId"] for told in got.all("AirSync:Collection")
        if any(inner.tag == "AirSync:MoreAvailable" for inner in walk(told))
    }


async def estimate(d: Device, folder: Folder) -> Got:
    """GetItemEstimate, as its versions have it. [MS-ASCMD] GetItemEstimate"""
    filter = d.manner.wants.get(folder.item_class, "")
    age = filter.partition("<FilterType>")[2].partition("<")[0] or "0"
    if d.version <= Version.V12_1:
        inside = (
            f"<Class>{folder.item_class}</Class><CollectionId>{folder.id}</CollectionId>"
            f"<airsync:FilterType>{age}</airsync:FilterType><airsync:SyncKey>{folder.key}</airsync:SyncKey>"
        )
    else:
        inside = (
            f"<airsync:SyncKey>{folder.key}</airsync:SyncKey><CollectionId>{folder.id}</CollectionId>"
            f"<airsync:Options><airsync:FilterType>{age}</airsync:FilterType></airsync:Options>"
        )
    return await d.post("GetItemEstimate", (
        '<GetItemEstimate xmlns="GetItemEstimate"><Collections><Collection>'
        f"{inside}</Collection></Collections></GetItemEstimate>"
    ))
