"""Runs, their files, jobs and idempotency keys.

Plain types on purpose: a migration must not change when the code's own types do.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _runs()
    _run_files()
    _jobs()
    _idempotency()


def downgrade() -> None:
    for table in ("idempotency", "jobs", "run_files", "runs"):
        op.drop_table(table)


def _runs() -> None:
    op.create_table(
        "runs",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("tags", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("stage", sa.Text, nullable=False),
        sa.Column("progress", sa.Double, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True)),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.Column("model_name", sa.Text, nullable=False),
        sa.Column("model_sha256", sa.Text, nullable=False),
        sa.Column("model_bytes", sa.BigInteger, nullable=False),
        sa.Column("sample_sha256", sa.Text),
        sa.Column("sample_name", sa.Text),
        sa.Column("target", sa.Text),
        sa.Column("job_id", sa.Text),
        sa.Column("framework", sa.Text),
        sa.Column("estimator", sa.Text),
        sa.Column("task", sa.Text),
        sa.Column("rows", sa.BigInteger),
        sa.Column("p50_ms", sa.Double),
        sa.Column("p95_ms", sa.Double),
        sa.Column("throughput_rows_s", sa.Double),
        sa.Column("error_rate", sa.Double),
        sa.Column("score", sa.Double),
        sa.Column("score_name", sa.Text),
        sa.Column("changed_share", sa.Double),
        sa.Column("checks_failed", sa.Integer, nullable=False),
        sa.Column("checks_warned", sa.Integer, nullable=False),
        sa.Column("error_message", sa.Text),
        sa.Column("plan", sa.JSON, nullable=False),
        sa.Column("user_schema", sa.JSON),
        sa.Column("report", sa.JSON),
    )
    op.create_index("ix_runs_created", "runs", ["created_at", "id"])
    op.create_index("ix_runs_change", "runs", ["updated_at", "revision"])
    op.create_index("ix_runs_model", "runs", ["model_sha256"])
    op.create_index("ix_runs_sample", "runs", ["sample_sha256"])


def _run_files() -> None:
    op.create_table(
        "run_files",
        sa.Column("run_id", sa.Text, sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("media_type", sa.Text, nullable=False),
    )
    op.create_index("ix_run_files_sha256", "run_files", ["sha256"])


def _jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("payload", sa.JSON, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("max_attempts", sa.Integer, nullable=False),
        sa.Column("cancel_requested", sa.Boolean, nullable=False),
        sa.Column("stage", sa.Text, nullable=False),
        sa.Column("progress", sa.Double, nullable=False),
        sa.Column("worker", sa.Text),
        sa.Column("lease_until", sa.Double),
        sa.Column("result", sa.JSON),
        sa.Column("error", sa.JSON),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
    )
    op.create_index("ix_jobs_queue", "jobs", ["state", "priority", "created_at"])
    op.create_index("ix_jobs_subject", "jobs", ["subject"])


def _idempotency() -> None:
    op.create_table(
        "idempotency",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_idempotency_run", "idempotency", ["run_id"])
