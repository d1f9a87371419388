"""What routes need handed in: the services, and threads of their own for blocking work."""

from collections.abc import Callable
from typing import Annotated, ParamSpec, TypeVar, cast

import anyio
import anyio.to_thread
from fastapi import Depends, Path, Request

from errors import NotFound, Unavailable
from services import Services

__all__ = ["RunId", "ServicesDep", "blocking", "is_stopping"]

P = ParamSpec("P")
R = TypeVar("R")

# Streamlit shrinks the process-wide pool to 28 threads and runs its pages on it: we use our own.
THREADS = 16
MAX_ID = 64


def services(request: Request) -> Services:
    """The running server's services; 503 while it starts or stops."""
    found = getattr(request.app.state, "services", None)
    if found is None:
        raise Unavailable("The server is starting.", hint="Try again in a few seconds.")
    return cast(Services, found)


ServicesDep = Annotated[Services, Depends(services)]


def run_id(run_id: Annotated[str, Path(description="Id of a run.")]) -> str:
    """An id of a plausible shape: what cannot be an id is not looked up."""
    if len(run_id) > MAX_ID or not run_id.replace("-", "").replace("_", "").isalnum() or not run_id.isascii():
        raise NotFound("There is no such run.", hint="List the runs at /api/v1/runs.")
    return run_id


RunId = Annotated[str, Depends(run_id)]


async def blocking(request: Request, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Run a blocking function in one of the API's own threads."""
    state = request.app.state
    if not hasattr(state, "limiter"):
        state.limiter = anyio.CapacityLimiter(THREADS)
    return await anyio.to_thread.run_sync(lambda: function(*args, **kwargs), limiter=state.limiter)


def is_stopping(request: Request) -> bool:
    """Whether the server was told to end: long answers then end too, instead of holding it up."""
    return bool(getattr(request.app.state, "stopping", False))
