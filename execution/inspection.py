"""What a model is: by its file's bytes, by itself once loaded, and beside what is installed here.

Promises: what the bytes tell is known before anything in them is executed. Leaves the running of tests
to `execution.stages`.
"""

import os
import platform
import threading
from collections.abc import Mapping, Sequence

from errors import VersionMismatch
from estimators.answers import Predictions
from records.model import ModelFile, ModelInfo, Policy, ScanReport
from records.run import Environment
from records.sample import SampleFacts
from records.schema import Schema
from sandbox.handle import Asking, LoadedModel, open_model
from sandbox.reader import open_sample
from sandbox.zygote import Zygote
from scan.formats import same_version
from scan.version_advice import is_skew, libraries_in, version_mismatch
from scan.versions import installed_versions, mismatches
from services import Services
from settings import Settings

__all__ = [
    "answers_of_another_version",
    "complete",
    "describe_sample",
    "environment",
    "inspect_model",
    "let_in",
    "policy_of",
    "version_skew",
    "with_scan",
]

REWRITTEN = "trees are written in open json"  # what is done to a model of XGBoost before 1.6


def inspect_model(
    services: Services,
    zygote: Zygote,
    info: ModelInfo,
    cancelled: threading.Event,
    *,
    contained: bool = False,
    entry: str | None = None,
    steps: Sequence[str] = (),
) -> tuple[ModelInfo, Schema | None, tuple[str, ...]]:
    """Open a model only to learn what it is: its identity, the schema it remembers, and warnings."""
    path = services.artifacts.path(info.sha256)
    deadline_s = services.settings.load_timeout_s
    policy = policy_of(services.settings, contained)
    with open_model(
        zygote,
        path,
        name=info.name,
        companions=[(one.name, services.artifacts.path(one.sha256)) for one in info.companions],
        asking=Asking(entry, tuple(steps)),
        deadline_s=deadline_s,
        cancelled=cancelled,
        policy=policy,
    ) as handle:
        info = complete(with_scan(info, handle.scan), handle.info, handle.scans)
        return info, handle.mined, (*let_in(info, policy), *handle.info.warnings, *version_skew(info))


def describe_sample(
    services: Services, zygote: Zygote, sha256: str, name: str, cancelled: threading.Event
) -> SampleFacts:
    """Read a sample only to learn what is in it. Raises InvalidSample, TooLarge."""
    with open_sample(zygote, services.artifacts.path(sha256), name, cancelled=cancelled) as sample:
        return sample.describe()


def policy_of(settings: Settings, contained: bool) -> Policy:
    """The policy for one model: a request can loosen `strict` to `contained`, and nothing else."""
    asked = contained and settings.contained_on_request and settings.model_policy == "strict"
    return "contained" if asked else settings.model_policy


def let_in(info: ModelInfo, policy: Policy) -> tuple[str, ...]:
    """A warning for a model that was loaded although the scan did not allow its file."""
    if info.scan is None or info.scan.ok is not False:
        return ()
    names = ", ".join(f"{r.module}.{r.name}" for r in info.scan.refused[:5])
    said = (
        f"The scan does not allow this file ({names or 'it is not made as fitted models are'}); it was "
        f"loaded all the same, under the policy {policy!r}."
    )
    if (older := mismatches(info.saved_with).get("scikit-learn")) is not None:
        said += f" It was loaded as it is: nothing of {older} was brought forward, so answers may differ."
    return (said,)


def answers_of_another_version(info: ModelInfo, answers: Predictions) -> VersionMismatch | None:
    """The mismatch that explains why every row failed; None where one did not, or no version explains it.

    Told by what an object raises that lacks an attribute or an argument which its class has since.
    """
    if not len(answers.failed) or not answers.failed.all() or not answers.errors:
        return None
    if not all(is_skew(error.kind, error.message) for error in answers.errors):
        return None
    first = answers.errors[0]
    what = f"it loads here, and no row is answered: {first.kind}: {first.message}"
    return version_mismatch(info.saved_with, libraries_in(first.message), what)


def with_scan(info: ModelInfo, scan: ScanReport) -> ModelInfo:
    """What the file shows, at a glance or as a whole, before the model is loaded and when it is refused."""
    saved_with = info.saved_with | scan.saved_with
    kind = f"{scan.container}, {scan.format}" if scan.container else scan.format
    return info.model_copy(update={"format": kind, "scan": scan, "saved_with": saved_with})


def complete(info: ModelInfo, loaded: LoadedModel, scans: Mapping[int, ScanReport]) -> ModelInfo:
    """Add what only the loaded model tells. The file that turned out to predict is the model.

    scans: of each file by its number, the one sent as the model being 0.
    """
    if loaded.file:
        info = with_scan(_swapped(info, loaded.file), scans[loaded.file])
    beside = [scan for number, scan in scans.items() if number != loaded.file]
    companions = zip(info.companions, beside, strict=True)
    return info.model_copy(
        update={
            "framework": loaded.framework,
            "estimator": loaded.estimator,
            "task": loaded.task,
            "features": loaded.features,
            "n_features": loaded.n_features,
            "classes": loaded.labels or (),
            "class_shares": loaded.class_shares,
            "upgraded_from": loaded.upgraded_from,
            "upgrades": loaded.upgrades,
            "parts": loaded.parts,
            "companions": tuple(one.model_copy(update={"format": scan.format}) for one, scan in companions),
            "load_ms": loaded.load_ms,
            "load_memory_mb": loaded.load_memory_mb,
        }
    )


def _swapped(info: ModelInfo, number: int) -> ModelInfo:
    """The companion that holds the model in the model's place, and what was sent as the model in its own."""
    model = info.companions[number - 1]
    sent = ModelFile(name=info.name, sha256=info.sha256, bytes=info.bytes)
    rest = [one for one in info.companions if one is not model]
    return info.model_copy(
        update={
            "name": model.name,
            "sha256": model.sha256,
            "bytes": model.bytes,
            "companions": (sent, *rest),
            "saved_with": {},
        }
    )


def version_skew(info: ModelInfo) -> tuple[str, ...]:
    """A sentence for each library whose version here is not the one that saved the model.

    None for scikit-learn or XGBoost, nor for what their models hold arrays of, where the model was brought
    forward: the upgrade has its own.
    """
    brought = {"numpy", "scipy", "joblib", "pandas"} if info.upgraded_from else set()
    if info.upgraded_from:
        brought.add("xgboost" if info.upgraded_from.startswith("XGBoost") else "scikit-learn")
    if REWRITTEN in info.upgrades:
        brought.add("xgboost")
    installed = installed_versions()
    return tuple(
        f"The model was saved with {library} {saved}; {installed[library]} is installed here. "
        "Its answers may differ from those of the version that trained it."
        for library, saved in sorted(info.saved_with.items())
        if library not in brought and not same_version(saved, installed.get(library, saved))
    )


def environment(isolation: tuple[str, ...]) -> Environment:
    return Environment(
        python=platform.python_version(),
        platform=platform.platform(terse=True),
        machine=platform.machine(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        libraries=installed_versions(),
        isolation=isolation,
    )
