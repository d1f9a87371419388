"""What every page shares: figures in words, safe text, status, errors, links, and live progress.

Promises: text that came from a file never acts as Markdown, and a number always reads the same way.
Leaves figures to `views.charts` and what to say to the pages.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote

import plotly.graph_objects as go
import streamlit as st

import auth
import runs
import services as holder
from errors import DashboardError
from records.base import Section
from reports import words

__all__ = [
    "ACTIVE",
    "STAGES",
    "STATUS",
    "as_note",
    "chart",
    "count",
    "go_to",
    "link",
    "link_cell",
    "link_column",
    "may",
    "milliseconds",
    "number",
    "page_title",
    "plain",
    "problem",
    "progress",
    "register_pages",
    "said",
    "section_value",
    "share",
    "size",
    "status_column",
    "status_text",
    "threshold",
    "unfinished",
    "when",
]

NONE = "\N{EN DASH}"
LONGEST_NAME = 160
LONGEST_SENTENCE = 2_000
THIN = "\N{NARROW NO-BREAK SPACE}"
JOINER = "\N{WORD JOINER}"
MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~$^=&])")
ACTIVE = ("queued", "running")
PAGES_KEY = "_pages"
APP = "Model monitoring"
AS_IT_IS = ";,/?:@&=+$!~*'()"
"""What encodeURI leaves alone: a table shows the rest decoded again."""


class Look(NamedTuple):
    """How a status reads: a word, an icon that is bundled with Streamlit, a color of the theme."""

    word: str
    icon: str
    color: Any


STATUS: Mapping[str, Look] = {
    "queued": Look("Queued", ":material/schedule:", "gray"),
    "running": Look("Running", ":material/progress_activity:", "blue"),
    "passed": Look("Passed", ":material/check_circle:", "green"),
    "warned": Look("Warned", ":material/warning:", "orange"),
    "failed": Look("Failed", ":material/cancel:", "red"),
    "error": Look("Error", ":material/error:", "red"),
    "cancelled": Look("Cancelled", ":material/block:", "gray"),
    "pass": Look("Pass", ":material/check_circle:", "green"),
    "warn": Look("Warning", ":material/warning:", "orange"),
    "fail": Look("Fail", ":material/cancel:", "red"),
    "measured": Look("Measured", ":material/straighten:", "blue"),
    "not_applicable": Look("Not applicable", ":material/remove_circle_outline:", "gray"),
}

STAGES: Mapping[str, str] = {
    "queued": "Waiting for a free worker",
    "load": "Loading the model in its locked process",
    "schema": "Working out the schema",
    "rows": "Generating rows",
    "predict": "Predicting",
    "latency": "Timing predictions",
    "accuracy": "Scoring against the labels",
    "drift": "Simulating drift",
    "robustness": "Checking behaviour",
    "explain": "Explaining the answers",
    "judge": "Judging the figures",
    "done": "Done",
}

T = TypeVar("T")


def plain(text: object, longest: int = LONGEST_NAME) -> str:
    """`text` as Markdown that shows exactly its characters: no markup, link, icon, emoji or formula.

    A backslash does not stop `:smile:`, `:red[` or a bare URL, which are found after parsing, so a
    word joiner (invisible) follows each colon, `@` and `www`.
    """
    flat = " ".join(str(text).split())
    if len(flat) > longest:
        flat = flat[: longest - 1] + "…"
    escaped = MARKDOWN.sub(r"\\\1", flat)
    return re.sub(r"([:@]|www)(?=\S)", rf"\1{JOINER}", escaped, flags=re.IGNORECASE)


def said(text: object) -> str:
    """A whole sentence or two as `plain`: what to do stands at its end, so it is not cut as a name is."""
    return plain(text, LONGEST_SENTENCE)


def number(value: float | None, unit: str = "") -> str:
    """Three significant digits, thousands separated, and the unit: `101,000 rows/s`."""
    if value is None:
        return NONE
    text = words.three_digits(float(value))
    return f"{text}{THIN}{unit}" if unit else text


def count(value: float | None, noun: str) -> str:
    """An exact count with its noun: `1 row`, `1,000 rows`."""
    if value is None:
        return NONE
    return words.counted(value, noun)


def share(value: float | None) -> str:
    """A share of one as a percentage: `0.025` reads `2.5 %`."""
    return NONE if value is None else f"{words.three_digits(value * 100)}{THIN}%"


def milliseconds(value: float | None) -> str:
    """A duration given in milliseconds, in the unit that reads best."""
    if value is None:
        return NONE
    if value >= 1000:
        return number(value / 1000, "s")
    return number(value, "ms") if value >= 0.1 or value == 0 else number(value * 1000, "µs")


def size(value: float | None) -> str:
    """Bytes in the decimal unit that reads best."""
    if value is None:
        return NONE
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return number(value, unit)
        value /= 1000
    return number(value, "GB")


def when(moment: datetime | None, now: datetime | None = None) -> str:
    """How long ago, and the time in UTC: `2 min ago, 14 Mar 09:26 UTC`."""
    if moment is None:
        return NONE
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    moment = moment.astimezone(UTC)
    now = now or datetime.now(UTC)
    written = f"{moment.day} {moment:%b %H:%M} UTC" if moment.year == now.year else f"{moment:%d %b %Y} UTC"
    return f"{_ago((now - moment).total_seconds())}, {written}"


def status_column(label: str, words: Sequence[str]) -> Any:
    """Statuses as colored badges in a table; each cell is a list of one word."""
    looks = [STATUS[word] for word in words]
    return st.column_config.MultiselectColumn(
        label, options=[look.word for look in looks], color=[look.color for look in looks], width=120
    )


def threshold(value: float | None, unit: str = "") -> str:
    """A limit as it was set, `20 ms` and not `20.0 ms`."""
    if value is None:
        return NONE
    if unit in ("share", "%"):
        return f"{value * 100:g}{THIN}%"
    return f"{value:,g}{THIN}{unit}" if unit else f"{value:,g}"


def status_text(status: str) -> str:
    """The word for a status; words, not colors, carry the meaning."""
    return STATUS[status].word if status in STATUS else status.capitalize()


def as_note(error: DashboardError) -> dict[str, Any]:
    """An error as a page keeps it until it is drawn by `problem`."""
    return {"title": error.title, "message": error.message, "hint": error.hint}


def unfinished(message: str) -> dict[str, Any]:
    """What is kept of work that ended without saying why."""
    return {"code": "internal_error", "message": message, "hint": "Try again; the server's log says more."}


def problem(error: DashboardError | Mapping[str, Any]) -> None:
    """An expected error: what happened, and what to do. Never a traceback."""
    if isinstance(error, DashboardError):
        title, message, hint = error.title, error.message, error.hint
    else:
        title = str(error.get("title") or _title_of(str(error.get("code", ""))))
        message, hint = str(error.get("message", "")), str(error.get("hint", ""))
    body = said(message) + (f"  \n{said(hint)}" if hint else "")
    st.error(body or "No details were recorded.", title=title, icon=":material/error:")


def section_value(section: Section[T], what: str) -> T | None:
    """The section's value, or None after saying on the page why there is none."""
    if section.status == "ok" and section.value is not None:
        return section.value
    reason = said(section.reason or "No reason was recorded.")
    if section.status == "failed":
        st.error(reason, title=f"{what} could not be measured", icon=":material/error:")
    else:
        st.info(reason, title=f"{what}: not applicable", icon=":material/info:")
    return None


