"""JSON over HTTP: every action that has a path, at /api/v1, described by OpenAPI at /api/openapi.json.

Programs send `Authorization: Bearer` with a token of `eas staff token`; pages that are logged in may ask as well, with
X-CSRF-Token for whatever changes something. Arguments of a GET stand in the query, others in a JSON object. Errors are
{"error": "..."} with the HTTP status that fits.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

import eas.admin.offered  # noqa: F401 - the modules that register actions
from eas.admin.acting import ACTIONS, Action, Caller, Face, Role
from eas.admin.errors import ActionError, Invalid, NotFound
from eas.admin.recordings import Download
from eas.engine.errors import BackendError

from . import openapi
from .ports import Frame, Later
from .rendering import file_of
from .sessions import AREAS, caller_of, secret_of, session_of
from .visits import SAFE, check_origin, check_token, status_of

ROOT = "/api/v1"
#: Octets of a request.
MAX_BODY = 2 << 20


class NoLogin(Exception):
    """Nobody is named, or nobody that is known."""


def routes(frame: Frame) -> Sequence[BaseRoute]:
    offered = [one for one in ACTIONS.values() if one.path]

    async def described(request: Request) -> Response:
        if not frame.for_staff(request):
            return _problem(404, "not found")
        # Hundreds of milliseconds, the first time; and nothing that the start of a server should wait for.
        return JSONResponse(await asyncio.to_thread(_document, frame.release))

    return [
        Route("/api/openapi.json", described),
        *(Route(ROOT + one.path, _endpoint(one, frame), methods=[one.method]) for one in offered),
    ]


@cache
def _document(release: str) -> dict[str, Any]:
    return openapi.document([one for one in ACTIONS.values() if one.path], ROOT, release)


def _endpoint(asked: Action, frame: Frame) -> Any:
    async def endpoint(request: Request) -> Response:
        try:
            if not frame.for_staff(request):
                raise NotFound("not found")
            caller = await _caller(request, frame)
            given = await _given(request, asked.method, openapi.arguments_of(asked))
            result = await asked.function(replace(frame.site, caller=caller), **given)
            if isinstance(result, Download):
                return file_of(result)
            return JSONResponse({"done": asked.name} if result is None else json.loads(json.dumps(result, default=str)))
        except NoLogin as error:
            return _problem(401, str(error), {"WWW-Authenticate": 'Bearer realm="ActiveSync API"'})
        except (ActionError, BackendError, Later) as error:
            return _problem(status_of(error), str(error))

    return endpoint


def _problem(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"error": message}, status, headers=headers)


async def _caller(request: Request, frame: Frame) -> Caller:
    """Raises NoLogin, Forbidden."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return await _holder(token.strip(), request, frame)
    for area in AREAS.values():
        session = await session_of(frame, request, area)
        if session is not None:
            if request.method not in SAFE:
                check_origin(request, frame.base_url(request))
                check_token(session, request.headers.get("x-csrf-token", ""))
            secret = secret_of(frame, request, area, session)
            return caller_of(session, frame.address(request), Face.API, secret=secret)
    raise NoLogin("a token is needed: Authorization: Bearer ...")


async def _holder(token: str, request: Request, frame: Frame) -> Caller:
    staff, now = frame.site.staff, frame.now()
    found = await staff.token(token)
    if found is None or (found.until is not None and found.until <= now):
        raise NoLogin("the token is not known, or no longer valid")
    member = await staff.member(found.staff)
    if member is None:
        raise NoLogin("the token is not known, or no longer valid")
    if found.used is None or (now - found.used).total_seconds() > 60:
        await staff.use_token(found.token, now)
    return Caller(name=member.name, role=Role(member.role), face=Face.API, address=frame.address(request))


async def _given(request: Request, method: str, arguments: type[BaseModel]) -> dict[str, Any]:
    """The arguments as the action wants them. Raises Invalid."""
    said: dict[str, Any] = _query(request, arguments) if method == "GET" else await _body(request)
    if twice := said.keys() & request.path_params.keys():
        raise Invalid(f"{', '.join(sorted(twice))} stands in the path already")
    try:
        checked = arguments.model_validate({**said, **request.path_params})
    except ValidationError as error:
        raise Invalid("; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())) from None
    return {name: getattr(checked, name) for name in checked.model_fields_set}


def _query(request: Request, arguments: type[BaseModel]) -> dict[str, Any]:
    listed = openapi.lists_of(arguments)
    query = request.query_params
    return {name: query.getlist(name) if name in listed else query[name] for name in query}


async def _body(request: Request) -> dict[str, Any]:
    length = request.headers.get("content-length", "0")
    if "transfer-encoding" in request.headers or not length.isdigit() or int(length) > MAX_BODY:
        raise Invalid(f"a body of at most {MAX_BODY} bytes with its length stated is taken")
    raw = await request.body()
    if not raw:
        return {}
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        # What a form of another site could send is not taken either.
        raise Invalid("application/json is wanted")
    try:
        said = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Invalid(f"not JSON: {error}") from None
    if not isinstance(said, dict):
        raise Invalid("a JSON object is wanted")
    return said
