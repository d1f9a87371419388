"""Where names of older scikit-learn and scipy live today, and which of them nothing answers with any more.

Promises: exact pairs; an alias has the rights of the name it stands for and no more; what is inert is never
made. Leaves what objects need besides their name to `upgrades`.
"""

__all__ = ["INERT", "RENAMED", "UFUNCS"]

# Old module, today's, and names that both have. Modules got their underscore in 0.22.
_MOVED: tuple[tuple[str, str, str], ...] = (
    ("scipy.sparse.csc", "scipy.sparse._csc", "csc_matrix"),
    ("scipy.sparse.csr", "scipy.sparse._csr", "csr_matrix"),
    ("sklearn.cluster.affinity_propagation_", "sklearn.cluster._affinity_propagation", "AffinityPropagation"),
    ("sklearn.cluster.birch", "sklearn.cluster._birch", "Birch _CFNode _CFSubcluster"),
    ("sklearn.cluster.hierarchical", "sklearn.cluster._agglomerative", "FeatureAgglomeration"),
    ("sklearn.cluster.k_means_", "sklearn.cluster._kmeans", "KMeans MiniBatchKMeans"),
    ("sklearn.cluster.mean_shift_", "sklearn.cluster._mean_shift", "MeanShift"),
    ("sklearn.covariance.elliptic_envelope", "sklearn.covariance._elliptic_envelope", "EllipticEnvelope"),
    ("sklearn.cross_decomposition._cca", "sklearn.cross_decomposition._pls", "CCA"),
    ("sklearn.cross_decomposition.cca_", "sklearn.cross_decomposition._pls", "CCA"),
    ("sklearn.cross_decomposition.pls_", "sklearn.cross_decomposition._pls", "PLSCanonical PLSRegression"),
    (
        "sklearn.decomposition.dict_learning", "sklearn.decomposition._dict_learning",
        "DictionaryLearning MiniBatchDictionaryLearning SparseCoder",
    ),
    ("sklearn.decomposition.factor_analysis", "sklearn.decomposition._factor_analysis", "FactorAnalysis"),
    ("sklearn.decomposition.fastica_", "sklearn.decomposition._fastica", "FastICA"),
    ("sklearn.decomposition.incremental_pca", "sklearn.decomposition._incremental_pca", "IncrementalPCA"),
    ("sklearn.decomposition.kernel_pca", "sklearn.decomposition._kernel_pca", "KernelPCA"),
    ("sklearn.decomposition.nmf", "sklearn.decomposition._nmf", "NMF"),
    ("sklearn.decomposition.online_lda", "sklearn.decomposition._lda", "LatentDirichletAllocation"),
    ("sklearn.decomposition.pca", "sklearn.decomposition._pca", "PCA"),
    ("sklearn.decomposition.sparse_pca", "sklearn.decomposition._sparse_pca", "MiniBatchSparsePCA SparsePCA"),
    ("sklearn.decomposition.truncated_svd", "sklearn.decomposition._truncated_svd", "TruncatedSVD"),
    ("sklearn.ensemble.bagging", "sklearn.ensemble._bagging", "BaggingClassifier BaggingRegressor"),
    (
        "sklearn.ensemble.forest", "sklearn.ensemble._forest",
        "ExtraTreesClassifier ExtraTreesRegressor RandomForestClassifier RandomForestRegressor "
        "RandomTreesEmbedding",
    ),
    (
        "sklearn.ensemble.gradient_boosting", "sklearn.ensemble._gb",
        "GradientBoostingClassifier GradientBoostingRegressor",
    ),
    ("sklearn.ensemble.iforest", "sklearn.ensemble._iforest", "IsolationForest"),
    ("sklearn.ensemble.voting", "sklearn.ensemble._voting", "VotingClassifier VotingRegressor"),
    ("sklearn.ensemble.voting_classifier", "sklearn.ensemble._voting", "VotingClassifier"),
    (
        "sklearn.ensemble.weight_boosting", "sklearn.ensemble._weight_boosting",
        "AdaBoostClassifier AdaBoostRegressor",
    ),
    (
        "sklearn.feature_extraction.dict_vectorizer", "sklearn.feature_extraction._dict_vectorizer",
        "DictVectorizer",
    ),
    ("sklearn.feature_extraction.hashing", "sklearn.feature_extraction._hash", "FeatureHasher"),
    ("sklearn.feature_selection.from_model", "sklearn.feature_selection._from_model", "SelectFromModel"),
    (
        "sklearn.feature_selection.mutual_info_", "sklearn.feature_selection._mutual_info",
        "mutual_info_classif mutual_info_regression",
    ),
    ("sklearn.feature_selection.rfe", "sklearn.feature_selection._rfe", "RFE RFECV"),
    (
        "sklearn.feature_selection.univariate_selection", "sklearn.feature_selection._univariate_selection",
        "GenericUnivariateSelect SelectFdr SelectFpr SelectFwe SelectKBest SelectPercentile chi2 f_classif "
        "f_regression",
    ),
    (
        "sklearn.feature_selection.variance_threshold", "sklearn.feature_selection._variance_threshold",
        "VarianceThreshold",
    ),
    (
        "sklearn.gaussian_process.gpc", "sklearn.gaussian_process._gpc",
        "GaussianProcessClassifier _BinaryGaussianProcessClassifierLaplace",
    ),
    ("sklearn.gaussian_process.gpr", "sklearn.gaussian_process._gpr", "GaussianProcessRegressor"),
    ("sklearn.impute", "sklearn.impute._base", "MissingIndicator SimpleImputer"),
    ("sklearn.linear_model.base", "sklearn.linear_model._base", "LinearRegression"),
    ("sklearn.linear_model.bayes", "sklearn.linear_model._bayes", "ARDRegression BayesianRidge"),
    (
        "sklearn.linear_model.coordinate_descent", "sklearn.linear_model._coordinate_descent",
        "ElasticNet ElasticNetCV Lasso LassoCV MultiTaskElasticNet MultiTaskElasticNetCV MultiTaskLasso "
        "MultiTaskLassoCV",
    ),
    ("sklearn.linear_model.huber", "sklearn.linear_model._huber", "HuberRegressor"),
    (
        "sklearn.linear_model.least_angle", "sklearn.linear_model._least_angle",
        "Lars LarsCV LassoLars LassoLarsCV LassoLarsIC",
    ),
    (
        "sklearn.linear_model.logistic", "sklearn.linear_model._logistic",
        "LogisticRegression LogisticRegressionCV",
    ),
    (
        "sklearn.linear_model.omp", "sklearn.linear_model._omp",
        "OrthogonalMatchingPursuit OrthogonalMatchingPursuitCV",
    ),
    (
        "sklearn.linear_model.passive_aggressive", "sklearn.linear_model._passive_aggressive",
        "PassiveAggressiveClassifier PassiveAggressiveRegressor",
    ),
    ("sklearn.linear_model.perceptron", "sklearn.linear_model._perceptron", "Perceptron"),
    ("sklearn.linear_model.ransac", "sklearn.linear_model._ransac", "RANSACRegressor"),
    (
        "sklearn.linear_model.ridge", "sklearn.linear_model._ridge",
        "Ridge RidgeCV RidgeClassifier RidgeClassifierCV",
    ),
    (
        "sklearn.linear_model.sgd_fast", "sklearn.linear_model._sgd_fast",
        "EpsilonInsensitive Hinge ModifiedHuber SquaredEpsilonInsensitive SquaredHinge",
    ),
    (
        "sklearn.linear_model.stochastic_gradient", "sklearn.linear_model._stochastic_gradient",
        "SGDClassifier SGDRegressor",
    ),
    ("sklearn.linear_model.theil_sen", "sklearn.linear_model._theil_sen", "TheilSenRegressor"),
    ("sklearn.manifold.isomap", "sklearn.manifold._isomap", "Isomap"),
    ("sklearn.manifold.locally_linear", "sklearn.manifold._locally_linear", "LocallyLinearEmbedding"),
    ("sklearn.metrics.classification", "sklearn.metrics._classification", "accuracy_score f1_score log_loss"),
    ("sklearn.metrics.ranking", "sklearn.metrics._ranking", "roc_auc_score"),
    (
        "sklearn.metrics.regression", "sklearn.metrics._regression",
        "mean_absolute_error mean_squared_error r2_score",
    ),
    ("sklearn.mixture.bayesian_mixture", "sklearn.mixture._bayesian_mixture", "BayesianGaussianMixture"),
    ("sklearn.mixture.gaussian_mixture", "sklearn.mixture._gaussian_mixture", "GaussianMixture"),
    ("sklearn.neighbors._dist_metrics", "sklearn.metrics._dist_metrics", "newObj"),
    ("sklearn.neighbors.ball_tree", "sklearn.neighbors._ball_tree", "BallTree newObj"),
    (
        "sklearn.neighbors.classification", "sklearn.neighbors._classification",
        "KNeighborsClassifier RadiusNeighborsClassifier",
    ),
    ("sklearn.neighbors.dist_metrics", "sklearn.metrics._dist_metrics", "newObj"),
    ("sklearn.neighbors.kd_tree", "sklearn.neighbors._kd_tree", "KDTree newObj"),
    ("sklearn.neighbors.kde", "sklearn.neighbors._kde", "KernelDensity"),
    ("sklearn.neighbors.lof", "sklearn.neighbors._lof", "LocalOutlierFactor"),
    ("sklearn.neighbors.nearest_centroid", "sklearn.neighbors._nearest_centroid", "NearestCentroid"),
    (
        "sklearn.neighbors.regression", "sklearn.neighbors._regression",
        "KNeighborsRegressor RadiusNeighborsRegressor",
    ),
    ("sklearn.neighbors.unsupervised", "sklearn.neighbors._unsupervised", "NearestNeighbors"),
    (
        "sklearn.neural_network.multilayer_perceptron", "sklearn.neural_network._multilayer_perceptron",
        "MLPClassifier MLPRegressor",
    ),
    ("sklearn.preprocessing._data", "sklearn.preprocessing._polynomial", "PolynomialFeatures"),
    (
        "sklearn.preprocessing.data", "sklearn.preprocessing._data",
        "Binarizer KernelCenterer MaxAbsScaler MinMaxScaler Normalizer PowerTransformer "
        "QuantileTransformer RobustScaler StandardScaler",
    ),
    ("sklearn.preprocessing.data", "sklearn.preprocessing._polynomial", "PolynomialFeatures"),
    (
        "sklearn.preprocessing.label", "sklearn.preprocessing._label",
        "LabelBinarizer LabelEncoder MultiLabelBinarizer",
    ),
    (
        "sklearn.semi_supervised.label_propagation", "sklearn.semi_supervised._label_propagation",
        "LabelPropagation LabelSpreading",
    ),
    ("sklearn.svm.classes", "sklearn.svm._classes", "LinearSVC LinearSVR NuSVC NuSVR OneClassSVM SVC SVR"),
    (
        "sklearn.tree.tree", "sklearn.tree._classes",
        "DecisionTreeClassifier DecisionTreeRegressor ExtraTreeClassifier ExtraTreeRegressor",
    ),
)  # fmt: skip
_DISTANCES = "sklearn.metrics._dist_metrics"
_METRICS = (
    "BrayCurtisDistance CanberraDistance ChebyshevDistance DiceDistance EuclideanDistance HammingDistance "
    "JaccardDistance MahalanobisDistance ManhattanDistance MinkowskiDistance RogersTanimotoDistance "
    "RussellRaoDistance SEuclideanDistance SokalMichenerDistance SokalSneathDistance"
)
UFUNCS = (
    "absolute add arccos arccosh arcsin arcsinh arctan arctan2 arctanh bitwise_and bitwise_count "
    "bitwise_or bitwise_xor cbrt ceil conjugate copysign cos cosh deg2rad degrees divide divmod equal "
    "exp exp2 expm1 fabs float_power floor floor_divide fmax fmin fmod frexp gcd greater greater_equal "
    "heaviside hypot invert isfinite isinf isnan isnat lcm ldexp left_shift less less_equal log log10 "
    "log1p log2 logaddexp logaddexp2 logical_and logical_not logical_or logical_xor matmul matvec "
    "maximum minimum modf multiply negative nextafter not_equal positive power rad2deg radians "
    "reciprocal remainder right_shift rint sign signbit sin sinh spacing sqrt square subtract tan tanh "
    "trunc vecdot vecmat"
)

