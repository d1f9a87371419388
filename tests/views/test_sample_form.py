"""A sample on the page for a new run: what a run would make of it is said, and its labels chosen."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

import services as holder
from model_process.reader import described
from records.model import ModelInfo
from records.sample import SampleUse
from records.schema import FieldSpec, Schema
from reports.exports import to_html
from services import Services, build_services
from settings import Settings
from store.run_lists import RunQuery
from tests.support.peoples_tables import csv_of, diabetes, telco
from tests.support.sample_reports import sample_report, sample_row
from views import schema_table

NAMES = ("Pregnancies", "Glucose", "BMI", "Age")


@pytest.fixture
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    with build_services(Settings(_env_file=None, data_dir=tmp_path)) as built:
        monkeypatch.setattr(holder, "current", lambda: built, raising=False)
        st.cache_resource.clear()
        yield built


def page(first: str, **query: str) -> AppTest:
    def script(first: str) -> None:
        import dashboard

        dashboard.main(first)

    test = AppTest.from_function(script, args=(first,), default_timeout=30)
    for name, value in query.items():
        test.query_params[name] = value
    return test.run()


def words(test: AppTest) -> str:
    assert not test.exception, test.exception
    kinds = (test.subheader, test.markdown, test.caption, test.error, test.warning)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def opened(services: Services, info: dict[str, Any], mined: Schema | None, frame: pd.DataFrame) -> AppTest:
    """A model and a sample, as the worker would have read them."""
    test = page("test")
    test.file_uploader[0].upload("model.pkl", b"a model", "application/octet-stream").run()
    job = services.jobs.claim("by hand")
    assert job is not None
    told = ModelInfo(name="model.pkl", sha256=job.subject, bytes=7, task="classification", **info)
    schema = None if mined is None else mined.model_dump(mode="json")
    found: dict[str, Any] = {"model": told.model_dump(mode="json"), "schema": schema, "warnings": []}
    services.jobs.finish(job.id, job.attempt, found)
    test.run()
    uploader = next(each for each in test.file_uploader if str(each.key).startswith("sample_"))
    uploader.upload("rows.csv", csv_of(frame), "text/csv").run()
    job = services.jobs.claim("by hand")
    assert job is not None and job.kind == "read"
    facts = described(frame).model_dump(mode="json")
    services.jobs.finish(job.id, job.attempt, json.loads(json.dumps(facts)))
    test.run()
    return test


def submitted(services: Services, test: AppTest) -> Any:
    next(button for button in test.button if button.label == "Run tests").click().run()
    assert not test.exception, test.exception
    [row] = services.store.runs.list(RunQuery()).rows
    return row


def schema_of(*names: str) -> Schema:
    return Schema(features=tuple(FieldSpec(name=name, min=0, max=9, origin="model") for name in names))


def test_the_label_is_found_and_what_is_left_out_is_said(services: Services) -> None:
    info = {"features": NAMES, "n_features": 4, "classes": ("0", "1")}
    frame = diabetes().assign(Id=range(300))
    test = opened(services, info, schema_of(*NAMES), frame)
    assert "Left out: Id." in words(test)
    row = submitted(services, test)
    assert (row.target, row.user_schema, row.plan.target_map) == ("Outcome", None, {})


def test_labels_in_other_words_are_shown_or_asked_for(services: Services) -> None:
    info = {"features": NAMES, "n_features": 4, "classes": ("0", "1")}
    yes = diabetes().assign(Outcome=lambda d: d.Outcome.map({0: "No", 1: "Yes"}))
    assert "No as 0, Yes as 1" in words(opened(services, info, schema_of(*NAMES), yes))
    sick = diabetes().assign(Outcome=lambda d: d.Outcome.map({0: "well", 1: "sick"}))
    test = opened(services, info, schema_of(*NAMES), sick)
    assert "the model's own answers decide" in words(test)
    for label, name in (("sick", "1"), ("well", "0")):
        next(box for box in test.selectbox if box.label == label).set_value(name).run()
    assert submitted(services, test).plan.target_map == {"sick": "1", "well": "0"}


def test_raw_columns_are_shown_as_the_models_own(services: Services) -> None:
    frame = telco()[["tenure", "Contract", "TotalCharges", "Churn"]]
    names = ("tenure", "TotalCharges", "Contract_One year", "Contract_Two year")
    test = opened(
        services, {"features": names, "n_features": 4, "classes": ("No", "Yes")}, schema_of(*names), frame
    )
    said = words(test)
    assert "Encoded by their names: Contract." in said and "Read as numbers: TotalCharges." in said
    assert submitted(services, test).user_schema is None


def test_another_models_table_is_told_before_the_run(services: Services) -> None:
    names = ("alpha", "beta", "gamma")
    test = opened(services, {"features": names, "n_features": 3}, schema_of(*names), diabetes())
    assert "not a table of this model" in words(test)
    assert next(button for button in test.button if button.label == "Run tests").disabled


def test_the_columns_of_a_model_without_names_are_chosen_in_the_table(services: Services) -> None:
    frame = diabetes().assign(width=1.5, Id=range(300))
    test = opened(
        services, {"n_features": 4, "classes": ("0", "1")}, schema_of("x0", "x1", "x2", "x3"), frame
    )
    assert "Delete the rows that are no columns" in "".join(str(box.value) for box in test.info)
    assert "takes 4 features, the schema has" in words(test)
    assert next(button for button in test.button if button.label == "Run tests").disabled


def test_a_table_of_features_is_said_to_be_the_schema(services: Services) -> None:
    table = pd.DataFrame({"name": NAMES, "type": "number", "min": 0, "max": [9, 200, 60, 90]})
    test = opened(services, {"features": NAMES, "n_features": 4}, schema_of(*NAMES), table)
    assert "the run uses it as the schema" in words(test)


def test_a_row_that_is_deleted_from_the_schemas_table_stays_deleted() -> None:
    base = schema_of(*NAMES)
    table = schema_table.to_frame(base)
    kept, _ = schema_table.to_schema(table, base)
    assert kept is not None and not kept.complete
    left, faults = schema_table.to_schema(table.drop(index=1), base)
    assert faults == [] and left is not None
    assert left.complete and left.names == ("Pregnancies", "BMI", "Age")


def test_the_report_tells_in_page_and_file_what_was_done_to_the_sample(services: Services) -> None:
    told = (
        "Of the sample 'Id' is left out: not taken by the model.",
        "Taken under the model's own names: 'a' as 'A'.",
    )
    report = sample_report(
        sample=SampleUse(rows=300, left_out=("Id",), told=told), warnings=("An older one.", *told)
    )
    services.store.runs.insert(sample_row(report), report.model_dump(mode="json"))
    front = page("run", run=report.id)
    assert not any("Id" in str(warning.value) for warning in front.warning)
    assert "An older one" in words(front)
    assert "2 things to know, under Data" in words(front)
    data = words(page("run", run=report.id, tab="Data")).replace("\\", "")
    assert all(sentence in data for sentence in told)
    html = to_html(report)
    assert html.count("not taken by the model") == 1 and "How the sample was used" in html
