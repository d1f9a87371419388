"""More models of older scikit-learn than are kept: unusual options, types, sparse tables, nested parts.

Run `python -m scripts.more_old_models ENVIRONMENTS [RELEASE ...]` (environments as for scripts/old_models.py). Each
release fits, saves and answers; what it saved is brought forward here and asked again. Prints what is not the
same and a row for docs/models.md; nothing is kept. Runs in old interpreters too, so imports nothing of ours there.
"""

# ruff: noqa: E501  # an expression a line
from __future__ import annotations

import contextlib
import io
import itertools
import pickle
import subprocess
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["RELEASES", "given", "main", "specs"]

RELEASES = (
    "0.20.4", "0.22.2.post1", "0.23.2", "0.24.2", "1.0.2", "1.1.3", "1.2.2", "1.3.2", "1.4.2", "1.5.2",
    "1.6.1", "1.7.2", "1.8.0",
)  # fmt: skip
ROWS, ASKED = 120, 30
METHODS = ("predict", "predict_proba", "decision_function", "score_samples", "transform")
WORDS = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa")


def given(kind: str) -> Any:
    """A table of ROWS rows: float64, float32, whole numbers, counts, sparse, blanks, columns of text, texts."""
    random = np.random.RandomState(11)
    x = np.round(random.normal(size=(ROWS, 6)), 2)
    if kind == "f32":
        return x.astype(np.float32)
    if kind == "int":
        return (x * 10).astype(int)
    if kind == "counts":
        return np.abs(x * 4).astype(int)
    if kind == "flags":
        return (x > 0).astype(int)
    if kind in ("sparse", "sparse counts"):
        from scipy.sparse import csr_matrix

        return csr_matrix(np.where(np.abs(x) > 0.6, np.abs(x * 4).astype(int) if "counts" in kind else x, 0))
    if kind == "blanks":
        x[random.uniform(size=x.shape) < 0.1] = np.nan
        return x
    if kind == "texts":
        return [" ".join(WORDS[int(abs(v) * 100) % 10] for v in row) for row in x]
    if kind in ("named", "mixed"):
        import pandas as pd

        frame = pd.DataFrame(x, columns=list("abcdef"))
        if kind == "mixed":
            frame["kind"] = [WORDS[int(abs(v) * 100) % 3] for v in x[:, 0]]
            frame["place"] = [WORDS[int(abs(v) * 100) % 7] for v in x[:, 1]]
            frame["size"] = (np.abs(x[:, 2]) * 10).astype(int)
            frame["yes"] = x[:, 3] > 0
            frame.loc[::7, "b"] = np.nan
        return frame
    if kind == "codes":
        return np.column_stack([x[:, :4], (np.abs(x[:, 4]) * 100).astype(int) % 4])
    return x


def target(kind: Any) -> Any:
    x = given("f64")
    score = x[:, 0] + x[:, 1] * x[:, 2] + np.round(np.random.RandomState(3).normal(size=ROWS) / 3, 2)
    three = np.digitize(score, [-0.6, 0.5])
    return {
        2: (score > 0).astype(int), 3: three, "words": np.array(["low", "mid", "high"])[three], 0: score,
        "bool": score > 0, "floats": three.astype(float), "positive": np.exp(score / 2), "count": three,
        "labels": np.column_stack([score > 0, x[:, 3] > 0, x[:, 4] > 0.3]).astype(int),
        "outputs": np.column_stack([three, (x[:, 3] > 0).astype(int)]),
        "numbers": np.column_stack([score, score * 2 - x[:, 3]]), None: None,
    }[kind]  # fmt: skip


