"""A complete, believable RunReport for tests and screenshots; the same figures at every call.

Promises: every section is filled, and the attributions add up. Leaves broken reports to the tests,
which change one part with `report.model_copy(update=...)`.
"""

from datetime import UTC, datetime
from typing import Any, get_args

import numpy as np

from checks import judge
from records.base import Section
from records.checks import Check, RunStatus, SectionName
from records.drift import (
    BreakingPoint,
    ColumnDrift,
    ColumnFalseAlarms,
    Decomposition,
    Distances,
    DomainColumn,
    DomainDrift,
    DriftAnalysis,
    FalseAlarms,
    Scenario,
    SingleEffect,
)
from records.explanation import Explanation, FeatureImportance
from records.gates import Gates
from records.likeness import RowLikeness
from records.metrics import Accuracy, ConcurrencyRow, LatencyRow, PairedTiming, Performance
from records.model import ModelInfo, ScanReport
from records.robustness import Behaviour, Robustness
from records.run import Environment, RunError, RunPlan, RunReport
from records.schema import FieldSpec, Schema
from settings import Settings
from store.run_rows import RunRow

__all__ = ["FEATURES", "sample_report", "sample_row", "sample_schema", "stopped_report"]

FEATURES = (
    "mean radius",
    "mean texture",
    "mean perimeter",
    "mean area",
    "mean smoothness",
    "worst radius",
    "worst texture",
    "worst concave points",
)
CLASSES = ("malignant", "benign")
CREATED = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)
FINISHED = datetime(2026, 3, 14, 9, 27, 1, tzinfo=UTC)


def sample_schema() -> Schema:
    """Eight numeric features from the sample, one of them typed by hand, and a category."""
    spans = (
        (6.98, 28.1, 14.1, 3.52), (9.71, 39.3, 19.3, 4.3), (43.8, 188.5, 92.0, 24.3),
        (143.5, 2501.0, 654.9, 351.9), (0.053, 0.163, 0.096, 0.014), (7.93, 36.0, 16.3, 4.83),
        (12.0, 49.5, 25.7, 6.15), (0.0, 0.291, 0.115, 0.066),
    )  # fmt: skip
    fields = [
        FieldSpec(name=name, type="number", min=low, max=high, mean=mean, std=std, origin="sample")
        for name, (low, high, mean, std) in zip(FEATURES, spans, strict=True)
    ]
    fields[1] = fields[1].model_copy(update={"origin": "user", "missing_share": 0.05, "nullable": True})
    return Schema(features=tuple(fields))


def sample_report(**changes: Any) -> RunReport:
    """A run of a boosted classifier that passed its gates with two warnings; `changes` replace parts."""
    status: RunStatus = "warned"
    report = RunReport(
        id="01jpsample0000000000000001",
        name="breast-cancer nightly",
        tags=("nightly", "release-4"),
        source="dashboard",
        created_at=CREATED,
        finished_at=FINISHED,
        status=status,
        model=_model(),
        schema_=sample_schema(),
        rows_from="Values go together as in 285 rows of the sample.",
        likeness=Section[RowLikeness].ok(_likeness()),
        plan=RunPlan(name="breast-cancer nightly", rows=1000, gates=Gates(p95_ms=20.0, min_score=0.9)),
        metrics=Section[Performance].ok(_performance()),
        accuracy=Section[Accuracy].ok(_accuracy()),
        robustness=Section[Robustness].ok(_robustness()),
        drift=Section[DriftAnalysis].ok(_drift()),
        explanation=Section[Explanation].ok(_explanation()),
        checks=_checks(),
        errors=(
            RunError(
                code="sample_too_small",
                stage="drift",
                message="The category mix was not simulated: the schema has no category.",
                hint="Add a category feature to the schema to include it.",
            ),
        ),
        warnings=("Saved with scikit-learn 1.7.2, tested with 1.9.1.",),
        timings={"load": 0.41, "rows": 0.03, "predict": 0.02, "latency": 1.93, "drift": 2.11,
                 "robustness": 0.32, "explain": 1.24, "judge": 0.01},
        environment=Environment(
            python="3.11.9",
            platform="Linux 6.8 x86_64",
            machine="x86_64",
            cores=4,
            libraries={"scikit-learn": "1.9.1", "numpy": "2.4.0", "pandas": "3.1.0"},
            isolation=("own process", "memory limit", "seccomp", "Landlock"),
        ),
    )  # fmt: skip
    return report.model_copy(update=changes)


