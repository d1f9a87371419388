"""Write a run's Markdown as a comment of the pull request that a GitHub job is of, in place of its last one.

    python post_comment.py report.md --key churn

A comment that may not be written, as from a fork, is told as a notice: it never turns a job red.
"""

import argparse
import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx

__all__ = ["main"]

MOST_CHARACTERS = 60_000  # GitHub takes 65,536
MOST_PAGES = 20
PER_PAGE = 100


class NotPosted(Exception):
    """There is no comment; the message says why."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code is 0 whether or not there is a comment."""
    parser = argparse.ArgumentParser(description="Comment on the pull request of this GitHub job.")
    parser.add_argument("file", type=Path, help="the Markdown")
    parser.add_argument("--key", default="", help="what tells this comment from those of other models")
    options = parser.parse_args(arguments)
    try:
        print(f"The comment is at {_posted(options.file, options.key)}")
    except NotPosted as error:
        print(f"::notice title=No comment::{error}")
    return 0


def _posted(file: Path, key: str) -> str:
    mark = f"<!-- model-gate: {re.sub('[^A-Za-z0-9._ -]', '_', key).replace('--', '__')} -->"
    try:
        text = file.read_text("utf-8")[:MOST_CHARACTERS]
    except OSError as error:
        raise NotPosted(f"There is no report to comment with: {file} ({error.strerror}).") from error
    body = {"body": f"{mark}\n{text}"}
    try:
        event = json.loads(Path(os.environ["GITHUB_EVENT_PATH"]).read_text("utf-8"))
        number, repository = int(event["pull_request"]["number"]), os.environ["GITHUB_REPOSITORY"]
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise NotPosted("This job is of no pull request.") from error
    api = os.environ.get("GITHUB_API_URL", "https://api.github.com")
    headers = {
        "Authorization": f"Bearer {os.environ.get('GITHUB_TOKEN', '')}",
        "Accept": "application/vnd.github+json",
    }
    issues = f"/repos/{repository}/issues"
    try:
        with httpx.Client(base_url=api, headers=headers, timeout=30) as client:
            for comment in _comments(client, f"{issues}/{number}/comments"):
                if str(comment.get("body", "")).startswith(mark):
                    path = f"{issues}/comments/{comment['id']}"
                    return str(_answer(client.patch(path, json=body))["html_url"])
            return str(_answer(client.post(f"{issues}/{number}/comments", json=body))["html_url"])
    except httpx.HTTPError as error:
        raise NotPosted(f"{api} does not answer ({type(error).__name__}).") from error


def _comments(client: httpx.Client, path: str) -> Iterator[dict[str, Any]]:
    for page in range(1, MOST_PAGES + 1):
        found = _answer(client.get(path, params={"per_page": PER_PAGE, "page": page}))
        yield from found
        if len(found) < PER_PAGE:
            return


def _answer(response: httpx.Response) -> Any:
    if response.status_code in (401, 403, 404):
        raise NotPosted(
            f"The token may not write it (HTTP {response.status_code}): give the job pull-requests: write. "
            "From a fork it never may."
        )
    if not response.is_success:
        raise NotPosted(f"GitHub answered {response.status_code}.")
    return response.json()


if __name__ == "__main__":
    sys.exit(main())
