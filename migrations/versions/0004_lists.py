"""Lists of many runs: what words are looked for in, and one index that answers any filter and order.

Without it a list reads every run with its plan, ten times what it looks at. Plain types, as in 0001.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

BATCH = 1_000
LISTED = [
    "deleted_at", "model", "id", "created_at", "state", "source", "name", "model_name", "model_sha256",
    "tags",
    "p95_ms", "throughput_rows_s", "error_rate", "score", "changed_share", "found_by",
]  # fmt: skip

runs = sa.table(
    "runs",
    *(sa.column(name, sa.Text) for name in ("id", "name", "model", "model_name", "tags", "found_by")),
)


def upgrade() -> None:
    op.add_column("runs", sa.Column("found_by", sa.Text, nullable=False, server_default=""))
    connection = op.get_bind()
    change = sa.update(runs).where(runs.c.id == sa.bindparam("of")).values(found_by=sa.bindparam("text"))
    last = ""
    while True:
        page = sa.select(runs).where(runs.c.id > last).order_by(runs.c.id).limit(BATCH)
        found = connection.execute(page).all()
        if not found:
            break
        last = found[-1].id
        connection.execute(change, [{"of": row.id, "text": _found_by(row)} for row in found])
    op.create_index("ix_runs_state", "runs", ["state", "id"])
    if connection.dialect.name == "sqlite":  # PostgreSQL takes no text beyond 2.7 kB into an index
        op.create_index("ix_runs_listed", "runs", LISTED)


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.drop_index("ix_runs_listed", "runs")
    op.drop_index("ix_runs_state", "runs")
    op.drop_column("runs", "found_by")


def _found_by(row: sa.Row[Any]) -> str:
    return "\n".join((row.name, row.model, row.model_name, row.tags)).casefold()
