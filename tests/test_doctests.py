"""The examples in docstrings say what is so."""

import doctest
import importlib

import pytest

from tests.support.structure import MODULES

WITH_EXAMPLES = [name for name, path in MODULES.items() if "\n    >>> " in path.read_text("utf-8")]


@pytest.mark.parametrize("module", WITH_EXAMPLES)
def test_examples_hold(module: str) -> None:
    found = doctest.testmod(importlib.import_module(module))
    assert found.attempted and not found.failed
