"""Models by name: what is kept of one beside its runs, and which runs stand for it.

Promises: a model is there as soon as a run names it; what is pinned is a run that is still there. Leaves runs
to `store.runs`.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from pydantic import AwareDatetime

from records.base import Figure, Record
from records.gates import Gates
from store.database import Database
from store.run_rows import COLUMNS, WITH_FIGURES, RunRow, RunState, one_line, row_of
from store.tables import models, run_reports, runs

__all__ = ["ModelRow", "ModelsRepository", "TrendPoint"]

GOOD = ("passed", "warned")


class ModelRow(Record):
    """One model. gates: kept for all of its runs. runs: how many there are; latest: the newest of them."""

    name: str
    runs: int
    versions: int
    latest: RunRow
    pinned_run_id: str | None = None
    gates: Gates | None = None
    notes: str = ""
    revision: int = 0


class TrendPoint(Record):
    """One finished run of a model and the value that one figure had in it."""

    run_id: str
    created_at: AwareDatetime
    status: RunState
    sha256: str
    value: Figure


class ModelsRepository:
    """Every method is one transaction, or part of the caller's `Store.transaction()`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, name: str) -> ModelRow | None:
        """The model; None where no run belongs to the name."""
        found = self.list(name=name)
        return found[0] if found else None

    def list(self, name: str | None = None) -> tuple[ModelRow, ...]:
        """All models, the one that was run last first; or the one of that name."""
        there: list[sa.ColumnElement[bool]] = [runs.c.deleted_at.is_(None)]
        if name is not None:
            there.append(runs.c.model == name)
        counted = (
            sa.select(
                runs.c.model,
                sa.func.count().label("runs"),
                sa.func.count(sa.distinct(runs.c.model_sha256)).label("versions"),
                sa.func.max(runs.c.created_at).label("newest"),
            )
            .where(*there)
            .group_by(runs.c.model)
            .subquery()
        )
        newest = (
            sa.select(sa.func.max(runs.c.id))
            .where(
                runs.c.model == counted.c.model,
                runs.c.created_at == counted.c.newest,
                runs.c.deleted_at.is_(None),
            )
            .correlate(counted)
        )
        statement = (
            sa.select(counted, models, *COLUMNS)
            .select_from(counted)
            .join(runs, runs.c.id == newest.scalar_subquery())
            .outerjoin(models, models.c.name == counted.c.model)
            .order_by(counted.c.newest.desc(), counted.c.model)
        )
        with self._database.reading() as connection:
            return tuple(_model(row) for row in connection.execute(statement))

    def latest(self, name: str, tag: str | None = None, before: str | None = None) -> RunRow | None:
        """The newest run of a model that passed or warned, of those with the tag; None where there is none.

        Runs that failed are no baseline: what a gate refused once would pass when it is sent again.
        """
        fits = [runs.c.model == name, runs.c.state.in_(GOOD), runs.c.deleted_at.is_(None)]
        if tag is not None:
            fits.append(runs.c.tags.contains(f"\n{one_line(tag)}\n", autoescape=True))
        if before is not None:
            fits.append(runs.c.id != before)
        newest = sa.select(*COLUMNS).where(*fits).order_by(runs.c.created_at.desc(), runs.c.id.desc())
        with self._database.reading() as connection:
            row = connection.execute(newest.limit(1)).one_or_none()
        return None if row is None else row_of(row._mapping, ())

    def pinned(self, name: str) -> str | None:
        """The id of the run that is pinned as the model's baseline."""
        there = sa.select(models.c.pinned_run_id).join(runs, runs.c.id == models.c.pinned_run_id)
        with self._database.reading() as connection:
            return connection.execute(
                there.where(models.c.name == name, runs.c.deleted_at.is_(None))
            ).scalar_one_or_none()

    def gates(self, name: str) -> Gates | None:
        """The gates that are kept for the model's runs."""
        kept = sa.select(models.c.gates).where(models.c.name == name)
        with self._database.reading() as connection:
            document = connection.execute(kept).scalar_one_or_none()
        return None if document is None else Gates.model_validate(document)

    def change(self, name: str, values: Mapping[str, Any]) -> None:
        """Set some of `pinned_run_id`, `gates` and `notes`."""
        values = dict(values)
        if isinstance(values.get("gates"), Gates):
            values["gates"] = values["gates"].model_dump(mode="json", exclude_unset=True)
        now = {"updated_at": datetime.now(UTC)}
        with self._database.writing() as connection:
            changed = sa.update(models).where(models.c.name == name)
            done = connection.execute(changed.values(**values, **now, revision=models.c.revision + 1))
            if not done.rowcount:
                connection.execute(sa.insert(models).values(name=name, **values, **now, revision=1))

    def recent_p95(self, names: Sequence[str], limit: int) -> dict[str, tuple[float, ...]]:
        """The p95 (ms) of each model's newest finished runs, oldest first; runs without one are left out."""
        found: dict[str, tuple[float, ...]] = {}
        with self._database.reading() as connection:
            for name in names:
                newest = (
                    sa.select(runs.c.p95_ms)
                    .where(runs.c.model == name, runs.c.deleted_at.is_(None), runs.c.p95_ms.is_not(None))
                    .order_by(runs.c.created_at.desc(), runs.c.id.desc())
                    .limit(limit)
                )
                found[name] = tuple(connection.execute(newest).scalars())[::-1]
        return found

    def trend(self, name: str, paths: Sequence[str], limit: int) -> dict[str, tuple[TrendPoint, ...]]:
        """Each figure over the model's newest finished runs, oldest first; null where a run lacks it."""
        newest = (
            sa.select(runs.c.id, runs.c.created_at, runs.c.state, runs.c.model_sha256, run_reports.c.figures)
            .outerjoin(run_reports, run_reports.c.run_id == runs.c.id)
            .where(runs.c.model == name, runs.c.state.in_(WITH_FIGURES), runs.c.deleted_at.is_(None))
            .order_by(runs.c.created_at.desc(), runs.c.id.desc())
            .limit(limit)
        )
        with self._database.reading() as connection:
            found = connection.execute(newest).all()[::-1]
        return {
            path: tuple(
                TrendPoint(
                    run_id=row.id,
                    created_at=row.created_at,
                    status=row.state,
                    sha256=row.model_sha256,
                    value=(row.figures or {}).get(path),
                )
                for row in found
            )
            for path in paths
        }


def _model(row: sa.Row[Any]) -> ModelRow:
    values = row._mapping
    latest = {column.name: values[column] for column in COLUMNS}  # by column: both tables have notes
    return ModelRow(
        name=latest["model"],
        runs=values["runs"],
        versions=values["versions"],
        latest=row_of(latest, ()),
        pinned_run_id=values[models.c.pinned_run_id],
        gates=None if values[models.c.gates] is None else Gates.model_validate(values[models.c.gates]),
        notes=values[models.c.notes] or "",
        revision=values[models.c.revision] or 0,
    )
