"""Drift: compare two tables column by column; the types of simulated drift live here too.

Promises: KS, Wasserstein, Jensen-Shannon, chi-squared and their p-values equal SciPy's, PSI its definition,
and every column says which test judged it. Leaves the arithmetic to `drift_columns`, the choice of test to
`drift_decisions`, simulating shifts to `drift_simulation`, and the run's verdict to `checks`.
"""

import os
from collections.abc import Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import pandas as pd
from pydantic import Field

from drift_columns import ColumnFigures, ReferenceColumn, measure
from drift_decisions import Decision, DriftRules, DriftTest, decide
from drift_domain import DomainDrift
from drift_statistics import jensen_shannon_distance, kolmogorov_p, population_stability_index, spread
from errors import InvalidInput
from records import Figure, Record

__all__ = [
    "BreakingPoint",
    "ColumnDrift",
    "ColumnFalseAlarms",
    "Decomposition",
    "Distances",
    "DriftAnalysis",
    "DriftPlan",
    "DriftReport",
    "DriftRules",
    "FalseAlarms",
    "Scenario",
    "ScenarioKind",
    "ScenarioPlan",
    "SingleEffect",
    "compare",
    "jensen_shannon_distance",
    "judgement",
    "measured_columns",
    "population_stability_index",
    "spread",
]

PARALLEL_CELLS = 4_000_000  # below, starting threads costs more than it saves
MAX_THREADS = 4

ScenarioKind = Literal[
    "mean_shift", "variance_scale", "missing_values", "unseen_category", "category_mix",
    "noise", "quantile_shift", "correlated_shift", "segment_swap",
]  # fmt: skip


class ScenarioPlan(Record):
    """One simulated shift. `features` empty means every feature that the kind applies to.

    magnitude: standard deviations (mean_shift, noise, quantile_shift on average, correlated_shift along the
    main axis), factor (variance_scale), share of rows (the others; for category_mix the rows that take the
    rarest category, for segment_swap those that take the values of a row of the other segment).
    """

    kind: ScenarioKind
    magnitude: float = Field(gt=0, le=1000)
    features: tuple[str, ...] = ()


DEFAULT_SCENARIOS = (
    ScenarioPlan(kind="mean_shift", magnitude=0.5),
    ScenarioPlan(kind="mean_shift", magnitude=1.0),
    ScenarioPlan(kind="variance_scale", magnitude=2.0),
    ScenarioPlan(kind="missing_values", magnitude=0.1),
    ScenarioPlan(kind="unseen_category", magnitude=0.1),
    ScenarioPlan(kind="category_mix", magnitude=0.5),
    ScenarioPlan(kind="noise", magnitude=0.5),
    ScenarioPlan(kind="correlated_shift", magnitude=1.0),
)


class DriftPlan(Record):
    """Which shifts to simulate, and from which share of changed answers a feature counts as broken."""

    scenarios: tuple[ScenarioPlan, ...] = Field(DEFAULT_SCENARIOS, max_length=100)
    changed_limit: float = Field(0.1, gt=0, le=1)
    breaking_points: bool = True
    score_limit: float | None = Field(
        None, gt=0, le=10, description="Largest drop of accuracy or R2; needs a labelled sample."
    )
    decomposition: bool = True
    each_feature: bool = Field(
        False, description="Play each scenario of several features on each of them alone as well."
    )
    domain_auc: bool = Field(
        False, description="Also say of each scenario how well a classifier tells the shifted table."
    )
    budget_s: float = Field(
        2.0,
        gt=0,
        le=600,
        description="Seconds for the breaking points, for each_feature, for domain_auc, and to decompose.",
    )


class ColumnDrift(Decision):
    """Distances of one column, current against reference, and its decision. What does not fit is null.

    wasserstein: in the column's unit (datetimes: days); wasserstein_normed: in standard deviations of the
    reference.
    """

    column: str
    kind: Literal["numeric", "categorical"]
    psi: Figure
    ks: Figure = None
    ks_p: Figure = None
    wasserstein: Figure = None
    js: Figure = None
    missing_reference: float = 0.0
    missing_current: float = 0.0
    wasserstein_normed: Figure = None
    chi2: Figure = None
    chi2_p: Figure = None
    z: Figure = None
    z_p: Figure = None


