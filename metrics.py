"""How fast and how right: what a run measured of a model, and its scores against real labels.

Promises: every figure is defined where it is computed and agrees with scikit-learn where it has
the same one. Leaves the clock to `model_process.clock` and thresholds to `checks`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import binom

from errors import InvalidSample
from estimators.answers import FloatArray, Predictions, SizeTimings, TimedCalls
from records.metrics import Accuracy, ConcurrencyRow, Interval, LatencyRow, PairedTiming
from records.model import Task

__all__ = [
    "CONFIDENCE", "Timings", "class_codes", "concurrency_row", "other_scale", "paired_timing",
    "quantile_interval", "score", "summarise",
]  # fmt: skip

Codes = npt.NDArray[np.intp]

MOST_CONFUSION_LABELS = 30
FITS = 0.5  # R2 from which answers on another scale are called that
MOST_COEFFICIENTS = 2  # of a line; ten rows for each
EXPONENTIALS: dict[str, Callable[[FloatArray], FloatArray]] = {
    "exp": np.exp, "expm1": np.expm1, "the power of 10": lambda x: np.power(10.0, x),
}  # fmt: skip


def score(y_true: "pd.Series[Any]", predictions: Predictions, task: Task, target: str) -> Accuracy:
    """Score predictions against the sample's labels, row by row; definitions are scikit-learn's.

    Labels compare as text, by value: 1, 1.0 and "1" are one label, True and "true" too, and True is 1
    where the model's classes are 0 and 1. A label that the model does not know counts as a wrong answer.
    Averages are over the labels seen in either column. roc_auc: binary, or one-vs-rest macro when every
    class occurs. InvalidSample when no label is one of the model's, or a number is not a number.
    """
    known = y_true.notna().to_numpy(dtype=bool)
    if not known.any():
        raise InvalidSample(
            f"The target column {target!r} holds no value.",
            hint="Name the column with labels.",
            field="target",
        )
    if predictions.labels is not None and task == "classification":
        found = _classification(y_true[known], predictions, known)
    elif predictions.labels is None and task in ("regression", "unknown"):
        found = _regression(y_true[known], predictions, known, target)
    else:
        raise InvalidSample(
            f"Answers of a {task} model have no true labels to compare with.",
            hint="Leave out the target for this model.",
            field="target",
        )
    failed = int(predictions.failed[known].sum())
    return Accuracy(target=target, failed_rows=failed, unlabelled_rows=int((~known).sum()), **found)


def other_scale(y_true: "pd.Series[Any]", predictions: Predictions, target: str) -> str:
    """A sentence where numbers miss the labels, yet fit them as a logarithm or scaled; "" where they do not.

    Misses: R2 below 0, which the mean of the labels alone would reach. Fits: R2 of at least `FITS` between
    the labels and the answers' exponential, or the straight line through both.
    """
    labels = pd.to_numeric(y_true, errors="coerce").to_numpy(dtype=np.float64)
    usable = ~predictions.failed & np.isfinite(labels)
    y, answers = labels[usable], predictions.values[usable]
    if len(y) < MOST_COEFFICIENTS * 10 or not (y.min() < y.max() and answers.min() < answers.max()):
        return ""
    plain = _r2(y, answers)
    if plain >= 0:
        return ""
    line = float(np.corrcoef(y, answers)[0, 1]) ** 2 if np.corrcoef(y, answers)[0, 1] > 0 else 0.0
    with np.errstate(over="ignore"):
        grown = {name: _r2(y, grow(answers)) for name, grow in EXPONENTIALS.items()}
    name = max(grown, key=lambda one: grown[one])
    ranges = (
        f"The answers lie between {answers.min():.3g} and {answers.max():.3g}, {target!r} between "
        f"{y.min():.3g} and {y.max():.3g}: R2 is {plain:.3g}"
    )
    if grown[name] >= max(FITS, line):
        return (
            f"{ranges}, and {grown[name]:.2f} with {name} of the answers. The model seems to have learnt a "
            f"logarithm of {target!r}: put that logarithm into the sample's label."
        )
    if line >= FITS:
        return (
            f"{ranges}, and {line:.2f} on a scale of its own. The model seems to have learnt a scaled "
            f"{target!r}: scale the sample's label in the same way."
        )
    return ""


def class_codes(y_true: "pd.Series[Any]", classes: tuple[str, ...]) -> Codes:
    """Positions of the labels (n,) in `classes`, compared as `score` does; beyond them what the model lacks.

    InvalidSample when no label is one of the model's.
    """
    return _label_codes([str(v) for v in y_true.tolist()], classes)[0]


def _regression(
    y_true: "pd.Series[Any]", predictions: Predictions, known: npt.NDArray[np.bool_], target: str
) -> dict[str, Any]:
    try:
        y = pd.to_numeric(y_true).to_numpy(dtype=np.float64)
    except (ValueError, TypeError) as error:
        raise InvalidSample(
            f"The target column {target!r} holds values that are not numbers; the model predicts numbers.",
            hint="Name the column with the numbers that the model was trained on.",
            field="target",
        ) from error
    usable = ~predictions.failed[known] & np.isfinite(y)
    y, answers = y[usable], predictions.values[known][usable]
    if len(y) == 0:
        return {"rows": 0}
    residual = y - answers
    varies = y.min() < y.max()  # the mean of equal numbers may be another one by rounding
    return {
        "rows": len(y),
        "r2": _r2(y, answers) if varies and float(((y - y.mean()) ** 2).sum()) > 0 else None,
        "mae": float(np.abs(residual).mean()),
        "rmse": float(np.sqrt((residual**2).mean())),
    }


def _r2(y: FloatArray, answers: FloatArray) -> float:
    return 1 - float(((y - answers) ** 2).sum()) / float(((y - y.mean()) ** 2).sum())


def _classification(
    y_true: "pd.Series[Any]", predictions: Predictions, known: npt.NDArray[np.bool_]
) -> dict[str, Any]:
    classes = predictions.labels or ()
    codes, labels = _label_codes([str(v) for v in y_true.tolist()], classes)
    failed = predictions.failed[known]
    answers = np.full(len(codes), len(labels), dtype=np.intp)  # the last column: no answer
    answers[~failed] = predictions.values[known][~failed].astype(np.intp)
    table = np.zeros((len(labels), len(labels) + 1), dtype=np.int64)
    np.add.at(table, (codes, answers), 1)
    confusion = table[:, :-1]
    hits, truths, claims = confusion.diagonal(), table.sum(axis=1), confusion.sum(axis=0)
    seen = (truths > 0) | (claims > 0)
    recall = np.divide(hits, truths, out=np.zeros(len(labels)), where=truths > 0)
    precision = np.divide(hits, claims, out=np.zeros(len(labels)), where=claims > 0)
    f1 = 2 * hits / np.maximum(truths + claims, 1)
    scores = predictions.scores[known] if predictions.scores is not None else None
    shown = len(labels) <= MOST_CONFUSION_LABELS
    return {
        "rows": len(codes),
        "accuracy": float(hits.sum() / len(codes)),
        "balanced_accuracy": float(recall[truths > 0].mean()),
        "precision_macro": float(precision[seen].mean()),
        "recall_macro": float(recall[seen].mean()),
        "f1_macro": float(f1[seen].mean()),
        "labels": labels if shown else (),
        "confusion": tuple(map(tuple, confusion.tolist())) if shown else (),
        **_score_figures(codes, scores, failed, len(classes)),
    }


def _score_figures(
    codes: Codes, scores: FloatArray | None, failed: npt.NDArray[np.bool_], classes: int
) -> dict[str, float | None]:
    """roc_auc and log_loss over the rows that have scores and a label that the model knows."""
    if scores is None or scores.ndim != 2 or scores.shape[1] != classes or classes < 2:
        return {}
    usable = ~failed & (codes < classes) & np.isfinite(scores).all(axis=1)
    y, p = codes[usable], scores[usable]
    if len(y) == 0:
        return {}
    tiny = np.finfo(np.float64).eps
    chosen = p[np.arange(len(y)), y]
    log_loss = float(-np.log(np.clip(chosen, tiny, 1 - tiny)).mean())
    auc: float | None = None
    if len(np.unique(y)) == classes:
        columns = [1] if classes == 2 else range(classes)
        auc = float(np.mean([_area_under_roc(y == c, p[:, c]) for c in columns]))
    return {"log_loss": log_loss, "roc_auc": auc}


def _area_under_roc(positive: npt.NDArray[np.bool_], scores: FloatArray) -> float:
    """The share of (positive, negative) pairs ranked rightly, ties half (Mann-Whitney U)."""
    ranks = pd.Series(scores).rank().to_numpy(dtype=np.float64)
    n = int(positive.sum())
    others = len(positive) - n
    return float((ranks[positive].sum() - n * (n + 1) / 2) / (n * others))


def _label_codes(values: Sequence[str], classes: tuple[str, ...]) -> tuple[Codes, tuple[str, ...]]:
    """Codes of the sample's labels; those that the model does not know come after its classes."""
    exact = {label: code for code, label in enumerate(classes)}
    by_value = {_label_value(label): code for code, label in enumerate(classes)}
    if len(by_value) < len(classes):
        by_value = {}  # "1" and "1.0" are two classes of this model: only the exact text decides
    elif set(by_value) == {"0", "1"}:
        by_value |= {"false": by_value["0"], "true": by_value["1"]}
    elif set(by_value) == {"false", "true"}:
        by_value |= {"0": by_value["false"], "1": by_value["true"]}
    lookup: dict[str, int] = {}
    unknown: list[str] = []
    for value in sorted(set(values)):
        code = exact.get(value, by_value.get(_label_value(value)))
        if code is None:
            code = len(classes) + len(unknown)
            unknown.append(value)
        lookup[value] = code
    if len(unknown) == len(lookup):
        raise InvalidSample(
            f"No label of the sample is one of the model's classes: the sample has {_few(unknown)}, "
            f"the model {_few(classes)}.",
            hint="Name the column that holds the labels the model was trained on, in the same spelling.",
            field="target",
        )
    return np.array([lookup[v] for v in values], dtype=np.intp), (*classes, *unknown)


