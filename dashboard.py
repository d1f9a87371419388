"""The browser door: the page table. Streamlit runs this file once a rerun.

Promises: pages are functions in `views`, each with an address of its own. Leaves drawing to them and
the work to `runs`.
"""

from pathlib import Path

import streamlit as st

from views import api_ci, compare, components, history, new_run, run

__all__ = ["main"]

ICON = Path(__file__).with_name("views") / "icon.png"  # shipped: a Material page icon comes from the net


def main(first: str = "test") -> None:
    """Draw the page that the address names; `first` opens without one."""
    st.set_page_config(page_title="Model monitoring", page_icon=str(ICON), layout="wide")
    table = (
        ("test", new_run.render, "Test a model", ":material/science:",
         "Upload a model or pick an example, look over its schema, and run the tests."),
        ("runs", history.render, "Runs", ":material/list:",
         "Every run from the dashboard, the API and CI; filter, compare, delete."),
        ("run", run.render, "Run", ":material/fact_check:",
         "One run's verdict, checks, figures and downloads."),
        ("compare", compare.render, "Compare", ":material/compare_arrows:",
         "Two or more runs side by side, with what got better or worse."),
        ("api-and-ci", api_ci.render, "API and CI", ":material/terminal:",
         "Ready lines for curl, Python and CI pipelines against this server."),
    )  # fmt: skip
    pages = {
        path: st.Page(
            render,
            title=title,
            icon=icon,
            help=text,
            url_path="" if path == first else path,
            default=path == first,
        )
        for path, render, title, icon, text in table
    }
    components.register_pages(pages)
    st.logo(str(ICON), size="medium")
    st.navigation(list(pages.values()), position="top").run()


if __name__ == "__main__":
    main()
