"""Provision: the device asks for its security policy, and says what it has made of it; also the way to a remote wipe.

Phase 1 hands out the policy with a temporary key, phase 2 acknowledges it with that key and earns the final one, which
the device sends from then on. A wipe that was requested takes the place of the policy until the device says that it is
done; what it held of the account is forgotten then, and it is let in no more before somebody says so. There is always a
policy to hand out: clients are known to which Status 2 ("no policy") is an error.

[MS-ASPROV] Provision Command R481-R508, R534, R650-R666; Status (Policy) R374-R389; Status (Provision) R390-R396;
[MS-ASCMD] Downloading Policy Settings R4987-R5028.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from hashlib import sha256

from eas.engine.compliance import acknowledged, answered, offer, offered
from eas.engine.model import Device, Policy, Wipe
from eas.engine.partnership import PENDING, revise, wiped
from eas.engine.quirks import Quirk
from eas.engine.session import Session
from eas.items.policy import document, text_document
from eas.protocol.schema import ELEMENT, INT, PRESENCE, element, elements, enum, message
from eas.protocol.statuses import CommonStatus
from eas.protocol.version import COMMON_STATUS, POLICY_AS_TEXT, PROVISION_DEVICE_INFORMATION, Version
from eas.protocol.wbxml import Element

from ._device_information import DeviceInformation, merged, stated_values
from ._registry import CommonFault, command


class Status(IntEnum):
    SUCCESS = 1         # R394
    PROTOCOL_ERROR = 2  # R395
    SERVER_ERROR = 3    # R396


class PolicyStatus(IntEnum):
    """In answers."""

    SUCCESS = 1       # R378
    NO_POLICY = 2     # R379, never answered: see above
    UNKNOWN_TYPE = 3  # R380
    CORRUPT = 4       # R381, never answered: policies are checked when they are written
    WRONG_KEY = 5     # R382


class Applied(IntEnum):
    """What a device says that it has made of the policy."""

    WHOLLY = 1      # R386
    PARTIALLY = 2   # R387
    NOT = 3         # R388
    EXTERNALLY = 4  # R389: it is managed by somebody else


class SettingsStatus(IntEnum):
    """Of the DeviceInformation within the answer. [MS-ASCMD] Status (Settings) R4392, R5582."""

    SUCCESS = 1
    INVALID_ARGUMENTS = 5


#: The types of a policy: from 12.0 on (R971), and as text (R965).
WBXML_POLICY, TEXT_POLICY = "MS-EAS-Provisioning-WBXML", "MS-WAP-Provisioning-XML"


def policy_type(version: Version) -> str:
    """The only type of a policy that a version has."""
    return TEXT_POLICY if version in POLICY_AS_TEXT else WBXML_POLICY


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedPolicy:
    """Phase 1 has the type only; phase 2 the temporary key and a status (R604, R311)."""

    policy_type: str | None = element("Provision:PolicyType", default=None)
    policy_key: str | None = element("Provision:PolicyKey", default=None)
    status: int | None = element("Provision:Status", INT, default=None)

    @property
    def acknowledges(self) -> bool:
        return self.policy_key is not None or self.status is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class WipeReport:
    """1 done, 2 failed. R401-R403"""

    status: int | None = element("Provision:Status", INT, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    device_information: DeviceInformation | None = element(
        "Settings:DeviceInformation", message(DeviceInformation), since=Version.V14_1, default=None
    )
    policies: tuple[AskedPolicy, ...] = elements(
        "Provision:Policy", message(AskedPolicy), within="Provision:Policies"
    )
    remote_wipe: WipeReport | None = element("Provision:RemoteWipe", message(WipeReport), default=None)
    account_only_wipe: WipeReport | None = element(
        "Provision:AccountOnlyRemoteWipe", message(WipeReport), since=Version.V16_1, default=None
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceInformationResponse:
    status: SettingsStatus = element("Settings:Status", enum(SettingsStatus))


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenPolicy:
    policy_type: str = element("Provision:PolicyType")
    status: PolicyStatus = element("Provision:Status", enum(PolicyStatus))
    policy_key: str | None = element("Provision:PolicyKey", default=None)
    data: Element | None = element(
        "Provision:EASProvisionDoc", ELEMENT, within="Provision:Data", since=Version.V12_0, default=None
    )
    text: str | None = element("Provision:Data", until=Version.V2_5, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """In the order of the schema; iOS 5 also insists on the status before the wipe."""

    device_information: DeviceInformationResponse | None = element(
        "Settings:DeviceInformation", message(DeviceInformationResponse), since=Version.V14_1, default=None
    )
    status: Status = element("Provision:Status", enum(Status))
    policies: tuple[GivenPolicy, ...] = elements(
        "Provision:Policy", message(GivenPolicy), within="Provision:Policies"
    )
    remote_wipe: bool | None = element("Provision:RemoteWipe", PRESENCE, default=None)
    account_only_wipe: bool | None = element(
        "Provision:AccountOnlyRemoteWipe", PRESENCE, since=Version.V16_1, default=None
    )


@command("Provision", "Provision:Provision", Request, malformed=Status.PROTOCOL_ERROR, gated=False)
async def provision(request: Request, session: Session) -> Response:
    if request.account_only_wipe is not None:
        return await _wipe_reported(request.account_only_wipe, session, account_only=True)
    if request.remote_wipe is not None:
        return await _wipe_reported(request.remote_wipe, session, account_only=False)
    if session.device.wipe in PENDING:
        return await _wipe(session)
    if session.device.wipe is Wipe.DONE:
        raise CommonFault(CommonStatus.DEVICE_IS_BLOCKED_FOR_THIS_USER, "the device was wiped")
    if not request.policies:
        # What a device without a pending wipe gets for an empty request. R493
        return Response(status=Status.SUCCESS)
    asked = request.policies[0]
    if asked.policy_type is None:
        return Response(status=Status.PROTOCOL_ERROR)  # [MS-ASCMD] R4989
    if asked.policy_type != policy_type(session.version):
        unknown = GivenPolicy(policy_type=asked.policy_type, status=PolicyStatus.UNKNOWN_TYPE)
        return Response(status=Status.SUCCESS, policies=(unknown,))
    if asked.acknowledges:
        return await _acknowledged(asked, session)
    return await _hand_out(request, session)


async def _hand_out(request: Request, session: Session) -> Response:
    """Phase 1: a temporary key and the policy. R486, R650"""
    information = _stated_information(request, session)
    policy = session.policy
    key, digest = session.entropy.number(), offer(policy, session.version, session.quirks)

    def change(device: Device) -> Device:
        known = merged(device.information, information or {})
        return replace(device, offered_key=key, offered_digest=digest, information=known)

    await revise(session.store, session.device, change)
    return Response(
        device_information=_information_response(request, information), status=Status.SUCCESS,
        policies=(_given(policy, key, session),),
    )


def _given(policy: Policy, key: str, session: Session) -> GivenPolicy:
    settings, version = offered(policy, session.quirks), session.version
    as_text = version in POLICY_AS_TEXT
    return GivenPolicy(
        policy_type=policy_type(version), status=PolicyStatus.SUCCESS, policy_key=key,
        data=None if as_text else document(settings, version, policy.insist),
        text=text_document(settings) if as_text else None,
    )


def _stated_information(request: Request, session: Session) -> dict[str, str] | None:
    """None if something in it is invalid. Raises CommonFault where it is due and missing. [MS-ASCMD] R4954"""
    if session.version not in PROVISION_DEVICE_INFORMATION:
        return {}
    if request.device_information is None or request.device_information.values is None:
        if Quirk.PROVISION_WITHOUT_DEVICE_INFORMATION in session.quirks:
            return {}
        raise CommonFault(CommonStatus.DEVICE_INFORMATION_REQUIRED)
    return stated_values(request.device_information, session.version)


def _information_response(request: Request, stated: dict[str, str] | None) -> DeviceInformationResponse | None:
    if request.device_information is None:
        return None
    status = SettingsStatus.INVALID_ARGUMENTS if stated is None else SettingsStatus.SUCCESS
    return DeviceInformationResponse(status=status)


async def _acknowledged(asked: AskedPolicy, session: Session) -> Response:
    """Phase 2: the final key, for the temporary one. R657-R662

    Asked again, because the answer was lost, it gives the same key again. A policy that has changed since phase 1 is
    out of date (R475): the device comes back for the new one.
    """
    if not asked.policy_key and session.version in COMMON_STATUS:
        raise CommonFault(CommonStatus.LEGACY_DEVICE_ON_STRICT_POLICY, "acknowledgement without a key")  # R458, R682
    if asked.status not in APPLIED:
        return Response(status=Status.PROTOCOL_ERROR)
    policy = session.policy
    current, now = offer(policy, session.version, session.quirks), session.clock.now()
    if not _matches(asked, session.device, current):
        return _wrong_key(session)
    applied = APPLIED[asked.status]
    answer = answered(ANSWERS[applied], current) if applied in ANSWERS else ""
    try:
        _check_compliance(applied, policy)
    except CommonFault:
        await revise(session.store, session.device, lambda device: replace(device, policy_answer=answer))
        raise

    def change(device: Device) -> Device:
        final = _final_key(device.offered_key)
        if not _matches(asked, device, current) or device.policy_key == final:
            return device
        digest = acknowledged(policy, current, now)
        return replace(device, policy_key=final, policy_digest=digest, policy_answer=answer)

    device = await revise(session.store, session.device, change)
    if not _matches(asked, device, current):
        return _wrong_key(session)
    given = GivenPolicy(
        policy_type=policy_type(session.version), status=PolicyStatus.SUCCESS, policy_key=device.policy_key
    )
    return Response(status=Status.SUCCESS, policies=(given,))


#: What is kept of an answer that is not all of it, for people (`eas.engine.compliance.answer_to`).
ANSWERS = {Applied.PARTIALLY: "partly", Applied.NOT: "not", Applied.EXTERNALLY: "elsewhere"}
#: By the number that a device states. R385
APPLIED = {int(member): member for member in Applied}


def _wrong_key(session: Session) -> Response:
    wrong = GivenPolicy(policy_type=policy_type(session.version), status=PolicyStatus.WRONG_KEY)
    return Response(status=Status.SUCCESS, policies=(wrong,))


def _matches(asked: AskedPolicy, device: Device, current: str) -> bool:
    return device.offered_key != "" and asked.policy_key == device.offered_key and device.offered_digest == current


def _final_key(temporary: str) -> str:
    """As random as the temporary one, and the same whenever it is asked for: a 32-bit decimal, never 0. R606"""
    return str(int.from_bytes(sha256(f"final {temporary}".encode()).digest()[:4], "big") or 1)


def _check_compliance(status: Applied, policy: Policy) -> None:
    """Raises CommonFault if the device has made less of the policy than is allowed. R455, R461, R660

    One that has applied nothing gets its key as long as the policy is only offered.
    """
    if status is Applied.EXTERNALLY:
        if not policy.allow_external:
            raise CommonFault(CommonStatus.EXTERNALLY_MANAGED_DEVICES_NOT_ALLOWED)
    elif status is Applied.PARTIALLY:
        if not policy.allow_partial:
            raise CommonFault(CommonStatus.DEVICE_NOT_FULLY_PROVISIONABLE, "the policy was applied in part")
    elif status is not Applied.WHOLLY and policy.enforced:
        raise CommonFault(CommonStatus.DEVICE_NOT_FULLY_PROVISIONABLE, "the policy was not applied")


async def _wipe(session: Session) -> Response:
    """Tell the device to wipe itself, or its account. R493, R653, R66613"""

    def change(device: Device) -> Device:
        if device.wipe not in PENDING:
            return device
        return replace(device, wipe=Wipe.SENT, wipe_at=session.clock.now())

    device = await revise(session.store, session.device, change)
    if device.wipe is Wipe.SENT and session.device.wipe is not Wipe.SENT:
        await session.wipe_turned(session.user, device)
    return _directive(device, Status.SUCCESS)


def _directive(device: Device, status: Status) -> Response:
    """What a device hears while its wipe is pending; the status alone if it is not."""
    pending = device.wipe in PENDING
    return Response(
        status=status, remote_wipe=True if pending and not device.wipe_account_only else None,
        account_only_wipe=True if pending and device.wipe_account_only else None,
    )


async def _wipe_reported(report: WipeReport, session: Session, *, account_only: bool) -> Response:
    """Record what became of a wipe. R663-R665, R701, R66601-R66605

    A report that nobody asked for, of the other kind, or that comes twice, changes nothing.
    """
    done, now = report.status == 1, session.clock.now()

    def change(device: Device) -> Device:
        if device.wipe not in PENDING or device.wipe_account_only is not account_only:
            return device
        return wiped(device, now) if done else replace(device, wipe=Wipe.FAILED, wipe_at=now)

    device = await revise(session.store, session.device, change)
    if device.wipe is Wipe.DONE and device.wipe_at == now:
        # Whoever has this device next begins anew with everything.
        await session.store.forget(session.user.id, device.id)
    if device.wipe in (Wipe.DONE, Wipe.FAILED) and device.wipe_at == now:
        await session.wipe_turned(session.user, device)
    if device.wipe in PENDING:
        return _directive(device, Status.PROTOCOL_ERROR)
    return Response(status=Status.SUCCESS)
