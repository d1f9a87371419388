"""The house as its own imports draw it: which module imports which, and what a process has loaded."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

from settings import PROJECT_ROOT

__all__ = ["MODULES", "defined", "imported", "listed", "loaded_after", "place_of", "reachable", "taken_from"]

NOT_THE_HOUSE = {"tests", "migrations", "benchmarks", "scripts"}


def listed(*patterns: str) -> list[Path]:
    """The files that git knows, of all kinds or of some."""
    names = subprocess.run(
        ["git", "ls-files", *patterns], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    return [path for name in names if (path := PROJECT_ROOT / name).is_file()]


def _modules() -> dict[str, Path]:
    found = {}
    for path in sorted(PROJECT_ROOT.rglob("*.py")):
        parts = path.relative_to(PROJECT_ROOT).with_suffix("").parts
        if not (set(parts) & NOT_THE_HOUSE or any(part.startswith(".") for part in parts)):
            found[".".join(parts).removesuffix(".__init__")] = path
    return found


MODULES = _modules()
"""Every module of the house by its dotted name, and where it lies."""


@cache
def imported(module: str) -> frozenset[str]:
    """Dotted names that a module imports, also inside functions; of the house, the modules themselves."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            inner = {name for alias in node.names if (name := f"{node.module}.{alias.name}") in MODULES}
            names |= inner
            if len(inner) < len(node.names):
                names.add(node.module)
    return frozenset(names)


@cache
def defined(module: str) -> frozenset[str]:
    """Names of functions, classes and values in a module, members of its classes included."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
    return frozenset(found)


def taken_from(path: Path) -> set[tuple[str, str]]:
    """(module, name) of each name that a file imports out of a module of the house."""
    return {
        (node.module, alias.name)
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module in MODULES
        for alias in node.names
        if f"{node.module}.{alias.name}" not in MODULES
    }


def place_of(module: str) -> str:
    """The room that a module lies in, or the module itself at the root."""
    return module.partition(".")[0]


def reachable(*start: str) -> set[str]:
    """The modules of the house that some may come to import, themselves included."""
    found: set[str] = set()
    ahead = set(start)
    while ahead:
        found |= ahead
        ahead = {name for module in ahead for name in imported(module) if name in MODULES} - found
    return found


def loaded_after(code: str) -> set[str]:
    """Every module that a fresh interpreter has loaded once it has run `code` at the root of the project."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", f"{code}\nimport sys\nprint(*sorted(sys.modules))"],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    return set(done.stdout.splitlines()[-1].split())
