"""The end of a connection whose caller was answered before its body was read.

Promises: of such a body a few megabytes are read at most, where the server by itself would read it to its
end, however long; and a caller that stops when it is answered gets the whole answer. Pure ASGI.
"""

import anyio
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["LINGER_BYTES", "Unread"]

SHORT_BYTES = 64 * 1024  # read to its end in one breath: for less than that no connection is given up
# Closed at once, the client's kernel may throw the answer away with what it can no longer send.
LINGER_S = 1.0
LINGER_BYTES = 4 * 1024 * 1024  # what may be on its way when the answer arrives


class Unread:
    """Answers that come before the body's end say `Connection: close`, and mean it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _may_be_long(Headers(scope=scope)):
            exchange = _Exchange(receive, send)
            await self.app(scope, exchange.receive, exchange.send)
        else:
            await self.app(scope, receive, send)


class _Exchange:
    """One request with a long body, and its answer."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self._is_unread, self._is_closing = True, False
        self._left = LINGER_BYTES

    async def receive(self) -> Message:
        if self._left <= 0:
            return {"type": "http.disconnect"}  # it does not stop, so nothing more is read from it
        message = await self._receive()
        self._is_unread = message["type"] == "http.request" and message.get("more_body", False)
        if self._is_closing:
            self._left -= len(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and self._is_unread:
            self._is_closing = True
            MutableHeaders(scope=message)["Connection"] = "close"
        is_last = message["type"] == "http.response.body" and not message.get("more_body", False)
        if not (self._is_closing and is_last):
            await self._send(message)
            return
        await self._send({**message, "more_body": True})  # all there is: the next one closes
        with anyio.move_on_after(LINGER_S):
            while self._is_unread and (await self.receive())["type"] == "http.request":
                pass
        await self._send({"type": "http.response.body"})


def _may_be_long(headers: Headers) -> bool:
    """Whether there is a body of unknown or more than a short length."""
    length = headers.get("content-length", "0")
    return "transfer-encoding" in headers or not length.isdecimal() or int(length) > SHORT_BYTES
