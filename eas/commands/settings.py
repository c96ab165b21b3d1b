"""Settings: out of office, what the device says of itself, the user's addresses, the recovery password.

A request has up to five properties; they are carried out and answered in the order in which they stand there. A fault
of one is the status of that one; a request that is no Settings request, or names a property twice, is Status 2 of all.

[MS-ASCMD] Settings R468-R486; Status (Settings) R4383-R4402; Oof; DeviceInformation; UserInformation.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

from eas.engine.errors import NotAllowed, Unavailable
from eas.engine.model import Audience, Device, OofReply, OutOfOffice, Policy
from eas.engine.partnership import revise
from eas.engine.session import Session
from eas.items.markup import html_of_text, text_of_html
from eas.protocol.schema import (
    DASHED,
    ELEMENT,
    FLAG,
    INT,
    PRESENCE,
    SchemaError,
    choices,
    element,
    elements,
    enum,
    load,
    message,
)
from eas.protocol.version import Spoken, Version
from eas.protocol.wbxml import Element

from ._device_information import DeviceInformation, merged, stated_values
from ._registry import command


class Status(IntEnum):
    SUCCESS = 1                # R4387
    PROTOCOL_ERROR = 2         # R4388, R5845
    ACCESS_DENIED = 3          # R5383
    SERVER_UNAVAILABLE = 4     # R5384
    INVALID_ARGUMENTS = 5      # R5702
    CONFLICTING_ARGUMENTS = 6  # R5385
    DENIED_BY_POLICY = 7       # R5581
    IRM_DISABLED = 168         # [MS-ASRM] R196


#: Characters of a recovery password. R3660, R4400
MAX_PASSWORD = 255

#: Characters of an out-of-office text. Exchange takes 128 KB; nobody writes more, and it is sent with every reply.
MAX_REPLY = 128 * 1024


# Messages -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class OofMessage:
    """One audience's reply; exactly one of the first three stands there (R3790)."""

    internal: bool | None = element("Settings:AppliesToInternal", PRESENCE, default=None)
    external_known: bool | None = element("Settings:AppliesToExternalKnown", PRESENCE, default=None)
    external_unknown: bool | None = element("Settings:AppliesToExternalUnknown", PRESENCE, default=None)
    enabled: bool | None = element("Settings:Enabled", FLAG, default=None)
    reply: str | None = element("Settings:ReplyMessage", default=None)
    body_type: str | None = element("Settings:BodyType", default=None)

    @property
    def audiences(self) -> tuple[Audience, ...]:
        stated = (self.internal, self.external_known, self.external_unknown)
        return tuple(audience for audience, there in zip(AUDIENCES, stated, strict=True) if there)


