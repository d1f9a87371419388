"""Writes scan/allowed_globals.txt: the names that fitted models' files refer to, and what they do with them.

Run `python -m scripts.allow_list` after an upgrade and review the difference line by line: every new name is
one that a stranger's file may use. `--check` only says whether the file is complete. `--companions` looks at
category_encoders, imbalanced-learn and feature-engine alone, in an environment that has them, and puts their
names into the list; a run without it keeps these as they are.
"""

import io
import sys
from collections.abc import Iterator

from scan.allow_list import DENIED, LIST_FILE, STUBBED, STUBBED_MODULES, allowed, today
from scan.formats import Inflation
from scan.renamed import INERT
from scan.symbols import ANY_USE, CALL, HOLD, ITEMS, NEW, STATE, STUB, USE_NAMES, Global
from scan.walk import Walk
from tests.support import companion_corpus, model_corpus
from tests.support.companion_corpus import COMPANIONS

__all__ = ["LEGACY", "NOT_INSTALLED", "main", "observed", "wanted"]

Uses = dict[tuple[str, str], int]

HEAD = """# Names that a model's pickle may refer to: module, name, and what the file may do with it:
# call (REDUCE), state (BUILD on what the call gave), new (NEWOBJ), items (fill a container), stub (an inert
# class stands in for it), hold (keep it as a value, which may be called later).
# Written by scripts/allow_list.py out of fitted models' own files; do not edit, review the difference.
"""

# What versions before those installed here wrote, where a class has gone since and `upgrades.stand_ins` holds
# its state; or where nothing does: allowing a name that does not exist here lets the load say "version
# mismatch" in place of "refused". Names that only moved are in `scan.renamed`.
LEGACY: dict[str, tuple[str, ...]] = {
    "sklearn.ensemble.gradient_boosting": (
        "LogOddsEstimator", "ScaledLogOddsEstimator", "PriorProbabilityEstimator", "MeanEstimator",
        "QuantileEstimator", "ZeroEstimator",
    ),
    "sklearn.utils.deprecation": ("DeprecationDict",),
    "sklearn.preprocessing.imputation": ("Imputer",),
    "sklearn.compose._column_transformer": ("_RemainderColsList",),
    "sklearn.linear_model._sgd_fast": ("EpsilonInsensitive", "SquaredEpsilonInsensitive"),
    "sklearn.preprocessing.data": ("OneHotEncoder",),  # of 0.19, which the load then calls too old
    "pandas.core.internals.managers": ("SingleBlockManager",),
    "scipy.stats._distn_infrastructure": ("rv_frozen",),
    "xgboost.compat": ("XGBoostLabelEncoder",),
}  # fmt: skip
# Libraries that models are made of and that are not installed where the list is made.
NOT_INSTALLED: dict[str, tuple[str, ...]] = {
    "catboost.core": ("CatBoost", "CatBoostClassifier", "CatBoostRanker", "CatBoostRegressor"),
    "imblearn.pipeline": ("Pipeline",),
    "imblearn.ensemble._forest": ("BalancedRandomForestClassifier",),
    "imblearn.over_sampling._smote.base": ("SMOTE", "SMOTENC"),
    "imblearn.over_sampling._random_over_sampler": ("RandomOverSampler",),
    "imblearn.under_sampling._prototype_selection._random_under_sampler": ("RandomUnderSampler",),
}


def observed(data: bytes) -> Uses:
    """The names that one file refers to, and what it does with them; raises what the walk raises."""
    content = b"".join(Inflation(io.BytesIO(data)))
    walk = Observer(content, _anything)
    walk.run()
    if walk.notes:
        raise ValueError("; ".join(walk.notes))
    found: Uses = {}
    for symbol in walk.globals.values():
        pair = (symbol.module, symbol.name)
        found[pair] = found.get(pair, 0) | symbol.seen
    return found


class Observer(Walk):
    """Lets every name be kept, and remembers which were."""

    def keep(self, _pos: int, name: Global) -> None:
        name.seen |= HOLD


def _anything(module: str, name: str) -> Global:
    pair = today(module, name)
    stubbed = pair in STUBBED or pair[0] in STUBBED_MODULES
    return Global(*pair, (ANY_USE & ~HOLD) | (STUB if stubbed else 0))


