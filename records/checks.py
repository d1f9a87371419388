"""The judged figures of a run, and which of the report's sections each comes from.

Leaves judging to `checks`.
"""

from typing import Literal, get_args

from records.base import Figure, Record

__all__ = ["UNJUDGED", "Check", "CheckStatus", "RunStatus", "SectionName", "section_of"]

CheckStatus = Literal["pass", "warn", "fail", "error", "measured", "not_applicable"]
RunStatus = Literal["passed", "warned", "failed", "error", "cancelled"]
SectionName = Literal["metrics", "accuracy", "robustness", "drift", "explanation", "likeness"]
UNJUDGED = "It could not be judged: "  # begins the reason of a check whose figure could not be had


class Check(Record):
    """One figure and its judgement. `direction` says which side of the threshold is good; the threshold is.

    status: `measured` is a figure that nothing judges: no limit was set, or it is a property of the model's
    whole family. That is never a pass.
    reason: what was found and what to do, to be read beside the title.
    gate: the run has to be judged by this one; when it cannot be, the run is an error, not a pass.
    interval: of the value, where one was worked out; an end that is not known is null.
    """

    id: str
    title: str
    status: CheckStatus
    value: Figure = None
    threshold: Figure = None
    direction: Literal["at_most", "at_least"] = "at_most"
    unit: str = ""
    reason: str = ""
    gate: bool = False
    interval: tuple[Figure, Figure] | None = None

    @property
    def sentence(self) -> str:
        """The finding where no title stands beside it."""
        return f"{self.title}: {self.reason}" if self.reason else self.title


def section_of(check: Check) -> SectionName:
    """The report's section that a check was judged from; of a gate's expression the one that it names."""
    if check.id.startswith("gate:"):
        named = check.id.removeprefix("gate:").partition(".")[0]
        return named if named in get_args(SectionName) else "metrics"  # type: ignore[return-value]
    for prefix, section in _SECTIONS.items():
        if check.id.startswith(prefix):
            return section
    return "metrics"


_SECTIONS: dict[str, SectionName] = {
    "score": "accuracy",
    "baseline_score": "accuracy",
    "robustness_": "robustness",
    "drift_": "drift",
    "prediction_psi": "drift",
    "explanation_": "explanation",
    "rows_": "likeness",
}
