"""Fitted models of every kind that the allow-list must let pass, small and quick to make.

Promises: each model comes with a label and the rows it can predict; what cannot be fitted is named with
its reason. Used by `scripts/allow_list.py` and by the scan's tests.
"""

import importlib
import io
import pickle
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import joblib
import numpy as np
import pandas as pd

__all__ = ["Fitted", "all_models", "estimators", "files", "library_models", "skipped"]

PROTOCOLS = (0, 1, 2, 3, 4, 5)
skipped: dict[str, str] = {}  # estimator -> why it is not in the corpus; filled by `estimators`


class Fitted(NamedTuple):
    """A fitted model and rows that it can answer."""

    label: str
    model: Any
    rows: Any


def files(model: Any, protocols: tuple[int, ...] = PROTOCOLS) -> Iterator[tuple[str, bytes]]:
    """The model as the files people save: each pickle protocol, joblib plain and compressed."""
    for protocol in protocols:
        yield f"pickle {protocol}", pickle.dumps(model, protocol)
    compressions: tuple[Any, ...] = (0, ("zlib", 3), ("lzma", 1))
    for compress in compressions:
        file = io.BytesIO()
        joblib.dump(model, file, compress=compress)
        yield f"joblib {compress[0] if compress else 'plain'}", file.getvalue()
    for protocol in (2, 5):
        file = io.BytesIO()
        joblib.dump(model, file, protocol=protocol)
        yield f"joblib protocol {protocol}", file.getvalue()


def all_models() -> Iterator[Fitted]:
    """Everything: each of scikit-learn's estimators, and models put together as people do."""
    yield from estimators()
    yield from library_models()


# Every estimator of scikit-learn -------------------------------------------------------------------


def _texts(_rows: Any, _target: Any) -> tuple[Any, Any]:
    return ["a red fox", "a blue sea", "the red sea"] * 20, np.arange(60) % 2


def _labels(_rows: Any, target: Any) -> tuple[Any, ...]:
    return (target,)