TEST_TITLES: dict[DriftTest, str] = {
    "ks": "KS",
    "chi2": "chi-squared",
    "z": "z-test",
    "wasserstein_normed": "Wasserstein in standard deviations",
    "js": "Jensen-Shannon",
}


def judgement(column: Decision) -> str:
    """What a person reads: the test, its figure and the threshold that it was compared with.

    >>> judgement(ColumnDrift(column="x", kind="numeric", psi=0, test="js", statistic=0.03, threshold=0.1))
    'Jensen-Shannon 0.03 (drift: at least 0.1)'
    """
    if column.test is None or column.threshold is None:
        return "not judged"
    title = TEST_TITLES[column.test]
    if column.p_adjusted is not None:
        return f"{title}, adjusted p {column.p_adjusted:.3g} (drift: at most {column.threshold:g})"
    figure = "-" if column.statistic is None else f"{column.statistic:.3g}"
    return f"{title} {figure} (drift: at least {column.threshold:g})"


class DriftReport(Record):
    """One entry a column, in the reference's order.

    correction: how the p-values that decide were adjusted for their number; null where distances decide.
    drifted_share: of the columns that could be judged.
    """

    columns: tuple[ColumnDrift, ...]
    rows_reference: int
    rows_current: int
    correction: Literal["benjamini_hochberg"] | None = None
    drifted_columns: int | None = None
    drifted_share: Figure = None


class Distances(Record):
    """The largest distance over the columns concerned, and the column that has the largest PSI."""

    psi: Figure = None
    ks: Figure = None
    wasserstein: Figure = None  # in standard deviations of the reference column, so that columns compare
    js: Figure = None
    column: str | None = None


class Scenario(Record):
    """One shift as it was simulated, and what it did to inputs and answers.

    changed_share: share of rows whose answer changed: another class, or for numbers a change of more
    than `changed_tolerance` (a tenth of the reference predictions' standard deviation).
    failed_share: share of rows that could no longer be answered at all. domain: how well a classifier tells
    the shifted table from another; null where the plan did not ask for it.
    """

    kind: ScenarioKind
    features: tuple[str, ...]
    magnitude: float
    input: Distances
    prediction: Distances
    changed_share: Figure
    failed_share: float = 0.0
    reason: str | None = None
    domain: DomainDrift | None = None


class BreakingPoint(Record):
    """The smallest shift of one feature, up or down, at which the answers or the score pass the plan's limit.

    magnitude: standard deviations of the generated rows' column, negative for a shift down; null when even
    the largest shift tried (`searched_to`) did not reach the limit on the rows asked. interval: 95 %, for
    the rows asked are a sample; a shift nearer than its nearer end most likely breaks nothing, one beyond its
    farther end most likely does. An end that the search did not reach is null. shift: the magnitude in the
    feature's unit. psi: the PSI that the shift makes on the feature; psi_interval: at the interval's nearer
    and farther end. by: what passes its `limit`, and value: how far, at the magnitude. monotone: false where
    a farther shift was seen to change clearly less. Null where an older report does not tell.
    """

    feature: str
    kind: ScenarioKind
    magnitude: Figure
    psi: Figure
    interval: tuple[Figure, Figure] | None
    searched_to: float
    direction: Literal["up", "down"] | None = None
    shift: Figure = None
    psi_interval: tuple[Figure, Figure] | None = None
    by: Literal["changed_answers", "score"] | None = None
    limit: Figure = None
    value: Figure = None
    rows: int | None = None
    monotone: bool | None = None

    @property
    def distances(self) -> tuple[float | None, float | None] | None:
        """The interval without its sign, the nearer end first; an end that was not reached is None."""
        if self.interval is None:
            return None
        down = self.direction == "down" or (self.magnitude or 0.0) < 0
        near, far = self.interval[::-1] if down else self.interval
        return (None if near is None else abs(near)), (None if far is None else abs(far))


