"""Every setting, with its description; read from the environment and `.env`, once, by whoever starts.

Nothing is read at import time: `Settings()` is built by an entry point and handed down.
"""

import re
from pathlib import Path
from typing import Literal, cast

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

__all__ = ["PROJECT_ROOT", "Settings"]

PROJECT_ROOT = Path(__file__).resolve().parent
MEGABYTE = 1024 * 1024
TOKEN_ENTRY = re.compile(r"([\w-]+):(read|run|admin):([0-9a-f]{64})")


class Settings(BaseSettings):
    """The server's settings. Thresholds are defaults that a run's `gates` may override."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True)

    host: str = Field("localhost", description="Address the server listens on.")
    port: int = Field(8501, ge=1, le=65535, description="Port of the dashboard and the API.")
    data_dir: Path = Field(
        Path.home() / ".model-monitoring-dashboard",
        description="Where the database and the uploaded files are kept.",
    )
    database_url: str = Field("", description="SQLAlchemy URL; empty means a SQLite file under DATA_DIR.")
    max_workers: int = Field(1, ge=1, le=64, description="Runs executed at the same time.")
    max_upload_mb: int = Field(200, ge=1, description="Largest model or sample accepted, in MB.")
    model_policy: Literal["strict", "contained", "unsafe"] = Field(
        "strict",
        description="Which model files are loaded: 'strict' only those that refer to nothing but the names "
        "of fitted models (scan/allowed_globals.txt); 'contained' any file; both only where the kernel can "
        "lock their process in (Linux with Landlock and seccomp). 'unsafe' loads any file anywhere.",
    )
    contained_on_request: bool = Field(
        True,
        description="Whether one run may ask for 'contained' (its config's `policy`) where MODEL_POLICY is "
        "'strict': the file is loaded unseen by the scan, held by the lock alone.",
    )
    api_tokens: str = Field(
        "",
        description="Who may use the server: NAME:SCOPE:SHA256 entries, comma separated, as `python auth.py` "
        "prints them. Empty lets in this machine alone, and nobody when HOST is another address; `open` lets "
        "everybody in.",
    )
    max_queue: int = Field(
        100, ge=1, description="Runs that may wait for a worker, and as many models to be read."
    )
    rate_per_minute: int = Field(
        120, ge=1, description="Runs that one token, or one address without a token, may submit a minute."
    )
    public_url: str = Field(
        "",
        pattern=r"^(https?://[^\s<>]+)?$",
        description="Address under which people reach this server, such as https://models.example: links in "
        "exports begin with it. Empty means the request's, where that is not this machine's own.",
    )
    cors_origins: str = Field("", description="Other origins, comma separated, whose pages may call the API.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="How much the server and the worker log."
    )
    child_memory_mb: int = Field(
        4096, ge=1024, description="Address space of the process that holds a model, in MB."
    )
    sample_mb: int = Field(
        32, ge=1, le=1024, description="What a sample may take unfolded, in MB; rows beyond are left out."
    )
    sample_memory_mb: int = Field(
        3072, ge=2560, description="Address space of the process that reads a sample, in MB."
    )
    sample_timeout_s: float = Field(10, gt=0, description="Seconds that reading a sample may take.")
    load_timeout_s: float = Field(120, gt=0, description="Seconds a model may take to load.")
    lease_s: float = Field(
        15, gt=0, description="Seconds after which a silent worker loses its job, and is replaced."
    )

    psi_warn: float = Field(0.1, ge=0, description="PSI from which drift is a warning.")
    psi_fail: float = Field(0.2, ge=0, description="PSI from which drift is critical.")
    rows_auc_warn: float = Field(
        0.75,
        ge=0.5,
        le=1,
        description="AUC at which a classifier that tells generated rows from the sample's is a warning; its "
        "whole interval must lie above. 0.5: cannot be told apart.",
    )
    breaking_point_warn: float = Field(
        0.2,
        ge=0,
        le=4,
        description="Standard deviations: a feature that breaks a model of classes nearer than this is a "
        "warning; its whole interval must be. 0: never.",
    )
    breaking_point_warn_numbers: float = Field(
        0.05, ge=0, le=4, description="The same of a model whose answers are numbers."
    )
    p95_warn_ms: float = Field(50, gt=0, description="Single-row p95 latency that warns, in ms.")
    p95_fail_ms: float = Field(100, gt=0, description="Single-row p95 latency that fails, in ms.")
    error_rate_warn: float = Field(0.001, ge=0, le=1, description="Error rate that warns.")
    error_rate_fail: float = Field(0.01, ge=0, le=1, description="Error rate that fails.")

    @field_validator("database_url")
    @classmethod
    def _psycopg_3(cls, url: str) -> str:
        """Hosting services still hand out `postgres://`, which SQLAlchemy no longer reads."""
        return "postgresql://" + url.removeprefix("postgres://") if url.startswith("postgres://") else url

    @field_validator("public_url")
    @classmethod
    def _without_end(cls, url: str) -> str:
        return url.rstrip("/")

    @field_validator("api_tokens")
    @classmethod
    def _token_entries(cls, text: str) -> str:
        entries = [] if text.strip() == "open" else _entries(text)
        for number, entry in enumerate(entries, start=1):
            if TOKEN_ENTRY.fullmatch(entry) is None:
                raise ValueError(
                    f"entry {number} is not NAME:SCOPE:SHA256; make one with "
                    "`python auth.py NAME SCOPE`, and never put a token itself here"
                )
        return ",".join(entries) if text.strip() != "open" else "open"

    @property
    def tokens(self) -> tuple[tuple[str, Literal["read", "run", "admin"], str], ...]:
        """(name, scope, SHA-256) of each token."""
        found = [TOKEN_ENTRY.fullmatch(entry) for entry in _entries(self.api_tokens)]
        return tuple((m[1], cast(Literal["read", "run", "admin"], m[2]), m[3]) for m in found if m)

    @property
    def sqlalchemy_url(self) -> str:
        return self.database_url or f"sqlite:///{self.data_dir / 'dashboard.sqlite3'}"

    @property
    def max_upload_bytes(self) -> int:
        return self.max_upload_mb * MEGABYTE

    @property
    def allowed_origins(self) -> tuple[str, ...]:
        return tuple(o.strip().rstrip("/") for o in self.cors_origins.split(",") if o.strip())


def _entries(text: str) -> list[str]:
    return [entry for entry in re.split(r"[,\s]+", text) if entry]
