"""Runs over HTTP: submit and wait, list, read, follow, compare, change, cancel and delete.

Promises: a wait never blocks a thread, a client that leaves loses nothing (the run goes on), and a
finished run reads the same here as in the dashboard. Leaves every decision to the `runs` use case.
"""

import hashlib
from collections.abc import AsyncIterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any

import anyio
from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

import runs
from auth import ANYONE, Grant
from errors import InvalidInput
from records.base import Record
from records.run import REPORT_VERSION, RunReport, Source, Stage
from records.sample import SampleFacts
from registry.discarded import restore
from reports.comparison import Comparison
from routes.dependencies import RunId, ServicesDep, blocking, is_stopping
from routes.limits import limit_submissions
from routes.problems import answers
from routes.submission import FORM_SCHEMA, read_submission
from runs import RunChange, Upload
from services import Services
from settings import Settings
from storage import GLANCE_S
from store.run_lists import RunQuery, Sort
from store.run_rows import RunRow, RunState

__all__ = ["PREFIX", "RunItem", "RunList", "RunProgress", "build_router", "item_of", "links"]

PREFIX = "/api/v1/runs"
MAX_WAIT_S = 600
POLL_S = 0.1
FIRST_LOOK_S = 0.01
READING_WAIT_S = 30
MOST_POLLS_PER_S = 100  # of all that wait together; a poll is about a millisecond of this process
RETRY_AFTER_S = "2"
MEGABYTE = 1024 * 1024
MAX_KEY = 200


class RunProgress(Record):
    """A run that is not finished, or that ended without a report."""

    id: str
    name: str
    status: RunState
    stage: Stage
    progress: float
    message: str | None = None
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    links: dict[str, str]


class RunItem(Record):
    """One line of the list: identity, state, and the figures that runs are compared by."""

    id: str
    name: str
    tags: tuple[str, ...]
    source: Source
    status: RunState
    stage: Stage
    progress: float
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    model: str
    model_name: str
    model_sha256: str
    model_bytes: int
    framework: str | None
    estimator: str | None
    task: str | None
    rows: int | None
    p50_ms: float | None
    p95_ms: float | None
    throughput_rows_s: float | None
    error_rate: float | None
    score: float | None
    score_name: str | None
    changed_share: float | None
    checks_failed: int | None
    checks_warned: int | None
    error_message: str | None
    baseline_id: str | None
    notes: str
    links: dict[str, str]


class RunList(Record):
    """A page of runs in the order asked for; `next_cursor` is null on the last page."""

    runs: tuple[RunItem, ...]
    next_cursor: str | None
    total: int


WaitQuery = Annotated[
    float,
    Query(ge=0, le=MAX_WAIT_S, allow_inf_nan=False, description="Seconds to wait for the report."),
]
FINISHED_OR_NOT: dict[int | str, dict[str, Any]] = {
    200: {"model": RunReport, "description": "The report of a finished run"},
    202: {"model": RunProgress, "description": "Not finished in time; follow the links"},
}
NOT_CHANGED: dict[int | str, dict[str, Any]] = {304: {"description": "As the ETag that was sent"}}

# By reference: FastAPI builds validators of all that it is told; of this union for a twentieth of a start.
EITHER: dict[str, Any] = {
    "description": "The report, or how far the run is",
    "content": {
        "application/json": {
            "schema": {
                "anyOf": [{"$ref": f"#/components/schemas/{of}"} for of in ("RunReport", "RunProgress")]
            }
        }
    },
}


def links(run_id: str) -> dict[str, str]:
    """Where to go from here, as paths of this server."""
    base = f"{PREFIX}/{run_id}"
    return {
        "self": base,
        "events": f"{base}/events",
        "cancel": f"{base}/cancel",
        "html": f"{base}/report.html",
        "junit": f"{base}/junit.xml",
        "markdown": f"{base}/report.md",
        "csv": f"{base}/metrics.csv",
        "png": f"{base}/report.png",
        "page": f"/run?run={run_id}",
    }


