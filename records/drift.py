"""The report's `drift` section: what is asked for, two tables compared, shifts simulated, breaking points.

Leaves computing any of it to `drift`, `distances` and `shifts`.
"""

from typing import Literal

from pydantic import Field

from records.base import Figure, Record

__all__ = [
    "DEFAULT_SCENARIOS", "PSI_SEEN", "TEXT_KINDS", "TEXT_SCENARIOS",
    "BreakingPoint", "ColumnDrift", "ColumnFalseAlarms", "Decision", "Decomposition",
    "Distances", "DomainColumn", "DomainDrift", "DriftAnalysis", "DriftPlan", "DriftReport", "DriftRules",
    "DriftTest", "FalseAlarms", "Scenario", "ScenarioKind", "ScenarioPlan", "SingleEffect", "judgement",
    "seen_by",
]  # fmt: skip

DriftTest = Literal["ks", "chi2", "z", "wasserstein_normed", "js"]


class DriftRules(Record):
    """When a column counts as drifted: a p-value where rows are few, a distance where they are many.

    With many rows every p-value is small, because no two samples of the world are quite the same; a
    distance then says whether the difference matters.
    """

    rows_limit: int = Field(1000, ge=0, description="Rows of the smaller table up to which p-values decide.")
    distinct_limit: int = Field(
        5, ge=0, le=5, description="Distinct values up to which a number is read as categories."
    )
    p_limit: float = Field(0.05, gt=0, lt=1, description="A column drifts at an adjusted p of at most this.")
    distance_limit: float = Field(
        0.1, gt=0, description="A column drifts at a normed Wasserstein or Jensen-Shannon of at least this."
    )


class Decision(Record):
    """How one column was judged: `statistic` is the figure of `test`, the one that decides.

    Where a p-value decides, p_adjusted is compared with the threshold, else the statistic is; direction:
    the side on which a column drifts. All None where no test fits the column.
    """

    test: DriftTest | None = None
    statistic: Figure = None
    p_adjusted: Figure = None
    threshold: Figure = None
    direction: Literal["at_most", "at_least"] | None = None
    drifted: bool | None = None


class DomainColumn(Record):
    """auc_loss: how much of the AUC is lost when this column's values are shuffled among unseen rows."""

    column: str
    auc_loss: float


class DomainDrift(Record):
    """0.5: the tables cannot be told apart; 1: every row gives itself away.

    interval: 95 % (DeLong). drifted: it lies above 0.5. columns: what the AUC rests on, the heaviest
    first; columns that say the same stand in for each other, so that each may seem light. Empty where the
    effort named none.
    """

    auc: float
    interval: tuple[float, float]
    drifted: bool
    rows_reference: int
    rows_current: int
    folds: int
    columns: tuple[DomainColumn, ...]


ScenarioKind = Literal[
    "mean_shift", "variance_scale", "missing_values", "unseen_category", "category_mix",
    "noise", "quantile_shift", "correlated_shift", "segment_swap",
    "unknown_words", "rare_words", "typos", "upper_case", "text_length",
]  # fmt: skip
TEXT_KINDS: tuple[ScenarioKind, ...] = ("unknown_words", "rare_words", "typos", "upper_case", "text_length")


class ScenarioPlan(Record):
    """One simulated shift. `features` empty means every feature that the kind applies to.

    magnitude: standard deviations (mean_shift, noise, quantile_shift on average, correlated_shift along the
    main axis), factor (variance_scale; text_length, of the number of words), share of the words of each text
    (unknown_words, rare_words, typos), share of rows (the others; for category_mix the rows that take the
    rarest category, for segment_swap those that take the values of a row of the other segment).
    """

    kind: ScenarioKind
    magnitude: float = Field(gt=0, le=1000)
    features: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """`mean_shift 0.5`: how a report and an error call it; `reports.words` says it to people."""
        return f"{self.kind} {self.magnitude:g}"


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
TEXT_SCENARIOS = (
    ScenarioPlan(kind="unknown_words", magnitude=0.2),
    ScenarioPlan(kind="rare_words", magnitude=0.2),
    ScenarioPlan(kind="typos", magnitude=0.1),
    ScenarioPlan(kind="upper_case", magnitude=1.0),
    ScenarioPlan(kind="text_length", magnitude=0.5),
    ScenarioPlan(kind="text_length", magnitude=2.0),
)