class SingleEffect(Record):
    """What one feature's part of a joint shift does alone."""

    feature: str
    changed_share: Figure
    output_change: Figure = None


class Decomposition(Record):
    """A joint shift's effect, taken apart: what each feature's part does alone, and what is left over.

    All tables differ from the same rows by the same shifted columns (common random numbers), so that nothing
    but the shift differs. remainder: joint minus the sum of the singles; below 0 the parts overlap, above 0
    they strengthen each other. output: whose mean is followed in output_change, "answer" for numbers, else
    the class whose probability it is; null where the model gives none. A row without an answer has changed.
    """

    kind: ScenarioKind
    magnitude: float
    rows: int
    singles: tuple[SingleEffect, ...]  # the largest changed share first
    joint_changed_share: Figure
    single_changed_sum: Figure
    changed_remainder: Figure
    output: str | None = None
    joint_output_change: Figure = None
    single_output_sum: Figure = None
    output_remainder: Figure = None


class ColumnFalseAlarms(Record):
    """Share of rounds in which one column raised an alarm."""

    column: str
    rate: float = Field(ge=0, le=1)


class FalseAlarms(Record):
    """What a monitor says of tables that differ by chance alone.

    any_column: share of rounds in which at least one column raised an alarm; interval: its 95 % Wilson
    interval. mean_share: of the columns, on average. rows_reference, rows_current: of the parts compared.
    """

    rounds: int
    rows_reference: int
    rows_current: int
    any_column: float
    interval: tuple[float, float]
    mean_share: float
    columns: tuple[ColumnFalseAlarms, ...]
    note: str | None = None


class DriftAnalysis(Record):
    """The report's `drift` section."""

    scenarios: tuple[Scenario, ...]
    breaking_points: tuple[BreakingPoint, ...] = ()
    decomposition: Decomposition | None = None
    changed_tolerance: Figure = None
    columns: tuple[ColumnDrift, ...] = ()  # every column under the strongest simulated scenario
    columns_scenario: str | None = None
    false_alarms: tuple[FalseAlarms, ...] = ()  # of the breaking points' PSIs to watch, by batch size
    notes: tuple[str, ...] = ()


class Reference:
    """A table that others are compared with. Its columns are read and sorted once, when first compared.

    Worth it for several comparisons. keeps: the sorted columns, as long as this is; all of them together are
    as large as the table.
    """

    def __init__(self, frame: pd.DataFrame, *, keeps: bool = True) -> None:
        self.frame = frame
        self._keeps = keeps
        self._columns: dict[Hashable, ReferenceColumn] = {}

    def column(self, name: Hashable) -> ReferenceColumn:
        """The column of this name; the same object each time where it is kept."""
        found = self._columns.get(name) or ReferenceColumn(self.frame[name])
        if self._keeps:
            self._columns[name] = found
        return found


def compare(
    reference: pd.DataFrame | Reference, current: pd.DataFrame, rules: DriftRules | None = None
) -> DriftReport:
    """Distances of every column of `current` (m rows) against `reference` (n rows), each with a judgement.

    Numbers and datetimes get KS with its asymptotic p, Wasserstein (datetimes: in days), PSI, Jensen-Shannon
    and chi-squared over ten quantile bins of the reference; text, categories and booleans get the last three
    over their categories, and two values a z-test of their shares. Missing values are a bin of their own, and
    are left out of KS, Wasserstein and z. Infinities count in the end bins and in KS; Wasserstein is then
    null. A column that is numeric on one side only is compared as categories.

    Raises InvalidInput for an empty table and for columns that one side lacks.
    """
    rules = rules or DriftRules()
    if not isinstance(reference, Reference):
        reference = Reference(reference, keeps=False)
    measured = measured_columns(reference, current)
    names, found = list(measured), list(measured.values())
    rows = min(len(reference.frame), len(current))
    ks_p = _ks_p_values(found)
    decisions = decide(found, ks_p, rules, rows)
    judged = [d.drifted for d in decisions if d.drifted is not None]
    return DriftReport(
        columns=tuple(
            _column(str(name), column, p, decision)
            for name, column, p, decision in zip(names, found, ks_p, decisions, strict=True)
        ),
        rows_reference=len(reference.frame),
        rows_current=len(current),
        correction="benjamini_hochberg" if any(d.p_adjusted is not None for d in decisions) else None,
        drifted_columns=sum(judged),
        drifted_share=sum(judged) / len(judged) if judged else None,
    )


