"""What is done with a model by its name, for every door: look, pin a baseline, keep gates, follow a figure.

Promises: what is pinned or gated is checked when it is set. Leaves runs to `runs`.
"""

from collections.abc import Sequence

from errors import Conflict, InvalidInput, InvalidPlan, NotFound
from records.figures import check_path
from records.gates import Gates, parse_baseline
from records.run import RunPlan
from services import Services
from store.models import ModelRow, TrendPoint
from store.run_rows import WITH_FIGURES

__all__ = [
    "baseline_of", "get_model", "keep_gates", "keep_notes", "list_models", "pin", "pinned", "recent_p95",
    "trend", "with_kept_gates",
]  # fmt: skip

MOST_POINTS = 500
MOST_NOTES = 10_000


def list_models(services: Services) -> tuple[ModelRow, ...]:
    """Every model that has a run, the one that was run last first."""
    return services.store.models.list()


def get_model(services: Services, name: str) -> ModelRow:
    found = services.store.models.get(name)
    if found is None:
        raise NotFound(
            f"There is no model {name!r}.",
            hint="A model is there once a run belongs to it; /api/v1/models lists them.",
        )
    return found


def pin(services: Services, run_id: str | None, model: str | None = None) -> ModelRow:
    """Make a run its model's baseline (`pinned:MODEL`), in place of the one before; None takes it away.

    Conflict for a run that has no figures to be held against.
    """
    if run_id is None:
        get_model(services, model or "")
        services.store.models.change(model or "", {"pinned_run_id": None})
        return get_model(services, model or "")
    row = services.store.runs.get(run_id)
    if row is None or (model is not None and row.model != model):
        whose = f" of the model {model!r}" if model is not None else ""
        raise NotFound(f"There is no run {run_id!r}{whose}.", hint="The model's page lists its runs.")
    if row.state not in WITH_FIGURES:
        raise Conflict(
            f"Run {run_id} is {row.state}, so it has no figures to be a baseline.", hint="Pin a finished run."
        )
    services.store.models.change(row.model, {"pinned_run_id": run_id})
    return get_model(services, row.model)


def pinned(services: Services, name: str) -> str | None:
    """The run that is pinned as the model's baseline; None where none is, or there is no such model."""
    return services.store.models.pinned(name)


def keep_gates(services: Services, name: str, gates: Gates | None) -> ModelRow:
    """Keep gates for all runs of the model; what a run's own config says goes before. None forgets them."""
    get_model(services, name)
    services.store.models.change(name, {"gates": gates})
    return get_model(services, name)


def keep_notes(services: Services, name: str, notes: str) -> ModelRow:
    """Keep what people write down about a model. InvalidInput beyond 10,000 characters."""
    get_model(services, name)
    if len(notes) > MOST_NOTES:
        raise InvalidInput(
            f"The notes have {len(notes):,} characters.",
            hint=f"At most {MOST_NOTES:,} are kept.",
            field="notes",
        )
    services.store.models.change(name, {"notes": notes})
    return get_model(services, name)


def recent_p95(services: Services, names: Sequence[str], limit: int = 20) -> dict[str, tuple[float, ...]]:
    """The p95 (ms) of each model's newest runs that have one, oldest first."""
    return services.store.models.recent_p95(names, limit)


def trend(
    services: Services, name: str, paths: Sequence[str], limit: int = 100
) -> dict[str, tuple[TrendPoint, ...]]:
    """Figures over the model's newest finished runs, oldest first. InvalidInput for a path of no report."""
    get_model(services, name)
    for path in paths:
        try:
            check_path(path)
        except ValueError as error:
            raise InvalidInput(
                f"{error}.", hint="Such as metrics.latency[1].p95_ms.", field="figure"
            ) from None
    return services.store.models.trend(name, paths, min(limit, MOST_POINTS))


def with_kept_gates(services: Services, plan: RunPlan, model: str) -> RunPlan:
    """The plan with what it leaves open filled in from the model: its name, its gates, and a baseline where
    those need one (what is pinned, else the latest)."""
    gates = plan.gates.over(services.store.models.gates(model))
    baseline = plan.baseline
    if baseline is None and gates.need_baseline:
        pinned = services.store.models.pinned(model)
        baseline = f"pinned:{model}" if pinned else f"latest:{model}"
    return plan.model_copy(update={"model": model, "gates": gates, "baseline": baseline})


def baseline_of(services: Services, plan: RunPlan, model: str) -> str | None:
    """The id of the run that the plan's baseline means; None where it has none, or `latest` finds none yet.

    InvalidPlan for a run that is not there or has no figures, and where nothing is pinned.
    """
    if plan.baseline is None:
        return None
    choice = parse_baseline(plan.baseline)
    if choice is None:
        return _with_figures(services, plan.baseline)
    name = choice.model or model
    if choice.kind == "latest":
        found = services.store.models.latest(name, choice.tag)
        return None if found is None else found.id
    pinned = services.store.models.pinned(name)
    if pinned is None:
        raise InvalidPlan(
            f"No run of the model {name!r} is pinned as its baseline.",
            hint="Pin one on the model's page, or set baseline to latest:MODEL.",
            field="config.baseline",
        )
    return pinned


def _with_figures(services: Services, run_id: str) -> str:
    row = services.store.runs.get(run_id)
    if row is None:
        raise InvalidPlan(
            f"The baseline run {run_id!r} does not exist.",
            hint="Use the id of a finished run, latest:MODEL or pinned:MODEL, or leave `baseline` out.",
            field="config.baseline",
        )
    if row.state not in WITH_FIGURES:
        raise InvalidPlan(
            f"The baseline run {run_id!r} is {row.state}, so it has no figures to compare with.",
            hint="Use the id of a finished run.",
            field="config.baseline",
        )
    return run_id