_CLASSIFIERS = (
    "DecisionTreeClassifier(max_depth=5, random_state=0)",
    "DecisionTreeClassifier(criterion='entropy', max_leaf_nodes=9, random_state=0)",
    "DecisionTreeClassifier(class_weight='balanced', min_samples_leaf=4, random_state=0)",
    "ExtraTreeClassifier(max_depth=4, random_state=1)",
    "RandomForestClassifier(7, max_depth=6, random_state=0)",
    "RandomForestClassifier(5, bootstrap=False, class_weight='balanced', random_state=0)",
    "RandomForestClassifier(6, class_weight='balanced_subsample', oob_score=True, random_state=0)",
    "ExtraTreesClassifier(6, bootstrap=True, max_features=None, random_state=0)",
    "GradientBoostingClassifier(n_estimators=6, subsample=0.7, random_state=0)",
    "GradientBoostingClassifier(n_estimators=6, n_iter_no_change=2, validation_fraction=0.3, random_state=0)",
    "GradientBoostingClassifier(n_estimators=4, init='zero', random_state=0)",
    "GradientBoostingClassifier(n_estimators=4, init=LogisticRegression(solver='lbfgs'), random_state=0)",
    "GradientBoostingClassifier(n_estimators=4, max_leaf_nodes=5, learning_rate=0.5, random_state=0)",
    "AdaBoostClassifier(n_estimators=5, random_state=0)",
    "AdaBoostClassifier(n_estimators=5, learning_rate=0.5, algorithm='SAMME', random_state=0)",
    "AdaBoostClassifier(DecisionTreeClassifier(max_depth=2), n_estimators=4, random_state=0)",
    "BaggingClassifier(DecisionTreeClassifier(max_depth=3), n_estimators=4, max_features=0.5, random_state=0)",
    "BaggingClassifier(KNeighborsClassifier(3), n_estimators=3, random_state=0)",
    "BaggingClassifier(SVC(gamma='scale'), n_estimators=3, random_state=0)",
    "BaggingClassifier(LogisticRegression(solver='lbfgs'), n_estimators=3, oob_score=True, random_state=0)",
    "VotingClassifier([('a', DecisionTreeClassifier(max_depth=2)), ('b', GaussianNB())])",
    "VotingClassifier([('a', RandomForestClassifier(3, random_state=0)), ('b', GaussianNB())], voting='soft', weights=[1, 2])",
    "VotingClassifier([('a', GaussianNB()), ('b', 'drop'), ('c', LogisticRegression(solver='lbfgs'))], voting='soft')",
    "StackingClassifier([('a', RandomForestClassifier(3, random_state=0)), ('b', GaussianNB())], cv=3, passthrough=True)",
    "StackingClassifier([('a', LinearSVC(random_state=0)), ('b', KNeighborsClassifier())], RandomForestClassifier(3, random_state=0), cv=3)",
    "CalibratedClassifierCV(LinearSVC(random_state=0), cv=3)",
    "CalibratedClassifierCV(RandomForestClassifier(4, random_state=0), cv=3, method='isotonic')",
    "CalibratedClassifierCV(SVC(gamma='scale'), cv=2)",
    "CalibratedClassifierCV(GaussianNB(), cv=3, ensemble=False)",
    "OneVsRestClassifier(LogisticRegression(solver='lbfgs'))",
    "OneVsRestClassifier(SVC(gamma='scale'))",
    "OneVsOneClassifier(DecisionTreeClassifier(max_depth=3, random_state=0))",
    "OneVsOneClassifier(LinearSVC(random_state=0))",
    "OutputCodeClassifier(LogisticRegression(solver='lbfgs'), random_state=0)",
    "LogisticRegression(solver='lbfgs', C=0.1)",
    "LogisticRegression(solver='newton-cg', class_weight='balanced')",
    "LogisticRegression(solver='sag', random_state=0, max_iter=2000)",
    "LogisticRegression(solver='saga', penalty='l1', random_state=0, max_iter=2000)",
    "LogisticRegression(solver='liblinear', penalty='l1', C=2.0)",
    "LogisticRegression(solver='liblinear', dual=True, intercept_scaling=2.0, max_iter=2000)",
    "LogisticRegression(solver='lbfgs', multi_class='ovr', fit_intercept=False)",
    "LogisticRegression(solver='newton-cg', multi_class='multinomial')",
    "LogisticRegression(solver='saga', penalty='elasticnet', l1_ratio=0.5, random_state=0, max_iter=2000)",
    "LogisticRegressionCV(Cs=3, cv=3, solver='liblinear')",
    "LogisticRegressionCV(Cs=2, cv=2, multi_class='multinomial', solver='lbfgs')",
    "RidgeClassifier(alpha=3.0, class_weight='balanced')",
    "RidgeClassifierCV(alphas=[0.1, 1.0])",
    "SGDClassifier(loss='log', random_state=0, max_iter=50, tol=None)",
    "SGDClassifier(loss='log_loss', random_state=0, max_iter=50, tol=None)",
    "SGDClassifier(loss='squared_hinge', penalty='l1', random_state=0, max_iter=50, tol=None)",
    "SGDClassifier(loss='modified_huber', average=True, random_state=0, max_iter=50, tol=None)",
    "SGDClassifier(loss='perceptron', random_state=0, max_iter=50, tol=None)",
    "SGDClassifier(loss='huber', random_state=0, max_iter=50, tol=None)",
    "Perceptron(penalty='l2', random_state=0, tol=None, max_iter=30)",
    "PassiveAggressiveClassifier(random_state=0, tol=None, max_iter=30)",
    "SVC(kernel='linear')", "SVC(kernel='poly', degree=2, gamma='auto')", "SVC(kernel='sigmoid', gamma=0.1)",
    "SVC(gamma=0.2, probability=True, random_state=0, class_weight='balanced')",
    "SVC(gamma='scale', decision_function_shape='ovo')", "SVC(gamma='scale', break_ties=True)",
    "NuSVC(nu=0.3, gamma='scale')", "NuSVC(nu=0.3, gamma='scale', probability=True, random_state=0)",
    "LinearSVC(C=0.3, multi_class='crammer_singer', random_state=0)", "LinearSVC(dual=False, penalty='l1')",
    "KNeighborsClassifier(3, weights='distance')", "KNeighborsClassifier(4, metric='manhattan')",
    "KNeighborsClassifier(4, metric='chebyshev', algorithm='ball_tree')",
    "KNeighborsClassifier(4, metric='minkowski', p=4, algorithm='ball_tree')",
    "KNeighborsClassifier(4, metric='cosine', algorithm='brute')",
    "KNeighborsClassifier(4, metric='canberra', algorithm='ball_tree')",
    "KNeighborsClassifier(4, metric='braycurtis', algorithm='ball_tree')",
    "RadiusNeighborsClassifier(6.0, weights='distance')",
    "RadiusNeighborsClassifier(1.5, outlier_label=0)",
    "NearestCentroid(shrink_threshold=0.2)", "NearestCentroid(metric='manhattan')",
    "GaussianNB(var_smoothing=1e-3)", "GaussianNB(priors=None)", "BernoulliNB(alpha=0.5, binarize=0.2)",
    "LinearDiscriminantAnalysis(solver='lsqr', shrinkage='auto')",
    "LinearDiscriminantAnalysis(solver='eigen', shrinkage=0.3)", "LinearDiscriminantAnalysis(n_components=1)",
    "QuadraticDiscriminantAnalysis(reg_param=0.1, store_covariance=True)",
    "MLPClassifier((5, 3), activation='tanh', max_iter=40, random_state=0)",
    "MLPClassifier((4,), activation='logistic', solver='lbfgs', max_iter=40, random_state=0)",
    "MLPClassifier((4,), solver='sgd', early_stopping=True, max_iter=40, random_state=0)",
    "GaussianProcessClassifier(random_state=0)",
    "GaussianProcessClassifier(1.0 * RBF(1.0), multi_class='one_vs_one', random_state=0)",
    "DummyClassifier(strategy='most_frequent')", "DummyClassifier(strategy='stratified', random_state=0)",
    "DummyClassifier(strategy='uniform', random_state=0)",
    "LabelPropagation(gamma=0.5)", "LabelSpreading(kernel='knn', n_neighbors=5)",
    "SelfTrainingClassifier(LogisticRegression(solver='lbfgs'))",
    "HistGradientBoostingClassifier(max_iter=5, max_leaf_nodes=7, random_state=0)",
    "HistGradientBoostingClassifier(max_iter=5, max_bins=16, l2_regularization=1.0, random_state=0)",
    "HistGradientBoostingClassifier(max_iter=5, early_stopping=True, random_state=0)",
    "HistGradientBoostingClassifier(max_iter=5, early_stopping=True, scoring='loss', random_state=0)",
    "HistGradientBoostingClassifier(max_iter=5, monotonic_cst=[1, 0, 0, 0, 0, 0], random_state=0)",
    "HistGradientBoostingClassifier(max_iter=5, class_weight='balanced', random_state=0)",
    "GridSearchCV(SVC(gamma='scale'), {'C': [0.5, 1.0]}, cv=3)",
    "GridSearchCV(LogisticRegression(solver='lbfgs'), {'C': [0.5, 1.0]}, cv=3, scoring='accuracy')",
    "GridSearchCV(RandomForestClassifier(3, random_state=0), {'max_depth': [2, 3]}, cv=3, scoring=['accuracy', 'f1_macro'], refit='accuracy')",
    "RandomizedSearchCV(DecisionTreeClassifier(random_state=0), {'max_depth': [2, 3, 4]}, n_iter=2, cv=3, random_state=0)",
    "RandomizedSearchCV(SVC(gamma='scale'), {'C': uniform(0.1, 2)}, n_iter=2, cv=3, random_state=0)",
    "HalvingGridSearchCV(DecisionTreeClassifier(random_state=0), {'max_depth': [2, 3]}, cv=2, random_state=0)",
    "TunedThresholdClassifierCV(LogisticRegression(solver='lbfgs'), cv=2)",
    "FixedThresholdClassifier(LogisticRegression(solver='lbfgs'), threshold=0.4)",
    "FrozenEstimator(GaussianNB())",
)  # fmt: skip
_REGRESSORS = (
    "DecisionTreeRegressor(criterion='friedman_mse', max_depth=4, random_state=0)",
    "DecisionTreeRegressor(criterion='mae', max_depth=3, random_state=0)",
    "DecisionTreeRegressor(criterion='absolute_error', max_depth=3, random_state=0)",
    "DecisionTreeRegressor(ccp_alpha=0.01, random_state=0)", "ExtraTreeRegressor(max_depth=4, random_state=0)",
    "RandomForestRegressor(5, max_features='sqrt', random_state=0)",
    "RandomForestRegressor(5, oob_score=True, max_samples=0.7, random_state=0)",
    "ExtraTreesRegressor(5, max_depth=5, random_state=0)",
    "GradientBoostingRegressor(n_estimators=6, loss='huber', alpha=0.8, random_state=0)",
    "GradientBoostingRegressor(n_estimators=6, loss='lad', random_state=0)",
    "GradientBoostingRegressor(n_estimators=6, loss='absolute_error', random_state=0)",
    "GradientBoostingRegressor(n_estimators=6, loss='quantile', alpha=0.2, random_state=0)",
    "GradientBoostingRegressor(n_estimators=4, init='zero', random_state=0)",
    "GradientBoostingRegressor(n_estimators=4, init=LinearRegression(), random_state=0)",
    "AdaBoostRegressor(n_estimators=4, loss='square', random_state=0)",
    "AdaBoostRegressor(n_estimators=4, loss='exponential', random_state=0)",
    "BaggingRegressor(Ridge(), n_estimators=3, max_samples=0.6, random_state=0)",
    "BaggingRegressor(SVR(gamma='scale'), n_estimators=3, random_state=0)",
    "VotingRegressor([('a', Ridge()), ('b', RandomForestRegressor(3, random_state=0))], weights=[1, 2])",
    "StackingRegressor([('a', Ridge()), ('b', KNeighborsRegressor())], RandomForestRegressor(3, random_state=0), cv=3)",
    "LinearRegression(fit_intercept=False)", "LinearRegression(positive=True)", "Ridge(alpha=2.0, solver='sag', random_state=0)",
    "Ridge(normalize=True)", "LinearRegression(normalize=True)", "Lasso(alpha=0.1, normalize=True)",
    "RidgeCV(alphas=[0.1, 1.0], cv=3)", "Lasso(alpha=0.1, positive=True)", "LassoCV(cv=3, n_alphas=5)", "ElasticNetCV(cv=3, n_alphas=5)",
    "Lars(n_nonzero_coefs=3)", "LassoLars(alpha=0.05)", "LarsCV(cv=3)", "LassoLarsCV(cv=3)", "LassoLarsIC()",
    "OrthogonalMatchingPursuit(n_nonzero_coefs=3)", "BayesianRidge()", "ARDRegression()", "HuberRegressor()",
    "TheilSenRegressor(random_state=0)", "RANSACRegressor(random_state=0)", "RANSACRegressor(Ridge(), random_state=0)",
    "PassiveAggressiveRegressor(random_state=0, tol=None, max_iter=30)",
    "SGDRegressor(loss='huber', random_state=0, tol=None, max_iter=30)",
    "SGDRegressor(loss='epsilon_insensitive', average=True, random_state=0, tol=None, max_iter=30)",
    "QuantileRegressor(alpha=0.01, solver='highs')", "SGDOneClassSVM(random_state=0)",
    "SVR(kernel='linear')", "SVR(kernel='poly', gamma='scale')", "NuSVR(gamma='scale')", "LinearSVR(random_state=0)",
    "KNeighborsRegressor(3, weights='distance')", "KNeighborsRegressor(4, metric='minkowski', p=3, algorithm='kd_tree')",
    "KNeighborsRegressor(4, leaf_size=5, algorithm='ball_tree')", "RadiusNeighborsRegressor(6.0)",
    "KernelRidge(kernel='rbf', gamma=0.1)", "KernelRidge(kernel='poly')",
    "GaussianProcessRegressor(RBF() + WhiteKernel(0.1))",
    "GaussianProcessRegressor(ConstantKernel() * Matern(nu=1.5), alpha=0.1, normalize_y=True)",
    "GaussianProcessRegressor(RationalQuadratic() + DotProduct(), alpha=0.2)",
    "MLPRegressor((4,), solver='lbfgs', max_iter=40, random_state=0)",
    "MLPRegressor((4,), activation='identity', early_stopping=True, max_iter=40, random_state=0)",
    "PLSRegression(n_components=3, scale=False)", "PLSCanonical(n_components=1)", "CCA(n_components=1)",
    "DummyRegressor(strategy='median')", "DummyRegressor(strategy='quantile', quantile=0.3)",
    "TransformedTargetRegressor(Ridge(), transformer=StandardScaler())",
    "TransformedTargetRegressor(Ridge(), func=np.cbrt, inverse_func=np.exp, check_inverse=False)",
    "TransformedTargetRegressor(RandomForestRegressor(3, random_state=0), transformer=QuantileTransformer(n_quantiles=10))",
    "HistGradientBoostingRegressor(max_iter=5, max_leaf_nodes=7, random_state=0)",
    "HistGradientBoostingRegressor(max_iter=5, loss='least_absolute_deviation', random_state=0)",
    "HistGradientBoostingRegressor(max_iter=5, loss='absolute_error', early_stopping=True, random_state=0)",
    "HistGradientBoostingRegressor(max_iter=5, loss='quantile', quantile=0.7, random_state=0)",
    "GridSearchCV(Ridge(), {'alpha': [0.1, 1.0]}, cv=3, scoring='neg_mean_absolute_error')",
    "make_pipeline(StandardScaler(), PCA(3), Ridge())",
    "make_pipeline(SplineTransformer(n_knots=4), Ridge())",
)  # fmt: skip
_POSITIVE = (
    "PoissonRegressor(alpha=0.1)", "GammaRegressor(alpha=0.1)", "TweedieRegressor(power=0)",
    "TweedieRegressor(power=1.5, link='log')", "TweedieRegressor(power=2, alpha=0.3)",
    "TweedieRegressor(power=3, alpha=0.3)", "TweedieRegressor(power=0, link='log')",
    "HistGradientBoostingRegressor(max_iter=5, loss='poisson', random_state=0)",
    "HistGradientBoostingRegressor(max_iter=5, loss='gamma', random_state=0)",
    "GradientBoostingRegressor(n_estimators=4, random_state=0)",
    "RandomForestRegressor(4, criterion='poisson', random_state=0)",
    "DecisionTreeRegressor(criterion='poisson', max_depth=4, random_state=0)",
    "TransformedTargetRegressor(Ridge(), func=np.log1p, inverse_func=np.expm1)",
    "TransformedTargetRegressor(Ridge(), func=np.log, inverse_func=np.exp)",
    "TransformedTargetRegressor(LinearRegression(), transformer=PowerTransformer())",
)  # fmt: skip
_ALONE = (
    "KMeans(4, random_state=0, n_init=2)", "KMeans(3, algorithm='full', random_state=0, n_init=1)",
    "KMeans(3, algorithm='elkan', random_state=0, n_init=1)",
    "MiniBatchKMeans(4, random_state=0, batch_size=30, n_init=2)", "BisectingKMeans(3, random_state=0)",
    "Birch(n_clusters=3, threshold=0.8)", "Birch(n_clusters=None)", "MeanShift(bandwidth=2.0)",
    "AffinityPropagation(damping=0.8)", "AffinityPropagation(damping=0.8, random_state=0)",
    "GaussianMixture(3, covariance_type='diag', random_state=0)",
    "GaussianMixture(2, covariance_type='tied', random_state=0)",
    "GaussianMixture(2, covariance_type='spherical', random_state=0)",
    "BayesianGaussianMixture(n_components=3, random_state=0)",
    "IsolationForest(n_estimators=8, random_state=0)", "IsolationForest(n_estimators=8, contamination=0.1, random_state=0)",
    "IsolationForest(n_estimators=5, max_features=0.5, max_samples=40, behaviour='new', random_state=0)",
    "IsolationForest(n_estimators=8, contamination='auto', behaviour='new', random_state=0)",
    "OneClassSVM(gamma='scale', nu=0.2)", "OneClassSVM(kernel='linear', nu=0.2)",
    "EllipticEnvelope(random_state=0)", "EllipticEnvelope(contamination=0.2, random_state=0)",
    "LocalOutlierFactor(n_neighbors=10, novelty=True)", "LocalOutlierFactor(n_neighbors=10, novelty=True, contamination=0.1)",
    "KernelDensity(bandwidth=0.7)", "PCA(3, whiten=True)", "IncrementalPCA(3)", "FastICA(3, random_state=0)", "FactorAnalysis(2, random_state=0)",
)  # fmt: skip
_STEPS = (
    "StandardScaler(with_mean=False)", "StandardScaler(with_std=False)", "MinMaxScaler((-1, 1))", "MinMaxScaler(clip=True)",
    "RobustScaler(quantile_range=(10, 90))", "MaxAbsScaler()", "Normalizer('l1')", "Binarizer(threshold=0.3)",
    "PowerTransformer('yeo-johnson', standardize=False)", "QuantileTransformer(n_quantiles=20, output_distribution='normal')",
    "QuantileTransformer(n_quantiles=20)", "PolynomialFeatures(2, interaction_only=True)", "PolynomialFeatures(3, include_bias=False)",
    "KBinsDiscretizer(4, encode='ordinal', strategy='quantile')", "KBinsDiscretizer(3, encode='onehot-dense', strategy='uniform')",
    "KBinsDiscretizer(3, strategy='kmeans')", "KBinsDiscretizer(4, encode='onehot')",
    "SplineTransformer(degree=2, n_knots=3)", "PCA(0.9)", "PCA(2, whiten=True, svd_solver='full')", "IncrementalPCA(3)",
    "TruncatedSVD(2, random_state=0)", "KernelPCA(3, kernel='rbf', gamma=0.2)", "KernelPCA(2, kernel='poly', degree=2)",
    "FastICA(3, random_state=0)", "FactorAnalysis(3, random_state=0)", "SparsePCA(2, random_state=0, max_iter=20)",
    "Nystroem(n_components=10, random_state=0)", "RBFSampler(n_components=10, random_state=0)",
    "SkewedChi2Sampler(random_state=0, skewedness=9.0)", "PolynomialCountSketch(n_components=10, random_state=0)",
    "GaussianRandomProjection(3, random_state=0)", "SparseRandomProjection(3, random_state=0)", "RandomTreesEmbedding(3, max_depth=3, random_state=0)",
    "SelectKBest(mutual_info_classif, k=3)", "SelectKBest(f_classif, k=3)", "SelectPercentile(percentile=50)", "SelectFpr(alpha=0.4)",
    "SelectFdr(alpha=0.6)", "SelectFwe(alpha=0.9)", "GenericUnivariateSelect(mode='k_best', param=3)", "VarianceThreshold(0.1)",
    "SelectFromModel(RandomForestClassifier(4, random_state=0))", "SelectFromModel(LogisticRegression(solver='liblinear', penalty='l1'))",
    "RFE(DecisionTreeClassifier(random_state=0), n_features_to_select=3)", "RFECV(LogisticRegression(solver='lbfgs'), cv=3)",
    "SequentialFeatureSelector(LogisticRegression(solver='lbfgs'), n_features_to_select=2, cv=2)",
    "LinearDiscriminantAnalysis(n_components=1)", "NeighborhoodComponentsAnalysis(2, random_state=0, max_iter=10)",
    "FeatureAgglomeration(3)", "KMeans(4, random_state=0, n_init=1)", "Birch(n_clusters=3)", "Isomap(n_components=2)", "LocallyLinearEmbedding(n_components=2, random_state=0)",
    "FeatureUnion([('a', PCA(2)), ('b', SelectKBest(k=2))])", "FeatureUnion([('a', StandardScaler()), ('b', 'drop')])",
    "FeatureUnion([('a', StandardScaler()), ('b', 'passthrough')])",
    "FunctionTransformer(np.abs)", "FunctionTransformer(np.log1p, validate=False)", "FunctionTransformer(np.sign, validate=True)",
    "FunctionTransformer(np.tanh, inverse_func=np.arctanh, check_inverse=False)", "FunctionTransformer(None, validate=False)", "FunctionTransformer(np.exp, accept_sparse=True)",
    "'passthrough'", "None", "make_pipeline(make_pipeline(StandardScaler(), PCA(4)), MinMaxScaler())",
    "KernelCenterer()", "MiniBatchDictionaryLearning(2, random_state=0)", "DictionaryLearning(2, random_state=0, max_iter=5)",
)  # fmt: skip
_GAPS = (
    "SimpleImputer(strategy='mean')", "SimpleImputer(strategy='most_frequent')",
    "SimpleImputer(strategy='constant', fill_value=-1.0)", "SimpleImputer(add_indicator=True, strategy='median')",
    "KNNImputer(n_neighbors=3)", "KNNImputer(weights='distance', add_indicator=True)",
    "IterativeImputer(random_state=0, max_iter=3)", "IterativeImputer(RandomForestRegressor(3, random_state=0), max_iter=2, random_state=0)",
    "IterativeImputer(sample_posterior=True, max_iter=2, random_state=0)",
    "Imputer()", "Imputer(strategy='median')", "Imputer(strategy='most_frequent')",
    "make_union(SimpleImputer(), MissingIndicator(features='all'))",
    "make_pipeline(StandardScaler(), SimpleImputer())", "make_pipeline(SimpleImputer(), PolynomialFeatures(2))",
)  # fmt: skip
_ENCODERS = (
    "OneHotEncoder(handle_unknown='ignore')", "OneHotEncoder(drop='first')", "OneHotEncoder(drop='if_binary')",
    "OneHotEncoder(sparse=False)", "OneHotEncoder(sparse_output=False, min_frequency=10)",
    "OneHotEncoder(max_categories=3, handle_unknown='infrequent_if_exist')",
    "OneHotEncoder(categories=[list(W3), list(W7)])", "OneHotEncoder(categories='auto', dtype=np.float32)",
    "OrdinalEncoder()", "OrdinalEncoder(handle_unknown='use_encoded_value', unknown_value=-1)",
    "OrdinalEncoder(encoded_missing_value=-2)", "OrdinalEncoder(min_frequency=12)", "TargetEncoder(random_state=0)",
    "make_pipeline(SimpleImputer(strategy='most_frequent'), OneHotEncoder(handle_unknown='ignore'))",
    "make_pipeline(SimpleImputer(strategy='constant', fill_value='none'), OrdinalEncoder())",
)  # fmt: skip
_LASTS = (
    "LogisticRegression(solver='lbfgs')", "RandomForestClassifier(4, random_state=0)",
    "HistGradientBoostingClassifier(max_iter=4, random_state=0)",
    "GradientBoostingClassifier(n_estimators=4, random_state=0)",
)  # fmt: skip
_TEXTS = (
    "CountVectorizer()", "CountVectorizer(binary=True, ngram_range=(1, 2))", "CountVectorizer(analyzer='char', ngram_range=(1, 3))",
    "CountVectorizer(max_features=8, stop_words='english')", "CountVectorizer(vocabulary=list(W7))", "CountVectorizer(min_df=2, max_df=0.9)",
    "TfidfVectorizer()", "TfidfVectorizer(sublinear_tf=True, norm='l1')", "TfidfVectorizer(use_idf=False)",
    "TfidfVectorizer(analyzer='char_wb', ngram_range=(2, 3), smooth_idf=False)", "TfidfVectorizer(dtype=np.float32)",
    "HashingVectorizer(n_features=32)", "HashingVectorizer(n_features=32, alternate_sign=False)",
    "make_pipeline(CountVectorizer(), TfidfTransformer())", "make_pipeline(HashingVectorizer(n_features=32), TfidfTransformer())",
    "make_pipeline(TfidfVectorizer(), TruncatedSVD(3, random_state=0))", "make_pipeline(CountVectorizer(), LatentDirichletAllocation(2, random_state=0))",
    "make_pipeline(TfidfVectorizer(), SelectKBest(chi2, k=4))", "make_pipeline(TfidfVectorizer(), NMF(2, random_state=0, init='nndsvda'))",
)  # fmt: skip
_TEXT_LASTS = ("LogisticRegression(solver='lbfgs')", "LinearSVC(random_state=0)", "MultinomialNB(alpha=0.5)", "ComplementNB()", "RandomForestClassifier(3, random_state=0)", "SVC(gamma='scale', kernel='linear')", "SGDClassifier(random_state=0, max_iter=20, tol=None)", "KNeighborsClassifier(3)")  # fmt: skip


