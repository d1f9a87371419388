"""Model files and what they hold: formats, static inspection, and one way to call any estimator.

Static inspection reads bytes and executes nothing; loading and predicting happen in the locked
child only. Leaves measuring to `metrics` and the schema to `schema_utils`.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from errors import MAX_QUOTED, PredictFailed
from estimators.answers import LARGEST, Predictions, RowError
from estimators.isolation import isolate
from estimators.traits import (
    answering_method,
    attribute,
    check_fitted,
    feature_names,
    framework_of,
    integer,
    label_text,
    labels_of,
    lightgbm_categories,
    notes_of,
    real_names,
    scores_decide,
    starts_with_columns,
    task_of,
    xgboost_categories,
)
from records.model import Task
from records.schema import MAX_NAME

__all__ = ["Adapter", "adapt"]


MAX_LABELS = 10_000
BINARY_PROBABILITY = ("binary", "binary:logistic")  # objectives whose raw answer is P(class 1)
ANSWER_HINT = "predict must return one answer for each row."


def adapt(estimator: Any) -> "Adapter":
    """One way to call any estimator: its family, its task, its columns and its classes.

    Raises NoPredict when a scikit-learn estimator was never fitted.
    """
    framework = framework_of(estimator)
    if framework == "scikit-learn":
        check_fitted(estimator)
    if type(estimator).__name__ == "Booster" and framework == "xgboost":
        return _adapt_xgboost(estimator)
    if type(estimator).__name__ == "Booster" and framework == "lightgbm":
        return _adapt_lightgbm(estimator)
    task = task_of(estimator)
    features = feature_names(estimator)
    labels, notes = labels_of(estimator, task)
    count = len(features) or integer(attribute(estimator, "n_features_in_"))
    booster = attribute(estimator, "booster_") if framework == "lightgbm" else None
    categories = lightgbm_categories(booster) if booster is not None else xgboost_categories(estimator)
    return Adapter(
        estimator=estimator,
        framework=framework,
        name=str(attribute(estimator, "display_name") or type(estimator).__name__)[:MAX_NAME],
        task=task,
        features=features,
        n_features=count,
        labels=labels,
        takes_frame=bool(features) or starts_with_columns(estimator),
        categories=categories,
        notes=(*notes, *notes_of(estimator)),
        method=answering_method(estimator) or "predict",
        scores_decide=labels is not None and len(set(labels)) == len(labels) and scores_decide(estimator),
    )


@dataclass(frozen=True)
class Adapter:
    """An estimator and what is known of it. Lives in the child; nothing of it crosses the pipe.

    features: column names in the model's order, () when it was fitted without names.
    labels: the classes as text in the order of the codes (for outlier detectors "-1" and "1", for
    clusterings their numbers), None when it answers with numbers or its classes are not known.
    objective: of a raw booster, whose answers are turned into codes; "" for all others.
    method: what is asked, where the estimator has no predict.
    scores_decide: its predict is the most probable class by definition, so that one call tells both.
    answers: what it answers for each of `labels`, where those are words for its codes; None for the same.
    """

    estimator: Any
    framework: str
    name: str
    task: Task
    features: tuple[str, ...]
    n_features: int | None
    labels: tuple[str, ...] | None
    takes_frame: bool
    categories: Mapping[str, tuple[Any, ...] | None] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    objective: str = ""
    method: str = "predict"
    scores_decide: bool = False
    answers: tuple[str, ...] | None = None

    def prepare(self, frame: pd.DataFrame) -> Any:
        """What `predict` is called with: the model's columns in its order, float64 (n, f) when it takes
        an array, a DMatrix for a raw XGBoost booster. PredictFailed names columns that are missing."""
        return self.convert(self.select(frame))

    def select(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The model's columns in its order and with its categories, as a table."""
        if self.features:
            missing = [name for name in self.features if name not in frame.columns]
            if missing:
                shown = ", ".join(missing[:5])[:MAX_QUOTED]
                raise PredictFailed(
                    f"The rows lack {len(missing)} of the model's columns: {shown}.",
                    hint="Name the schema's features as the model's.",
                )
            if list(frame.columns) != list(self.features):
                frame = frame[list(self.features)]
        for name in self.categories:
            if name in frame.columns:
                frame = frame.assign(**{name: _as_category(frame[name], self.categories[name])})
        return frame

    @property
    def takes_matrix(self) -> bool:
        """Whether it is a raw XGBoost booster, which remembers its answers for a matrix that it met."""
        return type(self.estimator).__name__ == "Booster" and self.framework == "xgboost"

    def convert(self, table: pd.DataFrame) -> Any:
        """What `select` gave, in the form that the model takes."""
        if self.takes_matrix:
            return _matrix(table, self.features)
        if not self.takes_frame and _is_numeric(table):
            return table.to_numpy(dtype=np.float64, na_value=np.nan)
        return table

    def predict(self, x: Any) -> npt.NDArray[Any]:
        """The raw answer for what `prepare` gave; the most probable class where it has no predict."""
        answer: npt.NDArray[Any] = getattr(self.estimator, self.method)(x)
        if self.method != "predict_proba":
            return answer
        labels = self.answers or self.labels
        classes = np.arange(answer.shape[1]) if labels is None else np.array(labels)
        return np.asarray(classes[np.asarray(answer).argmax(axis=1)])

    def scores(self, x: Any) -> npt.NDArray[np.float64] | None:
        """Probabilities (n, k) in the order of `labels`; None where the model offers none."""
        if self.labels is None:
            return None
        if self.objective:
            raw = np.asarray(self.predict(x), dtype=np.float64)
            binary = self.objective in BINARY_PROBABILITY and raw.ndim == 1
            found = np.column_stack([1 - raw, raw]) if binary else raw
        elif hasattr(self.estimator, "predict_proba"):
            answer = self.estimator.predict_proba(x)
            first = answer[0] if isinstance(answer, list) else answer  # a list: one array an output
            found = np.asarray(first, dtype=np.float64)
        else:
            return None
        return found if found.ndim == 2 and found.shape[1] == len(self.labels) else None

    def answer(self, frame: pd.DataFrame) -> Predictions:
        """Predictions for every row, failures included: when predict raises, the rows at fault are found.

        Raises PredictFailed only when the answer as a whole makes no sense (a wrong number of rows).
        """
        outcome = isolate(self._probabilities if self.scores_decide else self._first_output, frame)
        failed, errors = outcome.failed.copy(), [RowError(*error) for error in outcome.errors]
        if len(outcome.answers) == 0:
            return Predictions(np.full(len(frame), np.nan), None, self.labels, failed, tuple(errors))
        answered = np.flatnonzero(~failed)
        if self.scores_decide:
            return self._decided(outcome.answers, failed, tuple(errors))
        codes, labels, problems = self._codes(outcome.answers)
        values = np.full(len(frame), np.nan)
        values[answered] = codes
        for (kind, message), where in problems.items():
            failed[answered[where]] = True
            errors.append(RowError(kind, message, len(where), int(answered[where[0]])))
        values[failed] = np.nan
        scores = self._checked_scores(frame, ~failed) if labels == self.labels else None
        return Predictions(values, scores, labels, failed, tuple(errors))

    def _decided(
        self, found: npt.NDArray[Any], failed: npt.NDArray[np.bool_], errors: tuple[RowError, ...]
    ) -> Predictions:
        """The most probable class of each row that was answered; the first of several."""
        values = np.full(len(failed), np.nan)
        values[~failed] = found.argmax(axis=1)
        scores = None
        if (np.abs(found) <= LARGEST).all():  # neither NaN nor infinity is
            scores = np.full((len(failed), found.shape[1]), np.nan)
            scores[~failed] = found
        return Predictions(values, scores, self.labels, failed, errors)

    def _probabilities(self, frame: pd.DataFrame) -> npt.NDArray[Any]:
        found = self.scores(self.prepare(frame))
        if found is None or len(found) != len(frame):
            raise PredictFailed(
                f"predict_proba did not return {len(self.labels or ())} probabilities a row.",
                hint=ANSWER_HINT,
            )
        return found

    def _first_output(self, frame: pd.DataFrame) -> npt.NDArray[Any]:
        """The answer as one value a row (n,); of several outputs the first."""
        raw = self.predict(self.prepare(frame))
        if raw is None:
            raise PredictFailed("predict returned nothing (None).", hint=ANSWER_HINT)
        if hasattr(raw, "toarray"):
            raw = raw.toarray()
        found = raw.to_numpy() if isinstance(raw, pd.Series | pd.DataFrame) else np.asarray(raw)
        if found.ndim == 0 or len(found) != len(frame):
            count = "a single value" if found.ndim == 0 else f"{len(found):,} answers"
            raise PredictFailed(f"predict returned {count} for {len(frame):,} rows.", hint=ANSWER_HINT)
        if self.objective:
            return _decode(found, self.objective)
        return found if found.ndim == 1 else found.reshape(len(found), -1)[:, 0]

    def _codes(
        self, raw: npt.NDArray[Any]
    ) -> tuple[npt.NDArray[np.float64], tuple[str, ...] | None, dict[tuple[str, str], npt.NDArray[np.intp]]]:
        """Numbers or class codes, the labels they stand for, and the positions that are neither."""
        if self.labels is None and self.task != "classification" and raw.dtype.kind in "fiu":
            values = raw.astype(np.float64)
            return values, None, _not_usable(values)
        numeric = pd.to_numeric(pd.Series(raw), errors="coerce") if raw.dtype == object else None
        if self.labels is None and self.task == "regression" and numeric is not None:
            values = numeric.to_numpy(dtype=np.float64, na_value=np.nan)
            return values, None, _not_usable(values)
        found, uniques = pd.factorize(raw)
        texts = [label_text(value) for value in uniques]
        labels = tuple(sorted(set(texts))) if self.labels is None else self.labels
        if len(labels) > MAX_LABELS:
            raise PredictFailed(f"predict answered with {len(labels):,} different texts.", hint=ANSWER_HINT)
        if self.answers is None and self.labels is not None and texts and not set(texts) & set(labels):
            labels = tuple(sorted(set(texts)))[:MAX_LABELS]  # a multi-output answer: classes of its own
        index = {text: code for code, text in enumerate(self.answers or labels)}
        table = np.array([*(index.get(text, -2) for text in texts), -1], dtype=np.float64)
        values = table[found]
        problems = {}
        if (values == -1).any():
            problems[("MissingAnswer", "the model answered with a missing value")] = np.flatnonzero(
                values == -1
            )
        if (values == -2).any():
            where = np.flatnonzero(values == -2)
            message = f"the model answered {label_text(raw[where[0]])!r}, which is none of its classes"
            problems[("UnknownClass", message)] = where
        return values, labels, problems

    def _checked_scores(
        self, frame: pd.DataFrame, answered: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.float64] | None:
        """Scores of the rows that were answered, NaN for the others; None when they make no sense."""
        if not answered.any():
            return None
        rows = frame if answered.all() else frame[answered]
        try:
            found = self.scores(self.prepare(rows))
        except Exception:  # a model without usable probabilities is still a model
            return None
        if found is None or len(found) != len(rows) or not (np.abs(found) <= LARGEST).all():
            return None
        scores = np.full((len(frame), found.shape[1]), np.nan)
        scores[answered] = found
        return scores


