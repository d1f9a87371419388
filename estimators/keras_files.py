"""Keras models out of their files, as networks: `.keras` archives, and HDF5 of Keras 2 and 3.

Runs in the child. Promises: under strict policy no code that a file carries; Keras 2's files where Keras
3 has their layers. Leaves reading the files' safety to `scan.files`, and what a network answers to
`estimators.networks`.
"""

import io
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from errors import ModelError
from estimators.networks import Input, Network, read_outputs
from scan.hdf5 import open_image

__all__ = ["open_keras", "open_keras_hdf5"]

KERAS_2_DEFAULTS = {"time_major": False, "groups": 1}  # of recurrent, and of depthwise and transposed layers


def open_keras(data: bytes, *, safe: bool) -> Network:
    """A saved model; `safe` refuses code that the file carries."""
    from keras.src.saving import saving_lib  # keras.saving.load_model takes nothing but a path

    return _of_keras(saving_lib.load_model(io.BytesIO(data), compile=False, safe_mode=safe))


def open_keras_hdf5(data: bytes, *, safe: bool) -> Network:
    """The same out of an HDF5 file, of Keras 2 as well where Keras 3 has its layers."""
    from keras.src.legacy.saving import json_utils, legacy_h5_format, saving_options, saving_utils
    from keras.src.saving import saving_lib, serialization_lib

    with open_image(data) as file:
        text = file.attrs["model_config"]
        config = json_utils.decode(text.decode("utf-8") if isinstance(text, bytes) else text)
        with (
            warnings.catch_warnings(),
            saving_options.keras_option_scope(use_legacy_config=True),
            serialization_lib.SafeModeScope(safe),
        ):
            # Advice to who writes a network today; every file of Keras 2 asks for it.
            warnings.filterwarnings("ignore", "Do not pass an `input_shape`", UserWarning)
            model = saving_utils.model_from_config(_of_keras_3(config))
            weights = saving_lib.safe_get_h5_group(file, "model_weights")
            legacy_h5_format.load_weights_from_hdf5_group(weights, model)
    return _of_keras(model)


def _of_keras_3(config: Any) -> Any:
    """A network's description without what Keras 2 wrote into every layer and Keras 3 no longer knows."""
    waiting = [config]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            for key, default in KERAS_2_DEFAULTS.items():
                if key in node and node[key] == default and type(node[key]) is type(default):
                    del node[key]
        inner = node.values() if isinstance(node, dict) else node
        waiting.extend(part for part in inner if isinstance(part, dict | list))
    return config


def _of_keras(model: Any) -> Network:
    import keras

    if not getattr(model, "built", False) or not model.inputs:
        raise ModelError(
            "The network does not tell what it takes: it was saved before its first layer was given a shape.",
            hint="Put keras.Input((features,)) before the first layer, or fit it, and save it again.",
        )
    inputs = tuple(_keras_input(one, alone=len(model.inputs) == 1) for one in model.inputs)
    # One tensor, a list of them, a dict by name: as the network was built. A Sequential takes the one.
    structure = model.inputs[0] if isinstance(model, keras.Sequential) else model.input

    def run(arrays: list[npt.NDArray[Any]]) -> Sequence[Any]:
        answer = model(keras.tree.pack_sequence_as(structure, arrays), training=False)
        parts = answer if isinstance(answer, tuple | list) else (answer,)
        return [keras.ops.convert_to_numpy(part) for part in parts]

    network = Network("keras", type(model).__name__, inputs, run)
    found = read_outputs(network)
    for layer in model.layers:
        if type(layer).__name__ in ("Normalization", "BatchNormalization") and len(inputs) == 1:
            mean = layer.mean if hasattr(layer, "mean") else layer.moving_mean
            variance = layer.variance if hasattr(layer, "variance") else layer.moving_variance
            told = [np.ravel(keras.ops.convert_to_numpy(m)).astype(np.float64) for m in (mean, variance)]
            if len(told[0]) == network.n_features_in_:
                found.moments_ = (told[0], told[1])
        if type(layer).__name__ != "InputLayer":
            break
    return found


def _keras_input(given: Any, *, alone: bool) -> Input:
    row = tuple(given.shape[1:])
    if any(n is None for n in row) or (not alone and int(np.prod(row or (1,))) != 1):
        raise ModelError(
            f"The network's input {given.name!r} has the shape {tuple(given.shape)}: no fixed width."
        )
    kind = str(given.dtype)
    dtype = None if kind == "string" else np.dtype("float32" if kind == "bfloat16" else kind).type
    return Input(str(given.name), row, dtype, given.shape[0])
