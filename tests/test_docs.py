"""The docs are complete and true: every setting is described, every file and module that they name exists."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from records.run import RunPlan, RunReport
from settings import PROJECT_ROOT, Settings
from tests.support.structure import MODULES, defined, listed

SETTINGS_PAGE = (PROJECT_ROOT / "docs" / "settings.md").read_text("utf-8")
PAGES = [PROJECT_ROOT / name for name in ("README.md", "CONTRIBUTING.md")]
PAGES += sorted(PROJECT_ROOT.glob("docs/*.md"))
SOURCES = listed("*.py")
TICKED = re.compile(r"`([A-Za-z_][\w./]*)`")
MADE = (".json", ".parquet")  # files that runs make
# What takes apart bytes that may be a stranger's: parsers of ours and of libraries, forms, uploads.
READS = re.compile(
    r"bounded_json\.parse|json\.loads?|csv\.reader|pd\.read_\w+|base64\.b64decode|request\.(form|body|stream)|Form"
    r"|(\w+\.)*(loads|load|load_model\w*|InferenceSession|ZipFile|decompressobj|\w*Decompressor|mmap|frombuffer"
    r"|ParquetFile|genops|file_uploader|unpack|unpack_from|get_untrusted_types)"
    r"|struct\.Struct\(.*\)\.unpack(_from)?|RestrictedUnpickler\(.*\)\.load"
)
# "Leaves this to `one`, and that to `another`." and what it hands on must be modules.
LEAVES = re.compile(r"\bLeaves\s.*?(?=\.\s|\.$|\n\n|\Z)", re.DOTALL)


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_documented_with_its_own_words(name: str) -> None:
    field = Settings.model_fields[name]
    assert f"`{name.upper()}`" in SETTINGS_PAGE
    assert field.description and field.description in SETTINGS_PAGE


def test_no_setting_is_documented_that_does_not_exist() -> None:
    documented = {name.lower() for name in re.findall(r"^\| `([A-Z0-9_]+)`", SETTINGS_PAGE, re.MULTILINE)}
    assert documented == set(Settings.model_fields)


def test_every_place_that_takes_bytes_apart_is_in_the_table_of_limits() -> None:
    page = (PROJECT_ROOT / "docs" / "security.md").read_text("utf-8")
    table = page.partition("## What is read where")[2]
    rows = [line.split("|") for line in table.splitlines() if line.startswith("| ")][1:]
    told = {name for row in rows for name in TICKED.findall(row[3])}
    used = {
        module: [ast.unparse(node.func if isinstance(node, ast.Call) else node)
                 for node in ast.walk(ast.parse(path.read_text("utf-8")))
                 if isinstance(node, ast.Call | ast.Attribute)]
        for module, path in MODULES.items()
        if not module.startswith("example_client")
    }  # fmt: skip
    reading = {module for module, names in used.items() if any(map(READS.fullmatch, names))}
    assert reading == told


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_the_docs_link_to_exists(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text("utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_module_that_the_docs_name_exists(page: Path) -> None:
    names = TICKED.findall(page.read_text("utf-8"))
    assert not [name for name in names if not exists(name)]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PROJECT_ROOT)))
def test_every_module_that_a_docstring_or_comment_names_exists(path: Path) -> None:
    """In back ticks: a file, a dotted name that begins with a room or a face, and what another is left to."""
    text = path.read_text("utf-8")
    lacking = [name for name in TICKED.findall(text) if not exists(name)]
    tree = ast.parse(text)
    for sentence in LEAVES.findall(ast.get_docstring(tree) or ""):
        lacking += [name for name in TICKED.findall(sentence) if not is_left_to(name, tree)]
    assert not lacking


@pytest.mark.parametrize("name", ["distances.nowhere", "latency.py", "scan.pickles.nothing", "docs/none.md"])
def test_a_name_of_nothing_is_noticed(name: str) -> None:
    assert not exists(name)
    assert not is_left_to("latency", ast.parse('def measure(): """The latency."""'))


def exists(name: str) -> bool:
    """Whether a text in back ticks is there, where it has the form of a file or a module of the house."""
    if "/" in name or name.endswith((".py", ".sh", ".md", ".txt")):
        inside = [PROJECT_ROOT / name, *(path for path in MODULES.values() if path.name == name)]
        return not is_path(name) or any(path.exists() for path in inside)
    module = next((m for m in prefixes(name) if m in MODULES), None)
    key = ".".join(name.replace(".value.", ".").split(".")[:2])
    if module is None or module == name or key in keys_of_config_and_report() or name.endswith(MADE):
        return True
    return name.removeprefix(f"{module}.").split(".")[0] in defined(module)


def is_left_to(name: str, tree: ast.Module) -> bool:
    """Whether something is left to what there is: a module, a room, or a name in the file's own code."""
    if name in MODULES or "." in name or "/" in name:
        return True
    names = {getattr(node, part, None) for node in ast.walk(tree) for part in ("id", "attr", "arg", "name")}
    return name in names


def is_path(name: str) -> bool:
    """Whether it is a file of this project that is meant, and not an address or a file that runs make."""
    first = name.partition("/")[0]
    return name.endswith(".py") or (PROJECT_ROOT / first).is_dir()


def prefixes(name: str) -> Iterator[str]:
    """`a.b.c`, `a.b`, `a`: the longest first."""
    parts = name.split(".")
    return (".".join(parts[:n]) for n in range(len(parts), 0, -1))


@cache
def keys_of_config_and_report() -> frozenset[str]:
    """`drift.budget_s` and the like, which begin as a module's name does."""
    fields = [*RunPlan.model_fields.items(), *RunReport.model_fields.items()]
    return frozenset(
        f"{name}.{key}" for name, field in fields for part in records_in(field.annotation) for key in part
    )


def records_in(annotation: Any) -> Iterator[dict[str, Any]]:
    """The fields of each record in a type, and of what a section of the report holds."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation.model_fields
        if "value" in annotation.model_fields:
            yield from records_in(annotation.model_fields["value"].annotation)
    for part in get_args(annotation):
        yield from records_in(part)