def specs() -> Any:
    """(the model as an expression, its table, its target) of each model, in an order that stays."""
    for model, (table, what) in itertools.product(
        _CLASSIFIERS, (("f64", 2), ("f64", 3), ("f32", "words"), ("named", "bool"), ("sparse", "floats"))
    ):
        yield model, table, what
    for model, table in itertools.product(_REGRESSORS, ("f64", "f32", "sparse")):
        yield model, table, 0
    for model in _REGRESSORS:
        yield model, "int", "numbers"
    for model in _POSITIVE:
        yield model, "f64", "positive"
        yield model, "counts", "count"
    for model, table in itertools.product(_ALONE, ("f64", "f32", "sparse")):
        yield model, table, None
    for step, (table, what) in itertools.product(_STEPS, (("f64", 2), ("named", "words"), ("sparse", 3))):
        yield f"make_pipeline({step}, {_LASTS[0]})", table, what
    for step in _STEPS[:40]:
        yield f"make_pipeline({step}, {_LASTS[1]})", "f32", 3
    for step, last in itertools.product(_GAPS, _LASTS[:2]):
        yield f"make_pipeline({step}, {last})", "blanks", 3
    for last in _LASTS[2:]:
        yield last, "blanks", 2
    for tree in ("DecisionTreeClassifier(max_depth=4, random_state=0)", "RandomForestClassifier(4, random_state=0)",
                 "BaggingClassifier(n_estimators=3, random_state=0)", "ExtraTreesClassifier(4, random_state=0)"):  # fmt: skip
        yield tree, "blanks", 2
        for what in ("outputs", "labels"):
            yield tree, "f64", what
            yield f"MultiOutputClassifier({tree})", "f64", what
            yield f"ClassifierChain({tree}, random_state=0)", "f64", what
    for model in ("KNeighborsClassifier(3)", "MLPClassifier((4,), max_iter=40, random_state=0)", "OneVsRestClassifier(LogisticRegression(solver='lbfgs'))",
                  "ClassifierChain(LogisticRegression(solver='lbfgs'))", "MultiOutputClassifier(SVC(gamma='scale'))", "RidgeClassifier()",
                  "RidgeClassifierCV()", "DummyClassifier(strategy='prior')", "ExtraTreeClassifier(random_state=0)"):  # fmt: skip
        yield model, "f64", "labels"
    for model in ("MultiOutputRegressor(Ridge())", "MultiOutputRegressor(GradientBoostingRegressor(n_estimators=3, random_state=0))", "RegressorChain(Ridge())",
                  "MultiTaskLasso(alpha=0.1)", "MultiTaskElasticNet(alpha=0.1)", "MultiTaskLassoCV(cv=3, n_alphas=4)"):  # fmt: skip
        yield model, "f64", "numbers"
    for encoder, last, rest in itertools.product(_ENCODERS, _LASTS[:2], ("drop", "passthrough")):
        numbers = "make_pipeline(SimpleImputer(), StandardScaler()), ['a', 'b', 'size']"
        parts = f"[('n', {numbers}), ('w', {encoder}, ['kind', 'place'])]"
        if rest == "drop":
            yield f"make_pipeline(ColumnTransformer({parts}), {last})", "mixed", 2
        else:
            rest_of = f"ColumnTransformer({parts}, remainder='passthrough', sparse_threshold=0)"
            yield f"make_pipeline({rest_of}, {last})", "mixed", "words"
    for columns in (
        "slice(0, 3)",
        "slice('a', 'c')",
        "[0, 2]",
        "[-1]",
        "[True, False, True, False, False, True]",
        "make_column_selector(dtype_include=float)",
    ):
        for rest in ("'drop'", "'passthrough'", "MinMaxScaler()"):
            step = f"ColumnTransformer([('s', StandardScaler(), {columns})], remainder={rest})"
            for table in ("f64", "named"):
                yield f"make_pipeline({step}, {_LASTS[0]})", table, 2
    yield "make_pipeline(ColumnTransformer([('t', CountVectorizer(), 'kind'), ('n', SimpleImputer(), ['b'])]), LogisticRegression(solver='lbfgs'))", "mixed", 2  # fmt: skip
    for cats in ("categorical_features=[4]", "categorical_features=[False, False, False, False, True]"):
        yield f"HistGradientBoostingClassifier(max_iter=5, {cats}, random_state=0)", "codes", 3
        yield f"HistGradientBoostingRegressor(max_iter=5, {cats}, random_state=0)", "codes", 0
    for legacy in ("OneHotEncoder()", "OneHotEncoder(sparse=False)"):
        yield f"make_pipeline({legacy}, LogisticRegression(solver='lbfgs'))", "flags", 2
    for model in ("BernoulliNB()", "MultinomialNB()", "ComplementNB(norm=True)", "CategoricalNB(min_categories=20)", "MultinomialNB(fit_prior=False)"):  # fmt: skip
        yield model, "counts", 3
        yield model, "sparse counts", "words"
    for vectorizer, last in itertools.product(_TEXTS, _TEXT_LASTS):
        yield f"make_pipeline({vectorizer}, {last})", "texts", "words"