def item_of(row: RunRow) -> RunItem:
    """A row as the API shows it: without the internals of the queue."""
    own = {name: getattr(row, name) for name in RunItem.model_fields if name not in ("status", "links")}
    return RunItem(**own, status=row.state, links=links(row.id))


def build_router(settings: Settings) -> APIRouter:
    """The router; its upload limit is a setting, so it is built and not imported."""
    router = APIRouter(tags=["runs"], responses=answers(401, 403, 422, 503))
    # Two files at their limits, the JSON parts and the multipart frame around them.
    body_limit = settings.max_upload_bytes * 2 + MEGABYTE
    for path, name in (("/run_tests", "run_tests"), (PREFIX, "create_run")):
        router.add_api_route(
            path,
            _create,
            methods=["POST"],
            name=name,
            operation_id=name,
            summary="Test a model",
            max_body_size=body_limit,
            response_model=None,
            openapi_extra=FORM_SCHEMA,
            responses=FINISHED_OR_NOT | answers(404, 409, 413, 429),
        )
    router.add_api_route(PREFIX, _list, methods=["GET"], summary="List runs", response_model=RunList)
    # Before /{run_id}, which would take "compare" for an id.
    router.add_api_route(
        f"{PREFIX}/compare", _compare, methods=["GET"], summary="Compare runs", response_model=Comparison,
        responses=answers(404),
    )  # fmt: skip
    one = f"{PREFIX}/{{run_id}}"
    router.add_api_route(
        one, _read, methods=["GET"], summary="Read a run", response_model=None,
        responses={200: EITHER} | NOT_CHANGED | answers(404),
    )  # fmt: skip
    router.add_api_route(
        one, _delete, methods=["DELETE"], summary="Delete a run", status_code=204,
        responses=answers(404, 409),
    )  # fmt: skip
    router.add_api_route(
        one, _edit, methods=["PATCH"], summary="Rename, tag or note a run", response_model=RunItem,
        responses=answers(404, 412),
    )  # fmt: skip
    router.add_api_route(
        f"{one}/restore", _restore, methods=["POST"], summary="Restore a run deleted on a page",
        response_model=RunItem, responses=answers(404),
    )  # fmt: skip
    router.add_api_route(
        f"{one}/cancel", _cancel, methods=["POST"], summary="Cancel a run", response_model=RunProgress,
        responses=answers(404, 409),
    )  # fmt: skip
    router.add_api_route(
        f"{one}/events", _events, methods=["GET"], summary="Follow a run", response_class=EventSourceResponse,
        responses=answers(404),
    )  # fmt: skip
    return router


async def _create(
    request: Request,
    services: ServicesDep,
    wait: WaitQuery = 300,
    idempotency_key: Annotated[
        str | None, Header(description="The caller's same key with the same form answers with the same run.")
    ] = None,
    x_source: Annotated[str | None, Header(description="`client` for the example client.")] = None,
) -> Response:
    """Upload a model, run every test, and answer with the report, or with where to find it."""
    key = _own_key(request, idempotency_key)
    # Before the first byte of the model is read. A repeated request takes no place in the queue.
    repeated = await blocking(request, runs.is_repeated, services, key)
    limit_submissions(request, services.settings, repeated=repeated)
    if not repeated:
        await blocking(request, runs.check_room, services)
    form = await read_submission(request, services)
    facts = None if repeated or form.sample is None else await _read_sample(request, services, form.sample)
    row = await blocking(
        request,
        runs.submit,
        services,
        model=form.model,
        companions=form.companions,
        schema=form.schema,
        sample=form.sample,
        target=form.target,
        plan=form.plan,
        source="client" if x_source == "client" else "api",
        idempotency_key=key,
        facts=facts,
    )
    row = await _wait_until_finished(request, services, row.id, wait)
    response = await _document(request, services, row, unfinished=202)
    response.headers["Location"] = f"{PREFIX}/{row.id}"
    return response


async def _read_sample(request: Request, services: Services, sample: Upload) -> SampleFacts | None:
    """What the sample holds, so that a bad one is refused at once; None when no worker read it in time."""
    job_id = await blocking(request, runs.request_reading, services, sample)
    pause = FIRST_LOOK_S
    with anyio.move_on_after(READING_WAIT_S):
        while not is_stopping(request):
            await anyio.sleep(pause)
            job = await blocking(request, runs.get_job, services, job_id)
            if job.state not in ("queued", "running"):
                return runs.facts_of(job)
            pause = min(2 * pause, POLL_S)
    return None


