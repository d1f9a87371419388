"""What operators ask: is the process up, can it work, and how much does it have to do.

`/health` never touches the store; `/ready` does; `/metrics` is Prometheus text written here, so
that scraping needs no library.
"""

from collections.abc import Iterable
from typing import get_args

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse

import runs
from errors import Unavailable
from lockdown.lock import layers, probe
from records.base import Record
from records.restarts import Restarts
from routes.dependencies import ServicesDep, blocking
from routes.problems import answers
from services import Services
from store.run_lists import RunQuery
from store.run_rows import RunState

__all__ = ["VERSION", "Health", "Lock", "Readiness", "router"]

VERSION = "0.1.0"
PROMETHEUS_TYPE = "text/plain; version=0.0.4; charset=utf-8"

router = APIRouter(tags=["system"], responses=answers(403))
UNLESS_READY = answers(401, 503)


class Health(Record):
    """The process answers."""

    status: str = "ok"
    version: str = VERSION


class Lock(Record):
    """What this machine offers to hold models with; without `full`, they load under `unsafe` alone."""

    full: bool
    layers: tuple[str, ...]


class Readiness(Record):
    """The server can take and execute runs."""

    status: str = "ready"
    store: str = "writable"
    worker: str = "alive"
    worker_restarts: Restarts
    model_policy: str
    lock: Lock


@router.get("/health", summary="Is the process up?")
async def health() -> Health:
    return Health()


@router.head("/health", include_in_schema=False)
async def health_head() -> None:
    """For balancers that ask without wanting a body."""


@router.get("/ready", summary="Can it take and execute runs?", responses=UNLESS_READY)
async def ready(request: Request, services: ServicesDep) -> Readiness:
    """503 when the store cannot be written, no worker runs, or the worker lets work lie."""
    try:
        await blocking(request, services.store.check_writable)
    except Exception as error:
        raise Unavailable(
            "The store cannot be written.", hint="Check DATABASE_URL, DATA_DIR and the free disk space."
        ) from error
    if not _worker_alive(request):
        raise Unavailable(
            "The worker is not running; submitted runs stay queued.",
            hint="It is started again by itself; if this lasts, read the server's log.",
        )
    if await blocking(request, services.jobs.is_stalled):
        raise Unavailable(
            "The worker runs but does not work: jobs wait, and it has claimed or finished none for "
            f"{services.settings.lease_s:g} s.",
            hint="It is starting, or it hangs and is replaced soon; if this lasts, read the server's log.",
        )
    lock = Lock(full=probe().full, layers=layers())
    return Readiness(
        worker_restarts=_restarts(request), model_policy=services.settings.model_policy, lock=lock
    )


@router.get(
    "/metrics", summary="Figures for Prometheus", response_class=PlainTextResponse, responses=UNLESS_READY
)
async def metrics(request: Request, services: ServicesDep) -> PlainTextResponse:
    """Runs by state, queue length, worker, memory."""
    counts = await blocking(request, _runs_by_state, services)
    import psutil  # here alone: nothing else in this process needs it

    memory = psutil.Process().memory_info().rss
    restarts = _restarts(request)
    alive = int(_worker_alive(request) and not await blocking(request, services.jobs.is_stalled))
    by_state = [(f'state="{state}"', number) for state, number in counts.items()]
    text = "".join(
        (
            _family("runs", "gauge", "Runs kept, by state.", by_state),
            _family("queue_length", "gauge", "Runs that wait for a worker.", [("", counts["queued"])]),
            _family("worker_up", "gauge", "1 while the worker runs and lets no work lie.", [("", alive)]),
            _family(
                "worker_restarts_total",
                "counter",
                "Times the worker was started again.",
                [("", restarts.total)],
            ),
            _family(
                "worker_replacements_total",
                "counter",
                "Those of them for which a worker gave no sign of life.",
                [("", restarts.silent)],
            ),
            _family("process_resident_memory_bytes", "gauge", "Memory of the web process.", [("", memory)]),
        )
    )
    return PlainTextResponse(text, media_type=PROMETHEUS_TYPE)


def _worker_alive(request: Request) -> bool:
    supervisor = getattr(request.app.state, "supervisor", None)
    return supervisor is not None and bool(supervisor.alive)


def _restarts(request: Request) -> Restarts:
    supervisor = getattr(request.app.state, "supervisor", None)
    return Restarts() if supervisor is None else supervisor.restarts


def _runs_by_state(services: Services) -> dict[str, int]:
    states: tuple[RunState, ...] = get_args(RunState)
    return {state: runs.list_runs(services, RunQuery(limit=1, states=(state,))).total for state in states}


def _family(name: str, kind: str, text: str, samples: Iterable[tuple[str, int]]) -> str:
    full = f"model_dashboard_{name}"
    lines = [f"# HELP {full} {text}", f"# TYPE {full} {kind}"]
    lines += [f"{full}{{{labels}}} {value}" if labels else f"{full} {value}" for labels, value in samples]
    return "\n".join(lines) + "\n"