def stopped_report(**changes: Any) -> RunReport:
    """A run that ended while its model was loaded, judged as such a run is."""
    nothing: Any = Section.failed("The run ended before this part.")
    parts = dict.fromkeys(get_args(SectionName), nothing)
    parts["likeness"] = Section.not_applicable("No sample came with the run to compare the rows with.")
    checks = judge(**parts, gates=Gates(), thresholds=Settings(), baseline=None)
    error = RunError(
        code="not_a_model",
        stage="load",
        message="The file is plain text, not a model that can be tested.",
        hint="Save the fitted model with joblib.dump(model, 'model.pkl') and upload that file.",
    )
    model = ModelInfo(name="notes.pkl", sha256="cd" * 32, bytes=27)
    changed = {"status": "error", "model": model, "name": "notes.pkl", "schema_": None, "warnings": ()}
    return sample_report(**(changed | parts | {"checks": checks, "errors": (error,)} | changes))


def sample_row(report: RunReport, **changes: Any) -> RunRow:
    """The stored row of a finished run, as the list of runs shows it."""
    metrics, accuracy, drift = report.metrics.value, report.accuracy.value, report.drift.value
    assert metrics is not None and accuracy is not None
    row = RunRow(
        id=report.id,
        name=report.name,
        tags=report.tags,
        source=report.source,
        state=report.status,
        stage="done",
        progress=1.0,
        created_at=report.created_at,
        started_at=report.created_at,
        finished_at=report.finished_at,
        model_name=report.model.name,
        model_sha256=report.model.sha256,
        model_bytes=report.model.bytes,
        framework=report.model.framework,
        estimator=report.model.estimator,
        task=report.model.task,
        rows=report.plan.rows,
        p50_ms=metrics.latency[0].p50_ms,
        p95_ms=metrics.latency[0].p95_ms,
        throughput_rows_s=metrics.throughput_rows_s,
        error_rate=metrics.error_rate,
        score=accuracy.accuracy,
        score_name="accuracy",
        changed_share=max(s.changed_share or 0 for s in drift.scenarios) if drift else None,
        checks_warned=2,
        plan=report.plan,
    )
    return row.model_copy(update=changes)


def _model() -> ModelInfo:
    return ModelInfo(
        name="breast_cancer_gbm.pkl",
        sha256="9f2c4e1ab07d5a6f33c18e0d7742b9e65c0a1f3d8e92b4476a5d1c0fe8837b21",
        bytes=184_320,
        format="pickle",
        framework="scikit-learn",
        estimator="HistGradientBoostingClassifier",
        task="classification",
        features=FEATURES,
        n_features=len(FEATURES),
        classes=CLASSES,
        saved_with={"scikit-learn": "1.7.2"},
        scan=ScanReport(libraries=("numpy", "sklearn"), protocol=5),
        load_ms=184.0,
        load_memory_mb=38.2,
    )


def _performance() -> Performance:
    def row(size: int, n: int, p50: float) -> LatencyRow:
        return LatencyRow(
            batch_size=size, n=n, warmup=3, mean_ms=p50 * 1.04, p50_ms=p50, p90_ms=p50 * 1.12,
            p95_ms=p50 * 1.21, p99_ms=p50 * 1.58, rows_per_s=size / p50 * 1000,
            p50_interval=(p50 * 0.98, p50 * 1.03), p90_interval=(p50 * 1.07, p50 * 1.31),
            p95_interval=(p50 * 1.11, None), p99_interval=(p50 * 1.18, None), stable=size != 1000,
            prepare_ms=0.021, validation_ms=0.34,
        )  # fmt: skip

    def level(callers: int, p50: float) -> ConcurrencyRow:
        return ConcurrencyRow(
            callers=callers, batch_size=1, n=200 * callers, p50_ms=p50, p95_ms=p50 * 1.3,
            rows_per_s=1000 * callers / p50, p50_interval=(p50 * 0.99, p50 * 1.01),
            p95_interval=(p50 * 1.2, p50 * 1.4),
        )  # fmt: skip

    return Performance(
        load_ms=184.0,
        first_call_ms=9.83,
        latency=(row(1, 50, 2.31), row(10, 50, 2.44), row(100, 50, 3.02), row(1000, 38, 9.87)),
        throughput_rows_s=101_317.0,
        error_rate=0.0,
        peak_memory_mb=212.4,
        load_memory_mb=38.2,
        predict_memory_mb=9.6,
        cut_short=True,
        threads=4,
        concurrency=(level(1, 2.3), level(2, 2.5), level(4, 4.4)),
        against_baseline=Section[PairedTiming].ok(
            PairedTiming(
                run_id="01jpsample0000000000000000",
                batch_size=1,
                pairs=24,
                n=410,
                p50_ms=2.31,
                baseline_p50_ms=2.27,
                ratio=1.02,
                interval=(0.991, 1.06),
            )
        ),
    )


