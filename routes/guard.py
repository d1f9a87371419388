"""What stands before every request: Host and Origin, security headers, and the last except.

Streamlit's own checks do not cover FastAPI's routes, and a cross-site form can post to an open
port. Pure ASGI, so that uploads and streams pass through untouched.
"""

import logging
import secrets
from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from auth import LOOPBACK
from errors import Forbidden
from routes import problems
from routes.auth import is_api_path
from routes.problems import INTERNAL_TITLE, problem, render
from settings import Settings

__all__ = ["ApiCors", "Guard"]

log = logging.getLogger(__name__)

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
WILDCARD_ADDRESSES = frozenset({"0.0.0.0", "::", ""})
DEFAULT_PORTS = {"http": 80, "https": 443}
STREAMLIT_SCRIPT = "sha256-THxz9J9+wf7rhwR2YkXJoSZ13UCmYyC+3lNDv2+8ugA="  # a flag for robots
PAGE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "SAMEORIGIN",
}
API_HEADERS = PAGE_HEADERS | {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'self'",
    "Cache-Control": "no-store",
}
# What Streamlit's own pages do, with what breaks without it. Everything else is held to this server: no other
# host, no eval of text, no plug-ins, no frames of other sites.
DASHBOARD_CSP = "; ".join(
    (
        "default-src 'self'",  # connect-src too: the page's WebSocket is of this origin
        # The one script within its page, by its hash; WebAssembly, which protobuf tries for 64-bit numbers.
        f"script-src 'self' 'wasm-unsafe-eval' '{STREAMLIT_SCRIPT}'",
        # Emotion, styled-components and plotly write style elements as they go; plotly style attributes too.
        "style-src 'self' 'unsafe-inline'",
        "font-src 'self' data:",  # KaTeX's, within Streamlit's style sheet
        "img-src 'self' data:",  # plotly's heatmaps, the icons of tables
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'self'",
    )
)
DASHBOARD_HEADERS = PAGE_HEADERS | {"Content-Security-Policy": DASHBOARD_CSP}


class Guard:
    """Refuses foreign hosts and origins, adds security headers, and turns a crash into a 500.

    Bound to a named address, only that name, loopback and the hosts of CORS_ORIGINS are answered: a
    page that points its own name at 127.0.0.1 (DNS rebinding) must not read reports. Bound to a
    wildcard the names cannot be known, and only Origin is compared.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.origins = frozenset(origin.lower() for origin in settings.allowed_origins)
        host = settings.host.strip("[]").lower()
        listed = {urlsplit(origin).hostname or "" for origin in self.origins}
        self.hosts = None if host in WILDCARD_ADDRESSES else LOOPBACK | {host} | (listed - {""})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        refusal = self._refusal(scope, Headers(scope=scope))
        if refusal is not None:
            await _refuse(refusal, scope, receive, send)
        elif scope["type"] == "http" and is_api_path(scope["path"]):
            await self._answer_safely(scope, receive, send)
        elif scope["type"] == "http":
            await self.app(scope, receive, _adding(DASHBOARD_HEADERS, send))
        else:
            await self.app(scope, receive, send)

    def _refusal(self, scope: Scope, headers: Headers) -> Forbidden | None:
        host = headers.get("host", "")
        if self.hosts is not None and (_split(f"//{host}")[0] not in self.hosts):
            return Forbidden(
                f"This server does not answer to the host name {host[:100]!r}.",
                hint="Use localhost, or list the address you use in CORS_ORIGINS.",
            )
        changes = scope["type"] == "websocket" or scope["method"] not in SAFE_METHODS
        origin = headers.get("origin")
        if changes and origin is not None and not self._may_change(origin.lower(), host.lower()):
            return Forbidden(
                f"Pages of {origin[:100]!r} may not change anything here.",
                hint="List that origin in CORS_ORIGINS to allow it.",
            )
        return None

    def _may_change(self, origin: str, host: str) -> bool:
        if origin in self.origins or "*" in self.origins:
            return True
        scheme = origin.partition("://")[0]
        origin_name, origin_port = _split(origin)
        name, port = _split(f"//{host}")
        default = DEFAULT_PORTS.get(scheme)
        return (
            default is not None
            and origin_name != ""
            and origin_name == name
            and (origin_port or default) == (port or default)
        )

    async def _answer_safely(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False
        replaced: Response | None = None

        async def send_with_headers(message: Message) -> None:
            nonlocal started, replaced
            if replaced is not None:
                return
            if message["type"] == "http.response.start":
                if _is_plain_413(message):
                    replaced = problems.too_large()
                    await replaced(scope, receive, send_safely)
                    return
                started = True
            await send_safely(message)

        send_safely = _adding(API_HEADERS, send)

        try:
            await self.app(scope, receive, send_with_headers)
        except ClientDisconnect:
            log.info("%s %s: the client left while sending", scope["method"], scope["path"])
        except Exception:
            error_id = secrets.token_hex(6)
            log.exception("Unhandled error %s on %s %s", error_id, scope["method"], scope["path"])
            if started:  # half an answer cannot be taken back; the server closes the connection
                raise
            response = problem(
                500,
                "The server met an error it did not expect.",
                code="internal_error",
                title=INTERNAL_TITLE,
                hint=f"Look for error {error_id} in the server's log.",
                instance=f"urn:error:{error_id}",
            )
            await response(scope, receive, send_with_headers)


class ApiCors:
    """CORS headers on the API's paths only; the dashboard's own are Streamlit's."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.cors = CORSMiddleware(
            app,
            allow_origins=settings.allowed_origins,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Idempotency-Key", "X-Source", "If-None-Match", "Content-Type", "Authorization"],
            expose_headers=["Location", "Retry-After", "ETag"],
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        through = self.cors if scope["type"] == "http" and is_api_path(scope["path"]) else self.app
        await through(scope, receive, send)


def _adding(added: Mapping[str, str], send: Send) -> Send:
    """`send`, with headers that an answer has not set itself."""

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in added.items():
                headers.setdefault(name, value)
        await send(message)

    return send_with_headers


async def _refuse(error: Forbidden, scope: Scope, receive: Receive, send: Send) -> None:
    log.warning("Refused %s: %s", scope["path"], error.message)
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008, "reason": "origin or host not allowed"})
    else:
        await render(error)(scope, receive, send)


def _is_plain_413(message: Message) -> bool:
    """Starlette's body limit answers by itself, in plain text, when it stops an upload."""
    headers = Headers(raw=message["headers"])
    return message["status"] == 413 and headers.get("content-type", "").startswith("text/plain")


def _split(url: str) -> tuple[str, int | None]:
    """(host name, port) of an origin or `//host:port`; an unreadable one matches nothing."""
    try:
        parts = urlsplit(url)
        return (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return "", None