def _is_numeric(frame: pd.DataFrame) -> bool:
    return all(getattr(dtype, "kind", "O") in "fiub" for dtype in frame.dtypes)


def _as_category(column: "pd.Series[Any]", categories: tuple[Any, ...] | None) -> "pd.Series[Any]":
    """A column as the categories the booster was trained with (None: those it stores itself)."""
    if categories is None:
        return column.astype("category")
    return column.astype(pd.CategoricalDtype(list(categories)))


def _adapt_xgboost(booster: Any) -> Adapter:
    config = json.loads(booster.save_config())["learner"]
    objective = str(config["learner_train_param"]["objective"])
    classes = int(config["learner_model_param"].get("num_class", 0))
    count = max(classes, 2) if objective.startswith(("binary:", "multi:")) else 0
    names = tuple(booster.feature_names or ())
    return Adapter(
        estimator=booster,
        framework="xgboost",
        name="Booster",
        task="classification" if count else "regression",
        features=names,
        n_features=int(booster.num_features()),
        labels=tuple(str(i) for i in range(count)) or None,
        takes_frame=True,
        categories=xgboost_categories(booster),
        objective=objective,
    )


def _matrix(frame: pd.DataFrame, features: tuple[str, ...]) -> Any:
    import xgboost

    if not features:
        return xgboost.DMatrix(frame.to_numpy(dtype=np.float64, na_value=np.nan))
    return xgboost.DMatrix(frame, feature_names=list(features), enable_categorical=True)


