"""What is told of an upgrade: whether the answers are the old release's, and where they cannot be.

Promises: "as it did there" only of classes and releases whose models are compared with what their own release
answered (tests/upgrades/test_old_models.py). Leaves where it is shown to the reports.
"""

import sklearn
import xgboost

from upgrades.steps import Release, Upgrade, release_of

__all__ = ["COMPARED", "DIFFERS", "RELEASES", "told_of"]

RELEASES: tuple[Release, ...] = (
    (0, 20), (0, 22), (0, 23), (0, 24), (1, 0), (1, 1), (1, 2), (1, 3), (1, 4), (1, 5), (1, 6), (1, 7),
    (1, 8),
)  # fmt: skip
XGBOOST_RELEASES: tuple[Release, ...] = ((0, 90), (1, 0), (1, 3), (1, 5))
"""Of those whose form today's does not read (tests/upgrades/test_old_boosters.py)."""
COMPARED: frozenset[str] = frozenset({
    "CCA", "ClassifierChain", "KNeighborsTransformer", "LocalOutlierFactor", "MiniBatchSparsePCA",
    "RidgeClassifierCV", "TunedThresholdClassifierCV",
    "BayesianRidge", "Imputer", "IterativeImputer", "KernelDensity", "OneVsOneClassifier", "SelectFromModel",
    "SplineTransformer",
    "AdaBoostClassifier", "AdaBoostRegressor", "BaggingClassifier", "BaggingRegressor", "BernoulliNB",
    "CalibratedClassifierCV", "ColumnTransformer", "CountVectorizer", "DecisionTreeClassifier",
    "DecisionTreeRegressor", "DummyClassifier", "DummyRegressor", "ElasticNet", "ExtraTreeClassifier",
    "ExtraTreeRegressor", "ExtraTreesClassifier", "ExtraTreesRegressor", "FeatureUnion",
    "FunctionTransformer", "GaussianMixture", "GaussianNB", "GaussianProcessRegressor",
    "GradientBoostingClassifier", "GradientBoostingRegressor", "GridSearchCV",
    "HistGradientBoostingClassifier", "HistGradientBoostingRegressor", "IsolationForest",
    "IsotonicRegression", "KBinsDiscretizer", "KMeans", "KNNImputer", "KNeighborsClassifier",
    "KNeighborsRegressor", "KernelCenterer", "KernelPCA", "LabelBinarizer", "LabelEncoder", "Lasso",
    "LinearDiscriminantAnalysis", "LinearRegression", "LinearSVC", "LogisticRegression",
    "LogisticRegressionCV", "MLPClassifier", "MLPRegressor", "MaxAbsScaler", "MinMaxScaler",
    "MiniBatchKMeans", "MissingIndicator", "MultiOutputClassifier", "MultinomialNB", "NearestCentroid",
    "Normalizer", "OneClassSVM", "OneHotEncoder", "OneVsRestClassifier", "OrdinalEncoder", "PCA",
    "PLSRegression", "Perceptron", "Pipeline", "PoissonRegressor", "PolynomialFeatures",
    "PowerTransformer", "QuadraticDiscriminantAnalysis", "QuantileTransformer", "RFE",
    "RadiusNeighborsClassifier", "RandomForestClassifier", "RandomForestRegressor", "Ridge", "RidgeCV",
    "RidgeClassifier", "RobustScaler", "SGDClassifier", "SGDRegressor", "SVC", "SVR", "SelectKBest",
    "SimpleImputer", "StackingClassifier", "StackingRegressor", "StandardScaler", "TfidfTransformer",
    "TfidfVectorizer", "TruncatedSVD", "TweedieRegressor", "VotingClassifier", "VotingRegressor",
    "_BinMapper", "_SigmoidCalibration",
})  # fmt: skip
AS_THERE = "it answers as it did there"
_BLANKS = "rows with missing values are answered here, where that release refused them"
_APART = {
    "ties": "where more rows are equally near than count, NumPy takes others of them on other processors, "
    "and answers differ there",
}
# Class, the first release that answers as today's, and what is not the old answer.
DIFFERS: tuple[tuple[tuple[str, ...], Release, str], ...] = (
    (("RandomForestClassifier", "RandomForestRegressor"), (1, 4), _BLANKS),
    (("ExtraTreesClassifier", "ExtraTreesRegressor"), (1, 6), _BLANKS),
)  # fmt: skip


def told_of(upgrade: Upgrade) -> tuple[str, ...]:
    """Sentences for the report's warnings; none for a model of the releases installed here."""
    return (*_of_sklearn(upgrade), *(_of_xgboost(release) for release in upgrade.boosters))


def _of_xgboost(saved: str) -> str:
    known = release_of(saved) in XGBOOST_RELEASES
    verdict = AS_THERE if known else "models of that release were not compared with it: answers may differ"
    return f"Saved with XGBoost {saved} and brought forward to {xgboost.__version__}: {verdict}."


def _of_sklearn(upgrade: Upgrade) -> tuple[str, ...]:
    if (saved := upgrade.saved_by) is None:
        return ()
    release = release_of(saved)
    strange = sorted(set(upgrade.classes) - COMPARED)
    if release not in RELEASES:
        verdict = "models of that release were not compared with it: answers may differ"
    elif strange:
        verdict = f"{', '.join(strange[:5])} of that release were not compared with it: answers may differ"
    else:
        verdict = AS_THERE
    known = []
    for names, before, what in DIFFERS:
        found = [name for name in names if name in upgrade.classes]
        if found and release is not None and release < before:
            known.append(f"{found[0]} of scikit-learn {saved}: {what}.")
    known += [f"{name} of scikit-learn {saved}: {_APART[why]}." for name, why in upgrade.apart.items()]
    but = ", but for what follows" if known and verdict == AS_THERE else ""
    line = f"Saved with scikit-learn {saved} and brought forward to {sklearn.__version__}: {verdict}{but}."
    return (line, *known)