async def _list(
    request: Request,
    services: ServicesDep,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=2000)] = None,
    status: Annotated[list[RunState] | None, Query(description="One or more states.")] = None,
    source: Annotated[Source | None, Query()] = None,
    model: Annotated[str | None, Query(max_length=200, description="Part of the model's file name.")] = None,
    tag: Annotated[str | None, Query(max_length=200)] = None,
    q: Annotated[
        str | None,
        Query(max_length=200, description="Words, each in the name of run, model or file, or in a tag."),
    ] = None,
    sort: Annotated[
        Sort, Query(description="A column; with a minus from its highest. What a run lacks comes last.")
    ] = "-created",
    of_model: Annotated[str | None, Query(max_length=200, description="Whole name of a model.")] = None,
) -> RunList:
    """Runs, newest first unless `sort` says else; hand `next_cursor` back as `cursor` for the next page."""
    query = RunQuery(
        limit=limit, cursor=cursor, states=tuple(status or ()), source=source, model=model, tag=tag, q=q,
        sort=sort, of_model=of_model,
    )  # fmt: skip
    page = await blocking(request, runs.list_runs, services, query)
    return RunList(
        runs=tuple(item_of(row) for row in page.rows), next_cursor=page.next_cursor, total=page.total
    )


async def _compare(
    request: Request,
    services: ServicesDep,
    ids: Annotated[
        str, Query(max_length=2000, description="Ids of 2 to 10 different finished runs, comma separated.")
    ],
) -> Comparison:
    """The figures of several runs side by side; `best` is the index of the better one."""
    wanted = [part.strip() for part in ids.split(",") if part.strip()]
    return await blocking(request, runs.compare_runs, services, wanted)