def wanted(models: Iterator[model_corpus.Fitted] | None = None) -> Uses:
    """Every name that the corpus's files refer to."""
    found: Uses = {}
    for fitted in models or model_corpus.all_models():
        for kind, data in model_corpus.files(fitted.model):
            try:
                seen = observed(data)
            except Exception as error:
                raise ValueError(f"{fitted.label}, {kind}: {type(error).__name__}: {error}") from error
            for pair, uses in seen.items():
                found[pair] = found.get(pair, 0) | uses
    return found


def complete(found: Uses) -> Uses:
    """With the tables' names, the containers, and the stubs."""
    for table in (LEGACY, NOT_INSTALLED):
        for module, names in table.items():
            for name in names:
                found.setdefault((module, name), CALL | NEW if table is LEGACY else NEW)
    found.setdefault(MINKOWSKI, 0)
    for pair in INERT:
        found.setdefault(pair, CALL | NEW)
    for pair, uses in OLDER_USES.items():
        found[pair] = found.get(pair, 0) | uses
    for module, name in found:
        if (module, name) in CONTAINERS:
            found[module, name] |= ITEMS
        if module in STUBBED_MODULES or (module, name) in STUBBED:
            found[module, name] |= STUB
    return found


OLDER_USES = {  # what older versions did with names that are still written
    ("functools", "partial"): CALL | STATE,  # of scikit-learn's check of arrays, and nothing else
    ("numpy._core", "_ufunc_reconstruct"): CALL,  # numpy before 1.20, of its own functions alone
    ("numpy.random._pickle", "__generator_ctor"): CALL | STATE,  # numpy before 1.24
    ("numpy.random", "__RandomState_ctor"): CALL | STATE,  # numpy before 1.17
    ("pandas", "Categorical"): NEW | STATE,  # pandas before 1.3, as the next two
    ("pandas.arrays", "DatetimeArray"): NEW | STATE,
    ("pandas.core.internals.managers", "BlockManager"): NEW | STATE,
    ("numpy.random._pickle", "__bit_generator_ctor"): HOLD,  # the second argument of the others
}
MINKOWSKI = ("sklearn.metrics._dist_metrics", "MinkowskiDistance64")  # what no search tree of the corpus has
CONTAINERS = {
    ("collections", "OrderedDict"), ("collections", "defaultdict"), ("collections", "Counter"),
    ("collections", "deque"), ("sklearn.utils._bunch", "Bunch"),
    ("sklearn.utils.deprecation", "DeprecationDict"),
}  # fmt: skip


def written(found: Uses) -> str:
    lines = []
    for (module, name), uses in sorted(found.items()):
        words = [word for word, flag in USE_NAMES.items() if uses & flag]
        if uses & NEW:  # what it makes may always have a state
            words = [word for word in words if word != "state"]
        lines.append(" ".join((module, name, *words)) + "\n")
    return HEAD + "".join(lines)


def of_companions(listed: Uses) -> Uses:
    """The names of a list that belong to libraries that this environment need not have."""
    return {pair: uses for pair, uses in listed.items() if pair[0].partition(".")[0] in COMPANIONS}


def companions() -> Uses:
    """What the companions' own classes are in their files, where they are installed."""
    return {pair: NEW for pair in of_companions(wanted(companion_corpus.companions()))}


def main() -> int:
    listed = dict(allowed()) if LIST_FILE.exists() else {}
    if "--companions" in sys.argv:
        LIST_FILE.write_text(written(listed | companions()), "ascii")
        return 0
    found = wanted()
    for pair in [pair for pair in found if pair in DENIED or "." in pair[1]]:
        print(f"left out {' '.join(pair)}: {DENIED.get(pair, 'a dotted name')}")
        del found[pair]
    text = written(of_companions(listed) | complete(found))
    for what, why in model_corpus.skipped.items():
        print(f"skipped {what}: {why}")
    before = LIST_FILE.read_text("ascii") if LIST_FILE.exists() else ""
    print(f"{text.count(chr(10)) - HEAD.count(chr(10))} names")
    if "--check" in sys.argv:
        lacking = sorted(set(text.splitlines()) - set(before.splitlines()))
        print("\n".join(lacking))
        return 1 if lacking else 0
    LIST_FILE.write_text(text, "ascii")
    return 0


if __name__ == "__main__":
    sys.exit(main())
