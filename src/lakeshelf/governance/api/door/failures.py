"""Everything that is refused or fails, in one shape: `{"error": {"code", "message", "details"}}`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from lakeshelf.errors import LakeshelfError
from lakeshelf.governance.errors import CODES, GovernanceError, refused
from lakeshelf.governance.services.refusals import governed, shape
from lakeshelf.lake.place.location import Root

RETRY_AFTER_S = 2
"""Seconds after which a call that could not be served may be sent again."""
_OF_STATUS = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large"}
_SHOWN = 20
"""Problems of a body that are told."""


def answer(error: GovernanceError, root: Root) -> JSONResponse:
    """The answer that tells of an error; `root` is that of the lake."""
    headers = {}
    if error.status in (429, 503):
        headers["Retry-After"] = str(error.details.get("retry_after_s", RETRY_AFTER_S))
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(shape(error, root), error.status, headers)


def documented(*codes: str) -> dict[int | str, dict[str, Any]]:
    """What an operation can be refused with, for the OpenAPI document."""
    by_status: dict[int | str, dict[str, Any]] = {}
    for code in sorted(codes, key=lambda one: (CODES[one], one)):
        examples = by_status.setdefault(
            CODES[code],
            {
                "description": "",
                "content": {
                    "application/json": {
                        "schema": {"$ref": "#/components/schemas/Error"},
                        "examples": {},
                    }
                },
            },
        )
        shown = {"error": {"code": code, "message": "…", "details": {}}}
        examples["content"]["application/json"]["examples"][code] = {"value": shown}
        examples["description"] = ", ".join(examples["content"]["application/json"]["examples"])
    return by_status


SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "details"],
            "properties": {
                "code": {"type": "string", "enum": sorted(CODES)},
                "message": {"type": "string"},
                "details": {"type": "object"},
            },
        }
    },
}
"""Schema of every answer that is no success."""


def install(app: FastAPI, root: Root) -> None:
    """Have every error of an application, and of the lake at `root`, told in the one shape."""

    @app.exception_handler(LakeshelfError)
    def of_product(_: Request, error: Exception) -> JSONResponse:
        return answer(governed(error), root)

    @app.exception_handler(RequestValidationError)
    def of_body(_: Request, error: Exception) -> JSONResponse:
        return answer(invalid(error), root)

    @app.exception_handler(HTTPException)
    def of_route(request: Request, error: Exception) -> JSONResponse:
        status = getattr(error, "status_code", 500)
        code = _OF_STATUS.get(status, "request_invalid" if status < 500 else "internal")
        place = f"{request.method} {request.url.path[:200]}"
        messages = {"not_found": f"there is no {place}", "method_not_allowed": f"no {place}"}
        message = messages.get(code, str(getattr(error, "detail", "")))
        return answer(refused(code, message), root)


def invalid(error: Exception) -> GovernanceError:
    """The refusal of a body or parameter that is not as declared; values that were given are not told again."""
    faults = error.errors() if isinstance(error, RequestValidationError) else []
    problems = [
        {"where": ".".join(str(part) for part in one["loc"])[:200], "problem": one["msg"][:200]}
        for one in faults[:_SHOWN]
    ]
    first = problems[0] if problems else {"where": "body", "problem": "it cannot be read"}
    return refused(
        "request_invalid",
        f"{first['where']}: {first['problem']}",
        hint="see /openapi.json",
        problems=problems,
        count=len(faults),
    )
