"""Simulated drift: shift the inputs, ask the model again, and say how far its answers moved.

Promises: one scenario that fails never loses the others. Leaves the shifts to `shifts.scenarios`,
running the model to the caller, whose subject knows how, and verdicts to `checks`.
"""

import time
from collections.abc import Hashable, Iterable, Sequence

import numpy as np
import pandas as pd

from distances.changes import changed_answers, in_labels_of, subset
from distances.formulas import spread
from distances.subject import Subject
from drift import Reference, compare, measured_columns
from errors import Cancelled, ChildDied, ChildTimeout, DashboardError
from estimators.answers import Predictions
from records.drift import ColumnDrift, Distances, DriftAnalysis, DriftPlan, Scenario, ScenarioPlan
from records.thresholds import to_watch
from shifts.breaking_points import find_breaking_points
from shifts.criteria import Labelled
from shifts.decomposition import decompose, joint_scenario
from shifts.false_alarms import watched_false_alarms
from shifts.scenarios import applicable_features, check_scenario, scenarios_for, simulate
from shifts.visibility import with_domain_auc

__all__ = ["analyse"]

FEWEST_ANSWERED = 50  # rows; by chance alone the PSI of fewer reaches 0.2
MAX_SCORE_COLUMNS = 20  # classes whose probabilities are compared, the commonest first


def analyse(subject: Subject, plan: DriftPlan, labelled: Labelled | None = None) -> DriftAnalysis:
    """Every scenario of the plan on the subject's rows; then breaking points.

    labelled: rows of a sample with their labels, which the plan's score limit needs.
    Each scenario draws from the same seed, so that two magnitudes differ by nothing but the magnitude.
    Raises InvalidPlan for a scenario that cannot be meant; what the model does wrong is recorded in
    the scenario. Cancelled, ChildDied and ChildTimeout pass through.
    """
    plans = scenarios_for(plan.scenarios, subject.schema)
    for scenario in plans:
        check_scenario(subject.frame, subject.schema, scenario)
    rows = Reference(subject.frame, texts=subject.texts)
    played = [_play(subject, rows, scenario) for scenario in plans]
    columns, name = _strongest(subject, rows, plans, played)
    notes: tuple[str, ...] = ()
    if plan.each_feature:
        single = _single_plans(plans, played)
        ends_at = time.monotonic() + plan.budget_s
        for done, scenario in enumerate(single):
            if time.monotonic() > ends_at:
                notes = (f"{len(single) - done} single-feature scenarios were not played: the budget ended.",)
                break
            played.append(_play(subject, rows, scenario))
    if plan.domain_auc:
        played, cut_short = with_domain_auc(
            subject.frame, subject.schema, played, plan.budget_s, subject.seed
        )
        notes += cut_short
    joint = joint_scenario(subject.frame, subject.schema, plans) if plan.decomposition else None
    decomposition = None
    if joint is not None and not subject.reference.failed.all():
        decomposition, why_not = decompose(subject, joint, plan.budget_s)
        notes += why_not
    points, cut = find_breaking_points(subject, plan, labelled) if plan.breaking_points else ((), ())
    return DriftAnalysis(
        scenarios=tuple(played),
        breaking_points=points,
        decomposition=decomposition,
        changed_tolerance=None if subject.reference.labels is not None else subject.tolerance,
        columns=columns,
        columns_scenario=name,
        false_alarms=watched_false_alarms(
            subject.frame, to_watch([p for p in points if p.feature not in subject.texts]), seed=subject.seed
        ),
        notes=notes + cut,
    )


def _single_plans(plans: tuple[ScenarioPlan, ...], played: list[Scenario]) -> list[ScenarioPlan]:
    """Each scenario of several features on each of these alone; what needs two features has none."""
    return [
        plan.model_copy(update={"features": (feature,)})
        for plan, scenario in zip(plans, played, strict=True)
        if len(scenario.features) > 1 and plan.kind != "correlated_shift"
        for feature in scenario.features
    ]


def _play(subject: Subject, rows: Reference, scenario: ScenarioPlan) -> Scenario:
    reference = subject.reference
    features = applicable_features(subject.frame, subject.schema, scenario)
    outcome = Scenario(
        kind=scenario.kind,
        features=features,
        magnitude=scenario.magnitude,
        input=Distances(),
        prediction=Distances(),
        changed_share=None,
    )
    if not features:
        return outcome.model_copy(update={"reason": _why_not(scenario)})
    shifted = simulate(subject.frame, subject.schema, scenario, np.random.default_rng(subject.seed), features)
    outcome = outcome.model_copy(update={"input": _distances(rows, shifted, features)})
    try:
        answers = subject.ask(shifted)
    except (Cancelled, ChildDied, ChildTimeout):
        raise
    except DashboardError as error:
        return outcome.model_copy(update={"reason": error.message, "failed_share": 1.0})
    failed = reference.failed | answers.failed
    share = float(changed_answers(reference, answers, subject.tolerance).mean())
    return outcome.model_copy(
        update={
            "prediction": _prediction_distances(reference, answers),
            "changed_share": None if failed.all() else share,
            "failed_share": float(failed.mean()),
            "mean_move": _mean_move(reference, answers),
            "reason": _first_error(answers) if failed.all() else None,
        }
    )