def names() -> dict[str, Any]:
    """Everything public of scikit-learn, by name, and what the expressions call besides."""
    import importlib

    for switch in ("enable_hist_gradient_boosting", "enable_iterative_imputer", "enable_halving_search_cv"):
        with contextlib.suppress(ImportError):
            importlib.import_module(f"sklearn.experimental.{switch}")
    found: dict[str, Any] = {"np": np, "W3": sorted(WORDS[:3]), "W7": sorted(WORDS[:7])}
    for room in (
        "calibration", "cluster", "compose", "covariance", "cross_decomposition", "decomposition",
        "discriminant_analysis", "dummy", "ensemble", "feature_extraction.text", "feature_selection", "frozen",
        "gaussian_process", "gaussian_process.kernels", "impute", "isotonic", "kernel_approximation",
        "kernel_ridge", "linear_model", "manifold", "mixture", "model_selection", "multiclass", "multioutput",
        "naive_bayes", "neighbors", "neural_network", "pipeline", "preprocessing", "random_projection",
        "semi_supervised", "svm", "tree",
    ):  # fmt: skip
        try:
            module = importlib.import_module(f"sklearn.{room}")
        except ImportError:
            continue
        found.update({name: value for name, value in vars(module).items() if not name.startswith("_")})
    from scipy.stats import uniform

    return dict(found, uniform=uniform)


