"""Models by name, which runs belong to, with baseline, gates and notes; reports in a table of their own.

Reports move out of `runs`, so that a column added to it is not behind them: SQLite would read their pages
for every line of a list. Plain types on purpose, as in 0001.
"""

import re

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

runs = sa.table(
    "runs", sa.column("id", sa.Text), sa.column("model", sa.Text), sa.column("model_name", sa.Text)
)


def upgrade() -> None:
    op.create_table(
        "run_reports",
        sa.Column("run_id", sa.Text, sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("figures", sa.JSON),
        sa.Column("report", sa.JSON, nullable=False),
    )
    op.execute(
        "INSERT INTO run_reports (run_id, report) SELECT id, report FROM runs WHERE report IS NOT NULL"
    )
    op.drop_column("runs", "report")
    op.add_column("runs", sa.Column("model", sa.Text, nullable=False, server_default=""))
    op.add_column("runs", sa.Column("baseline_id", sa.Text))
    op.add_column("runs", sa.Column("notes", sa.Text, nullable=False, server_default=""))
    op.add_column("runs", sa.Column("deleted_at", sa.DateTime(timezone=True)))
    connection = op.get_bind()
    for (file,) in connection.execute(sa.select(runs.c.model_name).distinct()).all():
        named = sa.update(runs).where(runs.c.model_name == file).values(model=_named_after(file))
        connection.execute(named)
    op.create_index("ix_runs_model_time", "runs", ["model", "created_at", "id"])
    op.create_table(
        "models",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("pinned_run_id", sa.Text),
        sa.Column("gates", sa.JSON),
        sa.Column("notes", sa.Text, nullable=False, server_default=""),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
    )


def _named_after(file: str) -> str:
    """As `records.model.name_of_file` when this was written."""
    stem, _, end = file.rpartition(".") if "." in file[1:] else (file, "", "")
    if end.lower() in ("gz", "bz2", "xz", "lzma", "z", "zst", "lz4") and "." in stem[1:]:
        stem = stem.rpartition(".")[0]
    return re.sub(r"[\x00-\x1f\x7f/\\@]", "_", stem)[:200] or "model"


def downgrade() -> None:
    op.drop_table("models")
    op.drop_index("ix_runs_model_time", "runs")
    for column in ("deleted_at", "notes", "baseline_id", "model"):
        op.drop_column("runs", column)
    op.add_column("runs", sa.Column("report", sa.JSON))
    op.execute("UPDATE runs SET report = (SELECT report FROM run_reports WHERE run_reports.run_id = runs.id)")
    op.drop_table("run_reports")
