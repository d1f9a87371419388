"""The report's `metrics` and `accuracy` sections, and how latency is to be measured.

Leaves the clock to `model_process.clock`, and the arithmetic to `metrics`.
"""

from typing import Annotated, Literal

from pydantic import Field

from records.base import Figure, Record, Section

__all__ = [
    "SCORES",
    "Accuracy",
    "ConcurrencyRow",
    "GatedTiming",
    "Interval",
    "LatencyPlan",
    "LatencyRow",
    "PairedTiming",
    "Performance",
]  # fmt: skip

BatchSize = Annotated[int, Field(ge=1, le=1_000_000)]
Callers = Annotated[int, Field(ge=1, le=16)]
Interval = tuple[Figure, Figure]
"""(low, high) at `CONFIDENCE`; an end is null where so few calls cannot bound it."""


class LatencyPlan(Record):
    """How latency is measured. Calls are per batch size, and fewer when the budget ends."""

    batch_sizes: tuple[BatchSize, ...] = Field((1, 10, 100, 1000), min_length=1, max_length=20)
    calls: int = Field(50, ge=3, le=10_000)
    warmup: int = Field(
        3, ge=0, le=1000, description="Fewest calls before timing; more until they are steady. 0: none."
    )
    budget_s: float = Field(2.0, gt=0, le=600, description="Seconds for all batch sizes together.")
    method: Literal["predict", "predict_proba"] = Field("predict", description="Which method is timed.")
    threads: int | None = Field(
        None, ge=1, le=256, description="Threads of the numeric libraries while timing; None: all cores."
    )
    concurrency: tuple[Callers, ...] = Field(
        (), max_length=5, description="Numbers of processes that call at the same time, such as 1, 2, 4."
    )
    against_baseline: bool = Field(
        False, description="Time the baseline run's model in turn with this one; needs `baseline`."
    )


class LatencyRow(Record):
    """Latency of one batch size over n timed calls; milliseconds a call, rows a second at the median.

    p*_interval: 95 % interval of the percentile (`quantile_interval`). warmup: calls before timing, and
    `stable` says whether they had become steady (None: too few to tell). prepare_ms: median time to turn a
    table into what the model takes, outside the timed call. validation_ms: median time of scikit-learn's
    check of such an input by itself, or to make XGBoost's matrix of it; the timed call contains one. None
    where it cannot be told.
    """

    batch_size: int
    n: int
    warmup: int
    mean_ms: float
    p50_ms: float
    p90_ms: float
    p95_ms: float
    p99_ms: float
    rows_per_s: float
    p50_interval: Interval | None = None
    p90_interval: Interval | None = None
    p95_interval: Interval | None = None
    p99_interval: Interval | None = None
    stable: bool | None = None
    prepare_ms: Figure = None
    validation_ms: Figure = None


class ConcurrencyRow(Record):
    """Latency while `callers` processes, each with its own copy of the model, call at the same time.

    n: timed calls of all callers together; rows_per_s: the sum of what each caller got done.
    """

    callers: int
    batch_size: int
    n: int
    p50_ms: float
    p95_ms: float
    rows_per_s: float
    p50_interval: Interval | None = None
    p95_interval: Interval | None = None


class PairedTiming(Record):
    """Two models timed in turn, block by block, on the same rows.

    ratio: this model's time a call as a multiple of the baseline's (below 1 is faster), with its 95 %
    interval over the pairs of blocks.
    """

    run_id: str
    batch_size: int
    pairs: int
    n: int  # timed calls of each model
    p50_ms: float
    baseline_p50_ms: float
    ratio: float
    interval: tuple[float, float]


class GatedTiming(Record):
    """A timing that a gate names, made again in fresh processes until the gate could be told, or time was up.

    value: the median of the sittings, in the figure's unit; interval: at 99 % over the sittings, its better
    end as on the machine at rest. slowdown: how many times longer than at rest a fixed piece of work took
    meanwhile. Of a gate that names the baseline both models were timed in turn: ratio is this model's figure
    as a multiple of the baseline's, and baseline what that was. Null where the gate names none.
    """

    gate: str  # as it was written, or the key of `Gates` that asks for it
    path: str
    batch_size: int
    sittings: int
    n: int
    value: Figure
    interval: Interval | None
    slowdown: Figure = None
    baseline: Figure = None
    ratio: Figure = None
    ratio_interval: Interval | None = None


class Performance(Record):
    """The report's `metrics` section. Measured in the child, beside the model.

    Memory in MB: the highest that the process ever had, and by how much loading, then predicting and
    timing, raised it. method: what was timed. threads: of the numeric libraries while timing.
    against_baseline: None when the plan did not ask for it.
    """

    load_ms: Figure
    first_call_ms: Figure = None
    latency: tuple[LatencyRow, ...]
    throughput_rows_s: Figure
    error_rate: Figure
    peak_memory_mb: Figure
    load_memory_mb: Figure = None
    predict_memory_mb: Figure = None
    cut_short: bool = False  # the budget ended before the planned number of calls
    method: str = "predict"
    threads: int | None = None
    concurrency: tuple[ConcurrencyRow, ...] = ()
    against_baseline: Section[PairedTiming] | None = None
    gated: tuple[GatedTiming, ...] = ()

    @property
    def single_row(self) -> LatencyRow | None:
        """The latency of one row a call, which gates and tables use; None where it was not timed."""
        return self.of_batch(1)

    @property
    def smallest_batch(self) -> LatencyRow | None:
        """What stands in for it on a page that says how many rows it is."""
        return min(self.latency, key=lambda row: row.batch_size, default=None)

    def of_batch(self, size: int) -> LatencyRow | None:
        """The latency of one batch size; None where it was not timed."""
        return next((row for row in self.latency if row.batch_size == size), None)


class Accuracy(Record):
    """Scores on the sample's real labels. What does not fit the task is null.

    rows: those scored. Rows that the model failed on count as wrong answers in classification and are
    left out in regression, where no number stands for "no answer"; `failed_rows` says how many, and
    `unlabelled_rows` how many had no label.
    """

    rows: int
    target: str
    accuracy: Figure = None
    balanced_accuracy: Figure = None
    precision_macro: Figure = None
    recall_macro: Figure = None
    f1_macro: Figure = None
    roc_auc: Figure = None
    log_loss: Figure = None
    r2: Figure = None
    mae: Figure = None
    rmse: Figure = None
    labels: tuple[str, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()
    failed_rows: int = 0
    unlabelled_rows: int = 0

    @property
    def headline(self) -> tuple[str, float | None]:
        """The key and value of the one score that stands for the rest: accuracy, or R2 for numbers.

        Larger is better for both.
        """
        if self.accuracy is not None:
            return "accuracy", self.accuracy
        return "r2", self.r2

    @property
    def known(self) -> dict[str, float]:
        """The scores that fit the task, by key and in the order of `SCORES`."""
        values = {key: getattr(self, key) for key in SCORES}
        return {key: value for key, value in values.items() if value is not None}


SCORES = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "precision_macro": "Precision, macro",
    "recall_macro": "Recall, macro",
    "f1_macro": "F1, macro",
    "roc_auc": "ROC AUC",
    "log_loss": "Log loss",
    "r2": "R2",
    "mae": "Mean absolute error",
    "rmse": "Root mean squared error",
}
"""The title of each score of `Accuracy`."""