def _label_value(text: str) -> str:
    """One spelling for labels of equal value: "1.0" -> "1", "True" -> "true"."""
    text = text.strip()
    try:
        number = float(text)
    except ValueError:
        return text.lower() if text.lower() in ("true", "false") else text
    return str(int(number)) if number.is_integer() else repr(number)


def _few(labels: Sequence[str]) -> str:
    shown = ", ".join(repr(label[:40]) for label in labels[:5])
    return shown + (f" and {len(labels) - 5} more" if len(labels) > 5 else "")


CONFIDENCE = 0.95
PERCENTILES = (50, 90, 95, 99)
RESAMPLES = 2_000


@dataclass(frozen=True)
class Timings:
    """What timed calls amount to: one row a batch size."""

    rows: tuple[LatencyRow, ...]
    first_call_ms: float
    cut_short: bool

    @property
    def throughput_rows_s(self) -> float:
        """The best rows a second over the batch sizes."""
        return max(row.rows_per_s for row in self.rows)


def summarise(timed: TimedCalls) -> Timings:
    """Percentiles (interpolated linearly, numpy's way), their intervals and throughput of timed calls."""
    return Timings(tuple(_latency_row(size) for size in timed.sizes), timed.first_call_ms, timed.cut_short)


def quantile_interval(ordered: FloatArray, share: float, confidence: float = CONFIDENCE) -> Interval:
    """Interval of a quantile from n sorted values, by order statistics: exact, whatever the distribution.

    The number of values below the true quantile is binomial (n, share); the ends are the values at its
    (1 - confidence) / 2 quantiles from either side. An end that the n values cannot bound is None: the
    upper one of p95 needs 73 values, that of p99 368. Values are taken as independent. Source: Conover,
    Practical Nonparametric Statistics (1999), section 3.2; the same as scipy.stats.quantile_test.
    """
    tail = (1 - confidence) / 2
    n = len(ordered)
    low, high = int(binom.ppf(tail, n, share)), int(binom.ppf(1 - tail, n, share)) + 1
    return (
        float(ordered[low - 1]) if low >= 1 else None,
        float(ordered[high - 1]) if high <= n else None,
    )