def make(path: str) -> None:
    """In the release's own environment: fit, save, load again, answer; the answers beside the files."""
    known, made = names(), []
    for number, (expression, table, what) in enumerate(specs()):
        x, y = given(table), target(what)
        try:
            model = eval(expression, dict(known))
            model.fit(x[: ROWS - ASKED], *([] if y is None else [y[: ROWS - ASKED]]))
            data = pickle.dumps(model)
            made.append((number, data, answers(pickle.loads(data), x[ROWS - ASKED :])))
        except Exception:
            continue
    with Path(path).open("wb") as file:
        pickle.dump(made, file, protocol=4)


def answers(model: Any, rows: Any) -> dict[str, Any]:
    """Each method's answer as plain arrays; what raises is left out, with its error."""
    found = {}
    for name in METHODS:
        try:
            method = getattr(model, name)
        except AttributeError:
            continue
        try:
            found[name] = plain(method(rows))
        except Exception as error:
            found[name] = f"{type(error).__name__}: {str(error)[:150]}"
    return found


def plain(answer: Any) -> Any:
    """Bytes, dtype and shape of what was answered: an array's own pickle would ask for its NumPy."""
    if isinstance(answer, (list, tuple)):
        return [plain(part) for part in answer]
    array = np.asarray(answer.toarray() if hasattr(answer, "toarray") else answer)
    if array.dtype.kind in "OUS":
        return array.astype(str).tolist()
    return (array.astype(float).tolist(), array.dtype.kind)


