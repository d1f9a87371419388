"""The composites that cross a boundary: `RunPlan` (what to do) and `RunReport` (what came out).

Their parts live beside their meaning in the modules below; this module only puts them together.
"""

from datetime import datetime
from typing import Literal, Self

from pydantic import Field, model_validator

from records.base import Record, Section
from records.checks import Check, RunStatus
from records.drift import DriftAnalysis, DriftPlan
from records.explanation import ExplainPlan, Explanation
from records.gates import Gates, parse_baseline
from records.likeness import RowLikeness
from records.metrics import Accuracy, LatencyPlan, Performance
from records.model import ModelInfo, ModelName
from records.robustness import Robustness, RobustnessPlan
from records.sample import SampleUse, TargetMap
from records.schema import Schema

__all__ = [
    "MAX_REPORT",
    "REPORT_VERSION",
    "Environment",
    "RunError",
    "RunPlan",
    "RunReport",
    "Source",
    "Stage",
]

REPORT_VERSION = 1
MAX_REPORT = 64_000_000  # bytes of JSON; ten thousand features with all that can be said of them take half
Source = Literal["api", "dashboard", "client"]
Stage = Literal[
    "queued", "load", "schema", "rows", "predict", "latency", "accuracy", "drift", "robustness",
    "explain", "judge", "done",
]  # fmt: skip


class RunPlan(Record):
    """What a run does; every field has a default, and an unknown key is refused."""

    name: str | None = Field(None, max_length=200)
    tags: tuple[str, ...] = Field((), max_length=20)
    rows: int = Field(1000, ge=1, le=1_000_000)
    seed: int = Field(0, ge=0, le=2**32 - 1)
    latency: LatencyPlan = LatencyPlan()
    drift: DriftPlan = DriftPlan()
    explain: ExplainPlan = ExplainPlan()
    robustness: RobustnessPlan = RobustnessPlan()
    gates: Gates = Gates()
    model: ModelName | None = Field(
        None, description="Name that the versions of one model share; by default the file's, without its end."
    )
    baseline: str | None = Field(
        None,
        max_length=450,
        description="An earlier run to compare with: its id, latest:MODEL, latest:MODEL@TAG or pinned:MODEL.",
    )
    entry: str | None = Field(
        None, max_length=200, description="Which part of a bundle to test, where several predict: its key."
    )
    steps: tuple[str, ...] = Field(
        (),
        max_length=10,
        description="The preprocessors in their order, by file or key; else found by shapes.",
    )
    policy: Literal["contained"] | None = Field(
        None, description="'contained' loads a file that the scan refuses, held by the lock alone."
    )
    target_map: TargetMap = Field({}, description="Label of the sample: class of the model.")
    timeout_s: float = Field(300, gt=0, le=86_400)

    @model_validator(mode="after")
    def _a_baseline_to_time(self) -> Self:
        if self.baseline is None and self.latency.against_baseline:
            raise ValueError("latency.against_baseline needs a run to compare with; set baseline to its id")
        if self.baseline is None and self.gates.need_baseline:
            raise ValueError("a gate compares with a baseline; set baseline to a run's id or to latest:MODEL")
        if self.baseline is not None:
            parse_baseline(self.baseline)
        return self


class RunError(Record):
    """Something that could not be done: where, what, and what to do about it."""

    code: str
    stage: Stage
    message: str
    hint: str = ""


class Environment(Record):
    """Where the run took place."""

    python: str
    platform: str
    machine: str
    cores: int
    libraries: dict[str, str]
    isolation: tuple[str, ...] = ()  # the layers that held the child


class RunReport(Record):
    """The one answer to a run, the same from every door. See DESIGN of the wire contract in docs/api.md."""

    version: int = REPORT_VERSION
    id: str
    name: str
    tags: tuple[str, ...] = ()
    source: Source = "api"
    created_at: datetime
    finished_at: datetime
    status: RunStatus
    model: ModelInfo
    # `schema` is the wire name; pydantic's BaseModel has an attribute of that name, hence the alias.
    schema_: Schema | None = Field(None, alias="schema")
    sample: SampleUse | None = None  # what was made of it; None without one, and of older reports
    rows_from: str = ""  # in words, how the generated rows hang together
    likeness: Section[RowLikeness] = Section[RowLikeness].not_applicable(
        "The run is older than this comparison."
    )
    plan: RunPlan
    metrics: Section[Performance]
    accuracy: Section[Accuracy]
    robustness: Section[Robustness]
    drift: Section[DriftAnalysis]
    explanation: Section[Explanation]
    checks: tuple[Check, ...] = ()
    errors: tuple[RunError, ...] = ()
    warnings: tuple[str, ...] = ()
    timings: dict[str, float] = Field(default_factory=dict)
    environment: Environment
