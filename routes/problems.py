"""Every error of the API as RFC 9457 `application/problem+json`, in one place.

Promises: one shape for expected errors, validation, 404, 405, 413 and what nobody expected; nothing
internal leaves the server. Leaves raising to those who know what happened.
"""

import json
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException

from errors import DashboardError, Forbidden, InvalidInput, NotFound, TooLarge

__all__ = [
    "PROBLEM_TYPE",
    "FieldProblem",
    "Problem",
    "answers",
    "install",
    "problem",
    "readable",
    "render",
    "too_large",
]

PROBLEM_TYPE = "application/problem+json"
MAX_ERRORS_LISTED = 20
MAX_SHOWN = 40  # characters of a value that is at fault
INTERNAL_TITLE = DashboardError.title


class FieldProblem(BaseModel):
    """One field at fault."""

    field: str
    message: str


class Problem(BaseModel):
    """The error document. `detail` says what happened, `hint` what to do, `field` where."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    hint: str | None = None
    field: str | None = None
    errors: list[FieldProblem] | None = None
    instance: str | None = None


_REFERENCE = "#/components/schemas/{model}"
_ANSWERS = {
    401: "No valid token",
    403: "A page of another origin, an unknown host name, or a token without the scope",
    404: "There is no such run, or it has no such file",
    409: "The run's state does not allow it, or the key was used for another form",
    412: "Changed since the ETag of If-Match was read",
    413: "Too large",
    422: "Something in the request cannot be used",
    429: "Too many; see Retry-After",
    503: "Not ready; see Retry-After",
}

_WORDS = {
    "extra_forbidden": "unknown key",
    "missing": "is missing",
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be {expected}",
    "string_too_long": "must be no longer than {max_length} characters",
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "must be a whole number"),
    **dict.fromkeys(("float_type", "float_parsing", "finite_number"), "must be a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "must be true or false"),
    **dict.fromkeys(("tuple_type", "list_type"), "must be a list"),
    **dict.fromkeys(("model_type", "dict_type"), "must be a JSON object"),
    "string_type": "must be a text",
}
"""Pydantic's kinds of error in the words of someone who writes JSON or a query, by its own limits."""

_PATHS = ("/run_tests", "/api/v1/runs", "/health", "/ready", "/metrics", "/docs", "/openapi.json")

# What Starlette and FastAPI raise by themselves, under the codes of our own tree.
_BY_STATUS: dict[int, tuple[str, str]] = {
    403: (Forbidden.code, Forbidden.title),
    404: (NotFound.code, NotFound.title),
    405: ("method_not_allowed", "This method is not allowed here"),
    413: (TooLarge.code, TooLarge.title),
    422: (InvalidInput.code, InvalidInput.title),
}


