"""OpenAPI 3.1 of the actions: made of their signatures, type hints and docstrings."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, TypeAdapter, create_model
from pydantic.errors import PydanticSchemaGenerationError
from pydantic.json_schema import models_json_schema

from eas.admin.acting import Action
from eas.admin.recordings import Download

_STEP = re.compile(r"\{(\w+)(?::\w+)?\}")


@cache
def arguments_of(action: Action) -> type[BaseModel]:
    """What an action takes besides the site, as a model that refuses anything else."""
    hints = get_type_hints(inspect.unwrap(action.function))
    taken: dict[str, Any] = {
        name: (hints[name], ... if one.default is inspect.Parameter.empty else one.default)
        for name, one in inspect.signature(action.function).parameters.items()
        if name != "site"
    }
    return create_model(_camel(action.name), __config__=ConfigDict(extra="forbid"), **taken)


def lists_of(arguments: type[BaseModel]) -> frozenset[str]:
    """The arguments that may come several times in a query."""
    kinds = {name: get_origin(info.annotation) for name, info in arguments.model_fields.items()}
    return frozenset(name for name, kind in kinds.items() if kind is not None and _is_list(kind))


def _is_list(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Iterable) and not issubclass(kind, Mapping)


def document(actions: Iterable[Action], root: str, release: str) -> dict[str, Any]:
    """`root` is the path of the API."""
    actions = list(actions)
    models = {one.name: arguments_of(one) for one in actions}
    _, schemas = models_json_schema(
        [(model, "validation") for model in models.values()], ref_template="#/components/schemas/{model}"
    )
    paths: dict[str, dict[str, Any]] = {}
    for one in actions:
        paths.setdefault(_STEP.sub(r"{\1}", root + one.path), {})[one.method.lower()] = _operation(
            one, models[one.name], schemas["$defs"][models[one.name].__name__]
        )
    problem = {
        "description": "Not done.",
        "content": {"application/json": {"schema": {
            "type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"],
        }}},
    }
    return {
        "openapi": "3.1.0", "info": {"title": "ActiveSync gateway", "version": release},
        "security": [{"token": []}], "paths": paths,
        "components": {
            "schemas": schemas["$defs"], "responses": {"problem": problem},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(action: Action, model: type[BaseModel], schema: Mapping[str, Any]) -> dict[str, Any]:
    steps = _STEP.findall(action.path)
    required, properties = schema.get("required", []), schema.get("properties", {})
    others = {name: one for name, one in properties.items() if name not in steps}
    parameters = [{"name": n, "in": "path", "required": True, "schema": properties[n]} for n in steps]
    if action.method == "GET":
        parameters += [
            {"name": n, "in": "query", "required": n in required, "schema": one} for n, one in others.items()
        ]
    said = inspect.getdoc(action.function) or action.name
    made: dict[str, Any] = {
        "operationId": action.name, "summary": said.partition("\n\n")[0].replace("\n", " "),
        "description": f"Takes the permission `{action.permission.value}`.", "tags": [action.name.partition(".")[0]],
        "parameters": parameters,
        "responses": {
            "200": {"description": "Done.", "content": _content(action)},
            "default": {"$ref": "#/components/responses/problem"},
        },
    }
    if action.method != "GET" and others:
        body = {"type": "object", "properties": others, "required": [name for name in required if name not in steps]}
        made["requestBody"] = {
            "required": bool(body["required"]), "content": {"application/json": {"schema": body}},
        }
    return made


def _content(action: Action) -> dict[str, Any]:
    if get_type_hints(inspect.unwrap(action.function)).get("return") is Download:
        return {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
    return {"application/json": {"schema": _result(action)}}


def _result(action: Action) -> dict[str, Any]:
    kind = get_type_hints(inspect.unwrap(action.function)).get("return")
    if kind in (None, type(None)):
        return {"type": "object", "properties": {"done": {"type": "string"}}}
    try:
        return TypeAdapter(kind).json_schema(mode="serialization")
    except PydanticSchemaGenerationError:
        return {}


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in re.split(r"[.-]", name))
