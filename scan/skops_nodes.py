"""What the nodes of a skops file ask of the names in them, held to the list that pickles are held to.

Promises: each node by itself, whatever refers to it by its number, in time linear in their number; nothing is
imported. Leaves making objects of them to skops.
"""

from collections.abc import Iterator
from typing import Any

from scan.allow_list import allowed, today
from scan.archives import objects_in
from scan.arrays import CALL_RULES
from scan.symbols import CALL, HOLD, ITEMS, STUB

__all__ = ["nodes_in", "refused_in"]

Pair = tuple[str, str]  # a module and a name in it
Node = tuple[str, Pair]  # with the kind of node that names it

MAX_DIFFERENT = 20_000
LISTED = 0  # any use will do
NEVER = -1
# What skops does with a node's class when it makes the object (skops.io._general, _numpy, _sklearn, _scipy).
ASKS: dict[str, int] = {
    "ObjectNode": LISTED,  # makes an instance without arguments and sets its state, as a pickle does
    "TupleNode": LISTED,  # calls it when it is a named tuple
    "TypeNode": HOLD,
    "FunctionNode": HOLD,
    "DictNode": ITEMS,  # calls it without arguments and fills it
    "ListNode": NEVER,
    "SetNode": NEVER,
    "ConstructorFromReduceNode": CALL,
    "LossNode": CALL,
    "NdArrayNode": NEVER,
    "RandomStateNode": NEVER,
    "RandomGeneratorNode": NEVER,
}
# Nodes that never look at the class that they name.
FIXED = {
    "BytearrayNode", "BytesNode", "CachedNode", "DTypeNode", "DefaultDictNode", "JsonNode", "MaskedArrayNode",
    "SliceNode", "SparseMatrixNode", "TreeNode", "_DictWithDeprecatedKeysNode",
}  # fmt: skip
SCALARS = {
    "bool", "bool_", "bytes_", "clongdouble", "complex128", "complex64", "datetime64", "float16", "float32",
    "float64", "int16", "int32", "int64", "int8", "longdouble", "longlong", "str_", "timedelta64", "uint16",
    "uint32", "uint64", "uint8", "ulonglong", "void",
}  # fmt: skip
USUAL: dict[str, set[Pair]] = {
    "DictNode": {("builtins", "dict")},
    "ListNode": {("builtins", "list")},
    "SetNode": {("builtins", "set")},
    "LossNode": {("sklearn._loss._loss", "CyHalfMultinomialLoss")},
    "NdArrayNode": {
        ("numpy", "ndarray"), ("numpy", "matrix"), ("numpy.rec", "recarray"),
        *(("numpy", name) for name in SCALARS),
    },
    "RandomStateNode": {("numpy.random.mtrand", "RandomState")},
    "RandomGeneratorNode": {("numpy.random._generator", "Generator")},
}  # fmt: skip


def nodes_in(schema: Any) -> set[Node]:
    """Every different node that names a class. Raises ValueError for other forms, and for too many."""
    found: set[Node] = set()
    for node in _nodes(schema):
        found.add(node)
        if len(found) > MAX_DIFFERENT:
            raise ValueError(f"it names more than {MAX_DIFFERENT:,} different classes")
    return found


def refused_in(nodes: set[Node]) -> list[Pair]:
    """The names that the list does not hold, or not for what their nodes do with them, in order."""
    return sorted({pair for loader, pair in nodes if not _lets_pass(loader, today(*pair))})


def _nodes(schema: Any) -> Iterator[Node]:
    for node in objects_in(schema):
        if "__loader__" not in node:
            continue
        loader, module, name = node["__loader__"], node.get("__module__"), node.get("__class__")
        if not isinstance(loader, str):
            raise ValueError("a node's kind is no text")
        if loader == "CachedNode":
            continue
        if not (isinstance(module, str) and isinstance(name, str)):
            raise ValueError("a node's class is no text")
        yield loader, (module, name)
        if loader == "FunctionNode" and "content" in node:  # where skops before 0.7 kept the name
            content = node["content"] if isinstance(node["content"], dict) else {}
            module, name = content.get("module_path"), content.get("function")
            if not (isinstance(module, str) and isinstance(name, str)):
                raise ValueError("a function's name is no text")
            yield loader, (module, name)


def _lets_pass(loader: str, pair: Pair) -> bool:
    """skops has no class that stands in for scipy's distributions, and no look at a call's arguments."""
    if loader in FIXED or pair in USUAL.get(loader, ()):
        return True
    asked, uses = ASKS.get(loader, NEVER), allowed().get(pair)
    if uses is None or uses & STUB or asked == NEVER:
        return False
    return asked == LISTED or (bool(uses & asked) and not (asked == CALL and pair in CALL_RULES))
