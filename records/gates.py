"""What a run is gated on: limits that its config sets, and the earlier run that it is held against.

Leaves judging to `checks` and `judging`.
"""

import re
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import AfterValidator, Field, model_validator

from records.base import Figure, Record
from records.figures import PATH, check_path

__all__ = ["BaselineChoice", "BaselineFigures", "Expression", "Gates", "parse_baseline", "parse_expression"]

NUMBER = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d{1,3})?"
_EXPRESSION = re.compile(
    rf"\s*(?P<path>{PATH})\s*(?P<sign><=|>=|<|>)\s*"
    rf"(?:(?P<limit>{NUMBER})|baseline(?:\s*(?P<by>[-+*/])\s*(?P<amount>{NUMBER}))?)\s*"
)
_BASELINE = re.compile(r"(?P<kind>latest|pinned)(?::(?P<model>[^@]{0,200})(?:@(?P<tag>.{1,200}))?)?")
_EXAMPLES = (
    "write it as 'metrics.latency[1].p95_ms <= 50' or 'accuracy.roc_auc >= baseline - 0.01': "
    "a figure, one of <= < >= >, and a number or baseline, which may be moved by + - * / and a number"
)


class Expression(NamedTuple):
    """One gate: the figure at `path` on the good side of `limit`, or of the baseline's same figure.

    by and amount: what moves the baseline's figure (`- 0.01`, `* 1.1`); limit is None then.
    """

    text: str
    path: str
    sign: Literal["<=", "<", ">=", ">"]
    limit: float | None
    by: Literal["+", "-", "*", "/"] | None = None
    amount: float = 0.0

    @property
    def direction(self) -> Literal["at_most", "at_least"]:
        """The good side."""
        return "at_most" if self.sign[0] == "<" else "at_least"

    @property
    def needs_baseline(self) -> bool:
        return self.limit is None

    @property
    def is_timing(self) -> bool:
        """Whether it is of calls' times, which a busy machine makes longer."""
        return self.path.startswith(("metrics.latency[", "metrics.throughput"))

    def limit_from(self, baseline: float | None) -> float | None:
        """What the figure is held against; None where the baseline has no such figure."""
        if self.limit is not None:
            return self.limit
        if baseline is None or self.by is None:
            return baseline
        moved = {"+": baseline + self.amount, "-": baseline - self.amount, "*": baseline * self.amount}
        return moved[self.by] if self.by in moved else baseline / self.amount

    def holds(self, value: float, limit: float) -> bool:
        """Whether a value is on the good side; the limit itself is where the sign has `=`."""
        if value == limit:
            return self.sign.endswith("=")
        return value < limit if self.direction == "at_most" else value > limit


def parse_expression(text: str) -> Expression:
    """The gate that a text means. ValueError, with how to write one, for any other.

    >>> parse_expression("accuracy.roc_auc >= baseline - 0.01").amount
    0.01
    """
    found = _EXPRESSION.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no gate; {_EXAMPLES}")
    path, by = found["path"], found["by"]
    check_path(path)
    amount = float(found["amount"] or 0)
    if by == "/" and amount == 0:
        raise ValueError(f"{text!r} divides by 0")
    limit = None if found["limit"] is None else float(found["limit"])
    return Expression(text.strip(), path, found["sign"], limit, by, amount)  # type: ignore[arg-type]


class BaselineChoice(NamedTuple):
    """Which earlier run is meant, where no id says it. model: None for that of the run itself."""

    kind: Literal["latest", "pinned"]
    model: str | None
    tag: str | None


def parse_baseline(text: str) -> BaselineChoice | None:
    """`latest:MODEL`, `latest:MODEL@TAG` or `pinned:MODEL`; None for the id of a run.

    >>> parse_baseline("latest:churn@main"), parse_baseline("20261121-101500-3f9a2c41d0")
    (BaselineChoice(kind='latest', model='churn', tag='main'), None)
    """
    found = _BASELINE.fullmatch(text)
    if found is None:
        return None
    if found["kind"] == "pinned" and found["tag"]:
        raise ValueError("a model has one pinned run, whatever its tags; leave out what follows @")
    return BaselineChoice(found["kind"], found["model"] or None, found["tag"])  # type: ignore[arg-type]


