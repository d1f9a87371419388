"""What a run is gated on: limits that its config sets, and the earlier run that it is held against.

Leaves judging to `checks`.
"""

from pydantic import Field

from records.base import Figure, Record

__all__ = ["BaselineFigures", "Gates"]


class Gates(Record):
    """Limits a run overrides; what is left out comes from the server's settings."""

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


class BaselineFigures(Record):
    """What a run is compared with: figures of an earlier run, null where that run has none."""

    run_id: str
    p95_ms: Figure = None
    score: Figure = None
