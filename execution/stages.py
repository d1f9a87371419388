"""One run, executed: the stages from the model file to the report, in the worker.

Promises: a stage that fails is recorded and costs only its own section; a model that cannot be opened
or cannot answer still ends in a report. Leaves claiming and leases to `worker`.
"""

import io
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

import pandas as pd

from checks import judge, verdict
from distances.subject import Subject
from errors import Cancelled, ChildTimeout, DashboardError, InvalidSample, ModelError
from estimators.answers import Predictions
from execution.explanation import Explained, answered, explain_rows, with_effects, worst_shift
from execution.inspection import answers_of_another_version, environment
from execution.likeness import Recipe, likeness, not_asked
from execution.model import RunModel
from execution.performance import performance
from execution.reservations import guessed_ranges, with_reservations
from execution.results import attributions_table, labelled_rows, predictions_table, row_errors, summary_of
from execution.sample import TakenSample, read_sample, take
from execution.wide_reports import bounded
from interruption import in_one_piece, listening
from records.base import Section
from records.checks import Check, RunStatus
from records.drift import DriftAnalysis
from records.explanation import Explanation
from records.gates import BaselineFigures
from records.likeness import RowLikeness
from records.metrics import Accuracy, Performance
from records.robustness import Robustness
from records.run import RunError, RunReport, Stage
from records.schema import Schema
from records.thresholds import monitoring_thresholds
from robustness import examination
from robustness.monotonicity import check_declared
from rows.fit import check_agrees, check_fits_model, looks_unscaled
from rows.joint import joint_for
from rows.texts import texts_from, texts_of, texts_read
from sandbox.zygote import Zygote
from schema_utils import check_complete, combine, infer_from_frame
from services import Services
from shifts import analysis
from shifts.criteria import Labelled
from shifts.scenarios import check_scenario
from store.run_rows import RunFile, RunRow, RunSummary
from synthetic_data import generate

__all__ = ["Outcome", "executed"]

# The share of the work that is done when a stage begins; measured on the default plan, for the progress bar.
STAGE_STARTS: dict[Stage, float] = {
    "load": 0.02,
    "schema": 0.12,
    "rows": 0.14,
    "predict": 0.18,
    "latency": 0.22,
    "accuracy": 0.45,
    "drift": 0.48,
    "robustness": 0.72,
    "explain": 0.80,
    "judge": 0.97,
}
BACKGROUND_ROWS = 100
GROUP_ROWS = 10_000  # of a Parquet file: who wants the first rows does not read them all
PARQUET = "application/vnd.apache.parquet"
JSON = "application/json"

T = TypeVar("T")
_LOG = logging.getLogger(__name__)
_NOT_REACHED = "The run ended before this part."
ReportProgress = Callable[[Stage, float], None]


@dataclass(frozen=True)
class Outcome:
    """What an executed run leaves: its report, its sortable figures and its files."""

    report: RunReport
    summary: RunSummary
    files: tuple[RunFile, ...]


@contextmanager
def executed(
    services: Services,
    zygote: Zygote,
    row: RunRow,
    cancelled: threading.Event,
    report_progress: ReportProgress,
    warnings: Iterable[str] = (),
) -> Iterator[Outcome]:
    """Execute a run; whatever goes wrong with the model is in the report, and so are the `warnings`.

    The model's process ends with the block, so that nobody waits for that before the outcome is stored.
    """
    with Execution(services, zygote, row, cancelled, report_progress, warnings=list(warnings)) as execution:
        yield execution.run()


