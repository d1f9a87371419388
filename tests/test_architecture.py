"""The house's rules: who may import whom, and what each kind of process holds."""

from graphlib import TopologicalSorter

import pytest

from sandbox.zygote import MAIN
from settings import PROJECT_ROOT
from tests.support.structure import (
    MODULES,
    defined,
    imported,
    listed,
    loaded_after,
    place_of,
    reachable,
    taken_from,
)

# Who may import what, besides errors and records: a face at the root, a room, or one module of a room.
# A name that is missing here fails the tests. docs/architecture.md tells the same in words.
ENGINES = {
    "distances", "drift", "estimators.answers", "explainability", "explainers", "metrics", "robustness",
    "rows", "scan", "schema_utils", "shifts", "synthetic_data",
}  # fmt: skip
DOOR = {
    "auth", "lockdown.lock", "registry", "reports", "runs", "schema_utils", "services", "settings", "storage",
    "store",
}  # fmt: skip
MAY_IMPORT: dict[str, set[str]] = {
    # the ground
    "errors": set(),
    "interruption": set(),
    "settings": set(),
    "records": set(),
    "lockdown": set(),
    "scan": set(),
    "upgrades": set(),
    "rows": set(),
    "schema_utils": {"rows.blocks", "rows.dates", "rows.shapes"},
    "example_models": set(),
    "reports": set(),
    "auth": {"settings"},
    "supervisor": {"settings"},
    "checks": {"judging", "reports.words", "settings"},
    "judging": {"reports.words"},
    # the store and the use case
    "store": {"settings"},
    "storage": {"store"},
    "jobs": {"settings", "storage", "store"},
    "services": {"jobs", "settings", "storage", "store"},
    "registry": {"services", "store"},
    "runs": {
        "example_models", "registry", "reports.comparison", "rows", "schema_utils", "services", "store",
    },
    # the engines
    "estimators": {"scan", "upgrades"},
    "synthetic_data": {"rows", "schema_utils"},
    "mining": {"estimators", "rows", "schema_utils"},
    "model_utils": {"estimators"},
    "metrics": {"estimators.answers"},
    "distances": {"estimators.answers"},
    "drift": {"distances"},
    "shifts": {"distances", "drift", "estimators.answers", "metrics"},
    "robustness": {"distances", "estimators.answers", "estimators.batches", "shifts"},
    "explainers": {
        "distances", "estimators.answers", "estimators.columns", "estimators.texts", "shifts",
    },
    "explainability": {"estimators.answers", "explainers"},
    # a model's process: from outside, and from inside
    "sandbox": {"estimators.answers", "metrics", "rows", "scan", "settings"},
    "bundles": {"estimators", "mining", "model_utils", "scan", "schema_utils"},
    "model_process": {
        "bundles", "estimators", "explainability", "explainers", "lockdown", "mining", "model_utils", "rows",
        "sandbox.wire", "scan", "schema_utils", "upgrades",
    },
    # the doors
    "execution": ENGINES | {"checks", "registry.discarded", "sandbox", "services", "settings", "store"},
    "worker": {
        "distances.domain", "example_models", "execution", "jobs", "runs", "sandbox.zygote", "services",
        "settings", "storage", "store",
    },
    "routes": DOOR,
    "views": DOOR | {"example_models", "rows.fit", "rows.preview"},
    "api_handler": {"auth", "routes", "settings"},
    "dashboard": {"settings", "views"},
    "app": {"api_handler", "routes", "services", "settings", "supervisor"},
    "example_client": set(),
}  # fmt: skip
EVERYWHERE = {"errors", "interruption", "records"}
# What may be imported where; a library that is not listed here may be imported anywhere.
ONLY_IN = {
    "streamlit": {"app", "dashboard", "views"},
    "fastapi": {"app", "api_handler", "routes"},
    "sqlalchemy": {"storage", "store"},
    "alembic": {"store.database"},
    "numba": {"explainers.tree_shapley", "mining.particles"},
}
WEB_HOLDS_NONE_OF = {
    "bundles", "checks", "distances", "drift", "estimators", "execution", "explainability", "explainers",
    "judging", "metrics", "mining", "model_process", "model_utils", "robustness", "sandbox", "scan", "shifts",
    "synthetic_data", "rows.csv_files", "rows.parquet_files", "rows.samples",
    "joblib", "lightgbm", "matplotlib", "numba", "scipy", "shap", "sklearn", "xgboost",
}  # fmt: skip
WORKER_HOLDS_NONE_OF = {
    "bundles",
    "estimators.loading", "estimators.native", "estimators.networks", "estimators.unpickler", "lockdown",
    "mining", "model_process", "model_utils", "numba", "shap",
    "rows.csv_files", "rows.parquet_files", "rows.samples", "scan.archives", "scan.files", "scan.native",
    "scan.pickles",
}  # fmt: skip
CHILD_HOLDS_ONLY = {
    "bundles", "errors", "estimators", "explainability", "explainers", "interruption", "lockdown", "mining",
    "model_process", "model_utils", "records", "rows.column_names", "rows.common_words", "rows.csv_files",
    "rows.encoding", "rows.joint", "rows.labels", "rows.limits", "rows.matching", "rows.names",
    "rows.blocks", "rows.dates", "rows.one_hot", "rows.parquet_files", "rows.samples", "rows.shapes",
    "rows.taking", "sandbox.wire", "scan", "schema_utils", "upgrades",
}  # fmt: skip
MOST_LINES = 480
# The client is one file by promise: people copy it beside their model.
LONGER = {"example_client.client_api_example": 900}