def same(got: Any, old: Any, single: bool = False) -> bool:
    if isinstance(old, str):
        return True  # it did not answer there either
    if isinstance(old, list):
        parts = isinstance(got, list) and len(got) == len(old)
        return parts and (all(same(a, b, single) for a, b in zip(got, old)) if _nested(old) else got == old)  # noqa: B905
    if not isinstance(got, tuple):
        return False
    a, b = np.asarray(got[0], dtype=float), np.asarray(old[0], dtype=float)
    return a.shape == b.shape and bool(
        np.allclose(a, b, rtol=1e-4 if single else 1e-6, atol=1e-5 if single else 1e-7, equal_nan=True)
    )


def _nested(parts: Any) -> bool:
    return bool(parts) and isinstance(parts[0], (tuple, list))


def compared(release: str, python: Path) -> tuple[Counter[str], dict[str, list[str]]]:
    """How a release's models fare here; for what is not the same, the models by what is wrong with them."""
    counts: Counter[str] = Counter()
    wrong: dict[str, list[str]] = {}
    asked = list(specs())
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/made.pkl"
        subprocess.run(
            [str(python), "-W", "ignore", __file__, "--make", path], check=True, stderr=subprocess.DEVNULL
        )
        made = pickle.loads(Path(path).read_bytes())
    for number, data, old in made:
        model, table, what = asked[number]
        single = table == "f32" or "float32" in model
        outcome, why = asked_here(data, old, given(table)[ROWS - ASKED :], single)
        counts[outcome] += 1
        if outcome != "same":
            wrong.setdefault(f"{outcome}: {why}", []).append(f"{model} [{table}, {what}]")
    return counts, wrong


