"""Networks and graphs (ONNX, TorchScript, torch.export, Keras) as estimators: rows in, answers out.

Runs in the child. Promises: `predict` and, for classifiers, `predict_proba`, one answer a row, computed by
the file's own library on one thread. Leaves reading the files' safety to `scan.files`.
"""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from errors import ModelError, PredictFailed
from estimators import onnx_graphs

__all__ = [
    "Classifier",
    "Input",
    "Network",
    "open_onnx",
    "open_torch_export",
    "open_torchscript",
    "read_outputs",
]

PROBES = 32  # made-up rows by which it is told what a network answers
WILD = 1e3  # a probability stays one however far its input goes
SUM_TOLERANCE = 1e-3
MAX_FEATURES = 10_000
ONNX_NUMBERS: dict[str, type[Any]] = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(int16)": np.int16,
    "tensor(int8)": np.int8,
    "tensor(uint8)": np.uint8,
    "tensor(bool)": np.bool_,
}
SCORES_NOTE = (
    "The network's {k} outputs a row are read as scores of {k} classes; they are no probabilities, so the "
    "softmax of them is shown as such."
)

Run = Callable[[list[npt.NDArray[Any]]], Sequence[Any]]
"""From one array an input to the outputs, each with the rows first."""


@dataclass(frozen=True)
class Input:
    """One input: `shape` of a row ((4,) for four numbers), dtype None for text.

    batch: the only number of rows that it takes at once, None for any.
    """

    name: str
    shape: tuple[int, ...]
    dtype: type[Any] | None
    batch: int | None = None

    @property
    def width(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))


class Network:
    """A network that answers with numbers: regression, or nobody knows.

    One input of f numbers a row has features without names; several inputs, of one value each, are
    features by the inputs' names. The first output counts.
    """

    _estimator_type = "regressor"
    gradients: Any = None  # of PyTorch: from rows (n, f) to outputs (n, k) and their gradients (n, f, k)
    graph_: Any = None  # of ONNX: what `estimators.onnx_graphs` read
    moments_: tuple[Any, Any] | None = None  # mean and variance by which it first normalises its input

    def __init__(
        self, framework: str, name: str, inputs: tuple[Input, ...], run: Run, notes: tuple[str, ...] = ()
    ) -> None:
        self.framework, self.display_name, self.notes = framework, name, notes
        self.inputs, self._run = inputs, run
        self.named = len(inputs) > 1 or (inputs[0].width == 1 and inputs[0].dtype is None)
        if self.named:
            self.feature_names_in_ = np.array([one.name for one in inputs], dtype=object)
        self.n_features_in_ = len(inputs) if self.named else inputs[0].width

    def outputs(self, x: Any) -> list[Any]:
        """Every output for n rows, asked for in pieces where the network takes a fixed number only."""
        arrays = self._arrays(x)
        rows = len(arrays[0])
        batch = next((one.batch for one in self.inputs if one.batch), None)
        if batch is None or rows == batch:
            return list(self._run(arrays))
        parts = []
        for start in range(0, rows, batch):
            piece = [array[start : start + batch] for array in arrays]
            here = len(piece[0])
            if here < batch:  # the last row again and again; those answers are dropped
                piece = [np.concatenate([p, np.repeat(p[-1:], batch - here, axis=0)]) for p in piece]
            parts.append([output[:here] for output in self._run(piece)])
        return [_joined([part[i] for part in parts]) for i in range(len(parts[0]))] if parts else []

    def predict(self, x: Any) -> npt.NDArray[Any]:
        """The first output, (n,) or (n, k)."""
        found = np.asarray(self.outputs(x)[0])
        return found.reshape(len(found), -1) if found.ndim > 2 else found

    def _arrays(self, x: Any) -> list[npt.NDArray[Any]]:
        if not self.named:
            one = self.inputs[0]
            values = x.to_numpy() if isinstance(x, pd.DataFrame) else np.asarray(x)
            if values.ndim != 2 or values.shape[1] != one.width:
                raise PredictFailed(f"The network takes {one.width} numbers a row, not {values.shape[1:]}.")
            return [_cast(values, one).reshape(len(values), *one.shape)]
        if not isinstance(x, pd.DataFrame):
            x = pd.DataFrame(np.asarray(x), columns=list(self.feature_names_in_))
        return [_cast(x[one.name].to_numpy(), one).reshape(len(x), *one.shape) for one in self.inputs]


