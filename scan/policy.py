"""Whether a policy lets a scanned file in, and what to say of one that it does not.

Leaves the scan to `scan.files`, and enforcing it while loading to `estimators.unpickler`.
"""

import functools
import importlib.metadata
import importlib.util
from collections.abc import Mapping
from contextlib import suppress

from errors import MissingLibrary, ModelRefused, NotAModel, VersionMismatch
from records.model import Policy, ScanReport
from scan.allow_list import ELSEWHERE, RUNS_THINGS, of_elsewhere
from scan.formats import DAMAGED_HINT, same_version

__all__ = ["OWN_RISK", "RESAVE", "check_allowed", "check_policy", "installed_versions", "mismatches"]

OWN_RISK = (
    '"policy": "contained" in the run\'s config (or MODEL_POLICY=contained) loads any file, held by the '
    "lock alone."
)
RESAVE = "Train and save it again with the version installed here, or install the version it was saved with."
MODULES = {"scikit-learn": "sklearn"}  # where a library's module has another name
LIBRARIES = (
    "scikit-learn", "xgboost", "lightgbm", "numpy", "pandas", "scipy", "joblib", "shap",
    "catboost", "onnxruntime", "skops", "torch", "keras",
)  # fmt: skip
NAMED = 5  # in the error
# What speaks for itself, whatever library stands beside it in a file.
RUNS_COMMANDS = RUNS_THINGS - {
    "builtins", "operator", "_operator", "functools", "types", "inspect", "threading", "_thread", "pathlib",
    "tempfile", "gc",
}  # fmt: skip
RUNS_TEXTS = {"eval", "exec", "compile", "__import__", "open", "breakpoint"}


def check_policy(report: ScanReport, policy: Policy) -> None:
    """Raise what `check_allowed` raises for a file that the policy does not let in.

    VersionMismatch where all that is refused are names of libraries that another version saved the file
    with: then that is the likely reason, and the one that its owner can do something about.
    """
    if policy != "strict":
        return
    try:
        check_allowed(report)
    except ModelRefused:
        skewed = mismatches(report.saved_with)
        modules = {MODULES.get(library, library) for library in skewed}
        named = {r.module.partition(".")[0] for r in report.refused}
        if report.findings or not named or not named <= modules:
            raise
        first = report.refused[0]
        raise VersionMismatch(
            f"The model was saved with {' and '.join(skewed.values())} and refers to "
            f"{first.module}.{first.name}, which this version does not have or does not use in models.",
            hint=f"{RESAVE} {OWN_RISK}",
        ) from None


def check_allowed(report: ScanReport) -> None:
    """Raise ModelRefused, naming what is refused and what to do, unless strict policy allows the file.

    NotAModel where it is cut or damaged and nothing before that place speaks against it; MissingLibrary
    where all that is refused belongs to libraries that are not installed.
    """
    if report.ok:
        return
    if report.damaged and not report.refused and not report.findings:
        raise NotAModel(f"The file ends in the middle or is damaged: {report.damaged}.", hint=DAMAGED_HINT)
    if (kind := of_elsewhere(r.module for r in report.refused)) is not None and not _hides_more(report):
        what, instead = ELSEWHERE[kind]
        raise ModelRefused(f"The file {what}.", hint=instead)
    missing = {r.module.partition(".")[0] for r in report.refused if r.missing}
    if missing and not report.findings and all(r.missing for r in report.refused):
        raise MissingLibrary(
            f"The model needs what is not installed here: {', '.join(sorted(missing)[:NAMED])}.",
            hint="Save a model without it; or install it for the server, restart, and set "
            "MODEL_POLICY=contained, for its names are not on the list of allowed ones.",
        )
    if not report.refused:
        what = "; ".join(report.findings[:NAMED]) or "it was not followed to its end"
        if report.format not in ("pickle", "joblib"):
            raise ModelRefused(f"The file is refused: {what}.", hint=OWN_RISK)
        raise ModelRefused(
            f"The file is not made as fitted models are: {what}.",
            hint="Save the model again with joblib.dump. " + OWN_RISK,
        )
    shown = [f"{r.module}.{r.name} ({r.reason})" for r in report.refused[:NAMED]]
    more = report.refused_count - len(shown)
    rest = f"; and {more:,} more" if more > 0 else ""
    hints = list(dict.fromkeys(r.hint for r in report.refused))
    raise ModelRefused(
        f"The file refers to names that no model needs here: {'; '.join(shown)}{rest}.",
        hint=" ".join(hints[:2]) + ("" if any("MODEL_POLICY" in h for h in hints[:2]) else " " + OWN_RISK),
    )


def _hides_more(report: ScanReport) -> bool:
    """Whether it refers to what no library of `ELSEWHERE` writes into its own files: that comes first."""
    return any(
        r.module.partition(".")[0] in RUNS_COMMANDS or (r.module == "builtins" and r.name in RUNS_TEXTS)
        for r in report.refused
    )


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
