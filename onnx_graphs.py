"""Reads an ONNX graph: what it is, its classes, and what it tells of the columns that go into it.

Promises: follows columns from the inputs through casts, selections and scalers to encoders and trees, as
skl2onnx writes them; an operation that is not known ends the path of its columns and nothing else. Leaves
running the graph to `networks`.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from model_facts import Column, Columns, Facts, tell_raw
from model_splits import tell_thresholds

__all__ = ["Graph", "mine", "read"]

MAX_CATEGORIES = 300
LABELS = ("classlabels_int64s", "classlabels_ints", "classlabels_strings")
MODELS = (
    "TreeEnsembleClassifier", "TreeEnsembleRegressor", "TreeEnsemble", "LinearClassifier", "LinearRegressor",
    "SVMClassifier", "SVMRegressor",
)  # fmt: skip


@dataclass(frozen=True)
class _Node:
    operation: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]


@dataclass(frozen=True)
class Graph:
    """title: the operation that decides, or the graph's own name. classes: () where it names none."""

    title: str
    classes: tuple[Any, ...]
    inputs: tuple[str, ...]
    nodes: tuple[_Node, ...]
    constants: Mapping[str, Any]


def read(data: bytes) -> Graph:
    """Parse a model's bytes with the onnx library, which only reads."""
    import onnx
    from onnx import numpy_helper

    graph = onnx.load_model_from_string(data).graph
    constants = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    nodes = tuple(
        _Node(
            operation=node.op_type,
            inputs=tuple(node.input),
            outputs=tuple(node.output),
            attributes={a.name: _value(onnx.helper.get_attribute_value(a)) for a in node.attribute},
        )
        for node in graph.node
    )
    for node in nodes:
        if node.operation == "Constant" and "value" in node.attributes:
            constants[node.outputs[0]] = numpy_helper.to_array(node.attributes["value"])
    named = (node.attributes[key] for node in reversed(nodes) for key in LABELS if key in node.attributes)
    title = next((node.operation for node in nodes if node.operation in MODELS), "")
    return Graph(
        title=title or str(graph.name)[:60] or "graph",
        classes=tuple(next(named, ())),
        inputs=tuple(one.name for one in graph.input if one.name not in constants),
        nodes=nodes,
        constants=constants,
    )


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


def _value(value: Any) -> Any:
    """Attribute values as plain Python: texts decoded, lists as lists."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, list):
        return [_value(one) for one in value]
    return value


_Constants = Mapping[str, Any]


def _same(node: _Node, taken: Columns, *_: Any) -> Columns:
    return taken


def _scaled(taken: Columns) -> Columns:
    return [column and Column(column.feature, False) for column in taken]


def _scaler(node: _Node, taken: Columns, facts: Facts, *_: Any) -> Columns:
    offsets, scales = (
        np.broadcast_to(np.asarray(node.attributes[key], dtype=np.float64), len(taken))
        for key in ("offset", "scale")
    )
    for column, mean, scale in zip(taken, offsets, scales, strict=True):
        tell_raw(facts, column, mean=float(mean), std=abs(1 / scale) if scale else None)
    return _scaled(taken)


def _subtract(
    node: _Node, taken: Columns, facts: Facts, constants: _Constants, centres: dict[str, Any]
) -> Columns:
    centres[node.outputs[0]] = np.broadcast_to(constants[node.inputs[1]].ravel(), len(taken))
    return taken


def _divide(
    node: _Node, taken: Columns, facts: Facts, constants: _Constants, centres: dict[str, Any]
) -> Columns:
    """(x - mean) / std, as a scaler of two operations."""
    spreads = np.broadcast_to(constants[node.inputs[1]].ravel(), len(taken))
    if node.inputs[0] in centres:
        for column, mean, spread in zip(taken, centres[node.inputs[0]], spreads, strict=True):
            tell_raw(facts, column, mean=float(mean), std=abs(float(spread)))
    return _scaled(taken)


def _imputer(node: _Node, taken: Columns, facts: Facts, *_: Any) -> Columns:
    for column in taken:
        facts.tell(column, nullable=True)
    return taken


def _one_hot(node: _Node, taken: Columns, facts: Facts, *_: Any) -> Columns:
    categories = node.attributes.get("cats_strings") or node.attributes.get("cats_int64s") or []
    _tell_categories(taken, categories, facts)
    return [None] * len(categories)


def _label_encoder(node: _Node, taken: Columns, facts: Facts, *_: Any) -> Columns:
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
    node: _Node, taken: Columns, facts: Facts, constants: _Constants, centres: dict[str, Any]
) -> Columns:
    return [taken[int(i)] for i in np.ravel(constants[node.inputs[1]])]


def _trees(node: _Node, taken: Columns, facts: Facts, *_: Any) -> Columns:
    """Split thresholds; a leaf has the mode LEAF and a value that means nothing."""
    inner = np.array([mode != "LEAF" for mode in node.attributes["nodes_modes"]], dtype=np.bool_)
    features = np.asarray(node.attributes["nodes_featureids"], dtype=np.int64)[inner]
    thresholds = np.asarray(node.attributes["nodes_values"], dtype=np.float64)[inner]
    tell_thresholds(facts, taken, features, thresholds, np.ones(len(features)), midpoints=True)
    return []


_OPERATIONS: Mapping[str, Callable[[_Node, Columns, Facts, _Constants, dict[str, Any]], Columns]] = {
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