class Classifier(Network):
    """A network that answers with classes.

    classes: their labels; scores: from the outputs to probabilities (n, k); chosen: from the outputs to the
    labels, None where the most probable class is the answer.
    """

    _estimator_type = "classifier"

    def __init__(
        self,
        network: Network,
        classes: Sequence[Any],
        scores: Callable[[list[Any]], npt.NDArray[np.float64]],
        chosen: Callable[[list[Any]], npt.NDArray[Any]] | None = None,
        notes: tuple[str, ...] = (),
    ) -> None:
        super().__init__(
            network.framework,
            network.display_name,
            network.inputs,
            network._run,
            (*network.notes, *notes),
        )
        self.classes_ = np.array(list(classes))
        self._scores, self._chosen = scores, chosen

    def predict(self, x: Any) -> npt.NDArray[Any]:
        outputs = self.outputs(x)
        if self._chosen is not None:
            return self._chosen(outputs)
        scores = self._scores(outputs)
        answers: npt.NDArray[Any] = self.classes_.astype(object)[scores.argmax(axis=1)]
        answers[~np.isfinite(scores).all(axis=1)] = None
        return answers

    def predict_proba(self, x: Any) -> npt.NDArray[np.float64]:
        return self._scores(self.outputs(x))


def read_outputs(network: Network) -> Network:
    """The network as a classifier where its answers to made-up rows are those of one, else as it is.

    One output that stays within 0 and 1 however wild the input is the probability of class 1; several that
    sum to 1 are probabilities; several others are taken for scores, with a note.
    """
    answers = _probe(network)
    if answers is None:
        return network
    k = answers.shape[1]
    within = bool(((answers >= 0) & (answers <= 1)).all())
    if k == 1:
        if not within or float(np.ptp(answers)) == 0:
            return network
        return Classifier(network, (0, 1), lambda outputs: _two(_flat(outputs[0])))
    if within and bool((np.abs(answers.sum(axis=1) - 1) < SUM_TOLERANCE).all()):
        return Classifier(network, range(k), lambda outputs: _flat(outputs[0]))
    note = SCORES_NOTE.format(k=k)
    return Classifier(network, range(k), lambda outputs: _softmax(_flat(outputs[0])), notes=(note,))


# --- ONNX ----------------------------------------------------------------------------------------