def measured_columns(
    reference: Reference, current: pd.DataFrame, only: Sequence[Hashable] | None = None
) -> dict[Hashable, ColumnFigures]:
    """What `compare` knows of each column before it judges; InvalidInput as there. only: these columns."""
    names = _common_columns(reference.frame, current)
    names = names if only is None else list(only)

    def one(name: Hashable) -> ColumnFigures:
        return measure(reference.column(name), current[name])

    cells = (len(reference.frame) + len(current)) * len(names)
    threads = min(MAX_THREADS, os.cpu_count() or 1) if cells >= PARALLEL_CELLS else 1
    if threads == 1:
        return {name: one(name) for name in names}
    # numpy's sorting, counting, searching and selecting all let other threads run
    with ThreadPoolExecutor(threads) as pool:
        return dict(zip(names, pool.map(one, names), strict=True))


def _ks_p_values(found: Sequence[ColumnFigures]) -> list[float | None]:
    """All in one call: SciPy's overhead a call is larger than a thousand rows' sort."""
    tested = [(i, c.ks, c.ks_rows) for i, c in enumerate(found) if c.ks is not None and c.ks_rows > 0]
    p_values: list[float | None] = [None] * len(found)
    if tested:
        every = kolmogorov_p([ks for _, ks, _ in tested], [rows for _, _, rows in tested])
        for (i, _, _), p in zip(tested, every.tolist(), strict=True):
            p_values[i] = p
    return p_values


def _column(name: str, found: ColumnFigures, ks_p: float | None, decision: Decision) -> ColumnDrift:
    return ColumnDrift(
        column=name,
        kind="numeric" if found.numeric else "categorical",
        psi=found.psi,
        ks=found.ks,
        ks_p=ks_p,
        wasserstein=found.wasserstein,
        js=found.js,
        missing_reference=found.missing[0] / found.rows[0],
        missing_current=found.missing[1] / found.rows[1],
        wasserstein_normed=found.wasserstein_normed,
        chi2=found.chi2[0] if found.chi2 else None,
        chi2_p=found.chi2[1] if found.chi2 else None,
        z=found.z[0] if found.z else None,
        z_p=found.z[1] if found.z else None,
        **dict(decision),
    )


def _common_columns(reference: pd.DataFrame, current: pd.DataFrame) -> list[Hashable]:
    for side, frame in (("reference", reference), ("current", current)):
        if frame.shape[0] == 0 or frame.shape[1] == 0:
            raise InvalidInput(
                f"The {side} table is empty, so there is nothing to compare.",
                hint="Give both tables at least one row and one column.",
            )
        if not frame.columns.is_unique:
            twice = sorted({str(c) for c in frame.columns[frame.columns.duplicated()]})
            raise InvalidInput(
                f"The {side} table has more than one column named {', '.join(twice)}.",
                hint="Give every column a name of its own.",
            )
    for side, lacking, other in (("reference", reference, current), ("current", current, reference)):
        missing = [str(c) for c in other.columns if c not in lacking.columns]
        if missing:
            raise InvalidInput(
                f"The {side} table lacks {', '.join(missing)}.",
                hint="Compare tables that have the same columns.",
            )
    return list(reference.columns)