def _why_not(scenario: ScenarioPlan) -> str:
    whose = "None of the features named" if scenario.features else "No feature"
    needed = {
        "mean_shift": "is a number that varies",
        "variance_scale": "is a number that varies",
        "missing_values": "has a value to remove",
        "unseen_category": "is a category",
        "category_mix": "is a category or boolean with two values or more",
        "noise": "is a number that varies",
        "quantile_shift": "is a number that varies",
        "correlated_shift": "goes with another: it takes two numbers that vary",
        "segment_swap": "varies, or the rows have no two segments",
    }.get(scenario.kind, "is a text")
    return f"{whose} {needed}."


def _first_error(answers: Predictions) -> str:
    if not answers.errors:
        return "No row was answered."
    first = answers.errors[0]
    return f"No row was answered: {first.kind}: {first.message}"


def _strongest(
    subject: Subject, rows: Reference, plans: tuple[ScenarioPlan, ...], played: list[Scenario]
) -> tuple[tuple[ColumnDrift, ...], str | None]:
    """All columns under the scenario with the largest PSI on its inputs, drawn once more from the seed."""
    applied = [(s.input.psi, plan) for s, plan in zip(played, plans, strict=True) if s.input.psi is not None]
    if not applied:
        return (), None
    scenario = max(applied, key=lambda pair: pair[0])[1]
    shifted = simulate(subject.frame, subject.schema, scenario, np.random.default_rng(subject.seed))
    return compare(rows, shifted).columns, scenario.key


def _distances(
    reference: Reference, current: pd.DataFrame, only: Sequence[Hashable] | None = None
) -> Distances:
    """The largest distance over the columns; Wasserstein in the reference column's standard deviations."""
    columns = measured_columns(reference, current, only)
    return Distances(
        psi=_largest(c.psi for c in columns.values()),
        ks=_largest(c.ks for c in columns.values()),
        wasserstein=_largest(c.wasserstein_normed for c in columns.values()),
        js=_largest(c.js for c in columns.values()),
        column=str(max(columns, key=lambda name: columns[name].psi)),
    )


def _largest(figures: Iterable[float | None]) -> float | None:
    return max((f for f in figures if f is not None), default=None)


def _prediction_distances(reference: Predictions, current: Predictions) -> Distances:
    """Numbers compare as a column; classes by their shares, and by their probabilities where offered.

    Over the rows that were answered both times: a row that failed is counted by itself, and no answer that
    a distance could be of. Too few of them make none.
    """
    answered = np.flatnonzero(~(reference.failed | current.failed))
    if len(answered) < min(FEWEST_ANSWERED, int((~reference.failed).sum())) or not len(answered):
        return Distances()
    reference, current = subset(reference, answered), subset(current, answered)
    before, after = reference.values, in_labels_of(reference, current)
    column = np.asarray if reference.labels is None else pd.Categorical
    rows = Reference(pd.DataFrame({"answer": column(before)}))
    found = _distances(rows, pd.DataFrame({"answer": column(after)}))
    if reference.labels is None:
        return found.model_copy(update={"column": None})
    scores = _score_tables(reference, current)
    moved = Distances() if scores is None else _distances(Reference(scores[0]), scores[1])
    return Distances(psi=found.psi, js=found.js, ks=moved.ks, wasserstein=moved.wasserstein)


def _mean_move(reference: Predictions, current: Predictions) -> float | None:
    """How far numbers moved on average, in standard deviations of what they were; None for classes."""
    answered = ~(reference.failed | current.failed)
    wide = spread(reference.values[~reference.failed].astype(np.float64))
    if reference.labels is not None or not answered.any() or not wide:
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        return float(np.abs(current.values - reference.values)[answered].mean() / wide)


def _score_tables(reference: Predictions, current: Predictions) -> tuple[pd.DataFrame, pd.DataFrame] | None:
    """The probabilities of the commonest classes, none of them failed; of two classes only the second."""
    before, after, labels = reference.scores, current.scores, reference.labels
    if before is None or after is None or labels is None or before.shape[1:] != after.shape[1:]:
        return None
    k = before.shape[1]
    if k != len(labels) or current.labels != labels:
        return None
    codes = reference.values.astype(np.int64)
    counts = np.bincount(codes[(codes >= 0) & (codes < k)], minlength=k)
    kept = [1] if k == 2 else np.argsort(-counts, kind="stable")[:MAX_SCORE_COLUMNS].tolist()
    tables = [pd.DataFrame({str(i): s[:, i] for i in kept}) for s in (before, after)]
    return tables[0], tables[1]
