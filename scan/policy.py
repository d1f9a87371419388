"""Whether a policy lets a scanned file in, and what to say of one that it does not.

Leaves the scan to `scan.files`, and enforcing it while loading to `estimators.unpickler`.
"""

from errors import MissingLibrary, ModelRefused, NotAModel
from records.model import Policy, ScanReport
from scan.allow_list import ELSEWHERE, RUNS_THINGS, of_elsewhere
from scan.formats import DAMAGED_HINT
from scan.version_advice import version_mismatch
from scan.versions import MODULES, mismatches

__all__ = ["OWN_RISK", "check_allowed", "check_policy"]

OWN_RISK = (
    '"policy": "contained" in the run\'s config (or MODEL_POLICY=contained) loads any file, held by the '
    "lock alone."
)
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
        libraries = {MODULES.get(library, library): library for library in skewed}
        named = [r.module.partition(".")[0] for r in report.refused]
        if report.findings or not named or not set(named) <= libraries.keys():
            raise
        first = report.refused[0]
        what = f"it refers to {first.module}.{first.name}, which that version has and this one does not use"
        mismatch = version_mismatch(report.saved_with, [libraries[name] for name in named], what)
        if mismatch is None:
            raise
        raise mismatch from None


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