def _accuracy() -> Accuracy:
    return Accuracy(
        rows=114, target="diagnosis", accuracy=0.956, balanced_accuracy=0.951, precision_macro=0.954,
        recall_macro=0.951, f1_macro=0.953, roc_auc=0.991, log_loss=0.128, labels=CLASSES,
        confusion=((40, 3), (2, 69)),
    )  # fmt: skip


def _robustness() -> Robustness:
    def fine(name: Any, title: str, rows: int = 200) -> Behaviour:
        return Behaviour(name=name, title=title, status="ok", failing_share=0.0, rows=rows)

    return Robustness(
        behaviours=(
            fine("determinism", "Same rows, same answers"),
            fine("row_order", "Row order does not matter"),
            fine("batch_vs_single", "A batch answers like single rows", 50),
            fine("duplicate_rows", "Duplicate rows get the same answer"),
            Behaviour(
                name="tiny_noise", title="Tiny noise keeps the answer", status="failed", failing_share=0.025,
                rows=200, serious=False,
                example="mean radius 14.93 → 14.94 changes benign to malignant",
                advice="Rows near the decision boundary flip; consider a review band around 0.5.",
            ),
            Behaviour(
                name="missing_values", title="Missing values are answered", status="ok", failing_share=0.0,
                rows=200, serious=False,
            ),
            Behaviour(
                name="unseen_category", title="Unseen categories are answered", status="not_applicable",
                reason="The schema has no category.",
            ),
            fine("extremes", "Extreme values are answered"),
        )
    )  # fmt: skip


def _drift() -> DriftAnalysis:
    def scenario(
        kind: Any,
        size: float,
        psi: tuple[float, float],
        changed: float | None,
        worst: str | None,
        auc: float | None = None,
    ) -> Scenario:
        domain = (
            None
            if auc is None
            else DomainDrift(
                auc=auc,
                interval=(auc - 0.03, min(1.0, auc + 0.03)),
                drifted=auc > 0.53,
                rows_reference=500,
                rows_current=500,
                folds=2,
                columns=(),
            )
        )
        return Scenario(
            kind=kind, features=FEATURES if changed is not None else (), magnitude=size,
            input=Distances(psi=psi[0], ks=psi[0] * 0.6, wasserstein=size, js=psi[0] * 0.3, column=worst),
            prediction=Distances(psi=psi[1], ks=psi[1] * 0.6, wasserstein=psi[1], js=psi[1] * 0.3),
            changed_share=changed,
            reason=None if changed is not None else "The schema has no category.", domain=domain,
        )  # fmt: skip

    return DriftAnalysis(
        scenarios=(
            scenario("mean_shift", 0.5, (0.243, 0.0812), 0.094, "mean radius", 0.83),
            scenario("mean_shift", 1.0, (0.981, 0.312), 0.187, "mean radius", 0.972),
            scenario("variance_scale", 2.0, (0.412, 0.0464), 0.073, "mean texture", 0.924),
            scenario("missing_values", 0.1, (0.0213, 0.0108), 0.021, "mean area", 0.641),
            scenario("unseen_category", 0.1, (0.0, 0.0), None, None),
        ),
        breaking_points=(
            _point("worst concave points", 0.44, 0.18),
            _point("worst radius", 0.61, 0.34),
            _point("mean perimeter", -1.12, 1.14),
            _point("worst texture", 1.87, 2.6),
            BreakingPoint(
                feature="mean smoothness",
                kind="mean_shift",
                magnitude=None,
                psi=None,
                interval=None,
                searched_to=4.0,
            ),
        ),
        decomposition=Decomposition(
            kind="mean_shift", magnitude=1.0, rows=256,
            singles=tuple(
                SingleEffect(feature=name, changed_share=0.09 / (i + 1), output_change=0.06 / (i + 1))
                for i, name in enumerate(FEATURES)
            ),
            joint_changed_share=0.187, single_changed_sum=0.232, changed_remainder=-0.045,
            output="malignant", joint_output_change=0.171, single_output_sum=0.155, output_remainder=0.016,
        ),
        columns=tuple(
            ColumnDrift(
                column=name, kind="numeric", psi=0.98 - 0.09 * i, ks=0.38 - 0.03 * i, ks_p=1e-12,
                wasserstein=1.0 - 0.02 * i, js=0.31 - 0.02 * i, test="ks", statistic=0.38 - 0.03 * i,
                p_adjusted=1e-12, threshold=0.05, direction="at_most", drifted=True,
            )
            for i, name in enumerate(FEATURES)
        ),
        columns_scenario="mean_shift 1.0",
        false_alarms=tuple(
            FalseAlarms(
                rounds=300, rows_reference=1000 - rows, rows_current=rows, any_column=rates[0],
                interval=(max(0.0, rates[0] - 0.02), min(1.0, rates[0] + 0.02)), mean_share=rates[1] / 2,
                columns=(
                    ColumnFalseAlarms(column="worst concave points", rate=rates[0]),
                    ColumnFalseAlarms(column="worst radius", rate=rates[1]),
                    ColumnFalseAlarms(column="mean perimeter", rate=0.0),
                    ColumnFalseAlarms(column="worst texture", rate=0.0),
                ),
            )
            for rows, rates in zip(
                (50, 100, 200, 500), ((0.94, 0.31), (0.73, 0.04), (0.28, 0.0), (0.06, 0.0)), strict=True
            )
        ),
        notes=("Breaking points were searched one feature at a time.",),
    )  # fmt: skip


