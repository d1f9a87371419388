"""The files that came beside a run's model. A table of its own: a column added behind the report would make
SQLite read the reports for a list of runs.

Plain types on purpose, as in 0001.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "run_companions",
        sa.Column("run_id", sa.Text, sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_run_companions_sha256", "run_companions", ["sha256"])


def downgrade() -> None:
    op.drop_table("run_companions")
