"""What only a browser shows: a person's way from a file to a report, in a real Chromium."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect, sync_playwright

from auth import new_token
from example_client import client_api_example
from tests.support.live_server import ExampleOnDisk, LiveServer, start_server, stop_server

pytestmark = pytest.mark.browser
LIMIT_MS = 120_000
expect.set_options(timeout=LIMIT_MS)  # five seconds of its own: a busy machine takes them for a page
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield running
        running.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of a desktop; the test fails where the browser complained of anything on its way."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    context.set_default_timeout(LIMIT_MS)
    page = context.new_page()
    complaints = listen(page)
    yield page
    context.close()
    assert complaints == []


def listen(page: Page) -> list[str]:
    """What the browser will complain of: errors of scripts, and what the content security policy refuses."""
    complaints: list[str] = []

    def note(message: ConsoleMessage) -> None:
        # Of a page below the root, Streamlit asks first whether its own server is below that page.
        is_probe = "/_stcore/" in message.location["url"] and "404" in message.text
        if message.type == "error" and not is_probe:
            complaints.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    # A script that catches its own refusal leaves nothing on the console.
    page.add_init_script(
        "document.addEventListener('securitypolicyviolation', e => "
        "console.error('refused: ' + e.effectiveDirective + ' ' + e.blockedURI + ' ' + e.sourceFile))"
    )
    return complaints


def edit_cell(page: Page, row: int, column: int, value: str) -> None:
    """Type into a cell of the table's canvas: its cells exist for assistive technologies only.

    The grid loses keys that come while it is busy, and takes over what was typed a moment later. So a cell is
    typed into only once it is the one selected, and where it kept its value, again and more slowly.
    """
    expect(page.locator("[data-test-script-state=notRunning]")).to_be_attached()
    cells = [page.get_by_test_id(f"glide-cell-{i + 1}-{row}").first for i in range(column + 1)]
    cell = cells[-1]  # glide counts from 1: before them is the column of row markers
    for pause_ms in (300, 1_000, 3_000, 10_000):
        try:
            type_into(page, cells, row, value, pause_ms)
            expect(cell).to_have_text(value, timeout=2_000 + pause_ms)
            return
        except AssertionError:
            page.keyboard.press("Escape")
    raise AssertionError(f"the grid did not take {value!r} over")


def type_into(page: Page, cells: list[Locator], row: int, value: str, pause_ms: int) -> None:
    """Click on the first of a row's cells, walk to the last, type; AssertionError where a key got lost."""
    canvas = page.get_by_test_id("data-grid-canvas").first
    canvas.scroll_into_view_if_needed()
    cells[-1].wait_for(state="attached")
    box = canvas.bounding_box()
    assert box is not None
    # The canvas lies under its own scroller, so the mouse goes to the place and not to the element.
    page.mouse.click(box["x"] + 60, box["y"] + 35 + 35 * row + 17)
    for i, cell in enumerate(cells):
        if i > 0:
            page.keyboard.press("ArrowRight")
        expect(cell).to_have_attribute("aria-selected", "true", timeout=2_000 + pause_ms)
    page.keyboard.press("Enter")
    editor = page.locator("#portal textarea, #portal input").first
    expect(editor).to_be_attached(timeout=2_000 + pause_ms)
    editor.fill(value)
    expect(editor).to_have_value(value)
    page.wait_for_timeout(pause_ms)
    page.keyboard.press("Enter")


def test_a_sample_is_shown_with_its_label_or_refused_with_its_line(
    page: Page, server: LiveServer, examples: dict[str, ExampleOnDisk], tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("a,b\n1,2\n3\n")
    example = examples["breast-cancer"]
    page.goto(f"{server.url}/test")
    page.locator("input[type=file]").first.set_input_files(str(example.model))
    page.get_by_text("Add a sample of real data").click()
    page.locator("input[type=file]").last.set_input_files(str(wrong))
    expect(page.get_by_text("Line 3 of the sample 'wrong.csv' has 1 value")).to_be_visible()
    page.get_by_text("Add a sample of real data").click()
    page.locator("input[type=file]").last.set_input_files(str(example.sample))
    expect(page.get_by_role("combobox", name="Label column")).to_have_value(example.target)
    expect(page.get_by_text("285 rows")).to_be_visible()


def test_a_person_uploads_edits_watches_reads_and_downloads(
    page: Page, server: LiveServer, examples: dict[str, ExampleOnDisk], tmp_path: Path
) -> None:
    page.goto(f"{server.url}/test")
    page.locator("input[type=file]").first.set_input_files(str(examples["wine"].model))
    expect(page.get_by_text("RandomForestClassifier").first).to_be_visible()
    edit_cell(page, row=0, column=4, value="15.5")
    expect(page.get_by_text("This schema has changes of yours.")).to_be_visible()
    page.get_by_role("button", name="Run tests").click()
    expect(page.get_by_role("progressbar").first).to_be_visible()
    page.wait_for_url(re.compile(r"/run\?run="))
    deep_link = page.url

    expect(page.get_by_role("tab", name="Drift")).to_be_visible()
    page.get_by_role("button", name="Downloads").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="HTML").click()
    html = tmp_path / "report.html"
    download.value.save_as(html)
    assert "RandomForestClassifier" in html.read_text("utf-8")

    run_id = deep_link.split("run=")[1]
    report = page.request.get(f"{server.url}/api/v1/runs/{run_id}").json()
    alcohol = report["schema"]["features"][0]
    assert alcohol["max"] == 15.5 and alcohol["origin"] == "user"

    page.goto(f"{server.url}/runs")
    expect(page.get_by_text("wine.pkl").first).to_be_attached()
    page.goto(deep_link)
    expect(page.get_by_role("tab", name="Performance")).to_be_visible()


