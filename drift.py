"""Drift: compare two tables column by column; the types of simulated drift live here too.

Promises: KS, Wasserstein, Jensen-Shannon, chi-squared and their p-values equal SciPy's, PSI its definition,
and every column says which test judged it. Leaves the arithmetic to `distances.columns`, the choice of test
to `distances.decisions`, simulating shifts to `shifts.analysis`, and the run's verdict to `checks`.
"""

import os
from collections.abc import Collection, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pandas as pd

from distances.columns import ColumnFigures, ReferenceColumn, measure
from distances.decisions import decide
from distances.formulas import kolmogorov_p
from errors import InvalidInput
from interruption import check
from records.drift import ColumnDrift, Decision, DriftReport, DriftRules

__all__ = ["compare", "measured_columns"]

PARALLEL_CELLS = 4_000_000  # below, starting threads costs more than it saves
MAX_THREADS = 4
MOST_TASKS = 200  # handing over one for each of 10,000 columns took seconds, deaf to a cancel


class Reference:
    """A table that others are compared with. Its columns are read and sorted once, when first compared.

    Worth it for several comparisons. keeps: the sorted columns, as long as this is; all of them together are
    as large as the table. texts: columns that are read word by word; no other is.
    """

    def __init__(self, frame: pd.DataFrame, *, keeps: bool = True, texts: Collection[Hashable] = ()) -> None:
        self.frame = frame
        self._texts = frozenset(texts)
        self._keeps = keeps
        self._columns: dict[Hashable, ReferenceColumn] = {}

    def column(self, name: Hashable) -> ReferenceColumn:
        """The column of this name; the same object each time where it is kept."""
        found = self._columns.get(name) or ReferenceColumn(self.frame[name], is_text=name in self._texts)
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
    null. A column that is numeric on one side only is compared as categories. Columns that the reference
    calls texts: see `distances.texts`.

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
        check()
        return measure(reference.column(name), current[name])

    cells = (len(reference.frame) + len(current)) * len(names)
    threads = min(MAX_THREADS, os.cpu_count() or 1) if cells >= PARALLEL_CELLS else 1
    if threads == 1:
        return {name: one(name) for name in names}
    # numpy's sorting, counting, searching and selecting all let other threads run
    with ThreadPoolExecutor(threads) as pool:
        found: dict[Hashable, ColumnFigures] = {}
        together = 1 + len(names) // MOST_TASKS
        parts = [names[start : start + together] for start in range(0, len(names), together)]
        for part, figures in zip(parts, pool.map(lambda part: [*map(one, part)], parts), strict=True):
            check()  # of this thread: the pool's do not know for whom they work
            found |= dict(zip(part, figures, strict=True))
        return found


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
    check()
    return ColumnDrift(
        column=name,
        kind="text" if found.is_text else "numeric" if found.numeric else "categorical",
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
        unknown_words=found.unknown,
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
