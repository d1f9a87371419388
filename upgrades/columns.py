"""Imputers, encoders, column transformers and what else prepares columns.

Leaves models to the other families.
"""

from typing import Any

import numpy as np
from sklearn.impute import SimpleImputer

from errors import VersionMismatch
from upgrades.stand_ins import Columns
from upgrades.steps import State, rename, step

__all__ = ["STEPS"]

ONE_HOT = "sklearn.preprocessing._encoders.OneHotEncoder"
ORDINAL = "sklearn.preprocessing._encoders.OrdinalEncoder"


@step("sklearn.impute._base.SimpleImputer", before="1.8")
def imputers_know_their_types(_made: Any, state: State) -> None:
    """`_fit_dtype` is new in 1.1, `_fill_dtype` in 1.8; the statistics' own casts nothing."""
    if "statistics_" not in state:
        return
    kind = np.asarray(state["statistics_"]).dtype
    state.setdefault("_fit_dtype", kind)
    state.setdefault("_fill_dtype", kind)
    state.setdefault("indicator_", None)


@step("upgrades.stand_ins.Imputer", before="0.22")
def imputers_of_0_20_are_simple_ones(made: Any, state: State) -> None:
    """`Imputer` went in 0.22; 'NaN' stood for blanks; by rows (`axis=1`) nothing fills any more."""
    if state.pop("axis", 0) != 0:
        raise VersionMismatch(
            "The Imputer of scikit-learn 0.20 fills blanks by rows (axis=1), which has no newer form.",
            hint="Fit it again with SimpleImputer and save the model again.",
        )
    if state.get("missing_values") in ("NaN", None):
        state["missing_values"] = np.nan
    state.setdefault("fill_value", None)
    state.setdefault("add_indicator", False)
    if "statistics_" in state:
        state["_fit_dtype"] = state["_fill_dtype"] = np.asarray(state["statistics_"]).dtype
        state["indicator_"] = None
        state["n_features_in_"] = len(state["statistics_"])
    made.__class__ = SimpleImputer


@step("sklearn.impute._base.MissingIndicator", before="0.24")
def indicators_look_for_gaps_themselves(_made: Any, state: State) -> None:
    """`_precomputed` is new in 0.24: False, but inside of an imputer."""
    state.setdefault("_precomputed", False)


@step("sklearn.impute._iterative.IterativeImputer", before="1.9", needs="imputation_sequence_")
def imputers_know_what_they_do_not_fill(_made: Any, state: State) -> None:
    """`_is_empty_feature` is new in 1.6 (impute/_iterative.py); in 0.22 bounds were single numbers."""
    first: Any = state.get("initial_imputer_")
    state.setdefault("_is_empty_feature", np.isnan(np.asarray(first.statistics_, dtype=float)))
    state.setdefault("indicator_", None)
    width = len(first.statistics_)
    for name in ("_min_value", "_max_value"):
        if name in state:
            state[name] = np.broadcast_to(np.asarray(state[name], dtype=float), (width,)).copy()


@step("sklearn.impute._base._BaseImputer", before="0.24")
def indicators_are_given_the_gaps(_made: Any, state: State) -> bool:
    """Inside of an imputer an indicator is handed a mask since 0.24, and says so in `_precomputed`."""
    indicator: Any = state.get("indicator_")
    if type(indicator).__name__ != "MissingIndicator":
        return False
    indicator._precomputed = True
    return True


@step("sklearn.impute._knn.KNNImputer", before="1.1", needs="_mask_fit_X")
def imputers_know_their_empty_columns(_made: Any, state: State) -> None:
    """`_valid_mask` is new in 1.1: columns that were not wholly blank."""
    if "_mask_fit_X" in state:
        state.setdefault("_valid_mask", ~np.all(state["_mask_fit_X"], axis=0))
    state.setdefault("indicator_", None)


@step(ONE_HOT, before="1.4")
def one_hot_encoders_say_sparse_output(_made: Any, state: State) -> None:
    """`sparse` is `sparse_output` since 1.2; 'deprecated' stood there in between."""
    if state.get("sparse") == "deprecated":
        del state["sparse"]
    rename(state, sparse="sparse_output")