def asked_here(data: bytes, old: dict[str, Any], rows: Any, single: bool) -> tuple[str, str]:
    """ "same", "said", "other" or "refused", and why."""
    from errors import DashboardError
    from estimators.loading import load
    from scan.files import scan
    from upgrades.steps import Upgrade
    from upgrades.telling import told_of

    told, file = Upgrade(), io.BytesIO(data)
    try:
        model = load(file, "strict", scan(file), told)
    except DashboardError as error:
        return "refused", f"{error.code}: {error.message[-110:]}"
    got = answers(model, rows)
    other = {
        name: apart(got.get(name), old[name]) for name in old if not same(got.get(name), old[name], single)
    }
    if not other:
        return "same", ""
    said = len(told_of(told)) > 1 or "not compared" in told_of(told)[0]
    return ("said" if said else "other"), str(other)


def apart(got: Any, old: Any) -> str:
    if isinstance(got, str):
        return got[:110]
    try:
        return f"{np.nanmax(np.abs(np.subtract(got[0], old[0]))):.0e} apart"
    except Exception:
        return "of another form"


def main() -> int:
    folder = Path(sys.argv[1])
    print("| release | models | same answers | otherwise, and said | otherwise | refused |")
    for release in sys.argv[2:] or RELEASES:
        counts, wrong = compared(release, folder / release / "bin" / "python")
        for why, found in sorted(wrong.items()):
            print(release, why, *found[:3], f"and {len(found) - 3} more" if len(found) > 3 else "", sep="  ")
        cells = [counts[name] for name in ("same", "said", "other", "refused")]
        print(f"| {release} | {sum(cells):,} | {' | '.join(map(str, cells))} |", flush=True)
    return 0


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    if sys.argv[1] == "--make":
        make(sys.argv[2])
    else:
        sys.exit(main())