def _is_expression(text: str) -> str:
    return parse_expression(text).text


class Gates(Record):
    """Limits a run overrides; what is left out comes from the server's settings.

    A list of expressions in place of this object stands for `{"expressions": [...]}`.
    """

    p95_ms: float | None = Field(None, gt=0, description="Single-row p95 latency that fails the run, in ms.")
    error_rate: float | None = Field(
        None, ge=0, le=1, description="Share of failing rows that fails the run."
    )
    min_score: float | None = Field(
        None, description="Smallest accuracy (classification) or R2 (regression); needs a labelled sample."
    )
    min_throughput_rows_s: float | None = Field(None, gt=0, description="Smallest throughput, rows a second.")
    max_memory_mb: float | None = Field(None, gt=0, description="Largest peak memory of the model, in MB.")
    max_changed_share: float | None = Field(
        None, ge=0, le=1, description="Largest share of changed answers under the simulated drift."
    )
    min_breaking_point: float | None = Field(
        None, gt=0, le=4, description="Standard deviations that any feature's mean must be able to move."
    )
    baseline_p95_ratio: float = Field(1.5, gt=0, description="Largest p95 relative to the baseline run's.")
    baseline_latency_ratio: float = Field(
        1.1, gt=0, description="Largest median time a call relative to the baseline's model, timed in turn."
    )
    baseline_score_drop: float = Field(
        0.02, ge=0, description="Largest loss of score against the baseline run."
    )
    expressions: tuple[Annotated[str, Field(max_length=400), AfterValidator(_is_expression)], ...] = Field(
        (),
        max_length=50,
        description="Gates over any figure of the report, such as 'metrics.latency[1].p95_ms <= 50' or "
        "'accuracy.roc_auc >= baseline - 0.01'.",
    )
    strict: bool = Field(
        False, description="A timing that is too close to its limit to tell fails, where it would warn."
    )
    budget_s: float = Field(
        10.0, gt=0, le=600, description="Seconds for more calls where a timing is too close to tell."
    )

    @model_validator(mode="before")
    @classmethod
    def _from_list(cls, value: Any) -> Any:
        return {"expressions": value} if isinstance(value, list | tuple) else value

    @property
    def parsed(self) -> tuple[Expression, ...]:
        return tuple(map(parse_expression, self.expressions))

    @property
    def single_row(self) -> Expression | None:
        """What `p95_ms` says, as the expression that it stands for."""
        if self.p95_ms is None:
            return None
        return Expression("p95_ms", "metrics.latency[1].p95_ms", "<=", self.p95_ms)

    @property
    def against_baseline(self) -> Expression:
        """What `baseline_p95_ratio` says, as the expression that it stands for."""
        path, ratio = "metrics.latency[1].p95_ms", self.baseline_p95_ratio
        return Expression("baseline_p95_ratio", path, "<=", None, "*", ratio)

    @property
    def need_baseline(self) -> bool:
        """Whether an expression asks for an earlier run's figures."""
        return any(one.needs_baseline for one in self.parsed)

    def over(self, kept: "Gates | None") -> Self:
        """These, with what they leave out taken from the gates kept for the model."""
        if kept is None:
            return self
        mine = {name: getattr(self, name) for name in self.model_fields_set}
        theirs = {name: getattr(kept, name) for name in kept.model_fields_set}
        both = tuple(dict.fromkeys((*kept.expressions, *self.expressions)))
        return type(self)(**(theirs | mine | ({"expressions": both} if both else {})))


class BaselineFigures(Record):
    """What a run is compared with: figures of an earlier run, null where that run has none."""

    run_id: str
    p95_ms: Figure = None
    score: Figure = None
    same_sample: bool = False  # both were scored on the same rows
