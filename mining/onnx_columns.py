"""What an ONNX graph remembers: scalers, imputers, encoders and trees, by column.

Promises: follows columns from the inputs through casts, selections and scalers to encoders and trees, as
skl2onnx writes them; an operation that is not known ends the path of its columns and nothing else. Leaves
reading the graph to `estimators.onnx_graphs`.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from estimators.onnx_graphs import MAX_CATEGORIES, Constants, Graph, Node
from mining.facts import Column, Columns, Facts, tell_raw
from mining.splits import tell_thresholds

__all__ = ["mine"]


def mine(graph: Graph, columns: Columns, facts: Facts) -> None:
    """Tell `facts` what the graph holds of its raw columns: one input of all, or one input for each."""
    known: dict[str, Columns] = {}
    if len(graph.inputs) == 1:
        known[graph.inputs[0]] = columns
    else:
        known = {name: [column] for name, column in zip(graph.inputs, columns, strict=True)}
    centres: dict[str, Any] = {}  # what was subtracted from a tensor, until it is divided
    for node in graph.nodes:
        taken = known.get(node.inputs[0]) if node.inputs else None
        if node.operation in ("Concat", "FeatureVectorizer"):
            parts = [known.get(name) for name in node.inputs]
            if all(part is not None for part in parts):
                known[node.outputs[0]] = [column for part in parts for column in part or ()]
            continue
        if taken is None or node.operation not in _OPERATIONS:
            continue
        with suppress(Exception):  # a graph of a shape that is not skl2onnx's: nothing is told
            known[node.outputs[0]] = _OPERATIONS[node.operation](node, taken, facts, graph.constants, centres)


def _same(node: Node, taken: Columns, *_: Any) -> Columns:
    return taken


def _scaled(taken: Columns) -> Columns:
    return [column and Column(column.feature, False) for column in taken]


def _scaler(node: Node, taken: Columns, facts: Facts, *_: Any) -> Columns:
    offsets, scales = (
        np.broadcast_to(np.asarray(node.attributes[key], dtype=np.float64), len(taken))
        for key in ("offset", "scale")
    )
    for column, mean, scale in zip(taken, offsets, scales, strict=True):
        tell_raw(facts, column, mean=float(mean), std=abs(1 / scale) if scale else None)
    return _scaled(taken)


def _subtract(
    node: Node, taken: Columns, facts: Facts, constants: Constants, centres: dict[str, Any]
) -> Columns:
    centres[node.outputs[0]] = np.broadcast_to(constants[node.inputs[1]].ravel(), len(taken))
    return taken


def _divide(
    node: Node, taken: Columns, facts: Facts, constants: Constants, centres: dict[str, Any]
) -> Columns:
    """(x - mean) / std, as a scaler of two operations."""
    spreads = np.broadcast_to(constants[node.inputs[1]].ravel(), len(taken))
    if node.inputs[0] in centres:
        for column, mean, spread in zip(taken, centres[node.inputs[0]], spreads, strict=True):
            tell_raw(facts, column, mean=float(mean), std=abs(float(spread)))
    return _scaled(taken)


def _imputer(node: Node, taken: Columns, facts: Facts, *_: Any) -> Columns:
    for column in taken:
        facts.tell(column, nullable=True)
    return taken


def _one_hot(node: Node, taken: Columns, facts: Facts, *_: Any) -> Columns:
    categories = node.attributes.get("cats_strings") or node.attributes.get("cats_int64s") or []
    _tell_categories(taken, categories, facts)
    return [None] * len(categories)


def _label_encoder(node: Node, taken: Columns, facts: Facts, *_: Any) -> Columns:
    keys = [
        node.attributes[key]
        for key in ("keys_strings", "keys_int64s", "keys_floats")
        if key in node.attributes
    ]
    _tell_categories(taken, keys[0] if keys else [], facts)
    return _scaled(taken)


def _tell_categories(taken: Columns, categories: Sequence[Any], facts: Facts) -> None:
    present = [value for value in categories if value == value]
    if len(taken) == 1 and taken[0] is not None and taken[0].raw and present:
        facts.tell(taken[0], type="category", categories=tuple(present[:MAX_CATEGORIES]))


def _select(
    node: Node, taken: Columns, facts: Facts, constants: Constants, centres: dict[str, Any]
) -> Columns:
    return [taken[int(i)] for i in np.ravel(constants[node.inputs[1]])]


def _trees(node: Node, taken: Columns, facts: Facts, *_: Any) -> Columns:
    """Split thresholds; a leaf has the mode LEAF and a value that means nothing."""
    inner = np.array([mode != "LEAF" for mode in node.attributes["nodes_modes"]], dtype=np.bool_)
    features = np.asarray(node.attributes["nodes_featureids"], dtype=np.int64)[inner]
    thresholds = np.asarray(node.attributes["nodes_values"], dtype=np.float64)[inner]
    tell_thresholds(facts, taken, features, thresholds, np.ones(len(features)), midpoints=True)
    return []


_OPERATIONS: Mapping[str, Callable[[Node, Columns, Facts, Constants, dict[str, Any]], Columns]] = {
    "Identity": _same,
    "Cast": _same,
    "CastLike": _same,
    "Scaler": _scaler,
    "Sub": _subtract,
    "Div": _divide,
    "Imputer": _imputer,
    "OneHotEncoder": _one_hot,
    "LabelEncoder": _label_encoder,
    "ArrayFeatureExtractor": _select,
    "Gather": _select,
    "TreeEnsembleClassifier": _trees,
    "TreeEnsembleRegressor": _trees,
}