class DriftPlan(Record):
    """Which shifts to simulate, and from which share of changed answers a feature counts as broken.

    The scenarios that stand here by themselves are those for numbers and categories; where a feature is a
    text, those for texts take the place of the ones that fit no feature.
    """

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
    reference. Of texts psi, js and chi2 are of the words' shares (chi2 corrected for words that come in
    texts), ks and wasserstein of the number of words; unknown_words: share of the current words that the
    reference does not have.
    """

    column: str
    kind: Literal["numeric", "categorical", "text"]
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
    unknown_words: Figure = None


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

    changed_share: share of rows whose answer changed: another class, or for numbers a change of more than
    `changed_tolerance` (a tenth of the reference predictions' standard deviation). mean_move: of numbers, how
    far an answer moved on average, without its sign, in standard deviations of the reference predictions.
    failed_share: share of rows that could no longer be answered at all; they are in no distance. domain: how
    well a classifier tells the shifted table from another; null where the plan did not ask for it.
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
    mean_move: Figure = None


class BreakingPoint(Record):
    """The smallest shift of one feature, up or down, at which the answers or the score pass the plan's limit.

    Of a text (kind unknown_words, rare_words or typos) it is the share of its words, from 0 to 1, in place of
    the standard deviations, and there is neither shift nor direction.

    magnitude: standard deviations of the generated rows' column, negative for a shift down; null when even
    the largest shift tried (`searched_to`) did not reach the limit on the rows asked; that is 0 where the
    budget ended before the feature's turn. interval: 95 %, for the rows asked are a sample; a shift nearer
    than its nearer end most likely breaks nothing, one beyond its farther end most likely does. An end that
    the search did not reach is null. shift: the magnitude in the feature's unit. psi: the PSI that the shift
    makes on the feature; psi_interval: at the interval's nearer and farther end. by: what passes its `limit`,
    and value: how far, at the magnitude. monotone: false where a farther shift was seen to change clearly
    less. Null where an older report does not tell. assumed: nobody told what the feature holds, so that the
    standard deviation is one of made-up values. psi_early: the PSI that a tenth of the nearer end makes (of
    the magnitude, where that end is 0): where it is hardly less, the PSI tells nothing of how far the feature
    moved.
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
    assumed: bool = False
    psi_early: Figure = None

    @property
    def not_searched(self) -> bool:
        """Whether nothing is known of the feature, for the budget ended before."""
        return self.magnitude is None and self.interval is None and self.searched_to == 0

    @property
    def distance(self) -> float | None:
        """The magnitude without its sign; the farthest that was searched where nothing broke."""
        if self.not_searched:
            return None
        return self.searched_to if self.magnitude is None else abs(self.magnitude)

    @property
    def reach(self) -> tuple[float | None, float | None] | None:
        """The 95 % interval of `distance`, open beyond what was searched."""
        if self.magnitude is None and not self.not_searched and self.distances is None:
            return self.searched_to, None
        return self.distances

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

    any_column: share of rounds in which at least one column raised an alarm, of the columns watched that may
    be (`records.thresholds.TOLERATED`), where any may; interval: its 95 % Wilson interval. mean_share: of the
    columns, on average. rows_reference, rows_current: of the parts compared.
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
    """The report's `drift` section.

    reservation: how many features' ranges are assumed. unjudged: why nothing could show, where the model
    answers nearly all rows alike; then no check of drift passes. Empty where there is nothing to say.
    """

    scenarios: tuple[Scenario, ...]
    breaking_points: tuple[BreakingPoint, ...] = ()
    decomposition: Decomposition | None = None
    changed_tolerance: Figure = None
    columns: tuple[ColumnDrift, ...] = ()  # every column under the strongest simulated scenario
    columns_scenario: str | None = None
    false_alarms: tuple[FalseAlarms, ...] = ()  # of the breaking points' PSIs to watch, by batch size
    notes: tuple[str, ...] = ()
    reservation: str = ""
    unjudged: str = ""

    @property
    def largest_changed_share(self) -> float | None:
        """Of the scenarios that could be simulated; None where none could."""
        return max((s.changed_share for s in self.scenarios if s.changed_share is not None), default=None)

    @property
    def found_points(self) -> tuple[BreakingPoint, ...]:
        """The breaking points that the search came to, nearest first."""
        return tuple(point for point in self.breaking_points if point.magnitude is not None)


PSI_SEEN = 0.1  # of one column: the usual first band, from which a monitor of columns takes notice


def seen_by(scenario: Scenario) -> str | None:
    """What shows the shift, in words; None where no classifier looked.

    A single column shows it with a PSI of 0.1, the whole table with an AUC whose interval lies above 0.5.
    """
    if scenario.domain is None:
        return None
    columns, table = (scenario.input.psi or 0.0) >= PSI_SEEN, scenario.domain.drifted
    if columns:
        return "columns and whole table" if table else "columns only"
    return "whole table only" if table else "neither"