def chart(title: str, figure: go.Figure, *, alt: str, note: str = "", key: str) -> None:
    """A titled figure in the theme's colors; the note names n, warm-up, percentile or method."""
    with st.container(border=True, gap="xsmall", height="stretch"):
        st.markdown(f"**{title}**")
        if note:
            st.caption(note)
        st.plotly_chart(
            figure, theme="streamlit", key=key, alt=alt, config={"displayModeBar": False, "responsive": True}
        )


def may(scope: auth.Scope) -> bool:
    """Whether the person at the browser may do such things; what they may not is not offered."""
    access = auth.access_of(holder.current().settings)
    grant = access.grant(st.context.cookies.get(auth.COOKIE))
    return grant is not None and grant.allows(scope)


def page_title(*parts: str) -> None:
    """What the browser's tab says: the most particular first, so that tabs can be told apart."""
    st.set_page_config(page_title=" · ".join([*(" ".join(part.split())[:80] for part in parts), APP]))


def register_pages(pages: Mapping[str, Any]) -> None:
    """Tell the pages of each other, by url path; they may not import one another."""
    st.session_state[PAGES_KEY] = dict(pages)


def link(page: str, label: str, *, icon: str | None = None, query: Mapping[str, str] | None = None) -> None:
    """A link to another page, with its query."""
    st.page_link(st.session_state[PAGES_KEY][page], label=label, icon=icon, query_params=dict(query or {}))