def open_onnx(data: bytes) -> Network:
    """A graph of tensors, or what skl2onnx makes of an estimator: a label and its classes' probabilities."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    given = session.get_inputs()
    inputs = tuple(_onnx_input(one, alone=len(given) == 1) for one in given)
    names = [one.name for one in given]

    def run(arrays: list[npt.NDArray[Any]]) -> Sequence[Any]:
        answers: Sequence[Any] = session.run(None, dict(zip(names, arrays, strict=True)))
        return answers

    graph = onnx_graphs.read(data)
    network = Network("onnx", graph.title, inputs, run)
    outputs = session.get_outputs()
    kinds = [output.type for output in outputs]
    if kinds[0] in ONNX_NUMBERS and not kinds[0].startswith(("tensor(int", "tensor(uint", "tensor(bool")):
        found = read_outputs(network)
    else:
        found = _onnx_classifier(network, kinds, graph.classes)
    found.graph_ = graph
    return found


def _onnx_input(given: Any, *, alone: bool) -> Input:
    shape = [n if isinstance(n, int) and n > 0 else None for n in given.shape]
    if given.type not in ONNX_NUMBERS and given.type != "tensor(string)":
        raise ModelError(
            f"The graph's input {given.name!r} is of type {given.type}; only tables of numbers and text "
            "can be tested."
        )
    row = shape[1:] if shape else []
    if any(n is None for n in row) or (not alone and int(np.prod([n or 1 for n in row])) != 1):
        raise ModelError(
            f"The graph's input {given.name!r} has the shape {given.shape}: its rows have no fixed width.",
            hint="Export it with a fixed number of features, as in [None, 4].",
        )
    return Input(
        str(given.name),
        tuple(n for n in row if n is not None),
        ONNX_NUMBERS.get(given.type),
        shape[0] if shape else None,
    )


def _onnx_classifier(network: Network, kinds: list[str], classes: Sequence[Any]) -> Network:
    """A label first, then probabilities: a tensor, or a map from class to probability for each row."""
    scored = len(kinds) > 1 and (kinds[1].startswith("seq(map(") or kinds[1] in ONNX_NUMBERS)

    def chosen(outputs: list[Any]) -> npt.NDArray[Any]:
        return np.asarray(outputs[0]).reshape(-1)

    if scored and not len(classes):
        sample = network.outputs(_made_up(network, 1))[1]
        classes = list(sample[0]) if isinstance(sample, list) else range(np.asarray(sample).shape[-1])
    if not scored or len(classes) < 2:
        network._estimator_type = "unknown"  # a cluster or an outlier flag: labels without probabilities
        return network

    def scores(outputs: list[Any]) -> npt.NDArray[np.float64]:
        found = outputs[1]
        if isinstance(found, list):
            return np.array([[row[c] for c in classes] for row in found], dtype=np.float64)
        return _flat(found)

    return Classifier(network, classes, scores, chosen)


# --- PyTorch -------------------------------------------------------------------------------------


def open_torchscript(data: bytes) -> Network:
    """A scripted or traced module that takes one tensor of f numbers a row."""
    import torch

    torch.set_num_threads(1)
    module = torch.jit.load(io.BytesIO(data), map_location="cpu").eval()
    width = _first_width(dict(module.named_parameters()))
    if width is None:
        raise ModelError(
            "The TorchScript program does not tell how many numbers a row it takes.",
            hint="Export it with torch.onnx.export, whose files do.",
        )
    return _torch(
        module, str(getattr(module, "original_name", "ScriptModule")), width, dict(module.named_buffers())
    )


def open_torch_export(data: bytes) -> Network:
    """An exported program of one input; it takes any number of rows only if exported with a dynamic one."""
    import torch

    torch.set_num_threads(1)
    program = torch.export.load(io.BytesIO(data))
    names = set(program.graph_signature.user_inputs)
    shapes = [
        list(node.meta["val"].shape)
        for node in program.graph.nodes
        if node.op == "placeholder" and node.name in names
    ]
    if len(shapes) != 1 or len(shapes[0]) < 2 or not all(isinstance(n, int) for n in shapes[0][1:]):
        raise ModelError(
            f"The program takes {len(shapes)} inputs of shapes {shapes}; one table of numbers can be tested."
        )
    batch = shapes[0][0] if isinstance(shapes[0][0], int) else None
    return _torch(
        program.module(), "ExportedProgram", tuple(shapes[0][1:]), dict(program.named_buffers()), batch
    )


def _torch(
    module: Any, name: str, shape: tuple[int, ...], buffers: dict[str, Any], batch: int | None = None
) -> Network:
    import torch

    def run(arrays: list[npt.NDArray[Any]]) -> Sequence[Any]:
        with torch.no_grad():
            answer = module(torch.from_numpy(np.ascontiguousarray(arrays[0])))
        parts = answer if isinstance(answer, tuple | list) else (answer,)
        return [part.numpy() for part in parts]

    def gradients(rows: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        table = torch.from_numpy(rows.astype(np.float32).reshape(len(rows), *shape)).requires_grad_()
        with torch.enable_grad():
            answer = module(table)
            outputs = (answer[0] if isinstance(answer, tuple | list) else answer).reshape(len(rows), -1)
            slopes = [
                torch.autograd.grad(outputs[:, k].sum(), table, retain_graph=True)[0].reshape(len(rows), -1)
                for k in range(outputs.shape[1])
            ]
        return outputs.detach().numpy().astype(np.float64), torch.stack(slopes, 2).numpy().astype(np.float64)

    network = Network("pytorch", name, (Input("input", shape, np.float32, batch),), run)
    found = read_outputs(network)
    found.gradients = gradients if batch is None else None
    found.moments_ = _first_moments(buffers, network.n_features_in_)
    return found


def _first_width(parameters: dict[str, Any]) -> tuple[int, ...] | None:
    """Numbers a row: the columns of the first matrix, or the length of a normalisation before it."""
    for parameter in parameters.values():
        if parameter.ndim == 2:
            return (int(parameter.shape[1]),)
        if parameter.ndim > 2:  # a convolution does not tell how large its pictures are
            return None
    return None


def _first_moments(buffers: dict[str, Any], width: int) -> tuple[Any, Any] | None:
    """Mean and variance of the inputs, where the first thing that a network does is to normalise them."""
    for name, buffer in buffers.items():
        if not name.endswith("running_mean"):
            continue
        variance = buffers.get(name.removesuffix("mean") + "var")
        if variance is None or tuple(buffer.shape) != (width,):
            return None
        return buffer.numpy().astype(np.float64), variance.numpy().astype(np.float64)
    return None


# --- arrays --------------------------------------------------------------------------------------


def _made_up(network: Network, rows: int) -> Any:
    """Rows of ordinary and of wild numbers, the same each time; text where the network takes text."""
    rng = np.random.default_rng(0)
    scale = np.where(np.arange(rows) % 2, WILD, 1.0)[:, None]
    values = rng.normal(size=(rows, network.n_features_in_)) * scale
    if not network.named:
        return values
    columns = {
        one.name: np.full(rows, "a", dtype=object) if one.dtype is None else values[:, i]
        for i, one in enumerate(network.inputs)
    }
    return pd.DataFrame(columns)


def _probe(network: Network) -> npt.NDArray[np.float64] | None:
    """Answers (n, k) to made-up rows; None where they are none, or no numbers."""
    try:
        with np.errstate(all="ignore"):
            answers = _flat(network.outputs(_made_up(network, PROBES))[0])
    except Exception:  # told when the model is asked for rows that make sense
        return None
    return answers if len(answers) == PROBES and np.isfinite(answers).all() else None


def _cast(values: npt.NDArray[Any], one: Input) -> npt.NDArray[Any]:
    if one.dtype is None:
        missing = pd.isna(values)
        texts = values.astype(object)
        texts[missing] = ""
        return np.array([str(text) for text in texts.ravel()], dtype=object).reshape(values.shape)
    numbers = values.astype(np.float64) if values.dtype == object else values
    if np.issubdtype(one.dtype, np.integer) and not np.isfinite(numbers.astype(np.float64)).all():
        raise PredictFailed(f"Input {one.name!r} takes whole numbers, and some are missing or infinite.")
    return np.ascontiguousarray(numbers, dtype=one.dtype)


def _joined(parts: list[Any]) -> Any:
    if isinstance(parts[0], list):
        return [row for part in parts for row in part]
    return np.concatenate(parts)


def _flat(output: Any) -> npt.NDArray[np.float64]:
    found = np.asarray(output, dtype=np.float64)
    return found.reshape(len(found), -1)


def _two(probability: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.column_stack([1 - probability[:, 0], probability[:, 0]])


def _softmax(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    with np.errstate(invalid="ignore", over="ignore"):
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        shares: npt.NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return shares
