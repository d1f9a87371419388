"""What becomes of a body that is longer than anybody wants to read, seen from its sender's socket."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from routes.unread import LINGER_BYTES
from tests.support.api_server import Server, running_api, test_settings
from tests.support.waiting import WAIT_S

PIECE = b"x" * 65_536
GIVEN_UP = 64 * 1024 * 1024  # a sender that got rid of so much was read for as long as it liked
IN_KERNELS = 32 * 1024 * 1024  # what the buffers of both ends may hold: sent, and read by nobody
FORM = "Content-Type: multipart/form-data; boundary=cut"
PART = b'--cut\r\nContent-Disposition: form-data; name="model"; filename="m.pkl"\r\n\r\n'
ENDLESS = f"Content-Length: {10**12}"
CHUNKED = "Transfer-Encoding: chunked"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_api(test_settings(tmp_path_factory.mktemp("unread"))) as running:
        yield running


def connect(server: Server) -> socket.socket:
    host, _, port = server.url.removeprefix("http://").partition(":")
    return socket.create_connection((host, int(port)), timeout=WAIT_S)


def chunk(content: bytes) -> bytes:
    return f"{len(content):x}\r\n".encode() + content + b"\r\n"


def pour(server: Server, request: str, *headers: str) -> tuple[bytes, int]:
    """(the answer, bytes sent after it came) of a sender that goes on until its connection breaks."""
    answer = bytearray()
    is_answered = threading.Event()

    def read(connection: socket.socket) -> None:
        try:
            while received := connection.recv(65_536):
                answer.extend(received)
                is_answered.set()
        except OSError:  # reset: it had not stopped
            pass

    with connect(server) as connection:
        reader = threading.Thread(target=read, args=(connection,))
        reader.start()
        piece = chunk(PIECE) if CHUNKED in headers else PIECE
        first = chunk(PART) if CHUNKED in headers else PART
        head = "\r\n".join([f"{request} HTTP/1.1", *headers])
        if "Host:" not in head:
            head += "\r\nHost: localhost"
        sent_after = 0
        try:
            connection.sendall(head.encode() + b"\r\n\r\n" + first)
            while sent_after < GIVEN_UP:
                connection.sendall(piece)
                sent_after += len(piece) if is_answered.is_set() else 0
        except OSError:
            pass
        reader.join(WAIT_S)
    return bytes(answer), sent_after


@pytest.mark.parametrize(
    ("status", "request_line", "headers"),
    [
        (413, "POST /run_tests", (FORM, ENDLESS)),
        (413, "POST /run_tests", (FORM, CHUNKED)),
        (422, "POST /run_tests", ("Content-Type: text/plain", CHUNKED)),
        (403, "POST /run_tests", ("Host: evil.example", FORM, ENDLESS)),
        (404, "POST /api/v1/runs/none/cancel", (ENDLESS,)),
        (405, "PUT /run_tests", (CHUNKED,)),
        (413, "POST /sign-in", (FORM, CHUNKED)),
        (200, "GET /health", (ENDLESS,)),
        (200, "GET /", (CHUNKED,)),  # the dashboard's
    ],
)
def test_a_body_is_not_read_on_after_its_answer(
    server: Server, status: int, request_line: str, headers: tuple[str, ...]
) -> None:
    answer, sent_after = pour(server, request_line, *headers)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"\r\nconnection: close\r\n" in answer.lower()
    assert sent_after < LINGER_BYTES + IN_KERNELS


@pytest.mark.parametrize("framing", [ENDLESS, CHUNKED])
def test_a_sender_that_stops_when_it_is_answered_gets_all_of_it_and_a_quiet_end(
    server: Server, framing: str
) -> None:
    with connect(server) as connection:
        head = f"PUT /run_tests HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n\r\n"
        connection.sendall(head.encode() + (chunk(PIECE) if framing == CHUNKED else PIECE))
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))  # a reset would raise
    assert answer.startswith(b"HTTP/1.1 405 ") and answer.endswith(b"}")


def test_a_client_that_sends_all_before_it_reads_still_gets_its_413(server: Server) -> None:
    for size in (5_000_000, 20_000_000):
        answer = server.client.post("/run_tests", files={"model": ("m.pkl", b"x" * size)})
        assert (answer.status_code, answer.headers["connection"]) == (413, "close")
        assert answer.json()["code"] == "too_large"


def test_a_short_body_that_nobody_reads_costs_no_connection(server: Server) -> None:
    answer = server.client.put("/run_tests", content=b"x" * 1000)
    assert answer.status_code == 405
    assert "connection" not in answer.headers


def test_a_body_that_is_shorter_or_longer_than_it_said_is_no_run(server: Server) -> None:
    before = server.client.get("/api/v1/runs").json()["total"]
    form = PART + b"model\r\n--cut--\r\n"
    head = f"POST /run_tests?wait=0 HTTP/1.1\r\nHost: localhost\r\n{FORM}\r\nContent-Length: "
    with connect(server) as shorter:
        shorter.sendall(f"{head}{len(form) + 100_000}\r\n\r\n".encode() + form)
        shorter.shutdown(socket.SHUT_WR)
        assert shorter.recv(65_536) == b""
    with connect(server) as longer:
        longer.sendall(f"{head}{len(form) - 20}\r\n\r\n".encode() + form)
        assert longer.recv(65_536).startswith(b"HTTP/1.1 422 ")  # its last part has no end
    assert server.client.get("/api/v1/runs").json()["total"] == before


def test_streams_and_answers_to_bodies_that_were_read_are_left_alone(server: Server, tmp_path: Path) -> None:
    answer = server.submit(b"x" * 500_000)
    assert answer.status_code == 200 and "connection" not in answer.headers
    with httpx.stream("GET", f"{server.url}{answer.headers['location']}/events") as events:
        assert "event: done" in "".join(events.iter_text())
