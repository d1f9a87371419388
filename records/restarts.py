"""How often a worker had to be started again, and why."""

from datetime import datetime

from records.base import Record

__all__ = ["Restarts"]


class Restarts(Record):
    """Since the server's start; `silent` counts those for which a worker gave no sign of life any more."""

    total: int = 0
    silent: int = 0
    last_at: datetime | None = None
    last_reason: str = ""