def link_cell(page: str, query: str, text: str) -> str:
    """A cell of a column made by `link_column`: it shows `text` and leads to the page."""
    return f"/{page}?{query}#{quote(text, safe=AS_IT_IS)}"


def link_column(label: str, width: int) -> Any:
    """A column of links that shows what stands behind the # of each."""
    return st.column_config.LinkColumn(label, width=width, display_text=r"#(.*)$", alignment="left")


def go_to(page: str, query: Mapping[str, str] | None = None) -> None:
    """Leave for another page; nothing after this call runs."""
    st.switch_page(st.session_state[PAGES_KEY][page], query_params=dict(query or {}))


def progress(services: Any, run_id: str) -> None:
    """Live progress of a run with a cancel button; one full rerun once it is over."""
    _live_progress(services, run_id)


@st.fragment(run_every=0.5)
def _live_progress(services: Any, run_id: str) -> None:
    row = runs.get_run(services, run_id)
    if row.state not in ACTIVE:
        st.rerun()
    with st.container(border=True):
        st.markdown(f"**{STAGES.get(row.stage, row.stage)}**")
        done = min(max(row.progress, 0.0), 1.0)
        st.progress(done, text=f"{done:.0%} · {_elapsed(row.started_at or row.created_at)} elapsed")
        st.caption(_steps(row.stage))
        if may("run") and st.button("Cancel run", icon=":material/close:", key=f"cancel_{run_id}"):
            try:
                runs.cancel_run(services, run_id)
            except DashboardError as error:
                problem(error)
            else:
                st.toast("Cancelling the run")


def _steps(stage: str) -> str:
    """The stages in order: those behind, the one at work, those ahead."""
    names = [name for name in STAGES if name not in ("queued", "done")]
    at = names.index(stage) if stage in names else (-1 if stage == "queued" else len(names))
    marks = []
    for position, name in enumerate(names):
        if position < at:
            marks.append(f":green[:material/check:] {name}")
        elif position == at:
            marks.append(f":material/arrow_forward: **{name}**")
        else:
            marks.append(name)
    return "  ·  ".join(marks)


def _elapsed(start: datetime) -> str:
    seconds = max(0, int((datetime.now(UTC) - start).total_seconds()))
    return f"{seconds}{THIN}s" if seconds < 60 else f"{seconds // 60}{THIN}min {seconds % 60}{THIN}s"


def _ago(seconds: float) -> str:
    for limit, unit, name in ((60, 1, "s"), (3600, 60, "min"), (86_400, 3600, "h")):
        if seconds < limit:
            return "just now" if seconds < 5 else f"{int(seconds // unit)} {name} ago"
    days = int(seconds // 86_400)
    return f"{days} day{'' if days == 1 else 's'} ago"


def _title_of(code: str) -> str:
    """The title that the error tree gives a stored code."""
    waiting = [DashboardError]
    while waiting:
        kind = waiting.pop()
        if kind.code == code:
            return kind.title
        waiting.extend(kind.__subclasses__())
    return DashboardError.title
