"""API and CI: lines to copy that test a model against this very server.

Promises: addresses are this server's as the browser sees it. Leaves the contract to /docs.
"""

from pathlib import Path
from urllib.parse import urlsplit

import streamlit as st

import auth
import services as holder

__all__ = ["render", "server_url"]

CLIENT = Path(__file__).parents[1] / "example_client" / "client_api_example.py"
FALLBACK = "http://localhost:8501"


def render() -> None:
    """The page."""
    url = server_url()
    st.title("API and CI")
    st.markdown(
        "The same tests by HTTP: send a model file, get the same report and verdict back. "
        "Every run appears under Runs."
    )
    with st.container(horizontal=True):
        st.link_button("API reference", f"{url}/docs", icon=":material/menu_book:")
        st.link_button("OpenAPI document", f"{url}/openapi.json", icon=":material/data_object:")
    if _needs_token():
        st.caption("This server asks for a token: keep yours in the environment as `MODEL_DASHBOARD_TOKEN`.")
        st.link_button("Signed in: sign out", f"{url}/sign-in", icon=":material/logout:")
    st.subheader("From a terminal")
    st.code(_curl(url), language="bash", wrap_lines=True)
    st.caption("Only the model is required. It waits up to 300 s, then answers with a link to the run.")
    st.subheader("With the client, for a verdict as exit code")
    st.code(_client(url), language="bash", wrap_lines=True)
    st.caption("The client is one file that needs only httpx. Keep it beside your model.")
    st.download_button(
        f"Download {CLIENT.name}", data=CLIENT.read_bytes, file_name=CLIENT.name, mime="text/x-python",
        on_click="ignore", icon=":material/download:",
    )  # fmt: skip
    _exit_codes()
    st.subheader("In a pipeline")
    github, gitlab, python = st.tabs(["GitHub Actions", "GitLab CI", "Python"])
    github.code(_github(url), language="yaml", wrap_lines=True)
    gitlab.code(_gitlab(url), language="yaml", wrap_lines=True)
    python.code(_python(url), language="python", wrap_lines=True)
    if (urlsplit(url).hostname or "") in auth.LOOPBACK:
        st.info(
            "This address works on this computer only. In CI, use the address of a server that the "
            "pipeline can reach.",
            icon=":material/info:",
        )


def server_url() -> str:
    """Scheme, host and port of this server, without a path."""
    parts = urlsplit(st.context.url or "")
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme and parts.netloc else FALLBACK


def _exit_codes() -> None:
    st.table(
        {
            "Exit code": ["0", "1", "2"],
            "Meaning": [
                "Passed, with or without warnings",
                "A gate broke",
                "Could not run, could not be judged, or the server could not be reached",
            ],
        },
        border="horizontal", width="content", hide_index=True, alt="Exit codes of the client",
    )  # fmt: skip


def _curl(url: str) -> str:
    token = '  -H "Authorization: Bearer $MODEL_DASHBOARD_TOKEN" \\\n' if _needs_token() else ""
    return f"""curl --fail-with-body {url}/run_tests \\
{token}  -F model=@model.pkl \\
  -F sample=@sample.csv -F target=label \\
  -F config='{{"gates": {{"p95_ms": 50, "min_score": 0.9}}}}'"""


def _needs_token() -> bool:
    return not auth.access_of(holder.current().settings).is_open


def _client(url: str) -> str:
    return f"python {CLIENT.name} model.pkl --url {url} --junit junit.xml"


def _github(url: str) -> str:
    name = "MODEL_DASHBOARD_TOKEN"
    secret = f"\n        env:\n          {name}: ${{{{ secrets.{name} }}}}" if _needs_token() else ""
    return f"""name: model tests
on: [push]
jobs:
  model:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - name: Test the model{secret}
        run: pip install httpx && {_client(url)}
      - name: Keep the report
        if: always()
        uses: actions/upload-artifact@v4
        with:
          name: model-tests
          path: junit.xml"""


def _gitlab(url: str) -> str:
    return f"""model-tests:
  image: python:3.12-slim
  script:
    - pip install httpx
    - {_client(url)}
  artifacts:
    when: always
    reports:
      junit: junit.xml"""


def _python(url: str) -> str:
    needed = _needs_token()
    header = "{'Authorization': 'Bearer ' + os.environ['MODEL_DASHBOARD_TOKEN']}"
    headers = f"        headers={header},\n" if needed else ""
    return f"""{"import os" + chr(10) * 2 if needed else ""}import httpx

with open("model.pkl", "rb") as model:
    answer = httpx.post(
        "{url}/run_tests",
        files={{"model": model}},
{headers}        timeout=330,
    )
answer.raise_for_status()
report = answer.json()
print(report["status"])
for check in report.get("checks", []):
    print(check["status"], check["title"], check["value"])"""