RENAMED: dict[tuple[str, str], tuple[str, str]] = (
    {(old, name): (new, name) for old, new, names in _MOVED for name in names.split()}
    | {  # distances are called by their width since 1.3
        (old, name): (_DISTANCES, f"{name}64")
        for old in (_DISTANCES, "sklearn.neighbors._dist_metrics", "sklearn.neighbors.dist_metrics")
        for name in _METRICS.split()
    }
    | {  # NumPy's own functions are told by where they were built, and before 1.20 by a call
        (f"numpy.{core}._multiarray_umath", name): ("numpy", name)
        for core in ("core", "_core")
        for name in UFUNCS.split()
    }
)

_CY = [
    f"Cy{name}"
    for name in (
        "AbsoluteError", "ExponentialLoss", "HalfBinomialLoss", "HalfGammaLoss", "HalfMultinomialLoss",
        "HalfPoissonLoss", "HalfSquaredError", "HalfTweedieLoss", "HalfTweedieLossIdentity", "HuberLoss",
        "PinballLoss",
    )
]  # fmt: skip
_GB = (
    "BinomialDeviance MultinomialDeviance ExponentialLoss LeastSquaresError LeastAbsoluteError "
    "HuberLossFunction QuantileLossFunction"
)
_SCORERS = "_PredictScorer _ProbaScorer _ThresholdScorer _passthrough_scorer"
_SGD = "Log SquaredLoss Huber"
# What models were fitted or scored with: gone since, and made anew where it still counts. The Cython module
# of losses pickled itself as `_loss` from 1.5 to 1.8 (a by-product of the build with Meson).
INERT: frozenset[tuple[str, str]] = frozenset(
    [("_loss", name) for name in _CY]
    + [("_loss", f"__pyx_unpickle_{name}") for name in _CY]
    + [("sklearn._loss._loss", f"__pyx_unpickle_{n}") for n in _CY if n != "CyHalfMultinomialLoss"]
    + [
        (module, name)
        for module, names in {
            "sklearn._loss.glm_distribution": "DistributionBoundary GammaDistribution PoissonDistribution "
            "TweedieDistribution",
            "sklearn.ensemble._gb_losses": _GB,
            "sklearn.ensemble._hist_gradient_boosting.loss": "BinaryCrossEntropy CategoricalCrossEntropy "
            "LeastSquares LeastAbsoluteDeviation Poisson",
            "sklearn.ensemble.gradient_boosting": _GB,
            "sklearn.linear_model._glm.link": "LogLink IdentityLink",
            "sklearn.linear_model._sgd_fast": _SGD,
            "sklearn.linear_model.sgd_fast": _SGD,
            "sklearn.metrics._scorer": _SCORERS,
            "sklearn.metrics.scorer": _SCORERS,
            "sklearn.model_selection._search_successive_halving": "_refit_callable",
            "builtins": "FutureWarning",
        }.items()
        for name in names.split()
    ]
)
