"""Models that read texts: which steps take them, and where a pipeline's part for texts ends.

Leaves what the vocabulary tells to `mining.vocabulary`, and what each word does to `explainers.words`.
"""

from typing import Any

__all__ = ["is_vectorizer", "reads_text", "vectorizers_in"]

MAX_DEPTH = 12
MODULE = "sklearn.feature_extraction.text"
VECTORIZERS = ("CountVectorizer", "HashingVectorizer")  # TfidfVectorizer is a CountVectorizer
WITHIN = ("best_estimator_", "estimator_", "estimator")


def is_vectorizer(step: Any) -> bool:
    """Whether it turns texts into columns. By name: under the lock nothing new can be imported."""
    return any(base.__module__ == MODULE and base.__name__ in VECTORIZERS for base in type(step).__mro__)


def reads_text(estimator: Any, depth: int = 0) -> bool:
    """Whether it is asked with texts, one a row, and not with a table: its first step is a vectorizer.

    Looked into are pipelines, unions, and what a search, a calibration, a vote or one-vs-rest is made of.
    """
    if depth > MAX_DEPTH or estimator is None or isinstance(estimator, str | type):
        return False
    if is_vectorizer(estimator):
        return True
    steps = _attribute(estimator, "steps")
    if isinstance(steps, list):
        real = [step for _, step in steps if step is not None and not isinstance(step, str)]
        while len(real) > 1 and type(real[0]).__name__ == "FunctionTransformer":
            real = real[1:]  # what cleans texts before they are cut into words
        return bool(real) and reads_text(real[0], depth + 1)
    union = _attribute(estimator, "transformer_list")
    if isinstance(union, list) and union:
        return all(reads_text(step, depth + 1) for _, step in union)
    calibrated = _attribute(estimator, "calibrated_classifiers_")
    if isinstance(calibrated, list) and calibrated:
        return reads_text(_attribute(calibrated[0], "estimator"), depth + 1)
    members = _attribute(estimator, "estimators_")
    if isinstance(members, list) and members and hasattr(estimator, "predict"):
        return reads_text(members[0], depth + 1)
    inner = next((found for key in WITHIN if (found := _attribute(estimator, key)) is not None), None)
    return inner is not None and reads_text(inner, depth + 1)


def vectorizers_in(step: Any, depth: int = 0) -> list[Any]:
    """The vectorizers that a step begins with: itself, a pipeline's first, each of a union."""
    if depth > MAX_DEPTH:
        return []
    if is_vectorizer(step):
        return [step]
    union = _attribute(step, "transformer_list")
    if isinstance(union, list):
        return [found for _, inner in union for found in vectorizers_in(inner, depth + 1)]
    steps = _attribute(step, "steps")
    return vectorizers_in(steps[0][1], depth + 1) if isinstance(steps, list) and steps else []


def _attribute(estimator: Any, name: str) -> Any:
    try:
        return getattr(estimator, name, None)
    except Exception:
        return None