def _adapt_lightgbm(booster: Any) -> Adapter:
    text = booster.model_to_string(num_iteration=1)
    found = re.search(r"^objective=(\S+)", text, re.MULTILINE)
    objective = found[1] if found else "custom"
    classes = int(booster.num_model_per_iteration())
    count = max(classes, 2) if objective in ("binary", "multiclass", "multiclassova") else 0
    names = real_names(booster.feature_name())
    return Adapter(
        estimator=booster,
        framework="lightgbm",
        name="Booster",
        task="classification" if count else "regression",
        features=names,
        n_features=int(booster.num_feature()),
        labels=tuple(str(i) for i in range(count)) or None,
        takes_frame=bool(names),
        categories=lightgbm_categories(booster),
        objective=objective,
    )


def _decode(raw: npt.NDArray[np.float64], objective: str) -> npt.NDArray[np.float64]:
    """Codes of a raw booster's answer: its probability, margin or row of probabilities."""
    if raw.ndim == 2 and raw.shape[1] > 1:
        codes: npt.NDArray[np.float64] = np.asarray(raw.argmax(axis=1), dtype=np.float64)
        codes[~np.isfinite(raw).all(axis=1)] = np.nan
        return codes
    raw = raw.reshape(len(raw))
    if objective in BINARY_PROBABILITY or objective == "binary:logitraw":
        threshold = 0.0 if objective == "binary:logitraw" else 0.5
        return np.where(np.isfinite(raw), (raw > threshold).astype(np.float64), np.nan)
    return raw


def _not_usable(values: npt.NDArray[np.float64]) -> dict[tuple[str, str], npt.NDArray[np.intp]]:
    found = {
        ("MissingAnswer", "the model answered NaN"): np.flatnonzero(np.isnan(values)),
        ("InfiniteAnswer", "the model answered with infinity"): np.flatnonzero(np.isinf(values)),
        ("HugeAnswer", f"the model answered with a number beyond {LARGEST:g}"): np.flatnonzero(
            np.isfinite(values) & (np.abs(values) > LARGEST)
        ),
    }
    return {key: where for key, where in found.items() if len(where)}
