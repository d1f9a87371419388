"""What every door needs, built once by the entry point and handed down.

Promises: once built, the data folder is writable and the database is at this code's version.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from errors import Unavailable
from jobs import Jobs
from settings import Settings
from storage import Store
from store.artifacts import Artifacts

__all__ = ["Services", "build_services", "current", "set_current"]


@dataclass(frozen=True)
class Services:
    """Settings and the shared state. Close it, or use it as a context manager."""

    settings: Settings
    store: Store
    artifacts: Artifacts
    jobs: Jobs

    def close(self) -> None:
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()


def build_services(settings: Settings) -> Services:
    """Make the data folder, migrate the database, clear away dead uploads.

    Unavailable, with the setting at fault, when the folder or the database cannot be used.
    """
    folder = settings.data_dir.expanduser().absolute()
    settings = settings.model_copy(update={"data_dir": folder})  # one folder, whatever the later cwd
    _make_writable(folder)
    store = Store(settings.sqlalchemy_url)
    try:
        store.migrate()
        artifacts = Artifacts(folder / "artifacts")
        artifacts.clean_up()
    except BaseException:
        store.close()
        raise
    return Services(settings, store, artifacts, Jobs(store, settings))


_current: Services | None = None


def set_current(services: Services | None) -> None:
    """Name the process's services. For the dashboard alone: Streamlit runs its pages as scripts, to
    which nothing can be handed; every other caller gets its services as an argument."""
    global _current
    _current = services


def current() -> Services:
    """The process's services. Unavailable when nobody built them: the pages were started without app.py."""
    if _current is None:
        raise Unavailable("The dashboard was started without its services.", hint="Start it with ./run.sh.")
    return _current


def _make_writable(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK | os.X_OK)
    except OSError:
        writable = False
    if not writable:
        raise Unavailable(
            f"The data folder {folder} cannot be written to.",
            hint="Set DATA_DIR to a folder that this user may write to.",
        )
