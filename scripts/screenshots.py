"""Takes the pictures in docs/images from a running server: `python scripts/screenshots.py URL`.

Submits the three shipped examples first, so that every page has something to show.
"""

import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 900}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 900}},
    "phone": {"color_scheme": "light", "viewport": {"width": 390, "height": 844}},
}
TABS = ("Performance", "Drift", "Robustness", "Explainability", "Data", "Downloads")


def main(url: str, executable: str = "/usr/bin/chromium") -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        page = browser.new_page()
        runs = [run_example(page, url, number) for number in range(3)]
        for look, options in LOOKS.items():
            page = browser.new_context(**options).new_page()
            shoot(page, url, "test-a-model", look)
            shoot(page, f"{url}/runs", "runs", look)
            shoot(page, f"{url}/compare?runs={','.join(runs)}", "compare", look)
            shoot(page, f"{url}/api-and-ci", "api-and-ci", look)
            shoot(page, f"{url}/run?run={runs[0]}", "report", look)
            for tab in TABS:
                page.get_by_role("tab", name=tab).click()
                settle(page)
                page.screenshot(path=IMAGES / f"report-{tab.lower()}-{look}.png", full_page=True)
        browser.close()


def run_example(page: Page, url: str, number: int) -> str:
    """Click the example's button and wait for its report; the run's id."""
    page.goto(url)
    page.get_by_role("button", name="Try it").nth(number).click()
    page.wait_for_url("**/run?run=*", timeout=180_000)
    return page.url.split("run=")[1]


def shoot(page: Page, url: str, name: str, look: str) -> None:
    page.goto(url)
    page.get_by_role("heading").first.wait_for()
    settle(page)
    page.screenshot(path=IMAGES / f"{name}-{look}.png")


def settle(page: Page) -> None:
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(2500)  # Plotly draws after the network is quiet


if __name__ == "__main__":
    main(*sys.argv[1:])