@dataclass
class Execution:
    """The state of one run while it is executed: what the finished stages left for the next ones."""

    services: Services
    zygote: Zygote
    row: RunRow
    cancelled: threading.Event
    report_progress: ReportProgress
    stage: Stage = "load"
    timings: dict[str, float] = field(default_factory=dict)
    errors: list[RunError] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    files: list[RunFile] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.plan = self.row.plan
        self.deadline = time.monotonic() + self.plan.timeout_s
        self.started = time.monotonic()
        self.model = RunModel(self.services, self.zygote, self.row, self.deadline, self.cancelled)
        self.schema: Schema | None = None
        self.sample = TakenSample()
        self.rows_from = ""
        no_sample = not_asked(None) if self.row.sample_sha256 is None else None
        self.likeness = no_sample or Section[RowLikeness].failed(_NOT_REACHED)
        self.metrics: Section[Performance] = Section[Performance].failed(_NOT_REACHED)
        self.accuracy: Section[Accuracy] = Section[Accuracy].failed(_NOT_REACHED)
        self.robustness: Section[Robustness] = Section[Robustness].failed(_NOT_REACHED)
        self.drift: Section[DriftAnalysis] = Section[DriftAnalysis].failed(_NOT_REACHED)
        self.explanation: Section[Explanation] = Section[Explanation].failed(_NOT_REACHED)

    def __enter__(self) -> "Execution":
        return self

    def __exit__(self, *_exception: object) -> None:
        self.model.close()

    def run(self) -> Outcome:
        """The stages in order. An error outside a stage's own boundary ends the run, with what it has."""
        fatal = False
        try:
            with listening(self.cancelled, self.deadline, self.plan.timeout_s):
                self._stages()
        except Cancelled:
            return self._outcome("cancelled")
        except DashboardError as error:
            self._record(error)
            fatal = True
        self._begin("judge")
        baseline, baseline_report = self._baseline()
        checks = judge(
            metrics=self.metrics,
            accuracy=self.accuracy,
            robustness=self.robustness,
            drift=self.drift,
            explanation=self.explanation,
            likeness=self.likeness,
            gates=self.plan.gates,
            thresholds=self.services.settings,
            baseline=baseline,
            baseline_report=baseline_report,
            beside={"model": self.model.info, "timings": self.timings},
        )
        status: RunStatus = "error" if fatal else verdict(checks, bool(self.errors))
        return self._outcome(status, checks)

    # Stages -------------------------------------------------------------------------------------

    def _stages(self) -> None:
        self._begin("load")
        handle = self.model.open()

        self._begin("schema")
        self.sample = self._sample(handle.mined)
        inputs = self.sample.inputs
        sample_schema = (
            None if inputs is None else infer_from_frame(inputs, texts=texts_read(inputs, handle.mined))
        )
        self.schema = combine(self.sample.schema, sample_schema, handle.mined)
        check_complete(self.schema)
        check_fits_model(self.schema, self.model.info)
        check_agrees(self.schema, handle.mined)
        if (hint := looks_unscaled(sample_schema, handle.mined)) is not None:
            self.warnings.append(hint)

        self.warnings.extend(guessed_ranges(self.schema))

        self._begin("rows")
        joint, self.rows_from = joint_for(self.schema, inputs, handle.mined, handle.joint)
        own_texts = texts_of(inputs, self.schema)
        self.rows_from = texts_from(self.rows_from, self.schema, own_texts)
        frame = generate(self.schema, self.plan.rows, self.plan.seed, joint, own_texts).frame
        for scenario in self.plan.drift.scenarios:  # before anything is measured on a config with a typo
            check_scenario(frame, self.schema, scenario)
        check_declared(self.schema, self.plan.robustness.monotonic)
        self._keep("rows.parquet", frame)
        recipe = Recipe(self.sample.schema, handle.mined, handle.joint, self.plan.seed)
        self.likeness = not_asked(inputs) or self._section("rows", lambda: likeness(inputs, frame, recipe))

        self._begin("predict")
        reference = handle.predict(frame)
        self._keep("predictions.parquet", predictions_table(reference))
        if (mismatch := answers_of_another_version(self.model.info, reference)) is not None:
            raise mismatch
        self.errors.extend(row_errors(reference))

        self.metrics = self._section(
            "latency", lambda: performance(self.model, self._baseline_row(), frame, reference)
        )
        self.accuracy = self._accuracy_section()
        if reference.failed.all():
            reason = "The model answered none of the generated rows, so there is no behaviour to look at."
            self.drift = Section[DriftAnalysis].failed(reason)
            self.robustness = Section[Robustness].failed(reason)
            self.explanation = Section[Explanation].failed(reason)
            return
        schema = self.schema
        subject = Subject.of(frame, schema, self.model.predict, reference, self.plan.seed)
        self.drift = self._section(
            "drift",
            lambda: self._drift_analysis(
                subject, labelled_rows(schema, inputs, self.sample.labels, self.accuracy)
            ),
        )
        self.robustness = self._section(
            "robustness",
            lambda: examination.examine(
                subject,
                self.plan.robustness,
                singly=lambda rows: self.model.open().predict_singly(rows),
                together=lambda rows: self.model.open().predict_together(rows),
            ),
        )
        real = inputs if inputs is not None and self.sample.complete_for(schema.names) else frame
        self.explanation = self._explanation_section(real, frame, reference)

    def _drift_analysis(self, subject: Subject, labelled: Labelled | None) -> DriftAnalysis:
        """The analysis; its breaking points are also left as a file that a monitor can be set up with."""
        plan = self.plan.drift
        found = with_reservations(
            analysis.analyse(subject, plan, labelled),
            subject.schema,
            subject.reference,
            has_sample=self.row.sample_sha256 is not None,
        )
        if found.breaking_points:
            thresholds = monitoring_thresholds(found, plan, self.model.info.sha256).model_dump_json(indent=2)
            self._keep_bytes("thresholds.json", thresholds.encode(), JSON)
        return found

    def _accuracy_section(self) -> Section[Accuracy]:
        names = self.schema.names if self.schema else ()

        def scored() -> Accuracy:
            assert self.sample.inputs is not None
            answers = self.model.predict(self.sample.inputs[list(names)])
            self.sample = self.sample.settled(answers)
            found = self.sample.score(answers, self.model.info)
            if told := self.sample.other_scale(answers, found):
                self.warnings.append(told)
            return found

        missing = self.sample.unscored(self.model.info)
        if missing is not None:
            return missing
        before = len(self.errors)
        found = self._section("accuracy", scored)
        if found.value is not None and not self.sample.named and (found.value.r2 or 0.0) < 0:
            # What was taken for the label is another column, or on a scale of its own: a guess, no figure.
            return Section[Accuracy].not_applicable(
                f"No target was named, and the answers do not fit {self.sample.target!r}, which was "
                f"taken as the "
                f"label (R2 {found.value.r2:.3g}): name the column that the model was trained on as "
                f"the target."
            )
        if found.status == "ok" or self.sample.named or self.errors[before].code != InvalidSample.code:
            return found
        del self.errors[before:]  # nobody named the label, so it is no error that it cannot be read
        return Section[Accuracy].not_applicable(found.reason or "")

    def _explanation_section(
        self, rows: pd.DataFrame, frame: pd.DataFrame, reference: Predictions
    ) -> Section[Explanation]:
        plan = self.plan.explain
        if plan.method == "none":
            return Section[Explanation].not_applicable("The run's config asked for no explanation.")
        usable = frame[~reference.failed]
        played = self.drift.value.scenarios if self.drift.value else ()
        scored = rows is not frame and self.accuracy.value is not None
        subject = Explained(
            rows=(rows if rows is not frame else usable)[list(frame.columns)],
            background=usable.head(BACKGROUND_ROWS),
            labels=self.sample.labels if scored else None,
            target=self.sample.target or "",
            task=self.model.info.task,
        )

        def explain() -> Explanation:
            told = subject
            if rows is not frame and (self.accuracy.value is None or self.accuracy.value.failed_rows):
                told = answered(subject, self.model.predict)
            attributions = explain_rows(self.model.open(), told, plan, self.plan.seed)
            self._keep("shap.parquet", attributions_table(attributions))
            found = with_effects(attributions, told, self.model.predict, plan, self.plan.seed)
            try:
                shift = worst_shift(
                    self.model.open(), told, self.schema, played, attributions, plan, self.plan.seed
                )
            except ModelError as error:
                self.warnings.append(f"What the drift changes could not be explained: {error.message}")
                return found
            return found.model_copy(update={"shift": shift})

        return self._section("explain", explain)

    # Bookkeeping --------------------------------------------------------------------------------

    def _begin(self, stage: Stage) -> None:
        """Close the running stage's clock, look whether to stop, and tell where the run stands."""
        now = time.monotonic()
        if stage != "load":
            self.timings[self.stage] = round(self.timings.get(self.stage, 0.0) + now - self.started, 4)
        self.stage, self.started = stage, now
        if stage == "judge":
            self.report_progress(stage, STAGE_STARTS[stage])
            return
        if self.cancelled.is_set():
            raise Cancelled("The run was cancelled.")
        if now > self.deadline:
            raise ChildTimeout(
                f"The run passed its limit of {self.plan.timeout_s:g} s before the stage {stage!r}; "
                f"not reached: {', '.join(self._not_reached())}.",
                hint="Raise `timeout_s` in the run's config, or lower `rows`.",
            )
        self.report_progress(stage, STAGE_STARTS[stage])

    def _not_reached(self) -> list[str]:
        """The sections that nothing was done for, as the report calls them."""
        sections: dict[str, Section[Any]] = {
            "likeness": self.likeness,
            "metrics": self.metrics,
            "accuracy": self.accuracy,
            "drift": self.drift,
            "robustness": self.robustness,
            "explanation": self.explanation,
        }
        return [name for name, section in sections.items() if section.reason == _NOT_REACHED]

    def _section(self, stage: Stage, work: Callable[[], T]) -> Section[T]:
        """Run one stage; what goes wrong in it fails its section, not the run."""
        self._begin(stage)
        try:
            return Section[T](status="ok", value=work())
        except Cancelled:
            raise
        except DashboardError as error:
            self._record(error)
            return Section[T](status="failed", reason=error.message)
        except Exception as error:  # the boundary of a stage: recorded, and the other stages go on
            message = f"{type(error).__name__}: {error}"
            _LOG.exception("run %s failed in stage %s", self.row.id, stage)
            self.errors.append(
                RunError(
                    code="internal_error",
                    stage=stage,
                    message=message[:500],
                    hint="This is a fault of the dashboard, not of the model: please report it.",
                )
            )
            return Section[T](status="failed", reason=message[:500])

    def _record(self, error: DashboardError) -> None:
        self.errors.append(
            RunError(code=error.code, stage=self.stage, message=error.message, hint=error.hint)
        )

    def _sample(self, mined: Schema | None) -> TakenSample:
        frame, unread = read_sample(
            self.services, self.zygote, self.row, self.model.info.features, self.cancelled
        )
        self.warnings.extend(unread)
        return take(frame, self.row, self.model.info, mined, self.model.predict)

    def _baseline_row(self) -> RunRow | None:
        """The run that this one is held against; None where there is none, or it was deleted since."""
        return None if self.row.baseline_id is None else self.services.store.runs.get(self.row.baseline_id)

    def _baseline(self) -> tuple[BaselineFigures | None, RunReport | None]:
        """Its figures, and its report where a gate asks for more of it."""
        row = self._baseline_row()
        if row is None:
            missing = self.row.baseline_id or ""  # of a run that was deleted there are no figures
            return (BaselineFigures(run_id=missing) if missing else None), None
        same = row.sample_sha256 is not None and row.sample_sha256 == self.row.sample_sha256
        told = BaselineFigures(
            run_id=row.id,
            p95_ms=row.p95_ms,
            score=row.score,
            same_sample=same and row.target == self.row.target,
        )
        document = self.services.store.runs.report(row.id) if self.plan.gates.need_baseline else None
        return told, None if document is None else RunReport.model_validate(document)

    def _keep(self, name: str, frame: pd.DataFrame) -> None:
        buffer = io.BytesIO()
        in_one_piece(lambda: frame.to_parquet(buffer, index=False, row_group_size=GROUP_ROWS))
        self._keep_bytes(name, buffer.getvalue(), PARQUET)

    def _keep_bytes(self, name: str, content: bytes, media_type: str) -> None:
        stored = self.services.artifacts.add(io.BytesIO(content), len(content))
        self.files.append(RunFile(name=name, sha256=stored.sha256, bytes=stored.bytes, media_type=media_type))

    def _outcome(self, status: RunStatus, checks: tuple[Check, ...] = ()) -> Outcome:
        self.timings[self.stage] = round(time.monotonic() - self.started, 4)
        report = RunReport(
            id=self.row.id,
            name=self.row.name,
            tags=self.row.tags,
            source=self.row.source,
            created_at=self.row.created_at,
            finished_at=datetime.now(UTC),
            status=status,
            model=self.model.info,
            schema_=self.schema,
            sample=self.sample.use,
            rows_from=self.rows_from,
            likeness=self.likeness,
            plan=self.plan,
            metrics=self.metrics,
            accuracy=self.accuracy,
            robustness=self.robustness,
            drift=self.drift,
            explanation=self.explanation,
            checks=checks,
            errors=tuple(self.errors),
            warnings=(*self.model.warnings, *self.sample.told, *self.warnings),
            timings=self.timings,
            environment=environment(self.model.isolation),
        )
        return Outcome(bounded(report), summary_of(report), tuple(self.files))
