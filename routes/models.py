"""Models by name over HTTP: what there is, the pinned baseline, kept gates and notes, and trends.

Leaves every decision to `registry.models`.
"""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Request
from pydantic import ConfigDict, Field

from records.base import Record
from records.gates import Gates
from records.model import MAX_MODEL_NAME
from registry import models as registry
from routes.dependencies import ServicesDep, blocking
from routes.problems import answers
from routes.runs import RunItem, item_of
from store.models import ModelRow, TrendPoint

__all__ = ["ModelChange", "ModelItem", "ModelList", "Trend", "router"]

PREFIX = "/api/v1/models"

Name = Annotated[str, Path(min_length=1, max_length=MAX_MODEL_NAME, description="Name of a model.")]


class ModelItem(Record):
    """One model: how many runs and versions (files) it has, its newest run, and what is kept for it."""

    name: str
    runs: int
    versions: int
    latest: RunItem
    pinned_run_id: str | None
    gates: Gates | None
    notes: str
    links: dict[str, str]


class ModelList(Record):
    """Every model that has a run, the one that was run last first."""

    models: tuple[ModelItem, ...]


class ModelChange(Record):
    """What to change; what is left out stays. null takes the pin or the gates away."""

    # A body: built with its route, where FastAPI keeps pydantic from warning of how it names it.
    model_config = ConfigDict(defer_build=False)

    pinned_run_id: str | None = Field(None, max_length=64, description="Id of a finished run of the model.")
    gates: Gates | None = Field(None, description="Gates for all runs of the model; a run's own go before.")
    notes: str | None = Field(None, max_length=registry.MOST_NOTES)


class Trend(Record):
    """One figure over the newest finished runs of a model, oldest first."""

    model: str
    figure: str
    points: tuple[TrendPoint, ...]


router = APIRouter(prefix=PREFIX, tags=["models"], responses=answers(401, 403, 422, 503))


@router.get("", summary="List models")
async def list_models(request: Request, services: ServicesDep) -> ModelList:
    """A run belongs to the model that its config names, else to the one its file is called."""
    found = await blocking(request, registry.list_models, services)
    return ModelList(models=tuple(map(_item, found)))


@router.get("/{name}", summary="Read a model", responses=answers(404))
async def get_model(request: Request, services: ServicesDep, name: Name) -> ModelItem:
    """Its runs are at `/api/v1/runs?model=NAME`."""
    return _item(await blocking(request, registry.get_model, services, name))


@router.patch("/{name}", summary="Change what is kept of a model", responses=answers(404, 409))
async def change_model(request: Request, services: ServicesDep, name: Name, change: ModelChange) -> ModelItem:
    """Pin a run as the baseline that `pinned:NAME` means, keep gates for all runs, keep notes."""
    given = change.model_fields_set
    found = await blocking(request, registry.get_model, services, name)
    if "pinned_run_id" in given:
        found = await blocking(request, registry.pin, services, change.pinned_run_id, name)
    if "gates" in given:
        found = await blocking(request, registry.keep_gates, services, name, change.gates)
    if "notes" in given:
        found = await blocking(request, registry.keep_notes, services, name, change.notes or "")
    return _item(found)


@router.get("/{name}/trend", summary="Follow a figure", responses=answers(404))
async def get_trend(
    request: Request,
    services: ServicesDep,
    name: Name,
    figure: Annotated[
        str, Query(max_length=400, description="A figure's path, such as metrics.latency[1].p95_ms.")
    ],
    limit: Annotated[int, Query(ge=1, le=registry.MOST_POINTS)] = 100,
) -> Trend:
    """Any figure that a gate may name, over the newest finished runs, oldest first."""
    found = await blocking(request, registry.trend, services, name, (figure,), limit)
    return Trend(model=name, figure=figure, points=found[figure])


def _item(row: ModelRow) -> ModelItem:
    return ModelItem(
        name=row.name,
        runs=row.runs,
        versions=row.versions,
        latest=item_of(row.latest),
        pinned_run_id=row.pinned_run_id,
        gates=row.gates,
        notes=row.notes,
        links={
            "self": f"{PREFIX}/{quote(row.name, safe='')}",
            "page": f"/model?name={quote(row.name, safe='')}",
        },
    )
