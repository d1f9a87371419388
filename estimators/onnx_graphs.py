"""Reads an ONNX graph: what it is, its classes, its operations and constants.

Leaves running the graph to `estimators.networks`, and what it tells of its columns to `mining.onnx_columns`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["MAX_CATEGORIES", "Constants", "Graph", "Node", "read"]

MAX_CATEGORIES = 300
LABELS = ("classlabels_int64s", "classlabels_ints", "classlabels_strings")
MODELS = (
    "TreeEnsembleClassifier", "TreeEnsembleRegressor", "TreeEnsemble", "LinearClassifier", "LinearRegressor",
    "SVMClassifier", "SVMRegressor",
)  # fmt: skip

Constants = Mapping[str, Any]


@dataclass(frozen=True)
class Node:
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
    nodes: tuple[Node, ...]
    constants: Mapping[str, Any]


def read(data: bytes) -> Graph:
    """Parse a model's bytes with the onnx library, which only reads."""
    import onnx
    from onnx import numpy_helper

    graph = onnx.load_model_from_string(data).graph
    constants = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    nodes = tuple(
        Node(
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


def _value(value: Any) -> Any:
    """Attribute values as plain Python: texts decoded, lists as lists."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, list):
        return [_value(one) for one in value]
    return value