def concurrency_row(batch_size: int, callers_ms: Sequence[FloatArray]) -> ConcurrencyRow:
    """What the callers' calls amount to, one array of milliseconds for each of them."""
    together = np.sort(np.concatenate(callers_ms))
    p50, p95 = (float(p) for p in np.percentile(together, [50, 95]))
    done = [batch_size * len(calls) / max(float(calls.sum()) / 1000, 1e-9) for calls in callers_ms]
    return ConcurrencyRow(
        callers=len(callers_ms),
        batch_size=batch_size,
        n=len(together),
        p50_ms=p50,
        p95_ms=p95,
        rows_per_s=float(sum(done)),
        p50_interval=quantile_interval(together, 0.5),
        p95_interval=quantile_interval(together, 0.95),
    )


def paired_timing(
    run_id: str, batch_size: int, blocks: Sequence[tuple[FloatArray, FloatArray]], seed: int = 0
) -> PairedTiming:
    """The candidate's time as a multiple of the baseline's, from blocks of calls timed in turn.

    blocks: (candidate's, baseline's) milliseconds of each pair. The figure is the median over pairs of the
    ratio of the two blocks' medians: what slows the machine down for longer than a pair slows both.
    Interval: percentile bootstrap over pairs (Efron and Tibshirani, An Introduction to the Bootstrap
    (1993), ch. 13), 2,000 resamples at a fixed seed; scipy.stats.bootstrap(method="percentile") agrees.
    """
    medians = np.array([(np.median(ours), np.median(theirs)) for ours, theirs in blocks])
    ratios = medians[:, 0] / np.maximum(medians[:, 1], 1e-6)  # the clock ticks in nanoseconds
    drawn = np.random.default_rng(seed).integers(0, len(ratios), (RESAMPLES, len(ratios)))
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(np.median(ratios[drawn], axis=1), [tail, 1 - tail])
    return PairedTiming(
        run_id=run_id,
        batch_size=batch_size,
        pairs=len(blocks),
        n=sum(len(ours) for ours, _ in blocks),
        p50_ms=float(np.median(np.concatenate([ours for ours, _ in blocks]))),
        baseline_p50_ms=float(np.median(np.concatenate([theirs for _, theirs in blocks]))),
        ratio=float(np.median(ratios)),
        interval=(float(low), float(high)),
    )


def _latency_row(size: SizeTimings) -> LatencyRow:
    ordered = np.sort(size.calls_ms)
    figures = {
        f"p{p}_ms": float(v) for p, v in zip(PERCENTILES, np.percentile(ordered, PERCENTILES), strict=True)
    }
    intervals = {f"p{p}_interval": quantile_interval(ordered, p / 100) for p in PERCENTILES}
    return LatencyRow.model_validate({
        "batch_size": size.batch_size,
        "n": len(ordered),
        "warmup": size.warmup,
        "mean_ms": float(ordered.mean()),
        "rows_per_s": size.batch_size / max(figures["p50_ms"] / 1000, 1e-9),  # the clock ticks in nanoseconds
        "stable": size.stable,
        "prepare_ms": size.prepare_ms,
        "validation_ms": size.validation_ms,
        **figures,
        **intervals,
    })  # fmt: skip