@step(ONE_HOT, before="1.2", needs="categories_")
def one_hot_encoders_group_rare_categories(_made: Any, state: State) -> None:
    """New in 1.1; `_drop_idx_after_grouping` in 1.2."""
    state.setdefault("_infrequent_enabled", False)
    dropped = state.setdefault("drop_idx_", None)
    if dropped is not None:
        state["drop_idx_"] = dropped = np.asarray(dropped, dtype=object)
    state.setdefault("_drop_idx_after_grouping", dropped)
    if "categories_" in state and "_n_features_outs" not in state:
        sizes = [len(found) for found in state["categories_"]]
        lost = [0] * len(sizes) if dropped is None else [int(i is not None) for i in dropped]
        state["_n_features_outs"] = [size - less for size, less in zip(sizes, lost, strict=True)]


@step(ORDINAL, before="1.3")
def ordinal_encoders_know_gaps_and_rare_ones(_made: Any, state: State) -> None:
    """`_missing_indices` is new in 1.0, `_infrequent_enabled` in 1.3."""
    state.setdefault("_infrequent_enabled", False)
    if "categories_" in state and "_missing_indices" not in state:
        blank = [(i, _blank(found)) for i, found in enumerate(state["categories_"])]
        state["_missing_indices"] = {i: at for i, at in blank if at is not None}


def _blank(categories: Any) -> int | None:
    """Where a blank stands among categories: always last."""
    last = categories[-1] if len(categories) else None
    return len(categories) - 1 if isinstance(last, float) and np.isnan(last) else None


@step("sklearn.preprocessing._discretization.KBinsDiscretizer", before="1.1")
def bins_reach_a_little_lower(_made: Any, state: State) -> None:
    """Until 1.0 a value counted as 1e-8 + 1e-5 |x| more: so the edges are that much less."""
    if "bin_edges_" in state:
        edges = [np.array(found, dtype=float) for found in state["bin_edges_"]]
        for found in edges:
            inner = found[1:-1] - 1e-8
            found[1:-1] = inner / np.where(inner < 0, 1 - 1e-5, 1 + 1e-5)
        state["bin_edges_"] = made = np.empty(len(edges), dtype=object)
        made[:] = edges


@step("sklearn.preprocessing._polynomial.PolynomialFeatures", before="1.0")
def polynomials_have_a_lowest_degree(_made: Any, state: State) -> None:
    """Degrees from-to are new in 1.0."""
    if "n_input_features_" not in state and "n_output_features_" not in state:
        return
    rename(state, n_input_features_="n_features_in_")
    state.setdefault("_min_degree", 0)
    state.setdefault("_max_degree", state["degree"])
    rename(state, _n_output_features="n_output_features_")
    state.setdefault("_n_out_full", state["n_output_features_"])


@step("sklearn.feature_extraction.text.TfidfTransformer", before="1.5")
def weights_of_words_are_a_vector(_made: Any, state: State) -> None:
    """A sparse diagonal until 1.4 (`_idf_diag`)."""
    diagonal = state.pop("_idf_diag", None)
    if diagonal is not None:
        state["idf_"] = np.asarray(diagonal.diagonal())


@step("sklearn.feature_extraction.text.TfidfTransformer", before="1.5")
def weights_that_need_no_fit_are_ready(_made: Any, state: State) -> None:
    """Without idf nothing is learnt, and nothing shows that it was; today's asks for a sign of it."""
    if not state.get("use_idf", True):
        state["stateless_"] = True


@step("sklearn.preprocessing._polynomial.SplineTransformer", before="1.9", needs="bsplines_")
def splines_are_rebuilt(_made: Any, state: State) -> None:
    """scipy's own state of a spline grew; its parts are the same."""
    from scipy.interpolate import BSpline

    state["bsplines_"] = [
        BSpline.construct_fast(old["t"], old["c"], old["k"], old["extrapolate"], old.get("axis", 0))
        for old in ({name.lstrip("_"): value for name, value in vars(s).items()} for s in state["bsplines_"])
    ]


@step("sklearn.isotonic.IsotonicRegression", before="0.24")
def isotonic_thresholds_are_public(_made: Any, state: State) -> None:
    """`_necessary_X_` is `X_thresholds_` since 0.24."""
    rename(state, _necessary_X_="X_thresholds_", _necessary_y_="y_thresholds_")


@step("sklearn.decomposition._kernel_pca.KernelPCA", before="1.3")
def kernel_pca_names_its_values(_made: Any, state: State) -> None:
    """`lambdas_` and `alphas_` until 1.0, `gamma_` since 1.3."""
    rename(state, lambdas_="eigenvalues_", alphas_="eigenvectors_")
    if "X_fit_" in state and "gamma_" not in state:
        gamma = state.get("gamma")
        state["gamma_"] = 1 / state["X_fit_"].shape[1] if gamma is None else gamma


