"""Which test decides whether a column has drifted, and the correction for many columns.

Promises: p-values that decide are adjusted by Benjamini and Hochberg over all columns they decide. Leaves
the statistics to `distances.columns`.
"""

from collections.abc import Sequence

from distances.columns import ColumnFigures
from distances.formulas import benjamini_hochberg
from interruption import check
from records.drift import Decision, DriftRules, DriftTest

__all__ = ["decide"]


def decide(
    columns: Sequence[ColumnFigures], ks_p: Sequence[float | None], rules: DriftRules, rows: int
) -> list[Decision]:
    """Judge every column of two tables, the smaller of which has `rows` rows.

    Up to `rows_limit` rows: z for two values without missing ones, chi-squared for categories and numbers of
    few values, KS for other numbers. Above: Jensen-Shannon for categories and numbers of few values, normed
    Wasserstein for other numbers, Jensen-Shannon where that does not exist (infinities, constant reference).
    """
    if rows > rules.rows_limit:
        return [_by_distance(c, rules) for c in columns]
    tested = [_tested(c, p, rules) for c, p in zip(columns, ks_p, strict=True)]
    judged = [i for i, found in enumerate(tested) if found is not None]
    adjusted = dict(zip(judged, benjamini_hochberg([t[2] for t in tested if t is not None]), strict=True))
    decisions = []
    for i, found in enumerate(tested):
        check()
        if found is None:
            decisions.append(Decision())
            continue
        test, statistic, _ = found
        p, limit = float(adjusted[i]), rules.p_limit
        decisions.append(
            Decision(
                test=test, statistic=statistic, p_adjusted=p, threshold=limit, direction="at_most",
                drifted=p <= limit,
            )
        )  # fmt: skip
    return decisions


def _categorical(column: ColumnFigures, rules: DriftRules) -> bool:
    few = column.distinct is not None and column.distinct <= rules.distinct_limit
    return not column.numeric or few


def _by_distance(column: ColumnFigures, rules: DriftRules) -> Decision:
    normed = None if _categorical(column, rules) else column.wasserstein_normed
    test: DriftTest = "js" if normed is None else "wasserstein_normed"
    distance = column.js if normed is None else normed
    limit = rules.distance_limit
    return Decision(
        test=test, statistic=distance, threshold=limit, direction="at_least", drifted=distance >= limit
    )


def _tested(
    column: ColumnFigures, ks_p: float | None, rules: DriftRules
) -> tuple[DriftTest, float, float] | None:
    """The test, its statistic and its p-value as it comes; None where none can be made."""
    if _categorical(column, rules):
        if column.z is not None and not any(column.missing):
            return ("z", *column.z)
        return ("chi2", *column.chi2) if column.chi2 is not None else None
    if column.ks is not None and ks_p is not None:
        return "ks", column.ks, ks_p
    return ("chi2", *column.chi2) if column.chi2 is not None else None