OWN_DATA: dict[str, Callable[[Any, Any], tuple[Any, ...]]] = {
    "CountVectorizer": _texts,
    "TfidfVectorizer": _texts,
    "HashingVectorizer": _texts,
    "DictVectorizer": lambda rows, _: ([{"a": 1.0, "b": "x"}] * len(rows),),
    "LabelBinarizer": _labels,
    "LabelEncoder": _labels,
    "MultiLabelBinarizer": lambda rows, _: ([("a", "b"), ("a",)] * (len(rows) // 2),),
}


def estimators() -> Iterator[Fitted]:
    """Each of `all_estimators()`, in every form that scikit-learn's own checks construct it."""
    from sklearn.utils import all_estimators
    from sklearn.utils._test_common.instance_generator import _construct_instances
    from sklearn.utils.estimator_checks import _enforce_estimator_tags_X, _enforce_estimator_tags_y

    rng = np.random.default_rng(0)
    plain = rng.normal(size=(60, 4))
    target = (plain[:, 0] > 0).astype(int)
    for name, kind in all_estimators():
        try:
            instances = [_frozen()] if name == "FrozenEstimator" else list(_construct_instances(kind))
        except Exception as error:
            skipped[name] = f"cannot be constructed: {error}"
            continue
        for number, estimator in enumerate(instances):
            np.random.seed(0)  # for those that take no seed: the same names at every run
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    rows = plain[:, :3] if name == "SparseCoder" else plain
                    if name in OWN_DATA:
                        given = OWN_DATA[name](rows, target)
                    else:
                        rows = _enforce_estimator_tags_X(estimator, rows)
                        given = (rows, _enforce_estimator_tags_y(estimator, target))
                    estimator.fit(*given)
            except Exception as error:
                skipped[f"{name} {number}"] = f"cannot be fitted: {type(error).__name__}: {error}"[:200]
                continue
            yield Fitted(f"{name} {number}", estimator, given[0])


def _frozen() -> Any:
    from sklearn.frozen import FrozenEstimator
    from sklearn.linear_model import LogisticRegression

    rows = np.arange(40.0).reshape(10, 4)
    return FrozenEstimator(LogisticRegression().fit(rows, np.arange(10) % 2))


# Put together as people do ---------------------------------------------------------------------------


def library_models() -> Iterator[Fitted]:
    """Pipelines, searches, ensembles, options with classes of their own, and the other libraries."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for make in (_composed, _searched, _options, _functions, _gaussian, _boosted, _pandas):
            yield from make()


def _numbers(count: int = 80) -> tuple[pd.DataFrame, Any]:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(rng.normal(size=(count, 3)), columns=["a", "b", "c"])
    return frame, (frame["a"] + frame["b"] > 0).to_numpy().astype(int)


def _mixed() -> tuple[pd.DataFrame, Any]:
    frame, target = _numbers()
    frame["city"] = np.array(["Bern", "Oslo", "Rome", None], dtype=object)[np.arange(len(frame)) % 4]
    frame["kind"] = pd.Categorical(np.array(["x", "y"])[np.arange(len(frame)) % 2])
    frame["day"] = pd.date_range("2024-01-01", periods=len(frame))
    return frame, np.where(target, "yes", "no")


def _composed() -> Iterator[Fitted]:
    from sklearn import ensemble, linear_model, multioutput, naive_bayes, pipeline, preprocessing, tree
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.compose import ColumnTransformer, TransformedTargetRegressor, make_column_selector
    from sklearn.impute import KNNImputer, SimpleImputer

    frame, target = _mixed()
    numeric, labels = _numbers()
    for sparse in (True, False):
        columns = ColumnTransformer(
            [
                (
                    "numbers",
                    pipeline.make_pipeline(SimpleImputer(), preprocessing.StandardScaler()),
                    ["a", "b"],
                ),
                (
                    "city",
                    preprocessing.OneHotEncoder(handle_unknown="ignore", sparse_output=sparse),
                    ["city"],
                ),
                ("kind", preprocessing.OrdinalEncoder(), make_column_selector(dtype_include="category")),
                ("target", preprocessing.TargetEncoder(cv=2), ["kind"]),
            ],
            remainder="drop",
        )
        if not sparse:
            columns.set_output(transform="pandas")
        for last in (
            linear_model.LogisticRegression(),
            ensemble.HistGradientBoostingClassifier(max_iter=3),
            ensemble.RandomForestClassifier(3),
        ):
            model = pipeline.Pipeline([("columns", columns), ("last", last)]).fit(frame, target)
            yield Fitted(f"pipeline {type(last).__name__} {sparse}", model, frame)
    tree_model = tree.DecisionTreeClassifier(max_depth=2)
    parts = [("tree", tree_model), ("bayes", naive_bayes.GaussianNB())]
    for made in (
        ensemble.StackingClassifier(parts, cv=2),
        ensemble.VotingClassifier(parts, voting="soft"),
        CalibratedClassifierCV(tree_model, cv=2),
        CalibratedClassifierCV(tree_model, method="isotonic", cv=2, ensemble=False),
        CalibratedClassifierCV(tree_model, method="temperature", cv=2),
        ensemble.BaggingClassifier(tree_model, 3),
        ensemble.AdaBoostClassifier(tree_model, n_estimators=3),
        pipeline.make_pipeline(KNNImputer(), pipeline.make_union(preprocessing.MinMaxScaler()), tree_model),
    ):
        yield Fitted(f"composed {type(made).__name__}", made.fit(numeric, labels), numeric)
    many = np.column_stack([labels, 1 - labels])
    for made in (multioutput.MultiOutputClassifier(tree_model), multioutput.ClassifierChain(tree_model)):
        yield Fitted(f"composed {type(made).__name__}", made.fit(numeric, many), numeric)
    from sklearn.neural_network import MLPClassifier

    for made in (
        MLPClassifier((2,), solver="sgd", max_iter=3),
        pipeline.make_pipeline(_iterative(), tree_model),
        ensemble.HistGradientBoostingClassifier(max_iter=2, categorical_features=[0]),
    ):
        coded = np.column_stack([np.arange(len(labels)) % 3, numeric.to_numpy()[:, :2]])
        yield Fitted(f"composed {type(made).__name__}", made.fit(coded, labels), coded)
    for functions in ((np.log1p, np.expm1), (np.sqrt, np.square), (np.exp, np.log)):
        forward, back = functions
        regressor = TransformedTargetRegressor(
            linear_model.Ridge(), func=forward, inverse_func=back, check_inverse=False
        )
        yield Fitted(f"target {forward.__name__}", regressor.fit(numeric, labels + 1.0), numeric)


def _iterative() -> Any:
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer

    return IterativeImputer(max_iter=1, random_state=0)


def _searched() -> Iterator[Fitted]:
    import scipy.stats
    from sklearn import model_selection as selection
    from sklearn.experimental import enable_halving_search_cv  # noqa: F401
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.metrics import get_scorer, get_scorer_names, make_scorer, mean_pinball_loss

    frame, target = _numbers()
    grid = {"C": [0.1, 1.0]}
    yield Fitted("grid", selection.GridSearchCV(LogisticRegression(), grid, cv=2).fit(frame, target), frame)
    drawn = {"alpha": scipy.stats.loguniform(0.01, 1), "tol": scipy.stats.uniform(0.001, 0.01)}
    random = selection.RandomizedSearchCV(Ridge(), drawn, n_iter=2, cv=2, random_state=0)
    yield Fitted("random", random.fit(frame, target), frame)
    whole = {"max_iter": scipy.stats.randint(50, 90)}
    counted = selection.RandomizedSearchCV(Ridge(), whole, n_iter=2, cv=2, random_state=0)
    yield Fitted("random, whole numbers", counted.fit(frame, target), frame)
    halving = selection.HalvingGridSearchCV(LogisticRegression(), grid, cv=2)
    yield Fitted("halving", halving.fit(frame, target), frame)
    for name in selection._split.__all__:
        kind = getattr(selection, name)
        if isinstance(kind, type) and name not in ("BaseCrossValidator", "PredefinedSplit"):
            splitter = kind(1) if name.startswith("LeaveP") else kind()
            if hasattr(splitter, "shuffle"):
                splitter.shuffle, splitter.random_state = True, np.random.RandomState(0)
            search = selection.GridSearchCV(LogisticRegression(), grid, cv=2).fit(frame, target)
            search.cv = splitter
            yield Fitted(f"search by {name}", search, frame)
    for name in (*get_scorer_names(), ""):
        scorer = get_scorer(name) if name else make_scorer(mean_pinball_loss, alpha=0.3)
        search = selection.GridSearchCV(LogisticRegression(), grid, cv=2).fit(frame, target)
        search.scoring = search.scorer_ = scorer
        yield Fitted(f"search scored by {name or 'make_scorer'}", search, frame)
    for name in vars(scipy.stats):
        value = getattr(scipy.stats, name)
        if isinstance(value, scipy.stats.rv_continuous | scipy.stats.rv_discrete):
            search = selection.RandomizedSearchCV(Ridge(), {"alpha": value}, n_iter=2)
            yield Fitted(f"distribution {name}", search, None)


def _options() -> Iterator[Fitted]:
    """Options that bring a class of their own into the file: metrics, losses, seeds, sparse matrices."""
    import scipy.sparse
    from sklearn import ensemble, linear_model, neighbors, svm

    frame, target = _numbers()
    rows = frame.to_numpy()
    options: dict[str, Any] | None
    for metric in sorted(neighbors.VALID_METRICS["ball_tree"]):
        options = {"V": np.ones(3)} if metric == "seuclidean" else None
        options = {"VI": np.eye(3)} if metric == "mahalanobis" else options
        for algorithm in ("ball_tree", "kd_tree"):
            for dtype in (np.float64, np.float32):
                if algorithm in ("ball_tree",) or metric in neighbors.VALID_METRICS["kd_tree"]:
                    try:
                        model = neighbors.KNeighborsClassifier(
                            algorithm=algorithm, metric=metric, metric_params=options
                        ).fit(rows.astype(dtype), target)
                    except (ValueError, TypeError) as error:
                        skipped[f"metric {metric}"] = str(error)[:200]
                        continue
                    yield Fitted(f"{algorithm} {metric}", model, rows)
    for loss in ("log_loss", "exponential"):
        boosted = ensemble.GradientBoostingClassifier(loss=loss, n_estimators=2).fit(rows, target)
        yield Fitted(f"boosting {loss}", boosted, rows)
    for loss in ("squared_error", "absolute_error", "huber", "quantile"):
        regressor = ensemble.GradientBoostingRegressor(loss=loss, n_estimators=2).fit(rows, target)
        yield Fitted(f"boosting {loss}", regressor, rows)
    for loss in ("squared_error", "absolute_error", "gamma", "poisson", "quantile"):
        quantile = 0.5 if loss == "quantile" else None
        hist = ensemble.HistGradientBoostingRegressor(loss=loss, quantile=quantile, max_iter=2)
        yield Fitted(f"histograms {loss}", hist.fit(rows, target + 1.0), rows)
    yield Fitted(
        "multinomial", ensemble.HistGradientBoostingClassifier(max_iter=2).fit(rows, np.arange(80) % 3), rows
    )
    for criterion in ("squared_error", "absolute_error", "friedman_mse", "poisson"):
        forest = ensemble.ExtraTreesRegressor(2, criterion=criterion).fit(rows, target + 1.0)
        yield Fitted(f"trees {criterion}", forest, rows)
    for loss in (
        "hinge",
        "log_loss",
        "modified_huber",
        "squared_hinge",
        "perceptron",
        "squared_error",
        "huber",
    ):
        yield Fitted(f"sgd {loss}", linear_model.SGDClassifier(loss=loss, max_iter=5).fit(rows, target), rows)
    for loss in ("squared_error", "huber", "epsilon_insensitive", "squared_epsilon_insensitive"):
        yield Fitted(f"sgd {loss}", linear_model.SGDRegressor(loss=loss, max_iter=5).fit(rows, target), rows)
    for power, link in ((0, "identity"), (1, "log"), (1.5, "log"), (2, "log"), (3, "log"), (1.5, "identity")):
        tweedie = linear_model.TweedieRegressor(power=power, link=link, max_iter=5).fit(rows, target + 1.0)
        yield Fitted(f"tweedie {power} {link}", tweedie, rows)
    seeds = [np.random.RandomState(0), np.random.mtrand._rand, np.int64(3)]
    for seed in seeds:
        yield Fitted("seeded", ensemble.RandomForestClassifier(2, random_state=seed).fit(rows, target), rows)
    for kind in ("csr", "csc", "coo"):
        for base in ("array", "matrix"):
            sparse = getattr(scipy.sparse, f"{kind}_{base}")(np.abs(rows).round())
            model = svm.SVC().fit(sparse, target)
            model.extra_ = sparse
            yield Fitted(f"sparse {kind} {base}", model, sparse)
    yield from _kept_values(frame, target)


def _kept_values(frame: pd.DataFrame, target: Any) -> Iterator[Fitted]:
    """A model that keeps what people keep on one: generators, numbers of every kind, containers."""
    import collections
    import datetime
    import decimal

    from sklearn.linear_model import Ridge
    from sklearn.preprocessing import LabelEncoder
    from sklearn.utils import Bunch

    bits = ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")
    generators = [np.random.Generator(getattr(np.random, name)(0)) for name in bits]
    scalars = [np.dtype(code).type(1) for code in "?bBhHiIlLqQefdgFDG"]
    kept = [
        *generators, *scalars, np.str_("a"), np.bytes_(b"a"), np.datetime64("2024-01-01"),
        np.timedelta64(1, "D"),
        np.zeros((2, 2), order="F"), np.zeros((2, 3, 4)).swapaxes(0, 1),
        np.ma.masked_array([1.0, 2.0], [True, False]), np.matrix([[1.0]]),
        np.rec.array([(1, 2.0)], dtype=[("a", int), ("b", float)]), np.array(["a", None], dtype=object),
        np.array(["a", "bc"]), np.array(["2024-01-01"], dtype="M8[D]"),
        np.zeros(2, dtype=[("a", float, (2,))]),
        collections.OrderedDict(a=1), collections.defaultdict(int, a=1), collections.defaultdict(list),
        collections.defaultdict(LabelEncoder, a=LabelEncoder().fit(["b", "c"])),
        collections.Counter("aab"), collections.deque([1]), Bunch(a=1), {1, 2}, frozenset((1,)), range(3),
        slice(1, 2), complex(1, 2), bytearray(b"abc"), b"abc" * 99, decimal.Decimal("1.5"), Ellipsis,
        datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC), datetime.date(2024, 1, 1), datetime.time(1),
        datetime.timedelta(1), type(None), int, float, str, bool, object, list, dict, tuple, set, bytes,
        np.float64, np.float32, np.int64, np.int32, np.uint8, np.bool_, np.object_, np.str_, np.number,
        np.ndarray, np.int8, np.int16, np.uint16, np.uint32, np.uint64, np.float16, np.generic,
        np.integer, np.floating, np.dtype("f8"), np.complex128,
    ]  # fmt: skip
    for value in kept:
        model = Ridge().fit(frame, target)
        model.kept_ = [value, {"again": value}]
        yield Fitted(f"keeps {type(value).__name__} {str(value)[:30]}", model, frame)


def _functions() -> Iterator[Fitted]:
    """Functions that a pipeline may name: NumPy's and SciPy's universal ones, and scikit-learn's own."""
    import scipy.special
    import sklearn.feature_selection as selection
    from sklearn import preprocessing
    from sklearn.compose import make_column_selector
    from sklearn.metrics import pairwise

    for name, function in (*vars(np).items(), *vars(scipy.special).items()):
        if isinstance(function, np.ufunc):
            transformer = preprocessing.FunctionTransformer(function)
            transformer.inverse_func = function
            yield Fitted(f"function {name}", transformer, None)
    plain = (np.nan_to_num, np.abs, np.round, np.clip, np.ravel, np.asarray, np.mean, np.median, np.std)
    scaling = (preprocessing.scale, preprocessing.normalize, preprocessing.minmax_scale)
    scores = [getattr(selection, name) for name in dir(selection) if name in SCORES]
    distances = [getattr(pairwise, name) for name in DISTANCES]
    for function in (*plain, *scaling, *scores, *distances):
        yield Fitted(f"function {function.__name__}", preprocessing.FunctionTransformer(function), None)
    yield Fitted("selector", make_column_selector(dtype_include=np.number, pattern="a"), None)


SCORES = (
    "f_classif",
    "f_regression",
    "chi2",
    "mutual_info_classif",
    "mutual_info_regression",
    "r_regression",
)
DISTANCES = (
    "euclidean_distances", "manhattan_distances", "cosine_similarity", "cosine_distances", "rbf_kernel",
    "linear_kernel", "polynomial_kernel", "laplacian_kernel", "chi2_kernel", "sigmoid_kernel",
    "haversine_distances", "nan_euclidean_distances",
)  # fmt: skip


def _gaussian() -> Iterator[Fitted]:
    from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor, kernels

    frame, target = _numbers(30)
    for kernel in (
        1.0 * kernels.RBF() + kernels.WhiteKernel(),
        kernels.Matern() * kernels.ConstantKernel(),
        kernels.RationalQuadratic() ** 2,
        kernels.ExpSineSquared(),
        kernels.DotProduct(),
        kernels.PairwiseKernel(),
        kernels.CompoundKernel([kernels.RBF(), kernels.RBF(2.0)]),
    ):
        model = GaussianProcessRegressor(kernel, alpha=10.0, optimizer=None)
        if isinstance(kernel, kernels.CompoundKernel):
            model.kernel_ = kernel
        else:
            model.fit(frame, target)
        yield Fitted(f"gaussian {kernel}", model, frame)
    many = GaussianProcessClassifier().fit(frame, np.arange(30) % 3)
    yield Fitted("gaussian classes", many, frame)


def _boosted() -> Iterator[Fitted]:
    import lightgbm
    import xgboost

    frame, target = _numbers()
    typed, _ = _mixed()
    typed = typed[["a", "kind"]]
    grades = np.arange(80) % 3
    for name in ("XGBClassifier", "XGBRegressor", "XGBRFClassifier", "XGBRFRegressor", "XGBRanker"):
        for booster in ("gbtree", "dart", "gblinear"):
            if booster == "gblinear" and "RF" in name:
                continue
            model = getattr(xgboost, name)(n_estimators=2, n_jobs=1, booster=booster)
            query = {"qid": np.arange(80) // 20} if name == "XGBRanker" else {}
            yield Fitted(f"{name} {booster}", model.fit(frame, target, **query), frame)
    many = xgboost.XGBClassifier(n_estimators=2, n_jobs=1, callbacks=[xgboost.callback.EarlyStopping(2)])
    yield Fitted(
        "XGBClassifier early", many.fit(frame, grades, eval_set=[(frame, grades)], verbose=False), frame
    )
    categories = xgboost.XGBClassifier(n_estimators=2, n_jobs=1, enable_categorical=True)
    yield Fitted("XGBClassifier categories", categories.fit(typed, target), typed)
    yield Fitted("Booster xgboost", many.get_booster(), xgboost.DMatrix(frame))
    for name in ("LGBMClassifier", "LGBMRegressor", "LGBMRanker"):
        for boosting in ("gbdt", "dart", "rf"):
            bagging = {"subsample": 0.5, "subsample_freq": 1} if boosting == "rf" else {}
            model = getattr(lightgbm, name)(
                n_estimators=2, n_jobs=1, verbose=-1, boosting_type=boosting, **bagging
            )
            group = {"group": [20] * 4} if name == "LGBMRanker" else {}
            yield Fitted(f"{name} {boosting}", model.fit(frame, target, **group), frame)
    early = lightgbm.LGBMClassifier(n_estimators=3, n_jobs=1, verbose=-1)
    stops = [lightgbm.early_stopping(1, verbose=False)]
    early.fit(frame, grades, eval_set=[(frame, grades)], callbacks=stops)
    yield Fitted("LGBMClassifier early", early, frame)
    with_kinds = lightgbm.LGBMClassifier(n_estimators=2, n_jobs=1, verbose=-1).fit(typed, target)
    yield Fitted("LGBMClassifier categories", with_kinds, typed)
    yield Fitted("Booster lightgbm", early.booster_, frame)
    try:
        catboost = importlib.import_module("catboost")
    except ImportError:
        skipped["catboost"] = "not installed: its names are in the table of scripts/allow_list.py"
        return
    for name in ("CatBoostClassifier", "CatBoostRegressor", "CatBoostRanker"):
        model = getattr(catboost, name)(
            iterations=2, verbose=False, thread_count=1, allow_writing_files=False
        )
        groups: dict[str, Any] = {"group_id": np.arange(80) // 20} if name == "CatBoostRanker" else {}
        yield Fitted(name, model.fit(frame, target, **groups), frame)


def _pandas() -> Iterator[Fitted]:
    """pandas objects that estimators keep: frames, columns and every kind of index and dtype."""
    from sklearn.linear_model import Ridge

    frame, target = _numbers()
    typed, _ = _mixed()
    rich = typed.assign(
        text=pd.array(["a", None] * 40, dtype="string"), whole=pd.array([1, None] * 40, dtype="Int64"),
        part=pd.array([1.5, None] * 40, dtype="Float64"), flag=pd.array([True, None] * 40, dtype="boolean"),
        there=pd.date_range("2024-01-01", periods=80, tz="UTC"),
        span=pd.to_timedelta(np.arange(80), unit="D"),
        month=pd.period_range("2024-01", periods=80, freq="M"), band=pd.cut(frame["a"], 3),
        thin=pd.arrays.SparseArray(np.zeros(80)), python=pd.Series([object] * 80, dtype=object),
    )  # fmt: skip
    pieces: list[Any] = (
        [rich[[name]] for name in rich] + [rich[name] for name in rich] + [rich.dtypes.iloc[0]]
    )
    pieces += [dtype for dtype in rich.dtypes]
    pieces += [rich.index, rich.columns, pd.MultiIndex.from_product([["a"], [1, 2]]), pd.Index(["a", "b"])]
    pieces += [
        pd.DatetimeIndex(rich["day"]),
        pd.CategoricalIndex(rich["kind"]),
        pd.Index([1.5]),
        pd.NA,
        pd.NaT,
    ]
    pieces += [
        pd.TimedeltaIndex(rich["span"]),
        pd.PeriodIndex(rich["month"]),
        pd.Index(rich["band"].cat.categories),
    ]
    pieces += [
        pd.Index(["a", "b"], dtype=object),
        pd.Index(["a"], dtype="str"),
        rich.groupby("kind")["a"].mean(),
    ]
    pieces += [pd.Timestamp("2024-01-01"), pd.Timestamp("2024-01-01", tz="UTC"), pd.Timedelta(1, "D")]
    pieces += [pd.Period("2024-01"), pd.Interval(0, 1), pd.CategoricalDtype(["a"]), pd.StringDtype()]
    pieces += [
        pd.PeriodDtype(freq) for freq in ("D", "h", "min", "s", "ms", "us", "ns", "W", "M", "Q", "Y", "B")
    ]
    codes: list[Any] = [f"{sign}Int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)]
    pieces += [pd.array([1, 2], dtype=code) for code in codes]
    pieces += [pd.array([1.5], dtype="Float32"), pd.array(["a"], dtype=pd.StringDtype("python"))]
    for piece in pieces:
        model = Ridge().fit(frame, target)
        model.kept_ = piece
        yield Fitted(f"keeps pandas {type(piece).__name__}", model, frame)