async def _read(
    request: Request,
    services: ServicesDep,
    run_id: RunId,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """The report of a finished run, else its progress. Answers 304 to a known ETag."""
    row = await blocking(request, runs.get_run, services, run_id)
    etag = _etag(row)
    if if_none_match is not None and _matches(if_none_match, etag):
        return Response(status_code=304, headers={"ETag": etag, "Cache-Control": "no-cache"})
    response = await _document(request, services, row, unfinished=200)
    response.headers["ETag"] = etag
    response.headers["Cache-Control"] = "no-cache"
    return response


async def _delete(request: Request, services: ServicesDep, run_id: RunId) -> None:
    """Delete a run with its report and files that no other run uses."""
    await blocking(request, runs.delete_run, services, run_id)


async def _edit(
    request: Request,
    services: ServicesDep,
    run_id: RunId,
    change: RunChange,
    response: Response,
    if_match: Annotated[str | None, Header(description="The ETag it was read with; else 412.")] = None,
) -> RunItem:
    """Give a run another name, other tags or notes. What is left out stays as it is."""
    row = await blocking(request, runs.get_run, services, run_id)
    if if_match is not None and not _matches(if_match, _etag(row)):
        raise runs.changed(run_id)
    revision = None if if_match is None else row.revision
    row = await blocking(request, runs.edit_run, services, run_id, change, revision)
    response.headers["ETag"] = _etag(row)
    return item_of(row)


async def _restore(request: Request, services: ServicesDep, run_id: RunId) -> RunItem:
    """Undo a page's delete, within a minute. What was deleted over the API is gone."""
    return item_of(await blocking(request, restore, services, run_id))


async def _cancel(request: Request, services: ServicesDep, run_id: RunId) -> RunProgress:
    """Ask a run to stop. A finished run stays as it is."""
    return _progress(await blocking(request, runs.cancel_run, services, run_id))


async def _existing(request: Request, services: ServicesDep, run_id: RunId) -> RunRow:
    """The run, looked up before a stream starts: once it has, a 404 can no longer be said."""
    return await blocking(request, runs.get_run, services, run_id)


async def _events(
    request: Request, services: ServicesDep, row: Annotated[RunRow, Depends(_existing)]
) -> AsyncIterable[ServerSentEvent]:
    """Server-sent events: `progress` whenever something moved, then one `done`, then the end."""
    shown: tuple[str, str, float] | None = None
    number = 0
    while True:
        now = (row.state, row.stage, row.progress)
        finished = row.state in runs.TERMINAL_STATES
        if now != shown or finished:
            shown, number = now, number + 1
            yield ServerSentEvent(
                data=_progress(row).model_dump(mode="json"),
                event="done" if finished else "progress",
                id=str(number),
            )
        if finished or is_stopping(request):
            return
        with _waiting(request) as pause:
            await anyio.sleep(pause)
        row = await blocking(request, runs.get_run, services, row.id)


async def _wait_until_finished(request: Request, services: Services, run_id: str, seconds: float) -> RunRow:
    """The row once it is finished, the time is over, or nobody listens any more."""
    start = anyio.current_time()
    while True:
        mark = services.store.mark()  # taken first: what is written from here on is noticed
        row = await blocking(request, runs.get_run, services, run_id)
        waited = anyio.current_time() - start
        over = row.state in runs.TERMINAL_STATES or waited >= seconds
        if over or is_stopping(request) or await request.is_disconnected():
            return row
        with _waiting(request) as pause:
            await _until_written(services, mark, min(pause, seconds - waited))


async def _until_written(services: Services, mark: int | None, seconds: float) -> None:
    """Until somebody has written to the database since, which may be the report; for `seconds` at most."""
    until = anyio.current_time() + seconds
    while (left := until - anyio.current_time()) > 0:
        await anyio.sleep(left if mark is None else min(GLANCE_S, left))
        if mark is not None and services.store.mark() != mark:
            return


@contextmanager
def _waiting(request: Request) -> Iterator[float]:
    """Count this caller among those that wait, and say how long to, so that many cost little."""
    state = request.app.state
    state.waiting = getattr(state, "waiting", 0) + 1
    try:
        yield max(POLL_S, state.waiting / MOST_POLLS_PER_S)
    finally:
        state.waiting -= 1


async def _document(request: Request, services: Services, row: RunRow, *, unfinished: int) -> Response:
    """The report as JSON; without one the progress, with status `unfinished` while it may still come."""
    if row.state in runs.TERMINAL_STATES:
        body = await blocking(request, _report_json, services, row.id)
        if body is None:
            body = _progress(row).model_dump_json().encode()
        return Response(body, media_type="application/json")
    headers = {"Retry-After": RETRY_AFTER_S}
    text = _progress(row).model_dump_json()
    return Response(text, status_code=unfinished, headers=headers, media_type="application/json")


def _report_json(services: Services, run_id: str) -> bytes | None:
    report = runs.get_report(services, run_id)
    return None if report is None else report.model_dump_json().encode()


def _progress(row: RunRow) -> RunProgress:
    return RunProgress(
        id=row.id,
        name=row.name,
        status=row.state,
        stage=row.stage,
        progress=row.progress,
        message=row.error_message,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        links=links(row.id),
    )


def _etag(row: RunRow) -> str:
    """From the row alone, so that a 304 costs no report. A finished report does not change."""
    seen = (REPORT_VERSION, row.id, row.created_at, row.revision, row.state)
    return f'"{hashlib.sha256(repr(seen).encode()).hexdigest()[:32]}"'


def _matches(header: str, etag: str) -> bool:
    known = {part.strip().removeprefix("W/") for part in header.split(",")}
    return "*" in known or etag in known


def _own_key(request: Request, key: str | None) -> str | None:
    """The key as the caller's own: what another caller sent under the same one is nothing to it."""
    if key is None:
        return None
    if not (0 < len(key) <= MAX_KEY and key.isascii() and key.isprintable()):
        raise InvalidInput(
            f"The Idempotency-Key is not 1 to {MAX_KEY} printable ASCII characters.",
            hint="A UUID does well.",
            field="Idempotency-Key",
        )
    grant: Grant = getattr(request.state, "grant", ANYONE)
    return f"{grant.id}:{key}"
