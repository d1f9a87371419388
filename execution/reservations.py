"""How far drift can be believed where nobody told what the inputs hold, or answers are alike.

Promises: what is told here is told beside the figures, and changes none. Leaves judging to `checks`.
"""

import numpy as np

from estimators.answers import Predictions
from records.drift import DriftAnalysis
from records.schema import Schema

__all__ = ["guessed_ranges", "with_reservations"]

ALIKE = 0.99  # of the answers: from then on the rows lie on one side of whatever the model decides by
NAMED = 5


def guessed_ranges(schema: Schema) -> list[str]:
    """A sentence on features whose ranges nobody told, and one on those whose names did."""
    count, found = len(schema.features), []
    unknown = schema.unknown
    if unknown:
        found.append(
            f"No ranges are known for {len(unknown):,} of {count:,} features ({_some(unknown)}): they were "
            "drawn from standard normals, so that drift and breaking points of them are of made-up data. "
            "A sample would tell, or a schema."
        )
    by_name = tuple(field.name for field in schema.features if field.origin == "name")
    if by_name:
        found.append(
            f"The ranges of {len(by_name):,} of {count:,} features ({_some(by_name)}) are ordinary ones by "
            "their names, as the model tells none. A sample would tell, or a schema."
        )
    return found


def with_reservations(
    drift: DriftAnalysis, schema: Schema, reference: Predictions, *, has_sample: bool
) -> DriftAnalysis:
    """The analysis with what limits its meaning: `reservation`, `unjudged`, `assumed` at breaking points.

    has_sample: the rows are like real ones, of which nearly all may well be answered alike; all of them
    alike shows nothing either way.
    """
    assumed = {*schema.unknown, *(field.name for field in schema.features if field.origin == "name")}
    points = tuple(
        point.model_copy(update={"assumed": True}) if point.feature in assumed else point
        for point in drift.breaking_points
    )
    reservation = ""
    if assumed:
        reservation = (
            f"The ranges of {len(assumed):,} of {len(schema.features):,} features are not known but assumed: "
            "a shift by one sd is one of the assumed values, not of your data."
        )
    return drift.model_copy(
        update={
            "breaking_points": points,
            "reservation": reservation,
            "unjudged": _why_unjudged(reference, has_sample),
        }
    )


def _why_unjudged(reference: Predictions, has_sample: bool) -> str:
    answers = reference.values[~reference.failed]
    values, counts = np.unique(answers, return_counts=True)
    if not len(values):
        return ""
    most = float(counts.max() / counts.sum())
    if most < (1.0 if has_sample else ALIKE):
        return ""
    value = values[int(np.argmax(counts))]
    answer = f"{value:.4g}" if reference.labels is None else reference.labels[int(value)]
    alike = f"{100 * most:.3g} % of the generated rows alike ({answer[:60]})"
    found = f"The model answers {alike}: no drift could show."
    return found if has_sample else f"{found} A sample, or a schema with real ranges, would tell more."


def _some(names: tuple[str, ...]) -> str:
    shown = ", ".join(name[:60] for name in names[:NAMED])
    return f"{shown} and {len(names) - NAMED:,} more" if len(names) > NAMED else shown
