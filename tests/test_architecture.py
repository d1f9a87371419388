"""The house's rules: imports point downwards, and heavy libraries stay out of the web process."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from settings import PROJECT_ROOT

LEVELS: dict[int, set[str]] = {
    0: {"errors", "records", "settings"},
    1: {
        "shifts", "distances", "rows", "mining", "estimators", "scan",
        "auth",
        "checks", "drift",
        "example_models", "explainability",
        "explainers",
        "metrics",
        "model_utils",
        "robustness",
        "schema_utils", "synthetic_data", "timing",
        "timing_rig", "wire",
    },
    2: {
        "artifacts", "exports", "findings", "jobs", "lockdown", "model_process",
        "report_figures", "sandbox", "sandbox_answers",
        "storage", "storage_database", "storage_jobs", "storage_runs", "storage_tables",
        "timing_trials", "zygote", "zygote_process",
    },
    3: {
        "execution", "housekeeping", "model_inspection", "run_execution", "run_explanation", "run_model", "run_results",
        "runs", "services",
    },
    4: {"api_handler", "dashboard", "routes", "supervisor", "views", "worker", "example_client"},
    5: {"app"},
}  # fmt: skip
LEVEL_OF = {module: level for level, modules in LEVELS.items() for module in modules}
NOT_THE_HOUSE = {"tests", "migrations", "benchmarks", "scripts"}
# What may be imported where; a library that is not listed here may be imported anywhere.
ONLY_IN = {
    "streamlit": {"app", "dashboard", "views"},
    "fastapi": {"app", "api_handler", "routes"},
    "sqlalchemy": {"storage", "storage_database", "storage_jobs", "storage_runs", "storage_tables"},
    "alembic": {"storage_database"},
}
CHILD = {"model_process", "zygote_process"}
CHILD_MAY_IMPORT = LEVELS[0] | LEVELS[1] | {"kernel", "lockdown", "model_process"}


def modules() -> dict[str, Path]:
    """Every module of the house by its dotted name."""
    found = {}
    for path in sorted(PROJECT_ROOT.rglob("*.py")):
        parts = path.relative_to(PROJECT_ROOT).with_suffix("").parts
        if not (set(parts) & NOT_THE_HOUSE or any(part.startswith(".") for part in parts)):
            found[".".join(parts)] = path
    return found


def imported(path: Path) -> set[str]:
    """Dotted names that a file imports, also inside functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module)
    return names


MODULES = modules()


def test_every_module_has_its_place_in_the_table() -> None:
    tops = {name.split(".")[0] for name in MODULES}
    assert tops == set(LEVEL_OF)


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_downwards(module: str) -> None:
    level = LEVEL_OF[module.split(".")[0]]
    upwards = {
        name
        for name in imported(MODULES[module])
        if (top := name.split(".")[0]) in LEVEL_OF and LEVEL_OF[top] > level
    }
    assert not upwards


@pytest.mark.parametrize("module", MODULES)
def test_libraries_stay_where_they_belong(module: str) -> None:
    top = module.split(".")[0]
    stray = {name for name in imported(MODULES[module]) if top not in ONLY_IN.get(name.split(".")[0], {top})}
    assert not stray


def test_the_child_imports_only_what_it_may() -> None:
    for module in CHILD:
        own = {name.split(".")[0] for name in imported(MODULES[module])} & set(LEVEL_OF)
        assert own <= CHILD_MAY_IMPORT


def test_routes_and_views_never_import_each_other() -> None:
    for module in MODULES:
        tops = {name.split(".")[0] for name in imported(MODULES[module])}
        if module.startswith("routes"):
            assert not tops & {"views", "dashboard"}
        if module.startswith("views"):
            assert not tops & {"routes", "api_handler"}


@pytest.mark.parametrize("module", sorted(MODULES))
def test_no_module_is_longer_than_a_reader_can_hold(module: str) -> None:
    assert len(MODULES[module].read_text("utf-8").splitlines()) <= 480, "split it by noun"


def test_the_web_process_loads_no_learning_library() -> None:
    """Measured in a fresh interpreter, on everything that app.py imports, pages included."""
    code = (
        "import sys, app, dashboard_imports\n"
        "heavy = {'sklearn', 'shap', 'numba', 'scipy', 'xgboost', 'lightgbm', 'matplotlib'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    ).replace("dashboard_imports", ", ".join(name for name in MODULES if name.startswith("views.")))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_no_file_names_a_package_registry() -> None:
    """Built from parts, so that this file does not name one either."""
    hosts = ["py" + "pi.org", "python" + "hosted.org", "registry." + "npmjs"]
    listed = subprocess.run(
        ["git", "ls-files"], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    naming = []
    for name in listed:
        path = PROJECT_ROOT / name
        if path.is_file() and path.suffix not in {".png", ".pkl"}:
            text = path.read_text("utf-8", errors="ignore")
            naming += [name for host in hosts if host in text]
    assert not naming