#: In the order in which they are answered.
AUDIENCES = (Audience.INTERNAL, Audience.EXTERNAL_KNOWN, Audience.EXTERNAL_UNKNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class OofGet:
    """`body_type` is Text or HTML, in any case."""

    body_type: str | None = element("Settings:BodyType", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class OofSet:
    """What is absent stays as it was."""

    state: int | None = element("Settings:OofState", INT, default=None)
    start: Any = element("Settings:StartTime", DASHED, default=None)
    end: Any = element("Settings:EndTime", DASHED, default=None)
    messages: tuple[OofMessage, ...] = elements("Settings:OofMessage", message(OofMessage))


@dataclass(frozen=True, slots=True, kw_only=True)
class Oof:
    """Get or Set, as elements: a fault inside them is this property's, not the request's."""

    get: Element | None = element("Settings:Get", ELEMENT, default=None)
    set: Element | None = element("Settings:Set", ELEMENT, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class DevicePassword:
    """`password` is None if there is no Set with one; "" clears the stored one (R3661)."""

    password: str | None = element("Settings:Password", within="Settings:Set", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class UserInformation:
    get: bool | None = element("Settings:Get", PRESENCE, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class RightsManagementInformation:
    get: bool | None = element("Settings:Get", PRESENCE, default=None)


Property = Oof | DevicePassword | DeviceInformation | UserInformation | RightsManagementInformation

PROPERTIES: Mapping[str, type] = {
    "Settings:Oof": Oof,
    "Settings:DevicePassword": DevicePassword,
    "Settings:DeviceInformation": DeviceInformation,
    "Settings:UserInformation": UserInformation,
    "Settings:RightsManagementInformation": RightsManagementInformation,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    properties: tuple[Property, ...] = choices(PROPERTIES)


@dataclass(frozen=True, slots=True, kw_only=True)
class OofSettings:
    """All three audiences are always named, or iOS shows "Loading" for ever (R3505)."""

    state: int = element("Settings:OofState", INT)
    start: Any = element("Settings:StartTime", DASHED, default=None)
    end: Any = element("Settings:EndTime", DASHED, default=None)
    messages: tuple[OofMessage, ...] = elements("Settings:OofMessage", message(OofMessage))


@dataclass(frozen=True, slots=True, kw_only=True)
class OofResponse:
    status: Status = element("Settings:Status", enum(Status))
    settings: OofSettings | None = element("Settings:Get", message(OofSettings), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class DevicePasswordResponse:
    status: Status = element("Settings:Status", enum(Status))


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceInformationResponse:
    status: Status = element("Settings:Status", enum(Status))


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailAddresses:
    """The primary address stands among the others, too."""

    addresses: tuple[str, ...] = elements("Settings:SMTPAddress")
    primary: str | None = element("Settings:PrimarySmtpAddress", since=Version.V14_1, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The primary account has no AccountId (R729)."""

    name: str | None = element("Settings:UserDisplayName", default=None)
    send_disabled: bool | None = element("Settings:SendDisabled", FLAG, default=None)
    email_addresses: EmailAddresses | None = element(
        "Settings:EmailAddresses", message(EmailAddresses), default=None
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class UserInformationGot:
    """The addresses by themselves up to 14.0, in an account from 14.1. R6672, R733"""

    email_addresses: EmailAddresses | None = element(
        "Settings:EmailAddresses", message(EmailAddresses), until=Version.V14_0, default=None
    )
    accounts: tuple[Account, ...] = elements(
        "Settings:Account", message(Account), within="Settings:Accounts", since=Version.V14_1
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class UserInformationResponse:
    status: Status = element("Settings:Status", enum(Status))
    got: UserInformationGot | None = element("Settings:Get", message(UserInformationGot), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Templates:
    """There are none on a server without rights management, but the schema wants the container."""

    templates: bool = element("RightsManagement:RightsManagementTemplates", PRESENCE, default=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class RightsManagementInformationResponse:
    status: Status = element("Settings:Status", enum(Status))
    got: Templates = element("Settings:Get", message(Templates), default=Templates())


PropertyResponse = (
    OofResponse
    | DevicePasswordResponse
    | DeviceInformationResponse
    | UserInformationResponse
    | RightsManagementInformationResponse
)

RESPONSES: Mapping[str, type] = {
    "Settings:Oof": OofResponse,
    "Settings:DevicePassword": DevicePasswordResponse,
    "Settings:DeviceInformation": DeviceInformationResponse,
    "Settings:UserInformation": UserInformationResponse,
    "Settings:RightsManagementInformation": RightsManagementInformationResponse,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    status: Status = element("Settings:Status", enum(Status))
    properties: tuple[PropertyResponse, ...] = choices(RESPONSES)


# Handler --------------------------------------------------------------------------------------------------------------


@command("Settings", "Settings:Settings", Request, malformed=Status.PROTOCOL_ERROR, spoken=Spoken(since=Version.V12_0))
async def settings(request: Request, session: Session) -> Response:
    kinds = [type(asked) for asked in request.properties]
    if len(set(kinds)) != len(kinds) or (RightsManagementInformation in kinds and session.version < Version.V14_1):
        return Response(status=Status.PROTOCOL_ERROR)
    answers = [await HANDLERS[type(asked)](asked, session) for asked in request.properties]
    return Response(status=Status.SUCCESS, properties=tuple(answers))


async def _oof(asked: Oof, session: Session) -> OofResponse:
    try:
        if asked.set is not None:
            return OofResponse(status=await _set_oof(load(OofSet, asked.set, session.version), session))
        body_type = load(OofGet, asked.get, session.version).body_type if asked.get is not None else None
        if body_type is None or body_type.upper() not in BODY_TYPES:
            return OofResponse(status=Status.PROTOCOL_ERROR)
        kept = await session.mailbox.out_of_office()
        return OofResponse(status=Status.SUCCESS, settings=_shown(kept, html=BODY_TYPES[body_type.upper()]))
    except SchemaError:
        return OofResponse(status=Status.PROTOCOL_ERROR)
    except NotAllowed:
        return OofResponse(status=Status.ACCESS_DENIED)
    except Unavailable:
        return OofResponse(status=Status.SERVER_UNAVAILABLE)


#: [MS-ASCMD] BodyType (Settings): "Text" and "HTML", which clients also write in capitals. The value: is it HTML?
BODY_TYPES: Mapping[str, bool] = {"TEXT": False, "HTML": True}


def _shown(kept: OutOfOffice, *, html: bool) -> OofSettings:
    timed = kept.state == 2
    return OofSettings(
        state=kept.state, start=kept.start if timed else None, end=kept.end if timed else None,
        messages=tuple(_shown_reply(audience, kept.replies.get(audience, _NO_REPLY), html) for audience in AUDIENCES),
    )


_NO_REPLY = OofReply(enabled=False)


def _shown_reply(audience: Audience, reply: OofReply, html: bool) -> OofMessage:
    """Text and HTML are converted to what was asked for; a reply always has its type (R826)."""
    text = reply.text
    if text and reply.html != html:
        text = html_of_text(text) if html else text_of_html(text)
    return OofMessage(
        internal=audience is Audience.INTERNAL or None,
        external_known=audience is Audience.EXTERNAL_KNOWN or None,
        external_unknown=audience is Audience.EXTERNAL_UNKNOWN or None,
        enabled=reply.enabled, reply=text or None, body_type="HTML" if html else "Text",
    )


async def _set_oof(asked: OofSet, session: Session) -> Status:
    kept = await session.mailbox.out_of_office()
    state = kept.state if asked.state is None else asked.state
    fault = _fault(asked, kept, state)
    if fault is not None:
        return fault
    start, end = (asked.start or kept.start, asked.end or kept.end) if state == 2 else (None, None)  # R7544
    replies = {**kept.replies, **{m.audiences[0]: _reply(m, kept) for m in asked.messages}}
    await session.mailbox.set_out_of_office(OutOfOffice(state=state, start=start, end=end, replies=replies))
    return Status.SUCCESS


def _fault(asked: OofSet, kept: OutOfOffice, state: int) -> Status | None:
    """What is wrong with a Set, by the first rule that it breaks."""
    audiences = [message.audiences for message in asked.messages]
    backwards = asked.start is not None and asked.end is not None and asked.start >= asked.end
    rules = (
        ((asked.start is None) != (asked.end is None), Status.PROTOCOL_ERROR),  # R3992, R5827
        (any(len(named) != 1 for named in audiences), Status.PROTOCOL_ERROR),  # R3790
        (any(m.reply and m.body_type is None for m in asked.messages), Status.PROTOCOL_ERROR),  # R3785
        (any((m.body_type or "TEXT").upper() not in BODY_TYPES for m in asked.messages), Status.INVALID_ARGUMENTS),
        (any(len(m.reply or "") > MAX_REPLY for m in asked.messages), Status.INVALID_ARGUMENTS),
        (state not in (0, 1, 2), Status.INVALID_ARGUMENTS),  # R3530
        (state == 2 and asked.start is None and kept.start is None, Status.INVALID_ARGUMENTS),
        (len(set(audiences)) != len(audiences), Status.CONFLICTING_ARGUMENTS),  # R3526
        (state == 2 and backwards, Status.CONFLICTING_ARGUMENTS),
    )
    return next((status for broken, status in rules if broken), None)


def _reply(asked: OofMessage, kept: OutOfOffice) -> OofReply:
    """An audience that is switched off, or on, without a text keeps the text that it had."""
    before = kept.replies.get(asked.audiences[0], _NO_REPLY)
    enabled = before.enabled if asked.enabled is None else asked.enabled
    if asked.reply is None:
        return replace(before, enabled=enabled)
    return OofReply(enabled=enabled, text=asked.reply, html=BODY_TYPES[(asked.body_type or "TEXT").upper()])


async def _device_password(asked: DevicePassword, session: Session) -> DevicePasswordResponse:
    password = asked.password
    if password is None:
        return DevicePasswordResponse(status=Status.PROTOCOL_ERROR)
    if len(password) > MAX_PASSWORD:
        return DevicePasswordResponse(status=Status.INVALID_ARGUMENTS)  # R4400
    if not recovery_allowed(session.policy):
        return DevicePasswordResponse(status=Status.DENIED_BY_POLICY)  # R4402

    def change(device: Device) -> Device:
        return replace(device, recovery_password=password)

    await revise(session.store, session.device, change)
    return DevicePasswordResponse(status=Status.SUCCESS)


def recovery_allowed(policy: Policy) -> bool:
    """A policy that says nothing of the matter in its document does not forbid it."""
    return policy.allow_password_recovery and policy.settings.get("PasswordRecoveryEnabled") != "0"


async def _device_information(asked: DeviceInformation, session: Session) -> DeviceInformationResponse:
    if asked.values is None:
        return DeviceInformationResponse(status=Status.PROTOCOL_ERROR)
    stated = stated_values(asked, session.version)
    if stated is None:
        return DeviceInformationResponse(status=Status.INVALID_ARGUMENTS)

    def change(device: Device) -> Device:
        return replace(device, information=merged(device.information, stated))

    await revise(session.store, session.device, change)
    return DeviceInformationResponse(status=Status.SUCCESS)


async def _user_information(asked: UserInformation, session: Session) -> UserInformationResponse:
    if asked.get is None:
        return UserInformationResponse(status=Status.PROTOCOL_ERROR)
    user = session.user
    addresses = EmailAddresses(addresses=user.addresses, primary=user.address)
    account = Account(name=user.name or None, send_disabled=False, email_addresses=addresses)
    return UserInformationResponse(
        status=Status.SUCCESS, got=UserInformationGot(email_addresses=addresses, accounts=(account,))
    )


async def _rights_management(
    asked: RightsManagementInformation, session: Session
) -> RightsManagementInformationResponse:
    return RightsManagementInformationResponse(status=Status.IRM_DISABLED if asked.get else Status.PROTOCOL_ERROR)


HANDLERS: Mapping[type, Callable[[Any, Session], Awaitable[PropertyResponse]]] = {
    Oof: _oof,
    DevicePassword: _device_password,
    DeviceInformation: _device_information,
    UserInformation: _user_information,
    RightsManagementInformation: _rights_management,
}
