"""The browser door: the page table. Streamlit runs this file once a rerun.

Promises: pages are functions in `views`, each with an address of its own. Leaves drawing to them and
the work to `runs`.
"""

from pathlib import Path
from typing import Any

import streamlit as st

from views import api_ci, compare, components, history, model, models, new_run, overview, run, running

__all__ = ["main"]

# Section of the menu (None: reached by links), address, page, title, icon, and what it is for. A comment:
# Streamlit would write a text that stands alone in its script onto every page.
TABLE = (
    ("", "overview", overview.render, "Overview", ":material/home:", "What needs you, and what is running."),
    ("", "models", models.render, "Models", ":material/deployed_code:",
     "Every model by its name: last verdict, score, p95 and trend."),
    ("Lab", "test", new_run.render, "Test a model", ":material/science:",
     "Upload a model or pick an example, look over its schema, and run the tests."),
    ("Compare", "runs", history.render, "Runs", ":material/list:",
     "Every run from the dashboard, the API and CI; filter, compare, delete."),
    ("Compare", "compare", compare.render, "Compare", ":material/compare_arrows:",
     "Two or more runs side by side, with what got better or worse."),
    ("Setup", "api-and-ci", api_ci.render, "API and CI", ":material/terminal:",
     "Ready lines for curl, Python and CI pipelines against this server."),
    (None, "run", run.render, "Run", ":material/fact_check:",
     "One run's verdict, checks, figures and downloads."),
    (None, "model", model.render, "Model", ":material/deployed_code:",
     "One model's versions, runs, trend, baseline and gates."),
)  # fmt: skip
ICON = Path(__file__).with_name("views") / "icon.png"  # shipped: a Material page icon comes from the net


def main(first: str = "overview") -> None:
    """Draw the page that the address names; `first` opens without one."""
    st.set_page_config(page_title=components.APP, page_icon=str(ICON), layout="wide")
    pages: dict[str, Any] = {}
    sections: dict[str, list[Any]] = {}
    for section, path, render, title, icon, text in TABLE:
        pages[path] = st.Page(
            render,
            title=title,
            icon=icon,
            help=text,
            url_path="home" if path == first else path,
            default=path == first,
            visibility="visible" if section is not None else "hidden",
        )
        sections.setdefault(section or "", []).append(pages[path])
    components.register_pages(pages)
    st.logo(str(ICON), size="medium")
    page = st.navigation(sections, position="sidebar")
    with st.sidebar:
        running.render()
    page.run()


if __name__ == "__main__":
    main()