# Column transformers ------------------------------------------------------------------------------

TRANSFORMER = "sklearn.compose._column_transformer.ColumnTransformer"


@step(TRANSFORMER, before="1.9")
def columns_that_are_left_are_a_list(_made: Any, state: State) -> None:
    """`_RemainderColsList` from 1.5 to 1.8; None where there were none in 0.20."""
    if "transformers_" not in state:
        return
    state["transformers_"] = [(name, t, _plain(columns)) for name, t, columns in state["transformers_"]]
    name, how, columns = state["_remainder"]
    state["_remainder"] = (name, how, [] if columns is None else _plain(columns))


def _plain(columns: Any) -> Any:
    return list(columns.data) if isinstance(columns, Columns) else columns


@step(TRANSFORMER, before="1.4")
def column_names_and_width_are_public(_made: Any, state: State) -> None:
    """`_df_columns` and `_feature_names_in` until 0.24, `_n_features` until 1.3."""
    names = state.pop("_df_columns", None)
    old = state.pop("_feature_names_in", None)
    names = old if names is None else names
    if names is not None and all(isinstance(name, str) for name in names):
        state.setdefault("feature_names_in_", np.asarray(names, dtype=object))
    rename(state, _n_features="n_features_in_")
    if "feature_names_in_" in state:
        state.setdefault("n_features_in_", len(state["feature_names_in_"]))


@step(TRANSFORMER, before="1.0")
def steps_know_their_columns_by_number(_made: Any, state: State) -> None:
    """`_transformer_to_input_indices` is new in 1.0."""
    if "transformers_" in state:
        width, names = state.get("n_features_in_"), state.get("feature_names_in_")
        if names is None:  # 0.20 to 0.22 kept neither: columns chosen by name are found by it
            state["_transformer_to_input_indices"] = {}
        else:
            state["_transformer_to_input_indices"] = _indices(state["transformers_"], width, names)


def _indices(transformers: Any, width: Any, names: Any) -> dict[str, list[int]]:
    import pandas as pd
    from sklearn.utils._indexing import _get_column_indices

    empty = pd.DataFrame(np.empty((0, width)), columns=names)
    found = {name: list(_get_column_indices(empty, columns)) for name, _, columns in transformers}
    return {"remainder": [], **found}


@step(TRANSFORMER, before="1.4")
def columns_passed_on_have_a_transformer(_made: Any, state: State) -> None:
    """The text 'passthrough' until 1.3."""
    if "transformers_" in state:
        state["transformers_"] = [
            (name, _passing(columns, state) if t == "passthrough" else t, columns)
            for name, t, columns in state["transformers_"]
        ]
        state.pop("_name_to_fitted_passthrough", None)


def _passing(columns: Any, state: State) -> Any:
    from sklearn.preprocessing import FunctionTransformer

    made = FunctionTransformer(accept_sparse=True, check_inverse=False, feature_names_out="one-to-one")
    if isinstance(columns, list | np.ndarray):
        made.n_features_in_ = int(np.sum(columns)) if _is_mask(columns) else len(columns)
        names = state.get("feature_names_in_")
        if names is not None and len(columns) and not isinstance(columns[0], str):
            made.feature_names_in_ = np.asarray(names)[np.asarray(columns)]
        elif len(columns) and isinstance(columns[0], str):
            made.feature_names_in_ = np.asarray(columns, dtype=object)
    return made


def _is_mask(columns: Any) -> bool:
    return len(columns) > 0 and isinstance(columns[0], bool | np.bool_)


STEPS = (
    imputers_know_their_types,
    imputers_of_0_20_are_simple_ones,
    indicators_look_for_gaps_themselves,
    imputers_know_what_they_do_not_fill,
    indicators_are_given_the_gaps,
    imputers_know_their_empty_columns,
    one_hot_encoders_say_sparse_output,
    one_hot_encoders_group_rare_categories,
    ordinal_encoders_know_gaps_and_rare_ones,
    bins_reach_a_little_lower,
    polynomials_have_a_lowest_degree,
    weights_of_words_are_a_vector,
    weights_that_need_no_fit_are_ready,
    splines_are_rebuilt,
    isotonic_thresholds_are_public,
    kernel_pca_names_its_values,
    columns_that_are_left_are_a_list,
    column_names_and_width_are_public,
    steps_know_their_columns_by_number,
    columns_passed_on_have_a_transformer,
)
