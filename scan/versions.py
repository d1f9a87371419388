"""Versions of the libraries that models are made of: those installed here, and where a file's differ.

Leaves reading what a file tells to `scan.formats` and `scan.native`, and advice to `scan.version_advice`.
"""

import functools
import importlib.metadata
from collections.abc import Mapping
from contextlib import suppress

from scan.formats import same_version

__all__ = ["LIBRARIES", "MODULES", "installed_versions", "mismatches"]

MODULES = {"scikit-learn": "sklearn"}  # where a library's module has another name
LIBRARIES = (
    "scikit-learn", "xgboost", "lightgbm", "numpy", "pandas", "scipy", "joblib", "shap",
    "catboost", "onnxruntime", "skops", "torch", "keras",
)  # fmt: skip


def installed_versions() -> dict[str, str]:
    """Versions of the libraries that models are made of, as installed here."""
    return dict(_versions())


def mismatches(saved_with: Mapping[str, str]) -> dict[str, str]:
    """A phrase for each library whose version here is another than the one saved with."""
    here = installed_versions()
    return {
        library: f"{library} {saved} (installed here: {here.get(library, 'none')})"
        for library, saved in saved_with.items()
        if library in LIBRARIES and not same_version(saved, here.get(library, ""))
    }


@functools.cache  # reading them takes tens of milliseconds, and each run asks several times
def _versions() -> dict[str, str]:
    found = {}
    for package in LIBRARIES:
        for name in (package, f"{package}-cpu"):  # the CPU build of xgboost is a package of its own
            with suppress(importlib.metadata.PackageNotFoundError):
                found[package] = importlib.metadata.version(name)
    return found