def test_a_run_posted_by_the_client_appears_without_a_reload(
    page: Page, server: LiveServer, examples: dict[str, ExampleOnDisk], capsys: pytest.CaptureFixture[str]
) -> None:
    page.goto(f"{server.url}/runs")
    expect(page.get_by_role("heading", name="Runs")).to_be_visible()
    page.evaluate("window.notReloaded = true")
    files = examples["diabetes"]
    arguments = ["--url", server.url, "--sample", str(files.sample), "--target", files.target]
    code = client_api_example.main([str(files.model), *arguments, "--name", "posted by the client"])
    assert code == 0, capsys.readouterr().err
    expect(
        page.locator("canvas, [role=gridcell], td")
        .filter(has_text=re.compile("posted.by.the.client|posted%20by"))
        .first
    ).to_be_attached()
    assert page.evaluate("window.notReloaded") is True


def test_one_click_on_an_example_shows_a_full_report(page: Page, server: LiveServer) -> None:
    page.goto(f"{server.url}/test")
    page.get_by_role("button", name="Try it").first.click()
    page.wait_for_url(re.compile(r"/run\?run="))
    for tab in ("Checks", "Accuracy", "Drift", "Robustness", "Explain", "Performance", "Data"):
        page.get_by_role("tab", name=tab).click()
        expect(page.get_by_role("tabpanel").filter(visible=True).first).not_to_be_empty()
        # What scrolls behind the tabs, which stay in sight, does not shine through them.
        expect(page.get_by_role("tablist").first).not_to_have_css("background-color", "rgba(0, 0, 0, 0)")
    expect(page.locator(".stException")).to_have_count(0)


def test_a_person_signs_in_with_a_token_and_may_do_what_it_says(page: Page, tmp_path: Path) -> None:
    (runner, entry), (reader, other) = new_token("me", "run"), new_token("guest", "read")
    guarded = start_server(tmp_path, API_TOKENS=f"{entry},{other}")
    try:
        page.goto(f"{guarded.url}/runs")
        page.get_by_label("Token").fill(reader)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_text("No runs yet")).to_be_visible()
        page.goto(f"{guarded.url}/test")
        expect(page.get_by_text("Your token may read runs, not start them.")).to_be_visible()
        page.goto(f"{guarded.url}/sign-in")
        page.get_by_role("button", name="Sign out").click()
        page.get_by_label("Token").fill(runner)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_label("Token")).to_have_count(0)
        page.goto(f"{guarded.url}/test")
        page.get_by_role("button", name="Try it").first.click()
        page.wait_for_url(re.compile(r"/run\?run="))
        expect(page.get_by_role("tab", name="Drift")).to_be_visible()
        page.goto("about:blank")  # it would complain of a server that is gone
    finally:
        stop_server(guarded)


@pytest.mark.parametrize("path", ["", "models", "test", "runs", "run", "compare", "api-and-ci"])
def test_every_page_fits_a_phone_and_asks_the_internet_for_nothing(
    browser: Browser, server: LiveServer, path: str
) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844})
    context.set_default_timeout(LIMIT_MS)
    page = context.new_page()
    complaints = listen(page)
    foreign: list[str] = []

    def note(request: Any) -> None:
        if not request.url.startswith((server.url, server.url.replace("http", "ws"), "data:", "blob:")):
            foreign.append(request.url)

    page.on("request", note)
    page.goto(f"{server.url}/{path}")
    expect(page.get_by_role("heading").first).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    expect(page.locator(".stException")).to_have_count(0)
    assert (foreign, complaints) == ([], [])
    context.close()
