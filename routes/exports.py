"""A finished run as a file: HTML, JUnit, Markdown, CSV, a picture, and its artifacts.

Leaves rendering to `reports`; here are media types, file names and the headers that keep an HTML
report from running anything.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse, Response

import runs
from auth import LOOPBACK
from errors import Conflict
from records.run import RunReport
from reports.exports import metrics_csv, to_html
from reports.junit import to_junit
from reports.markdown import to_markdown
from reports.picture import to_png
from routes.dependencies import RunId, ServicesDep, blocking
from routes.problems import answers
from services import Services

__all__ = ["REPORT_CSP", "router"]

Rendered = TypeVar("Rendered", str, bytes)
MEDIA_TYPES = {".parquet": "application/vnd.apache.parquet", ".json": "application/json"}
# One self-contained file: its own styles and drawings, no script, nothing fetched, no forms.
REPORT_CSP = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'; sandbox allow-popups"
)

router = APIRouter(
    prefix="/api/v1/runs/{run_id}", tags=["exports"], responses=answers(401, 403, 404, 422, 503)
)


def _as(*media_types: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"content": {each: {"schema": {"type": "string"}} for each in media_types}}} | answers(409)


Download = Annotated[bool, Query(description="As an attachment instead of inline.")]


@router.get(
    "/report.html", summary="The report as one HTML file", response_class=Response, responses=_as("text/html")
)
async def html(
    request: Request, services: ServicesDep, run_id: RunId, download: Download = False
) -> Response:
    """One self-contained page of aggregates that opens without a network."""
    text = await blocking(request, _rendered, services, run_id, to_html)
    headers = _disposition(run_id, "html", attachment=download) | {"Content-Security-Policy": REPORT_CSP}
    return Response(text, headers=headers, media_type="text/html; charset=utf-8")


@router.get(
    "/junit.xml", summary="The checks as JUnit XML", response_class=Response, responses=_as("application/xml")
)
async def junit(request: Request, services: ServicesDep, run_id: RunId) -> Response:
    """One testsuite a section, one testcase a check."""
    text = await blocking(request, _rendered, services, run_id, to_junit)
    return Response(text, headers=_disposition(run_id, "xml"), media_type="application/xml")


@router.get(
    "/report.md", summary="The report as Markdown", response_class=Response, responses=_as("text/markdown")
)
async def markdown(request: Request, services: ServicesDep, run_id: RunId) -> Response:
    """Short enough for a pull request's comment; with a link where the server's address is known."""
    link = _link(request, services, run_id)
    text = await blocking(request, _rendered, services, run_id, partial(to_markdown, link=link))
    return Response(text, headers=_disposition(run_id, "md"), media_type="text/markdown; charset=utf-8")


@router.get(
    "/report.png", summary="The verdict as a picture", response_class=Response, responses=_as("image/png")
)
async def png(request: Request, services: ServicesDep, run_id: RunId) -> Response:
    """Verdict, the figures that decide it and a few more, 1200 x 630, for a chat."""
    picture = await blocking(request, _rendered, services, run_id, to_png)
    return Response(picture, headers=_disposition(run_id, "png"), media_type="image/png")


@router.get("/metrics.csv", summary="The figures as CSV", response_class=Response, responses=_as("text/csv"))
async def csv(request: Request, services: ServicesDep, run_id: RunId) -> Response:
    """One figure a line."""
    text = await blocking(request, _rendered, services, run_id, metrics_csv)
    return Response(text, headers=_disposition(run_id, "csv"), media_type="text/csv; charset=utf-8")


@router.get(
    "/artifacts/{name}",
    summary="A large result",
    response_class=FileResponse,
    responses={200: {"content": {each: {} for each in MEDIA_TYPES.values()}}},
)
async def artifact(request: Request, services: ServicesDep, run_id: RunId, name: str) -> FileResponse:
    """`rows.parquet` (generated rows), `predictions.parquet`, `shap.parquet` or `thresholds.json`."""
    path: Path = await blocking(request, runs.artifact, services, run_id, name)
    media_type = MEDIA_TYPES.get(Path(name).suffix, "application/octet-stream")
    return FileResponse(path, media_type=media_type, filename=f"{run_id}-{name}")


def _rendered(services: Services, run_id: str, render: Callable[[RunReport], Rendered]) -> Rendered:
    report = runs.get_report(services, run_id)
    if report is None:
        row = runs.get_run(services, run_id)
        raise Conflict(
            f"The run has no report: it is {row.state}.",
            hint=f"Follow it at /api/v1/runs/{run_id}/events, or read /api/v1/runs/{run_id}.",
        )
    return render(report)


def _link(request: Request, services: Services, run_id: str) -> str:
    """The run's page as others reach it; empty where the caller's own machine is all that is known."""
    base = services.settings.public_url
    if not base and request.url.hostname not in LOOPBACK:
        base = str(request.base_url).rstrip("/")
    return f"{base}/run?run={run_id}" if base else ""


def _disposition(run_id: str, extension: str, *, attachment: bool = False) -> dict[str, str]:
    """The name is the run's id, never the caller's text."""
    kind = "attachment" if attachment else "inline"
    return {"Content-Disposition": f'{kind}; filename="run-{run_id}.{extension}"'}