def _point(feature: str, magnitude: float, psi: float) -> BreakingPoint:
    return BreakingPoint(
        feature=feature,
        kind="mean_shift",
        magnitude=magnitude,
        psi=psi,
        interval=(magnitude - 0.06, magnitude + 0.06),
        searched_to=4.0,
        direction="up" if magnitude > 0 else "down",
        shift=magnitude * 0.34,
        psi_interval=(psi * 0.7, psi * 1.4),
        by="changed_answers",
        limit=0.1,
        value=0.102,
        rows=256,
        monotone=True,
    )


def _explanation() -> Explanation:
    rng = np.random.default_rng(7)
    spans = [(f.mean or 0.0, f.std or 1.0) for f in sample_schema().features]
    shifts = rng.normal(size=(60, len(FEATURES)))
    weights = np.array([0.4, -0.3, 0.5, 0.35, 0.1, -1.1, -0.6, -1.4])
    values = shifts * weights + rng.normal(scale=0.05, size=shifts.shape)
    rows = [[m + s * z for (m, s), z in zip(spans, row, strict=True)] for row in shifts]
    strength = np.abs(values).mean(axis=0)
    order = np.argsort(-strength)
    return Explanation(
        method="shap",
        explainer="TreeExplainer",
        output="log-odds of benign",
        outputs=("benign",),
        rows=60,
        features=FEATURES,
        importance=tuple(
            FeatureImportance(
                feature=FEATURES[i], mean_abs=float(strength[i]), std_error=float(strength[i]) * 0.06
            )
            for i in order
        ),
        base_values=(0.83,),
        shap_values=tuple(tuple(float(v) for v in row) for row in values),
        feature_values=tuple(tuple(round(float(v), 4) for v in row) for row in rows),
        additivity_error=3.1e-7,
        sampling_error=0.004,
        notes=("60 of 100 rows were explained within 5 s.",),
    )


def _likeness() -> RowLikeness:
    losses = (0.0612, 0.0233, 0.0041, 0.0008, 0.0, 0.0, -0.0012, -0.0051)
    return RowLikeness(
        domain=DomainDrift(
            auc=0.683, interval=(0.621, 0.745), drifted=True, rows_reference=142, rows_current=142, folds=3,
            columns=tuple(DomainColumn(column=c, auc_loss=v) for c, v in zip(FEATURES, losses, strict=True)),
        ),
        columns=tuple(
            ColumnDrift(
                column=name, kind="numeric", psi=0.021 - 0.002 * i, ks=0.031 - 0.003 * i, ks_p=0.91,
                wasserstein=0.04, js=0.05, test="ks", statistic=0.031 - 0.003 * i, p_adjusted=0.97,
                threshold=0.05, direction="at_most", drifted=False,
            )
            for i, name in enumerate(FEATURES)
        ),
        rows_sample=285,
    )  # fmt: skip


def _checks() -> tuple[Check, ...]:
    return (
        Check(id="p95", title="Single-row p95 latency", status="pass", value=2.8, threshold=20.0, unit="ms"),
        Check(id="error_rate", title="Error rate", status="pass", value=0.0, threshold=0.01, unit="share"),
        Check(
            id="score", title="Accuracy", status="pass", value=0.956, threshold=0.9, direction="at_least",
            reason="114 labelled rows",
        ),
        Check(
            id="psi", title="Prediction PSI under mean shift 1.0", status="warn", value=0.312, threshold=0.2,
            reason="Answers move when every feature shifts by one standard deviation.",
        ),
        Check(
            id="tiny_noise", title="Tiny noise keeps the answer", status="warn", value=0.025, threshold=0.0,
            unit="share", reason="5 of 200 rows changed their answer.",
        ),
        Check(
            id="unseen_category", title="Unseen categories are answered", status="not_applicable",
            reason="The schema has no category.",
        ),
    )  # fmt: skip
