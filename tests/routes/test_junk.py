"""Whatever a stranger puts into a request, the answer is the API's own and never a 500."""

import http.client
from collections.abc import Iterator
from urllib.parse import quote_from_bytes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.api_server import Server, running_api, test_settings
from tests.support.waiting import WAIT_S

NO_HTTP = "text/plain; charset=utf-8"  # of the 400 to what is refused before it is a request
PROBLEM = "application/problem+json"
few = settings(max_examples=30)
RUN = "/api/v1/runs/20260101-000000-0000000000"
# Bytes that HTTP lets into a header, and some that mean something to whoever reads them.
IN_HEADERS = st.one_of(
    st.binary(max_size=300).map(lambda junk: bytes(b for b in junk if b >= 0x20 and b != 0x7F)),
    st.sampled_from(
        [b"", b"*", b'W/"', b'"' * 250, b"x" * 200, b"x" * 201, b"\xff\xfe", "é".encode(), b"=,;"]
    ),
)
IN_QUERIES = st.one_of(
    st.binary(max_size=80),
    st.text(max_size=80).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.sampled_from([b"\0", b"%", b"9" * 500, b"-1", b"1e999", b"nan", b"W10", b"eyJ9", b"W251bGwsbnVsbF0",
                     b"," * 90]),
)  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("junk")
    with running_api(test_settings(folder, rate_per_minute=10**6, max_queue=10**6)) as running:
        yield running


def status_of(server: Server, method: str, path: str, body: bytes = b"", **headers: bytes) -> int:
    """The status of an answer that is, where it is an error, the API's own and well formed."""
    host, _, port = server.url.removeprefix("http://").partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=WAIT_S)
    try:
        connection.putrequest(method, path)
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value)
        if body:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body or None)
        answer = connection.getresponse()
        answer.read()
    finally:
        connection.close()
    if answer.status >= 400:
        assert answer.getheader("content-type") == (NO_HTTP if answer.status == 400 else PROBLEM)
    return answer.status


@few
@given(
    name=st.sampled_from(["cursor", "limit", "status", "source", "model", "tag", "other"]), junk=IN_QUERIES
)
def test_junk_in_the_lists_query_is_refused_or_finds_nothing(server: Server, name: str, junk: bytes) -> None:
    path = f"/api/v1/runs?{name}={quote_from_bytes(junk)}"
    assert status_of(server, "GET", path) in (200, 422)


@few
@given(junk=IN_QUERIES)
def test_junk_in_place_of_an_id_or_a_name_is_nothing_that_there_is(server: Server, junk: bytes) -> None:
    part = quote_from_bytes(junk, safe="")
    assert status_of(server, "GET", f"/api/v1/runs/compare?ids={part}") in (404, 422)
    for method, path in (
        ("GET", f"/api/v1/runs/{part}/report.html"),
        ("GET", f"{RUN}/artifacts/{part}"),
        ("GET", f"{RUN}/report.html?download={part}"),
        ("POST", f"/api/v1/runs/{part}/cancel"),
        ("GET", f"/api/v1/runs/{part}/events"),
    ):
        assert status_of(server, method, path) in (404, 405, 422)


@few
@given(junk=IN_HEADERS)
def test_junk_in_headers_is_refused_or_ignored(server: Server, junk: bytes) -> None:
    known = server.client.get("/api/v1/runs?limit=1").json()["runs"]
    path = f"/api/v1/runs/{known[0]['id']}" if known else RUN
    for name in ("If-None-Match", "Last-Event-ID", "Accept", "Authorization", "Cookie", "Range", "Origin"):
        assert status_of(server, "GET", path, **{name: junk}) in (200, 304, 400, 404), name
    for name in ("Host", "Origin"):
        assert status_of(server, "POST", f"{RUN}/cancel", **{name: junk}) in (400, 403, 404), name


FORM = b'--cut\r\nContent-Disposition: form-data; name="model"; filename="m.pkl"\r\n\r\nmodel\r\n--cut--\r\n'


@few
@given(name=st.sampled_from(["Idempotency-Key", "X-Source", "Expect", "Content-Encoding"]), junk=IN_HEADERS)
def test_junk_in_a_submissions_headers_is_refused_or_ignored(server: Server, name: str, junk: bytes) -> None:
    kind = b"multipart/form-data; boundary=cut"
    answered = status_of(server, "POST", "/run_tests?wait=0", FORM, Content_Type=kind, **{name: junk})
    assert answered in (200, 202, 400, 422)


@few
@given(junk=IN_HEADERS, body=st.one_of(st.just(FORM), st.binary(min_size=1, max_size=300)))
def test_junk_as_boundary_and_body_is_no_run(server: Server, junk: bytes, body: bytes) -> None:
    for kind in (b"multipart/form-data; boundary=" + junk, b"multipart/form-data" + junk, junk):
        answered = status_of(server, "POST", "/run_tests?wait=0", body, Content_Type=kind)
        assert answered in (200, 202, 400, 422)
        assert answered in (400, 422) or b"cut" in junk


@few
@given(
    head=st.binary(max_size=120).map(lambda junk: junk.replace(b"\r", b"").replace(b"\n", b"")),
    content=st.binary(max_size=200),
)
def test_junk_within_a_part_is_refused_or_stored_as_bytes(
    server: Server, head: bytes, content: bytes
) -> None:
    for disposition in (b'form-data; name="model"; filename="' + head + b'"', b"form-data; " + head, head):
        body = b"--cut\r\nContent-Disposition: " + disposition + b"\r\n\r\n" + content + b"\r\n--cut--\r\n"
        kind = b"multipart/form-data; boundary=cut"
        answered = status_of(server, "POST", "/run_tests?wait=0", body, Content_Type=kind)
        assert answered in (200, 202, 422)
