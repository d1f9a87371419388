"""The bytes in which XGBoost before 1.6 kept a model, as the JSON that every release since 1.0 reads.

Promises: sizes are checked against what is there before anything is made of it. The layout is
that of XGBoost's src/learner.cc, src/gbm/gbtree_model.h and include/xgboost/tree_model.h of 0.90 and 1.0.
"""

import json
import struct
from typing import Any

import numpy as np

__all__ = ["OFFSET", "Unreadable", "as_json"]

OFFSET = b"CONFIG-offset:"  # 1.0 to 1.2: the length of the model, the model, and the settings as JSON
# Base score, features, classes, whether attributes and metrics follow, version.
LEARNER = struct.Struct("<fIiiiII108x")
TREES = struct.Struct("<i24xi128x")  # number of trees, size of a leaf's vector
TREE = struct.Struct("<4xiiiii124x")  # nodes, deleted ones, depth, features, size of a leaf's vector
LINEAR = struct.Struct("<Ii128x")  # features, groups
NODE = np.dtype([("parent", "<u4"), ("left", "<i4"), ("right", "<i4"), ("split", "<u4"), ("value", "<f4")])
STATISTICS = np.dtype([("loss", "<f4"), ("hessian", "<f4"), ("weight", "<f4"), ("leaves", "<i4")])
LOW = 0x7FFFFFFF  # the highest bit tells left children of a parent, and where blanks go of a split
MAX_TREES = 1 << 20
NO_WARNING = (1, 6, 0)  # the first release whose JSON today's takes without a word; the schema is the same
LOGISTIC = ("binary:logistic", "reg:logistic")
EXPONENTIAL = ("count:poisson", "reg:gamma", "reg:tweedie", "survival:cox")
RENAMED = {"reg:linear": "reg:squarederror"}  # in 0.90
PARAMETERS: dict[str, dict[str, dict[str, str]]] = {
    "count:poisson": {"poisson_regression_param": {"max_delta_step": "0.7"}},
    "reg:tweedie": {"tweedie_regression_param": {"tweedie_variance_power": "1.5"}},
}


class Unreadable(ValueError):
    """Bytes that are not a model of those releases, or hold what today's has no form for."""


def as_json(raw: bytes) -> dict[str, Any]:
    """The model that a Booster's old pickle holds, in XGBoost's JSON schema. Raises Unreadable.

    Known are the bytes of 0.81 to 0.90, those with settings behind them (1.0 to 1.2), and JSON (1.1 to 1.5).
    """
    if raw[:1] == b"{":
        return _from_text(raw)
    if raw.startswith(OFFSET):
        at = len(OFFSET) + 8
        length = int.from_bytes(raw[len(OFFSET) : at], "little")
        if length > len(raw) - at:
            raise Unreadable("it ends in the middle")
        raw = raw[at : at + length]
    return _with_forests(_Reader(raw.removeprefix(b"binf")).model())


def _from_text(raw: bytes) -> dict[str, Any]:
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"its JSON is damaged: {str(error)[:100]}") from None
    model = found.get("Model", found) if isinstance(found, dict) else None
    if not isinstance(model, dict) or not isinstance(model.get("learner"), dict):
        raise Unreadable("its JSON holds no model")
    return _with_forests(model)


