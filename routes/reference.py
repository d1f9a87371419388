"""The API's reference at /docs: one page rendered here from the OpenAPI document.

FastAPI's own page fetches its scripts from another host; this one opens without a network and runs
nothing. The document itself is at /openapi.json.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from errors import DashboardError
from records.run import RunPlan
from records.schema import Schema
from routes.style import STYLE

__all__ = ["error_classes", "router"]

DOCS_CSP = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'self'"
router = APIRouter(include_in_schema=False)


@router.get("/docs")
async def docs(request: Request) -> HTMLResponse:
    return HTMLResponse(_page(request.app.openapi()), headers={"Content-Security-Policy": DOCS_CSP})


def error_classes(root: type[DashboardError] = DashboardError) -> Iterator[type[DashboardError]]:
    """Every class of the error tree, parents first."""
    yield root
    for child in root.__subclasses__():
        yield from error_classes(child)


def _page(document: Mapping[str, Any]) -> str:
    info = document["info"]
    operations = "".join(
        _operation(method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(info["title"])}: API</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<style>{STYLE}</style><h1>{escape(info['title'])}: API {escape(info['version'])}</h1>"
        f"<p>{escape(info.get('description', ''))}</p>"
        '<pre>curl -F model=@model.pkl "http://localhost:8501/run_tests"</pre>'
        '<p><a href="/openapi.json">OpenAPI document</a> · <a href="#errors">Errors</a> · '
        '<a href="#config">config</a> · <a href="#schema">schema</a> · <a href="/">Dashboard</a></p>'
        f"{operations}{_errors()}"
        f"{_json_schema('config', 'The form field config', RunPlan.model_json_schema(by_alias=True))}"
        f"{_json_schema('schema', 'The form field schema', Schema.model_json_schema(by_alias=True))}"
    )


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> str:
    parameters = [
        (each["name"], each["in"], _type(each.get("schema", {})), each.get("description", ""))
        for each in operation.get("parameters", [])
    ]
    form = _form(operation)
    for name, field in form.get("properties", {}).items():
        kind = "file" if field.get("format") == "binary" else "text or file" if name != "target" else "text"
        required = "required. " if name in form.get("required", ()) else ""
        parameters.append((name, "form", kind, required + field.get("description", "")))
    answers = [
        (status, each.get("description", ""), ", ".join(each.get("content", {})))
        for status, each in operation["responses"].items()
    ]
    meaning = f"<strong>{escape(operation.get('summary', ''))}.</strong> "
    return (
        f'<section><h3><code><span class="method">{method.upper()}</span>{escape(path)}</code></h3>'
        f"<p>{meaning}{escape(operation.get('description', ''))}</p>"
        f"{_table(('Parameter', 'In', 'Type', 'Meaning'), parameters)}"
        f"{_table(('Answer', 'Meaning', 'Media type'), answers)}</section>"
    )


def _form(operation: Mapping[str, Any]) -> Mapping[str, Any]:
    content = operation.get("requestBody", {}).get("content", {})
    schema: Mapping[str, Any] = content.get("multipart/form-data", {}).get("schema", {})
    return schema


def _errors() -> str:
    rows = "".join(
        f'<tr id="{code}"><td><code>{code}</code><td>{status}<td>{escape(title)}'
        for code, status, title in sorted(
            {(each.code, each.status, each.title) for each in error_classes()}
            | {("method_not_allowed", 405, "This method is not allowed here")}
        )
    )
    return (
        '<section id="errors"><h2>Errors</h2>'
        "<p>Every error is <code>application/problem+json</code> (RFC 9457): <code>title</code>, "
        "<code>status</code>, <code>detail</code>, <code>code</code>, and where known <code>hint</code>, "
        "<code>field</code> and <code>errors</code>.</p>"
        f"<table><tr><th>Code<th>Status<th>Title{rows}"
        "</table></section>"
    )


def _json_schema(anchor: str, title: str, schema: Mapping[str, Any]) -> str:
    text = escape(json.dumps(schema, indent=2))
    return (
        f'<section id="{anchor}"><h2>{escape(title)}</h2><details><summary>JSON schema</summary>'
        f"<pre>{text}</pre></details></section>"
    )


def _table(head: tuple[str, ...], rows: Sequence[tuple[Any, ...]]) -> str:
    if not rows:
        return ""
    body = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}" for cell in row) for row in rows)
    return f"<table><tr>{''.join(f'<th>{escape(cell)}' for cell in head)}{body}</table>"


def _type(schema: Mapping[str, Any]) -> str:
    kinds = schema.get("anyOf") or [schema]
    text = " or ".join(each.get("type", "") for each in kinds if each.get("type") != "null")
    limits = [
        f"{word} {schema[key]}" for key, word in (("minimum", "from"), ("maximum", "to")) if key in schema
    ]
    default = [f"default {schema['default']}"] if schema.get("default") is not None else []
    return ", ".join([text, *limits, *default])