def within(module: str, places: set[str]) -> bool:
    return module in places or place_of(module) in places


def test_every_module_has_its_place_in_the_table() -> None:
    assert {place_of(module) for module in MODULES} == set(MAY_IMPORT)


def test_rooms_are_one_level_deep() -> None:
    assert not [module for module in MODULES if module.count(".") > 1]


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_what_its_place_may(module: str) -> None:
    place = place_of(module)
    allowed = MAY_IMPORT[place] | EVERYWHERE | {place}
    if place in ("errors", "example_client"):
        allowed = {place}
    assert not {name for name in imported(module) if name in MODULES and not within(name, allowed)}


def test_no_modules_import_each_other_in_a_circle() -> None:
    TopologicalSorter({m: {n for n in imported(m) if n in MODULES} for m in MODULES}).prepare()


def test_the_ground_neither_computes_nor_reads() -> None:
    """numpy would be fine in annotations; today nothing of records needs it at all."""
    inside = {name for module in MODULES if place_of(module) == "records" for name in imported(module)}
    assert not {place_of(name) for name in inside} & {"io", "numpy", "os", "pandas", "pathlib", "scipy"}


@pytest.mark.parametrize("module", MODULES)
def test_libraries_stay_where_they_belong(module: str) -> None:
    stray = {name for name in imported(module) if not within(module, ONLY_IN.get(place_of(name), {module}))}
    assert not stray


def test_a_name_is_imported_from_where_it_is_defined() -> None:
    """No module hands on what another defines: there is one place to look, and one to import from."""
    files = listed("*.py")
    handed_on = {
        (str(path.relative_to(PROJECT_ROOT)), module, name)
        for path in files
        for module, name in taken_from(path)
        if name not in defined(module)
    }
    assert len(files) > len(MODULES) and not handed_on


def test_a_room_says_what_it_is_for_and_nothing_else() -> None:
    """A room's `__init__` says what the room is for; imports and names are its modules'."""
    for module, path in MODULES.items():
        if path.name == "__init__.py":
            assert not imported(module) and len(path.read_text("utf-8").splitlines()) <= 5, module


@pytest.mark.parametrize("module", sorted(MODULES))
def test_no_module_is_longer_than_a_reader_can_hold(module: str) -> None:
    assert len(MODULES[module].read_text("utf-8").splitlines()) <= LONGER.get(module, MOST_LINES)


# What each kind of process holds, in a fresh interpreter ------------------------------------------


def test_the_web_process_holds_no_engine_and_no_learning_library() -> None:
    pages = [module for module in MODULES if place_of(module) == "views"]
    loaded = loaded_after(f"import app, {', '.join(pages)}")
    assert set(pages) <= loaded
    assert not {name for name in loaded if within(name, WEB_HOLDS_NONE_OF)}


def test_the_worker_holds_nothing_that_opens_a_strangers_file() -> None:
    loaded = loaded_after("import worker")
    assert "execution.stages" in loaded
    assert not {name for name in loaded if within(name, WORKER_HOLDS_NONE_OF)}


@pytest.fixture(scope="module")
def loaded_by_child() -> set[str]:
    """What a child has when it is forked; once for the tests of this module."""
    return loaded_after(f"from {MAIN} import preload\npreload()")


def test_the_child_holds_what_it_may_and_nothing_of_the_servers(loaded_by_child: set[str]) -> None:
    held = {name for name in loaded_by_child if name in MODULES}
    rooms = {place_of(name) for name in CHILD_HOLDS_ONLY}  # a room is loaded with any module of it
    assert "model_process.child" in held
    assert not {name for name in held - rooms if not within(name, CHILD_HOLDS_ONLY)}


def test_the_child_lacks_nothing_that_it_may_come_to_import(loaded_by_child: set[str]) -> None:
    """Under the lock no module of ours can be read any more: `.env` and the data may lie beside them."""
    needed = reachable(MAIN)
    assert {"explainers.tree_shapley", "estimators.unpickler", "mining.particles"} <= needed
    assert not needed - loaded_by_child


def test_no_file_names_a_package_registry() -> None:
    """Built from parts, so that this file does not name one either."""
    hosts = ["py" + "pi.org", "python" + "hosted.org", "registry." + "npmjs"]
    naming = [
        path
        for path in listed()
        if path.suffix not in {".png", ".pkl"}
        and any(host in path.read_text("utf-8", errors="ignore") for host in hosts)
    ]
    assert not naming
