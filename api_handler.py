"""The API door, assembled: routers, error rendering, and what stands before every request.

Promises: every path below the API's roots is answered by the API, in problem+json when it is an
error, and never by the dashboard's page. Leaves the routes to `routes/` and serving to `app.py`.
"""

import os
import signal
import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match

from auth import access_of
from routes import auth, client_file, exports, problems, reference, system
from routes import runs as run_routes
from routes.auth import API_ROOTS, Authorization
from routes.guard import ApiCors, Guard
from routes.unread import Unread
from settings import Settings

__all__ = ["install", "stopping_with_signals", "without_delay"]

MAX_DESCRIPTORS = 256  # those of listening sockets are among the first
ALL_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")


def install(app: FastAPI, settings: Settings) -> None:
    """Put the whole API on `app`; call it before anything is mounted at `/`.

    The routes find their services in the app's `state.services` (503 until they are there) and the
    worker's supervisor in its `state.supervisor`.
    """
    problems.install(app)
    app.state.access = access_of(settings)
    routers = [
        run_routes.build_router(settings),
        exports.router,
        system.router,
        reference.router,
        client_file.router,
        auth.router,
    ]
    for router in routers:
        app.include_router(router)
    _answer_the_rest(app, [route for router in routers for route in router.routes])
    app.add_middleware(Authorization, settings=settings)
    if settings.allowed_origins:
        app.add_middleware(ApiCors, settings=settings)
    app.add_middleware(Guard, settings=settings)
    app.add_middleware(Unread)  # added last, so it stands first


@contextmanager
def stopping_with_signals(app: FastAPI) -> Iterator[None]:
    """Set the app's `state.stopping` on SIGINT and SIGTERM, before the server's own handler runs.

    The server waits for open answers when it ends; a caller who waits ten minutes for a report would
    hold it up for ten minutes.
    """
    app.state.stopping = False
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def stop(number: int, frame: FrameType | None) -> Any:
        app.state.stopping = True
        earlier = previous[signal.Signals(number)]
        if callable(earlier):
            return earlier(number, frame)
        raise KeyboardInterrupt

    for number in previous:
        signal.signal(number, stop)
    try:
        yield
    finally:
        app.state.stopping = True
        for number, earlier in previous.items():
            if signal.getsignal(number) is stop:
                signal.signal(number, earlier)


def without_delay() -> None:
    """Let answers leave at once on every TCP socket that this process listens on.

    Streamlit binds its socket without naming the protocol, and asyncio then leaves Nagle's algorithm on: the
    body of each answer on a kept connection waits 40 ms for the client's kernel to confirm the header.
    What is set on a listening socket holds for the connections that it accepts.
    """
    for descriptor in range(3, MAX_DESCRIPTORS):
        try:
            is_socket = stat.S_ISSOCK(os.fstat(descriptor).st_mode)
        except OSError:  # closed
            continue
        if not is_socket:
            continue
        ours = socket.socket(fileno=descriptor)
        try:
            is_tcp = ours.family in (socket.AF_INET, socket.AF_INET6) and ours.type == socket.SOCK_STREAM
            if is_tcp and ours.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                ours.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        finally:
            ours.detach()  # not ours to close


def _answer_the_rest(app: FastAPI, routes: list[BaseRoute]) -> None:
    """404 or 405 for what no route took; the dashboard's mount at `/` would answer 200 with a page."""

    async def rest(request: Request) -> Response:
        allowed = _allowed_methods(routes, request)
        if not allowed:
            raise HTTPException(404)
        raise HTTPException(405, headers={"Allow": ", ".join(sorted(allowed))})

    router = APIRouter(include_in_schema=False)
    for root in API_ROOTS:
        for path in (f"/{root}", f"/{root}/{{rest:path}}"):
            router.add_api_route(path, rest, methods=list(ALL_METHODS), response_model=None)
    # The dashboard takes neither: it is a mistyped path of the API, and told so.
    router.add_api_route("/{rest:path}", rest, methods=["POST", "PATCH"], response_model=None)
    app.include_router(router)


def _allowed_methods(routes: list[BaseRoute], request: Request) -> set[str]:
    """Those of the first path that fits: `compare` is no run, though a run's path would fit as well."""
    fitting = [route for route in routes if route.matches(request.scope)[0] is not Match.NONE]
    paths = [getattr(route, "path", None) for route in fitting]
    return {
        method
        for route, path in zip(fitting, paths, strict=True)
        if path == paths[0]
        for method in getattr(route, "methods", None) or ()
    }