def problem(
    status: int,
    detail: str,
    *,
    code: str | None = None,
    title: str | None = None,
    hint: str = "",
    field: str | None = None,
    errors: Sequence[FieldProblem] = (),
    instance: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The response for one error; code and title follow from the status when not given."""
    known_code, known_title = _BY_STATUS.get(status, (f"http_{status}", _phrase(status)))
    code = code or known_code
    document = Problem(
        type=f"/docs#{code}",
        title=title or known_title,
        status=status,
        detail=detail,
        code=code,
        hint=hint or None,
        field=field,
        errors=list(errors[:MAX_ERRORS_LISTED]) or None,
        instance=instance,
    )
    return JSONResponse(
        document.model_dump(exclude_none=True),
        status_code=status,
        headers={**(headers or {}), "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"},
        media_type=PROBLEM_TYPE,
    )


def render(error: DashboardError) -> Response:
    """An error of our own tree."""
    headers = {} if error.retry_after_s is None else {"Retry-After": str(error.retry_after_s)}
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return problem(
        error.status,
        error.message,
        code=error.code,
        title=error.title,
        hint=error.hint,
        field=error.field,
        headers=headers,
    )


def too_large() -> Response:
    """A body over the limit, refused before it was read to its end."""
    return problem(
        413,
        "The request's body is larger than this server accepts.",
        hint="Send smaller files, or raise MAX_UPLOAD_MB on the server.",
    )


def readable(errors: Sequence[Mapping[str, Any]], *, skip: int = 0) -> list[FieldProblem]:
    """Pydantic's errors as (field, message); `skip` drops leading location parts ("query", "body")."""
    found = []
    for error in errors:
        where = ".".join(str(part) for part in error["loc"][skip:])
        found.append(FieldProblem(field=where, message=_in_words(error)))
    return found


def _in_words(error: Mapping[str, Any]) -> str:
    """What the value must be, and where it is short, what it is."""
    known = _WORDS.get(error["type"])
    if known is None:
        return str(error["msg"]).removeprefix("Value error, ")
    limits = {key: _limit(value) for key, value in (error.get("ctx") or {}).items()}
    given = error.get("input")
    shown = json.dumps(given, ensure_ascii=False) if isinstance(given, str | int | float) else ""
    is_told = "must" in known and shown and len(shown) <= MAX_SHOWN
    return known.format(**limits) + (f", not {shown}" if is_told else "")


def _limit(value: object) -> str:
    return f"{value:,.12g}" if isinstance(value, int | float) else str(value)


def summary(found: Sequence[FieldProblem]) -> str:
    """The errors in one sentence, for people who read only `detail`."""
    shown = "; ".join(f"{each.field}: {each.message}" if each.field else each.message for each in found[:3])
    more = f"; and {len(found) - 3} more" if len(found) > 3 else ""
    return shown + more


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What the API's description says of a route that answers with these errors.

    >>> sorted(answers(404, 409)[404]["content"])
    ['application/problem+json']
    """
    # By reference: of a model, FastAPI says that it comes as the route's own media type.
    content = {PROBLEM_TYPE: {"schema": {"$ref": _REFERENCE.format(model="Problem")}}}
    return {status: {"description": _ANSWERS[status], "content": content} for status in statuses}


def install(app: FastAPI) -> None:
    """Render and describe what routes raise. What nobody expected is caught by `guard`."""
    _describe(app)
    app.add_exception_handler(DashboardError, _dashboard_error)
    app.add_exception_handler(RequestValidationError, _request_invalid)
    app.add_exception_handler(HTTPException, _http_error)


def _describe(app: FastAPI) -> None:
    """Let the API's description hold what `answers` refers to."""
    described = app.openapi

    def openapi() -> dict[str, Any]:
        document = described()
        schema = Problem.model_json_schema(ref_template=_REFERENCE)
        document["components"]["schemas"].update(schema.pop("$defs"), Problem=schema)
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI's manual has it


def of_validation(error: ValidationError) -> list[FieldProblem]:
    """The readable errors of a pydantic model that we validated ourselves."""
    return readable([dict(each) for each in error.errors(include_url=False)])


def _dashboard_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, DashboardError)
    return render(error)


def _request_invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = readable(error.errors(), skip=1)
    return problem(
        422,
        summary(found),
        errors=found,
        field=found[0].field if found else None,
        hint="The parameters are listed at /docs.",
    )


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status, headers = error.status_code, error.headers
    if status in (204, 304):
        return Response(status_code=status, headers=headers)
    if status == 404:
        return _nothing_at(request.url.path, headers)
    if status == 405:
        return problem(
            405,
            f"{request.method} is not allowed on {request.url.path}.",
            hint=f"Use {headers['Allow']}." if headers and "Allow" in headers else "See /docs.",
            headers=headers,
        )
    if status == 400:  # of a form that is cut off, or has too many parts
        unreadable = InvalidInput(
            f"The form cannot be read: {error.detail}", hint="Send it whole, with each field once."
        )
        return render(unreadable)
    if status == 413:
        return too_large()
    return problem(status, str(error.detail or _phrase(status)), headers=headers)


def _nothing_at(path: str, headers: Mapping[str, str] | None) -> Response:
    """404, with the path that was most likely meant."""
    meant = next((known for known in _PATHS if path.rstrip("/").endswith(known)), None)
    near = [meant] if meant else get_close_matches(path, _PATHS, n=1, cutoff=0.75)
    hint = f"Did you mean {near[0]}?" if near else "The paths are listed at /docs."
    return problem(404, f"There is nothing at {path}.", hint=hint, headers=headers)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"
