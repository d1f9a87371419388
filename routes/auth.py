"""Authorization before every route and page, and the page where a person signs in.

Promises: without a valid token nothing is answered but /health, /client.py and the sign-in page, whatever
route is added later; a cookie never changes anything through the API. Leaves what a token may do to `auth`.
"""

from html import escape
from http.cookies import CookieError, SimpleCookie
from typing import Annotated
from urllib.parse import quote, urlsplit

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as Connection

import auth
from auth import Access, Grant, Scope, access_of
from errors import DashboardError, Forbidden, Unauthorized
from routes.problems import render
from routes.style import STYLE
from settings import Settings

__all__ = ["API_ROOTS", "PUBLIC", "SIGN_IN", "Authorization", "is_api_path", "router", "scope_needed"]

SIGN_IN = "/sign-in"
SIGN_OUT = "/sign-out"
PUBLIC = frozenset({"/health", "/client.py", SIGN_IN, SIGN_OUT})  # the client is as public as its source
SAFE_METHODS = frozenset({"GET", "HEAD"})
API_ROOTS = (
    "api",
    "run_tests",
    "health",
    "ready",
    "metrics",
    "docs",
    "openapi.json",
    "client.py",
    SIGN_IN[1:],
    "sign-out",
)
MAX_FORM_BYTES = 64 * 1024  # anybody may send this form, and a file in it would go to disk
COOKIE_AGE_S = 30 * 24 * 3600
PAGE_CSP = (
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
REFERRERS = "same-origin"  # with none, a browser posts the form with the origin "null", which is refused
UNKNOWN = "This token is unknown here."
NOT_SET_UP = (
    "This server can be reached from other machines and has no tokens, so it lets nobody in. "
    "Make one with `.venv/bin/python auth.py NAME admin`, put it into API_TOKENS and restart; "
    "or set API_TOKENS=open to let everybody in."
)

FORM = """
{fault}<form method="post" action="{action}"><label>Token
<input name="token" type="password" required autofocus autocomplete="current-password"></label>
<input type="hidden" name="next" value="{target}"><button>Sign in</button></form>
<p>Whoever runs this server hands tokens out.</p>
"""
SIGNED_IN = """
<p>You are signed in with the token <b>{name}</b>, scope {scope}. <a href="/">Go on</a></p>
<form method="post" action="/sign-out"><button>Sign out</button></form>
"""

router = APIRouter(include_in_schema=False, max_body_size=MAX_FORM_BYTES)


def is_api_path(path: str) -> bool:
    """Whether the path is the API's; everything else is the dashboard's."""
    return path.lstrip("/").split("/", 1)[0] in API_ROOTS


def scope_needed(method: str, path: str) -> Scope:
    """Reading reads, deleting takes an admin, anything else starts or stops runs.

    A page of the dashboard may be opened by who may read; its buttons ask for themselves.
    """
    if method in SAFE_METHODS or not is_api_path(path):
        return "read"
    return "admin" if method == "DELETE" else "run"


class Authorization:
    """Lets a request through with its grant in `request.state.grant`, or answers 401 or 403 itself."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.access = access_of(settings)

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        path = scope["path"]
        try:
            scope.setdefault("state", {})["grant"] = self._grant(scope, path)
        except DashboardError as error:
            await self._refuse(error, scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _grant(self, scope: Connection, path: str) -> Grant | None:
        method = scope.get("method", "GET")
        bearer, cookie = secrets_of(Headers(scope=scope))
        # A form on another site sends the cookie along: through the API it may only read.
        may_use_cookie = method in SAFE_METHODS or not is_api_path(path)
        grant = self.access.grant(bearer or (cookie if may_use_cookie else None))
        if path in PUBLIC:
            return grant
        if grant is None:
            raise _unauthorized(self.access, bearer)
        needed = scope_needed(method, path)
        if not grant.allows(needed):
            raise Forbidden(
                f"The token {grant.name!r} has the scope {grant.scope!r}; this takes {needed!r}.",
                hint="Ask whoever runs the server for a token of that scope.",
            )
        return grant

    async def _refuse(self, error: DashboardError, scope: Connection, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": "sign in first"})
            return
        is_page = scope["method"] in SAFE_METHODS and not is_api_path(scope["path"])
        if error.status == Unauthorized.status and is_page:
            wanted = scope["path"] + ("?" + scope["query_string"].decode("latin-1")).rstrip("?")
            answer = RedirectResponse(f"{SIGN_IN}?next={quote(wanted)}", status_code=303)
            answer.headers["Cache-Control"] = "no-store"
            await answer(scope, receive, send)
            return
        await render(error)(scope, receive, send)


def secrets_of(headers: Headers) -> tuple[str | None, str | None]:
    """(bearer token, cookie) of a request."""
    kind, _, value = headers.get("authorization", "").partition(" ")
    bearer = value.strip() if kind.lower() == "bearer" and value.strip() else None
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(auth.COOKIE)
    except CookieError:
        cookie = None
    return bearer, cookie.value if cookie else None


def _unauthorized(access: Access, bearer: str | None) -> Unauthorized:
    if not access.tokens:
        return Unauthorized("This server has no tokens yet.", hint=NOT_SET_UP)
    if bearer is not None:
        return Unauthorized(UNKNOWN, hint="Check it for cut ends, or ask for a new one.")
    return Unauthorized(
        "This server asks for a token.", hint="Send it as a header: Authorization: Bearer TOKEN"
    )


@router.get(SIGN_IN)
async def sign_in(request: Request, next: Annotated[str, Query(max_length=500)] = "/") -> HTMLResponse:
    """A form for the token."""
    return _page(request, next)


@router.post(SIGN_IN)
async def keep_token(
    request: Request, token: Annotated[str, Form(max_length=200)] = "", next: Annotated[str, Form()] = "/"
) -> Response:
    """Keep the token in a cookie that scripts cannot read, and go where the person was going."""
    token = token.strip()
    if _access(request).grant(token) is None:
        return _page(request, next, UNKNOWN)
    answer = RedirectResponse(_local(next), status_code=303)
    answer.set_cookie(
        auth.COOKIE, token, max_age=COOKIE_AGE_S, httponly=True, samesite="lax",
        secure=request.url.scheme == "https",
    )  # fmt: skip
    return answer


@router.post(SIGN_OUT)
async def sign_out() -> RedirectResponse:
    """Forget the token."""
    answer = RedirectResponse(SIGN_IN, status_code=303)
    answer.delete_cookie(auth.COOKIE)
    return answer


def _access(request: Request) -> Access:
    access: Access = request.app.state.access
    return access


def _local(target: str) -> str:
    """A path of this server; anything else would let a link send people elsewhere."""
    parts = urlsplit(target.replace("\\", "/"))
    is_path = target.startswith("/") and not target.startswith(("//", "/\\"))
    return target if is_path and not parts.netloc and not parts.scheme else "/"


def _page(request: Request, target: str, fault: str = "") -> HTMLResponse:
    access = _access(request)
    grant = access.grant(secrets_of(request.headers)[1])
    if access.is_open:
        body = '<p>No token is needed. <a href="/">Go on</a></p>'
    elif not access.tokens:
        body = f"<p>{escape(NOT_SET_UP)}</p>"
    elif grant is not None and not fault:
        body = SIGNED_IN.format(name=escape(grant.name), scope=grant.scope)
    else:
        body = FORM.format(
            fault=f'<p class="fault" role="alert">{escape(fault)}</p>' if fault else "",
            action=SIGN_IN,
            target=escape(_local(target)),
        )
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Sign in</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<style>{STYLE}</style><h1>Model Monitoring Dashboard</h1>{body}"
    )
    headers = {"Content-Security-Policy": PAGE_CSP, "Referrer-Policy": REFERRERS}
    return HTMLResponse(page, status_code=401 if fault else 200, headers=headers)
