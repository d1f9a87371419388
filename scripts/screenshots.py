"""Takes the pictures in docs/images from a running server: `python -m scripts.screenshots URL`.

Runs the three shipped examples first, so that every page has something to show. With `--every-tab FOLDER`
it takes each tab of the report in every look instead, for looking at and not for keeping.
"""

import argparse
import shutil
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from views.run_tabs import TABS

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 900}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 900}},
    "phone": {"color_scheme": "light", "viewport": {"width": 390, "height": 844}},
}
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# Streamlit scrolls inside the page, so a picture of the whole needs a window as tall as what scrolls.
HEIGHT = "document.querySelector('[data-testid=stMain]').scrollHeight"


def main(url: str, folder: Path, every_tab: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        chromium = next(filter(None, map(shutil.which, BROWSERS)))
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        runs = [run_example(browser.new_page(), url, number) for number in range(3)]
        for look, options in LOOKS.items():
            page = browser.new_context(**options).new_page()
            if every_tab:
                for run, name in zip(runs, ("binary", "multiclass", "regression"), strict=True):
                    for tab in TABS:
                        page.set_viewport_size(options["viewport"])
                        show(page, f"{url}/run?run={run}")
                        page.get_by_role("tab", name=tab).click()
                        shoot(page, folder / f"{name}-{tab.lower()}-{look}.png", whole=True)
                continue
            for name, path, whole in (
                ("overview", "", False),
                ("models", "models", False),
                ("test-a-model", "test", False),
                ("runs", "runs", False),
                ("compare", f"compare?runs={','.join(runs)}", False),
                ("api-and-ci", "api-and-ci", False),
                ("report", f"run?run={runs[1]}", True),
            ):
                show(page, f"{url}/{path}")
                shoot(page, folder / f"{name}-{look}.png", whole)
        browser.close()


def run_example(page: Page, url: str, number: int) -> str:
    """Click the example's button and wait for its report; the run's id."""
    page.goto(f"{url}/test")
    page.get_by_role("button", name="Try it").nth(number).click()
    page.wait_for_url("**/run?run=*", timeout=180_000)
    page.get_by_role("tab", name=TABS[0]).wait_for(timeout=180_000)
    return page.url.split("run=")[1]


def show(page: Page, url: str) -> None:
    page.goto(url)
    page.get_by_role("heading").first.wait_for()
    page.get_by_test_id("stSkeleton").first.wait_for(state="detached")
    page.wait_for_timeout(800)


def shoot(page: Page, path: Path, whole: bool) -> None:
    if whole:
        page.wait_for_timeout(1500)
        width = (page.viewport_size or {"width": 1280})["width"]
        page.set_viewport_size({"width": width, "height": page.evaluate(HEIGHT)})
    page.wait_for_timeout(1500)  # tables and charts are drawn after the page is quiet
    page.screenshot(path=path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--every-tab", metavar="FOLDER", type=Path)
    arguments = parser.parse_args()
    main(arguments.url, arguments.every_tab or IMAGES, arguments.every_tab is not None)
