"""The pages over a real store with stored reports; only the worker's part is played by hand."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl

import numpy as np
import pandas as pd
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

import runs
import services as holder
from errors import NotAModel
from lockdown import lock
from records.base import Section
from records.checks import section_of
from records.drift import BreakingPoint
from records.metrics import Accuracy
from records.robustness import Behaviour, Property, Robustness
from records.run import RunReport
from runs import Upload
from schema_utils import infer_from_frame
from services import Services, build_services
from settings import Settings
from store.run_lists import RunQuery
from tests.support.sample_reports import sample_report, sample_row, sample_schema, stopped_report
from views import charts, components, run_tabs, schema_table

MARKUP = "*bold* <b>tag</b> :smile: [link](https://x.y) $a$"


@pytest.fixture
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    with build_services(Settings(_env_file=None, data_dir=tmp_path)) as built:
        monkeypatch.setattr(holder, "current", lambda: built, raising=False)
        st.cache_resource.clear()
        yield built


def keep(services: Services, **changes: Any) -> RunReport:
    report = sample_report(**changes)
    services.store.runs.insert(sample_row(report), report.model_dump(mode="json"))
    return report


def page(first: str, **query: str) -> AppTest:
    """The dashboard, opened at the page `first`."""

    def script(first: str) -> None:
        import dashboard

        dashboard.main(first)

    test = AppTest.from_function(script, args=(first,), default_timeout=30)
    for name, value in query.items():
        test.query_params[name] = value
    test.run()
    assert not test.exception, test.exception
    return test


def words(test: AppTest) -> str:
    """All text on the page that is not in a table."""
    kinds = (test.title, test.subheader, test.markdown, test.caption, test.error, test.warning,
             test.success, test.info)  # fmt: skip
    return "\n".join(str(element.value) for kind in kinds for element in kind)


# Words and figures


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (2.7951, "ms", "2.80 ms"),
        (101_317.0, "rows/s", "101,000 rows/s"),
        (0.0, "", "0"),
        (0.03125, "", "0.0312"),
        (999.6, "", "1,000"),
        (3.1e-7, "", "3.10e-07"),
        (None, "ms", components.NONE),
    ],
)
def test_a_number_has_three_digits_and_its_unit(value: float | None, unit: str, expected: str) -> None:
    assert components.number(value, unit).replace(components.THIN, " ") == expected


def test_durations_and_sizes_take_the_unit_that_reads_best() -> None:
    shown = [components.milliseconds(v) for v in (0.0123, 2.5, 2500.0)] + [components.size(184_320)]
    assert [s.replace(components.THIN, " ") for s in shown] == ["12.3 µs", "2.50 ms", "2.50 s", "184 kB"]


def test_a_time_is_said_relative_and_absolute() -> None:
    now = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
    assert components.when(now - timedelta(minutes=2), now) == "2 min ago, 14 Mar 11:58 UTC"
    assert components.when(now - timedelta(days=400), now) == "400 days ago, 07 Feb 2025 UTC"


def test_plain_text_holds_no_live_markup() -> None:
    shown = components.plain(MARKUP + "\n# title")
    assert "\n" not in shown
    assert ":smile:" not in shown and "https://" not in shown and "<b>" not in shown.replace("\\<", "")
    assert shown.replace("\\", "").replace(components.JOINER, "") == MARKUP + " # title"


def test_labels_in_figures_are_not_read_as_tags() -> None:
    explanation = sample_report().explanation.value
    assert explanation is not None
    hostile = explanation.importance[0].model_copy(update={"feature": "<a href='x'>y</a>"})
    figure = charts.importance(explanation.model_copy(update={"importance": (hostile,)}))
    assert list(figure.data[0].y) == ["&lt;a href='x'&gt;y&lt;/a&gt;"]


def test_a_waterfall_ends_at_the_explained_output() -> None:
    explanation = sample_report().explanation.value
    assert explanation is not None
    figure = charts.waterfall(explanation, 3, 0)
    assert sum(figure.data[0].x) == pytest.approx(
        explanation.base_values[0] + sum(float(v) for v in explanation.shap_values[3])  # type: ignore[arg-type, misc]
    )


# The schema's table


def test_a_table_left_alone_is_the_same_schema() -> None:
    schema = sample_schema()
    again, faults = schema_table.to_schema(schema_table.to_frame(schema), schema)
    assert faults == []
    assert again is not None and again.features == schema.features


def test_an_edited_row_is_the_users_and_the_others_keep_their_origin() -> None:
    table = schema_table.to_frame(sample_schema())
    table.loc[0, "max"] = "40"
    schema, faults = schema_table.to_schema(table, sample_schema())
    assert faults == [] and schema is not None
    assert (schema.features[0].max, schema.features[0].origin, schema.features[2].origin) == (
        40,
        "user",
        "sample",
    )


def test_a_row_that_cannot_be_used_is_named_with_its_column() -> None:
    table = schema_table.to_frame(sample_schema())
    table.loc[3, "min"] = "low"
    schema, faults = schema_table.to_schema(table, sample_schema())
    assert schema is None
    assert faults == ["Row 4, mean area: min is 'low', which is not a number."]


def test_categories_are_read_from_a_line_of_text() -> None:
    table = pd.DataFrame([{"name": "size", "type": "category", "categories": "S, M, L"}])
    schema, faults = schema_table.to_schema(table.reindex(columns=list(schema_table.COLUMNS)), None)
    assert faults == [] and schema is not None
    assert schema.features[0].categories == ("S", "M", "L")


def test_an_empty_table_says_what_to_do() -> None:
    schema, faults = schema_table.to_schema(schema_table.to_frame(None), None)
    assert schema is None and "Add a row" in faults[0]


# Runs


def test_without_runs_the_list_says_what_goes_there_and_offers_one_button(services: Services) -> None:
    test = page("runs")
    assert "No runs yet" in words(test)
    assert [button.label for button in test.button] == ["Test a model"]


def test_the_list_shows_figures_with_units_newest_first(services: Services) -> None:
    now = datetime.now(UTC)
    keep(services, id="old", name="older", created_at=now - timedelta(hours=2))
    keep(services, id="new", name="newer", created_at=now)
    table = page("runs").dataframe[0].value
    assert list(table["name"]) == ["/run?run=new#newer", "/run?run=old#older"]
    assert table["p95"][0] == pytest.approx(2.7951) and table["changed"][0] == pytest.approx(18.7, abs=0.05)
    kinds = {column: table[column].dtype.kind for column in ("p95", "throughput", "errors", "score", "when")}
    assert kinds == {"p95": "f", "throughput": "f", "errors": "f", "score": "f", "when": "M"}


def tick(monkeypatch: pytest.MonkeyPatch, *rows: int) -> list[pd.DataFrame]:
    """Play a browser in which these rows are ticked; returns the tables as they are drawn."""
    drawn: list[pd.DataFrame] = []

    def table(frame: pd.DataFrame, **_options: Any) -> SimpleNamespace:
        drawn.append(frame)
        return SimpleNamespace(selection=SimpleNamespace(rows=list(rows)))

    monkeypatch.setattr(st, "dataframe", table)
    return drawn


def test_the_table_keeps_its_rows_while_some_are_selected(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC)
    keep(services, id="seen", name="seen", created_at=now - timedelta(hours=1))
    drawn = tick(monkeypatch, 0)
    test = page("runs")
    keep(services, id="later", name="arrived later", created_at=now)
    test.run()
    assert list(drawn[-1]["name"]) == ["/run?run=seen#seen"]
    assert "1 newer run waiting" in words(test)


def test_runs_are_deleted_only_when_confirmed(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(services, id="doomed", name="doomed")
    tick(monkeypatch, 0)
    test = page("runs")
    test.button(key="runs_delete").click().run()
    assert not test.exception, test.exception
    assert services.store.runs.get("doomed") is not None
    assert "id doomed" in words(test).replace("\\", "") and "14 Mar" in words(test)
    test.button(key="runs_delete_confirmed").click().run()
    assert services.store.runs.get("doomed") is None
    assert "Deleted: doomed" in words(test)
    test.button(key="runs_undo").click().run()
    assert services.store.runs.get("doomed") is not None


def test_a_filter_that_nothing_matches_can_be_cleared(services: Services) -> None:
    keep(services, id="one")
    test = page("runs")
    test.text_input(key="runs_text").set_value("no such model").run()
    assert "No run matches" in words(test)
    test.button[0].click().run()
    assert len(test.dataframe[0].value) == 1


# Run


def test_a_run_opens_with_its_verdict_and_failures_first(services: Services) -> None:
    report = keep(services, id="run1")
    test = page("run", run="run1")
    assert test.title[0].value == components.plain(report.name)
    assert "2 checks worth a look" in test.warning[0].value
    results = [cell[0] for cell in test.dataframe[0].value["Result"]]
    assert results == ["Warning", "Warning", "Pass", "Pass", "Pass", "Not applicable"]
    assert [metric.label for metric in test.metric] == [
        "p95, 1 row", "Rows a second", "Error rate", "Peak memory", "Accuracy",
    ]  # fmt: skip


def test_a_run_that_was_stopped_says_why_and_in_one_row_what_that_left_unjudged(services: Services) -> None:
    stopped = stopped_report(id="run1s")
    row = sample_row(sample_report(id="run1s", status="error"))
    services.store.runs.insert(row, stopped.model_dump(mode="json"))
    test = page("run", run="run1s")
    assert components.plain("The file is plain text, not a model") in test.error[0].value
    assert len(test.error) == 1 and not test.tabs
    assert "What is known of the file" in [header.value for header in test.header]


@pytest.mark.parametrize(
    "tab", ["Checks", "Accuracy", "Drift", "Robustness", "Explain", "Performance", "Data"]
)
def test_every_tab_draws(services: Services, tab: str) -> None:
    keep(services, id="run2")
    expected = {
        "Drift": "Breaking point of each feature",
        "Robustness": "Tiny noise keeps the answer", "Explain": "Feature importance",
        "Data": "Generated rows", "Performance": "Latency by batch size", "Accuracy": "Confusion matrix",
    }  # fmt: skip
    test = page("run", run="run2", tab=tab)
    if tab == "Checks":
        assert "Result" in test.dataframe[0].value
    else:
        assert expected[tab] in words(test)


def test_the_data_tab_says_how_far_the_rows_look_like_the_samples(services: Services) -> None:
    keep(services, id="run2l")
    test = page("run", run="run2l", tab="Data")
    shown = words(test).replace("\\", "").replace(components.JOINER, "").replace(components.THIN, " ")
    assert "told from the sample's in part: AUC 0.683 (95 % interval 0.621 to 0.745)" in shown
    assert "142 rows made after one half of the sample" in shown
    table = next(t.value for t in test.dataframe if "Judged by" in t.value.columns)
    assert table["Column"][0] == "mean radius" and set(table["Drifted"]) == {"no"}


@pytest.mark.parametrize("status", ["not_applicable", "failed"])
def test_rows_that_were_not_compared_say_why(services: Services, status: str) -> None:
    keep(services, id="run2m", likeness=Section[Any](status=status, reason="The sample is short."))
    test = page("run", run="run2m", tab="Data")
    assert "The sample is short." in words(test).replace("\\", "")
    assert len(test.error) == (status == "failed")


def test_a_report_older_than_the_comparison_still_reads(services: Services) -> None:
    report = sample_report(id="run2n")
    stored = report.model_dump(mode="json")
    del stored["likeness"]
    services.store.runs.insert(sample_row(report), stored)
    assert "The run is older than this comparison" in words(page("run", run="run2n", tab="Data"))


def test_breaking_points_and_a_joint_shift_taken_apart_are_on_the_drift_tab(services: Services) -> None:
    keep(services, id="run2p")
    test = page("run", run="run2p", tab="Drift")
    table = next(t.value for t in test.dataframe if "95 % interval" in t.value.columns)
    plain = table.map(lambda text: text.replace(components.THIN, " "))
    assert plain.iloc[2].tolist() == [
        "mean perimeter", "down", "1.12 sd", "1.06 to 1.18 sd", "-0.381", "1.14", "0.798", "yes",
        components.NONE, "changed answers",
    ]  # fmt: skip
    shown = words(test).replace(components.THIN, " ")
    assert "One by one and together" in shown
    assert "Each share ends at 100 %, so that they do not add up" in shown
    assert "Probabilities end at 0 and 1, so that these need not add up" in shown
    assert "nteraction" not in shown
    assert "Change of the mean probability of malignant" in shown
    assert "1 feature did not break up to 4.00 sd" in shown


def test_properties_stand_apart_from_what_breaks(services: Services) -> None:
    trait = "Needs complete rows: a missing value is refused."
    found = Behaviour(
        name="missing_values", title="Missing values are answered", status="ok", failing_share=0.25, rows=200,
        trait=trait, serious=False,
    )  # fmt: skip
    told = Property(name="missing_values", sentence=trait, advice="Put an imputer before it.")
    value = Robustness(behaviours=(found,), properties=(told,))
    keep(services, id="run2t", robustness=Section[Any].ok(value))
    shown = words(page("run", run="run2t", tab="Robustness")).replace("\\", "")
    assert "Properties of the model" in shown and "Put an imputer before it." in shown
    assert "150 of 200 rows held" in shown and "Breaks" not in shown


def test_alert_thresholds_that_cannot_work_say_so_and_what_can(services: Services) -> None:
    drift = sample_report().drift.value
    assert drift is not None
    first, *rest = drift.breaking_points
    at_zero = first.model_copy(update={"psi_interval": (0.0, 0.5)})
    points = drift.model_copy(update={"breaking_points": (at_zero, *rest)})
    keep(services, id="run2u", drift=Section[Any].ok(points))
    test = page("run", run="run2u", tab="Drift")
    table = next(t.value for t in test.dataframe if "Usable" in t.value.columns)
    assert table["Usable"][0] == "no: A PSI of 0: every batch reaches it."
    assert "rows or more" in table["Instead, a move of the mean by"][0]
    assert "alert thresholds cannot be used" in words(test)


def test_numbers_have_their_mean_move_beside_the_changed_share(services: Services) -> None:
    drift = sample_report().drift.value
    assert drift is not None
    moved = tuple(s.model_copy(update={"mean_move": 0.4}) for s in drift.scenarios)
    numbers = drift.model_copy(update={"scenarios": moved})
    keep(services, id="run2x", drift=Section[Any].ok(numbers))
    assert "Mean move" in words(page("run", run="run2x", tab="Drift"))
    keep(services, id="run2y")
    assert "Mean move" not in words(page("run", run="run2y", tab="Drift"))


def test_the_drift_tab_says_what_a_monitor_would_see(services: Services) -> None:
    keep(services, id="run2v")
    test = page("run", run="run2v", tab="Drift")
    assert "Can a monitor see it?" in words(test)
    table = next(t.value for t in test.dataframe if "Shown by" in t.value.columns)
    plain = table.map(lambda text: text.replace(components.THIN, " "))
    assert plain.iloc[3].tolist() == [
        "Missing values 10 %", "whole table only", "0.0213", "0.641", "0.611 to 0.671", "2.10 %",
    ]  # fmt: skip
    assert len(table) == 4  # the one that applied to nothing is not listed
    assert "On 500 rows and as many that are shifted." in words(test).replace(components.THIN, " ")
    drift = sample_report().drift.value
    assert drift is not None
    scenarios = tuple(s.model_copy(update={"domain": None}) for s in drift.scenarios)
    keep(services, id="run2w", drift=Section[Any].ok(drift.model_copy(update={"scenarios": scenarios})))
    assert "Can a monitor see it?" not in words(page("run", run="run2w", tab="Drift"))


def test_how_often_the_thresholds_cry_wolf_stands_beside_them(services: Services) -> None:
    keep(services, id="run2f")
    test = page("run", run="run2f", tab="Drift")
    table = next(t.value for t in test.dataframe if "Enough" in t.value.columns)
    plain = table.map(lambda text: text.replace(components.THIN, " "))
    assert plain.columns.tolist() == ["Feature", "Enough", "50 rows", "100 rows", "200 rows", "500 rows"]
    any_of_them = plain.iloc[0].tolist()
    assert any_of_them == ["Any that is usable", "over 500 rows", "94.0 %", "73.0 %", "28.0 %", "6.00 %"]
    assert plain.iloc[2].tolist() == ["worst radius", "100 rows", "31.0 %", "4.00 %", "0 %", "0 %"]
    assert "Each size was drawn 300 times" in words(test)
    drift = sample_report().drift.value
    assert drift is not None
    rarely = drift.false_alarms[0].model_copy(update={"any_column": 0.02})
    quiet = drift.model_copy(update={"false_alarms": (rarely, *drift.false_alarms[1:])})
    keep(services, id="run2g", drift=Section[Any].ok(quiet))
    test = page("run", run="run2g", tab="Drift")
    assert "in 2.00 % of batches of 50 rows" in words(test).replace(components.THIN, " ")
    assert not [t for t in test.dataframe if "Enough" in t.value.columns]


def test_breaking_points_of_older_reports_are_shown_without_what_they_lack(services: Services) -> None:
    drift = sample_report().drift.value
    assert drift is not None
    old = BreakingPoint(
        feature="x", kind="mean_shift", magnitude=-0.5, psi=0.3, interval=(-0.6, -0.4), searched_to=4.0
    )
    changes = {"breaking_points": (old,), "decomposition": None, "false_alarms": ()}
    keep(services, id="run2o", drift=Section[Any].ok(drift.model_copy(update=changes)))
    test = page("run", run="run2o", tab="Drift")
    assert "the line spans the search interval" in words(test)
    assert "One by one and together" not in words(test)
    assert not [t for t in test.dataframe if "95 % interval" in t.value.columns]


def downloads(test: AppTest) -> list[str]:
    return [button.label for button in test.get("download_button")]  # type: ignore[union-attr]


def test_thresholds_are_offered_where_breaking_points_were_searched(services: Services) -> None:
    keep(services, id="run2t")
    assert "Monitoring thresholds, JSON" in downloads(page("run", run="run2t"))
    keep(services, id="run2u", drift=Section[Any].failed("The budget ended."))
    assert downloads(page("run", run="run2u")) == [
        "Report, JSON", "Figures, CSV", "Report, HTML", "Checks, JUnit XML", "Summary, Markdown"
    ]  # fmt: skip


def test_every_column_under_drift_says_which_test_judged_it(services: Services) -> None:
    keep(services, id="run2d")
    test = page("run", run="run2d", tab="Drift")
    table = next(t.value for t in test.dataframe if "Judged by" in t.value.columns)
    assert table["Drifted"].tolist() == ["yes"] * len(table)
    assert table["Judged by"][0] == "KS, adjusted p 1e-12 (drift: at most 0.05)"
    assert "adjusted for the number of columns" in words(test)


def test_the_tile_of_the_score_takes_the_first_there_is_where_equal_numbers_have_no_r2(
    services: Services,
) -> None:
    scores = Accuracy(rows=3, target="price", mae=0.25, rmse=0.5)
    keep(services, id="run3a", accuracy=Section[Accuracy].ok(scores))
    shown = {tile.label: tile.value for tile in page("run", run="run3a").metric}
    assert shown["Mean absolute error"] == "0.25" and "R2" not in shown


def test_a_latency_figure_names_n_warm_up_and_percentile(services: Services) -> None:
    keep(services, id="run3")
    shown = words(page("run", run="run3", tab="Performance"))
    assert "p50, p95 and p99" in shown
    assert "n = 38 to 50 timed calls a batch size after up to 3 warm-up calls" in shown


def test_intervals_callers_and_the_baseline_are_on_the_performance_tab(services: Services) -> None:
    keep(services, id="run3b")
    test = page("run", run="run3b", tab="Performance")
    shown = words(test)
    assert "Callers at the same time" in shown and "Against the baseline's model" in shown
    assert "A call takes **1.02 times** as long" in shown and "95 % interval 0.991 to 1.06" in shown
    table = next(t.value for t in test.dataframe if "Warm-up" in t.value)
    assert list(table["Warm-up"]) == ["3", "3", "3", "3, not steady"]
    assert table["p50"][0].replace(components.THIN, " ") == "2.31 ms (2.26 to 2.38)"
    assert table["p95"][0].endswith(f"to {components.NONE})")


@pytest.mark.parametrize(("tab", "part"), [("Drift", "drift"), ("Explain", "explanation")])
def test_a_part_that_failed_says_why(services: Services, tab: str, part: str) -> None:
    keep(services, id="run4", **{part: Section[Any].failed("The budget ended.")})
    test = page("run", run="run4", tab=tab)
    assert [error.value.replace("\\", "") for error in test.error] == ["The budget ended."]
    assert test.error[0].proto.title.endswith("could not be measured")


def test_names_from_a_file_are_shown_as_they_are(services: Services) -> None:
    keep(services, id="run5", name=MARKUP)
    title = page("run", run="run5").title[0].value
    assert title == components.plain(MARKUP)


def test_an_unknown_run_leads_to_the_list(services: Services) -> None:
    test = page("run", run="gone")
    assert "This run is not here" in words(test)
    assert [button.label for button in test.button] == ["See all runs"]


def test_a_run_at_work_shows_its_stage_and_can_be_cancelled(services: Services) -> None:
    row = sample_row(sample_report()).model_copy(
        update={"id": "live", "state": "running", "stage": "drift", "progress": 0.62, "finished_at": None}
    )
    services.store.runs.insert(row)
    test = page("run", run="live")
    assert "Simulating drift" in words(test)
    assert "Cancel run" in [button.label for button in test.button]


def test_a_run_without_a_report_says_what_happened(services: Services) -> None:
    row = sample_row(sample_report(), id="bad", state="error", error_message="No library 'catboost' here.")
    services.store.runs.insert(row)
    test = page("run", run="bad")
    assert test.error[0].value == components.plain("No library 'catboost' here.")


def test_what_broke_is_a_link_to_where_it_is_shown(services: Services) -> None:
    keep(services, id="run6")
    links = [link.proto for link in page("run", run="run6").get("page_link")]
    asked = [dict(parse_qsl(link.query_string)) for link in links]
    warned = [check for check in sample_report().checks if check.status == "warn"]
    tabs = [run_tabs.TAB_OF[section_of(check)] for check in warned]
    assert [query["tab"] for query in asked if query.get("run") == "run6"] == tabs


def test_a_tile_says_how_far_a_figure_is_from_the_baselines(services: Services) -> None:
    keep(services, id="base")
    metrics = sample_report().metrics.value
    assert metrics is not None
    slower = metrics.model_copy(update={"throughput_rows_s": (metrics.throughput_rows_s or 0.0) / 2})
    report = sample_report(id="now", metrics=Section[Any].ok(slower))
    services.store.runs.insert(sample_row(report, baseline_id="base"), report.model_dump(mode="json"))
    tiles = {tile.label: tile.delta for tile in page("run", run="now").metric}
    assert tiles["Rows a second"].replace(components.THIN, " ") == "-50 %"
    assert tiles["Error rate"] == "the same"


def test_tabs_named_in_older_addresses_open(services: Services) -> None:
    keep(services, id="run7")
    assert "Feature importance" in words(page("run", run="run7", tab="Explainability"))


# Overview, models, model


def test_an_empty_server_offers_a_report_with_one_click(services: Services) -> None:
    test = page("overview")
    test.button(key="first_report").click().run()
    assert not test.exception, test.exception
    job = services.jobs.claim("by hand")
    assert job is not None and job.kind == "example"


def test_the_overview_tells_of_newest_runs_that_failed_and_of_no_others(services: Services) -> None:
    now = datetime.now(UTC)
    keep_row(services, "old", model="mended", state="failed", created_at=now - timedelta(hours=2))
    keep_row(services, "new", model="mended", state="passed", created_at=now)
    keep_row(services, "bad", model="broken", state="failed", created_at=now)
    shown = words(page("overview"))
    assert "broken" in shown and "mended" not in shown


def keep_row(services: Services, id: str, **changes: Any) -> None:
    services.store.runs.insert(sample_row(sample_report(), id=id, **changes))


def test_models_have_a_row_each_with_their_trend(services: Services) -> None:
    for i, p95 in enumerate((1.0, 3.0, 2.0)):
        at = datetime(2026, 3, 1 + i, tzinfo=UTC)
        keep_row(services, f"r{i}", model="churn & co", p95_ms=p95, created_at=at)
    table = page("models").dataframe[0].value
    assert table["name"].tolist() == ["/model?name=churn%20%26%20co#churn%20&%20co"]
    assert list(table["trend"][0]) == [1.0, 3.0, 2.0] and table["runs"].tolist() == [3]


def test_gates_that_are_kept_on_a_models_page_are_drawn_into_its_trend(services: Services) -> None:
    keep_row(services, "one", model="churn", p95_ms=3.0)
    test = page("model", name="churn")
    test.number_input[0].set_value(4.0)
    test.text_area[0].set_value("metrics.latency[1].p95_ms <= baseline * 1.5")
    next(button for button in test.button if button.label == "Keep these gates").click().run()
    assert not test.exception, test.exception
    gates = services.store.models.gates("churn")
    assert gates is not None
    assert (gates.p95_ms, gates.expressions) == (4.0, ("metrics.latency[1].p95_ms <= baseline * 1.5",))
    assert "gate 4" in str(test.get("plotly_chart")[0].proto)


def test_a_gate_that_is_none_is_said_with_how_to_write_one(services: Services) -> None:
    keep_row(services, "one", model="churn")
    test = page("model", name="churn")
    test.text_area[0].set_value("faster please")
    next(button for button in test.button if button.label == "Keep these gates").click().run()
    assert "is no gate" in test.error[0].value and services.store.models.gates("churn") is None


def test_every_page_shows_what_is_running(services: Services) -> None:
    keep_row(services, "live", state="running", stage="drift", progress=0.62, name="busy one")
    for first in ("overview", "models", "test", "runs", "compare", "api-and-ci"):
        [line] = [link.proto for link in page(first).sidebar.get("page_link")]
        assert "62%" in line.label and line.query_string == "run=live"


def test_the_address_says_what_is_listed_and_is_followed(services: Services) -> None:
    keep_row(services, "a", name="alpha", state="failed", p95_ms=2.0)
    keep_row(services, "b", name="beta", state="failed", p95_ms=9.0)
    keep_row(services, "c", name="gamma", state="passed", p95_ms=5.0)
    test = page("runs", status="failed", sort="-p95")
    assert [name.split("#")[1] for name in test.dataframe[0].value["name"]] == ["beta", "alpha"]
    test.text_input(key="runs_text").set_value("ALPHA").run()
    assert [name.split("#")[1] for name in test.dataframe[0].value["name"]] == ["alpha"]
    assert test.query_params["q"] in ("ALPHA", ["ALPHA"])


# Compare


def test_compared_runs_say_better_or_worse_in_words(services: Services) -> None:
    keep(services, id="a", name="first")
    metrics = sample_report().metrics.value
    assert metrics is not None
    slower = metrics.model_copy(update={"throughput_rows_s": 50_658.5})
    keep(services, id="b", name="second", metrics=Section[Any].ok(slower))
    table = page("compare", runs="a,b").dataframe[0].value.set_index("Figure")
    cell = table.loc["Throughput ↑"]
    assert cell["first"].endswith("(best)")
    assert "50.0 %, worse" in cell["second"].replace(components.THIN, " ")


def test_compare_without_runs_explains_itself(services: Services) -> None:
    assert "Two finished runs are needed" in words(page("compare"))


# Test a model


def test_the_first_page_offers_an_upload_and_examples(services: Services) -> None:
    test = page("test")
    assert "Upload a model" in words(test)
    assert [button.label for button in test.button] == ["Try it"] * 3


@pytest.mark.parametrize(
    ("policy", "words_of_warning"), [("contained", "refused"), ("unsafe", "whatever you")]
)
def test_a_machine_without_the_lock_says_so_before_the_upload(
    services: Services, monkeypatch: pytest.MonkeyPatch, policy: str, words_of_warning: str
) -> None:
    offer = lock.Offer("darwin", "arm64", root=False, landlock=None, seccomp=False)
    monkeypatch.setattr(lock, "probe", lambda: offer)
    settings = services.settings.model_copy(update={"model_policy": policy})
    monkeypatch.setattr(holder, "current", lambda: replace(services, settings=settings))
    test = page("test")
    assert words_of_warning in test.warning[0].value
    assert "locked process" not in words(test)


def test_an_upload_is_stored_read_and_run(services: Services) -> None:
    test = page("test")
    test.file_uploader[0].upload("model.pkl", b"not opened here", "application/octet-stream").run()
    assert not test.exception, test.exception
    job = services.jobs.claim("by hand")
    assert job is not None and job.kind == "inspect"
    model = sample_report().model.model_dump(mode="json")
    services.jobs.finish(
        job.id,
        job.attempt,
        {
            "model": model,
            "schema": sample_schema().model_dump(mode="json"),
            "warnings": ["Saved with an older one"],
        },
    )
    test.run()
    assert "HistGradientBoostingClassifier" in words(test)
    assert "Saved with an older one" in [warning.value for warning in test.warning]
    test.toggle(key="plan_classifier").set_value(True).run()
    next(button for button in test.button if button.label == "Run tests").click().run()
    assert not test.exception, test.exception
    [row] = services.store.runs.list(RunQuery()).rows
    assert (row.model_name, row.source, row.user_schema) == ("model.pkl", "dashboard", None)
    assert row.plan.drift.domain_auc is True
    assert "Cancel run" in [button.label for button in test.button]


def test_a_model_that_cannot_be_read_is_refused_in_words(services: Services) -> None:
    test = page("test")
    test.file_uploader[0].upload("model.pkl", b"rubbish", "application/octet-stream").run()
    job = services.jobs.claim("by hand")
    assert job is not None
    error = {"code": "not_a_model", "message": "The file is not a pickle.", "hint": "Save it with joblib."}
    services.jobs.fail(job.id, job.attempt, error)
    test.run()
    assert test.error[0].value.replace("\\", "") == "The file is not a pickle.  \nSave it with joblib."
    assert test.error[0].proto.title == NotAModel.title


def test_a_model_uploaded_while_too_many_wait_to_be_read_can_be_read_again(services: Services) -> None:
    earlier = [
        runs.request_inspection(services, Upload(name="m.pkl", sha256=f"{i:064x}", bytes=1))
        for i in range(services.settings.max_queue)
    ]
    test = page("test")
    test.file_uploader[0].set_value(("model.pkl", b"bytes", "application/octet-stream")).run()
    assert "wait for a worker already" in words(test)
    services.jobs.cancel(earlier[0])
    next(button for button in test.button if button.label == "Read it again").click().run()
    assert services.jobs.waiting("inspect") == services.settings.max_queue
    assert "wait for a worker already" not in words(test)


def test_a_refused_model_gets_a_confirmed_second_try_under_the_lock(services: Services) -> None:
    test = page("test")
    test.file_uploader[0].upload("model.pkl", b"refused", "application/octet-stream").run()
    job = services.jobs.claim("by hand")
    assert job is not None and job.payload["contained"] is False
    error = {"code": "model_refused", "message": "It refers to builtins.eval.", "hint": "Save it again."}
    services.jobs.fail(job.id, job.attempt, error)
    test.run()
    assert "builtins" in test.error[0].value
    second = next(button for button in test.button if button.label == "Load it under the lock")
    assert second.disabled
    test.checkbox[0].check().run()
    next(button for button in test.button if button.label == "Load it under the lock").click().run()
    assert not test.exception, test.exception
    job = services.jobs.claim("by hand")
    assert job is not None and job.payload["contained"] is True
    model = sample_report().model.model_dump(mode="json")
    services.jobs.finish(
        job.id, job.attempt, {"model": model, "schema": sample_schema().model_dump(mode="json")}
    )
    test.run()
    next(button for button in test.button if button.label == "Run tests").click().run()
    [row] = services.store.runs.list(RunQuery()).rows
    assert row.plan.policy == "contained"


def test_where_the_operator_is_strict_no_second_try_is_offered(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = services.settings.model_copy(update={"contained_on_request": False})
    monkeypatch.setattr(holder, "current", lambda: replace(services, settings=settings))
    test = page("test")
    test.file_uploader[0].upload("model.pkl", b"refused", "application/octet-stream").run()
    job = services.jobs.claim("by hand")
    assert job is not None
    services.jobs.fail(job.id, job.attempt, {"code": "model_refused", "message": "No.", "hint": ""})
    test.run()
    assert test.error and not test.checkbox


def test_a_number_typed_over_a_samples_quantiles_wins() -> None:
    base = infer_from_frame(pd.DataFrame({"a": np.arange(100.0), "b": np.arange(100.0)}))
    table = schema_table.to_frame(base)
    table.loc[0, "max"] = "500"
    schema, faults = schema_table.to_schema(table, base)
    assert schema is not None and not faults
    edited, kept = schema.features
    assert (edited.max, edited.quantiles) == (500.0, None)
    assert kept == base.features[1] and kept.quantiles is not None


def test_what_to_do_is_not_cut_off_at_the_length_of_a_name() -> None:
    sentence = "word " * 100 + "end."
    assert components.said(sentence).endswith("end\\.")
    assert components.plain(sentence).endswith("…")


def test_one_click_on_an_example_submits_a_labelled_run(services: Services) -> None:
    test = page("test")
    test.button[0].click().run()
    assert "Preparing the example" in str([bar.proto.text for bar in test.get("progress")])
    job = services.jobs.claim("by hand")
    assert job is not None and job.kind == "example"
    import io

    stored = services.artifacts.add(io.BytesIO(b"x,label\n1,0\n2,1\n"), 1000)
    sample = Upload(name="sample.csv", sha256=stored.sha256, bytes=stored.bytes).model_dump()
    model = Upload(name="m.joblib", sha256=stored.sha256, bytes=stored.bytes).model_dump()
    services.jobs.finish(
        job.id, job.attempt, {"model": model, "sample": sample, "target": "label", "title": "Breast cancer"}
    )
    test.run()
    assert not test.exception, test.exception
    [row] = services.store.runs.list(RunQuery()).rows
    assert (row.name, row.target) == ("Example: Breast cancer", "label")


def test_what_a_token_may_not_do_is_not_offered(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(services)
    monkeypatch.setattr(components, "may", lambda scope: scope == "read")
    test = page("test")
    assert "Your token may read runs" in test.info[0].value
    assert not test.file_uploader and not test.button
    monkeypatch.setattr(components, "may", lambda scope: scope != "admin")
    assert page("test").file_uploader


# API and CI


def test_the_api_page_gives_lines_for_this_server(services: Services) -> None:
    code = "\n".join(block.value for block in page("api-and-ci").code)
    assert "/run_tests" in code and "-F model=@model.pkl" in code
    assert "actions/checkout" in code and "junit.xml" in code