def _with_forests(model: dict[str, Any]) -> dict[str, Any]:
    """Trees of one round: until 1.3 told by the best round and its number of trees alone."""
    kept = model["learner"].get("attributes", {})
    trees, rounds = (str(kept.get(name, "")) for name in ("best_ntree_limit", "best_iteration"))
    booster = model["learner"].get("gradient_booster", {})
    booster = booster.get("gbtree", booster).get("model", {})
    found = booster.get("gbtree_model_param")
    if trees.isdecimal() and rounds.isdecimal() and isinstance(found, dict):
        found["num_parallel_tree"] = str(max(int(trees) // (int(rounds) + 1), 1))
    model["version"] = list(NO_WARNING)
    return model


class _Reader:
    """Reads one part after the other."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._at = 0

    def model(self) -> dict[str, Any]:
        base, features, classes, attributes, _metrics, major, _minor = self._numbers(LEARNER)
        objective, kind = self._text(), self._text()
        objective = RENAMED.get(objective, objective)
        if kind not in ("gbtree", "dart", "gblinear"):
            raise Unreadable(f"it is of the kind {kind[:30]!r}")
        booster = self._linear() if kind == "gblinear" else self._trees(features)
        if kind == "dart":
            booster = {"gbtree": booster, "name": "dart", "weight_drop": self._floats().tolist()}
        kept = self._pairs() if attributes else {}
        parameters = json.loads(json.dumps(PARAMETERS.get(objective, _of_objective(objective, classes))))
        if objective == "count:poisson" and self._at < len(self._raw):
            parameters["poisson_regression_param"]["max_delta_step"] = self._text()
        return {
            "learner": {
                "attributes": kept,
                "feature_names": [],
                "feature_types": [],
                "gradient_booster": booster,
                "learner_model_param": {
                    "base_score": repr(float(base if major else _before_the_link(base, objective))),
                    "num_class": str(max(classes, 0)),
                    "num_feature": str(features),
                },
                "objective": {"name": objective, **parameters},
            },
        }

    def _trees(self, features: int) -> dict[str, Any]:
        count, vector = self._numbers(TREES)
        if not 0 <= count <= MAX_TREES or vector:
            raise Unreadable("it holds trees of a form that is gone")
        trees = [self._tree(i, features) for i in range(count)]
        groups = self._array(np.dtype("<i4"), count)
        return {
            "name": "gbtree",
            "model": {
                "gbtree_model_param": {
                    "num_parallel_tree": "1", "num_trees": str(count), "size_leaf_vector": "0"
                },
                "tree_info": groups.tolist(),
                "trees": trees,
            },
        }  # fmt: skip

    def _tree(self, number: int, features: int) -> dict[str, Any]:
        count, deleted, _depth, _features, vector = self._numbers(TREE)
        if count < 1 or vector:
            raise Unreadable("it holds a tree of a form that is gone")
        nodes, about = self._array(NODE, count), self._array(STATISTICS, count)
        empty: list[int] = []
        return {
            "base_weights": _exact(about["weight"]),
            "categories": empty,
            "categories_nodes": empty,
            "categories_segments": empty,
            "categories_sizes": empty,
            "default_left": (nodes["split"] >> 31).tolist(),
            "id": number,
            "left_children": nodes["left"].tolist(),
            "loss_changes": _exact(about["loss"]),
            "parents": (nodes["parent"] & LOW).tolist(),
            "right_children": nodes["right"].tolist(),
            "split_conditions": _exact(nodes["value"]),
            "split_indices": (nodes["split"] & LOW).tolist(),
            "split_type": [0] * count,
            "sum_hessian": _exact(about["hessian"]),
            "tree_param": {
                "num_deleted": str(deleted), "num_feature": str(features), "num_nodes": str(count),
                "size_leaf_vector": "0",
            },
        }  # fmt: skip

    def _linear(self) -> dict[str, Any]:
        self._numbers(LINEAR)
        return {"name": "gblinear", "model": {"weights": self._floats().tolist()}}

    def _numbers(self, layout: struct.Struct) -> tuple[Any, ...]:
        return layout.unpack(self._bytes(layout.size))

    def _bytes(self, count: int) -> bytes:
        if not 0 <= count <= len(self._raw) - self._at:
            raise Unreadable("it ends in the middle, or is of another kind")
        self._at += count
        return self._raw[self._at - count : self._at]

    def _length(self) -> int:
        return int.from_bytes(self._bytes(8), "little")

    def _text(self) -> str:
        return self._bytes(self._length()).decode("utf-8", "replace")

    def _floats(self) -> Any:
        return np.array(_exact(self._array(np.dtype("<f4"), self._length())))

    def _pairs(self) -> dict[str, str]:
        return {self._text(): self._text() for _ in range(min(self._length(), MAX_TREES))}

    def _array(self, dtype: Any, count: int) -> Any:
        return np.frombuffer(self._bytes(dtype.itemsize * count), dtype)


def _exact(values: Any) -> list[float]:
    """Single precision as the shortest numbers that are read as the same: XGBoost reads nine digits."""
    return [float(str(value)) for value in values]


def _before_the_link(margin: float, objective: str) -> float:
    """Before 1.0 the score to start from was kept as a margin."""
    if objective in LOGISTIC:
        return float(1.0 / (1.0 + np.exp(-margin)))
    return float(np.exp(margin)) if objective in EXPONENTIAL else margin


def _of_objective(objective: str, classes: int) -> dict[str, dict[str, str]]:
    if objective.startswith("multi:"):
        return {"softmax_multiclass_param": {"num_class": str(classes)}}
    if objective.startswith(("reg:", "binary:")):
        return {"reg_loss_param": {"scale_pos_weight": "1"}}
    return {}
