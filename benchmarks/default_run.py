"""How long a run with nothing configured takes, from the POST to the report, and where the time goes.

    python benchmarks/default_run.py

Models of 20 features and 1,000 generated rows, on a server started here.
"""

import io
import statistics
import tempfile
import time
from pathlib import Path

import httpx
import joblib
from lightgbm import LGBMClassifier
from sklearn.datasets import make_classification
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from start import ROOT, served
from xgboost import XGBClassifier

ROUNDS = 3
MODELS = {
    "logistic pipeline": make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)),
    "forest of 100 trees": RandomForestClassifier(100, random_state=0),
    "hist gradient boosting": HistGradientBoostingClassifier(random_state=0),
    "XGBoost, 100 trees": XGBClassifier(n_estimators=100),
    "LightGBM, 100 trees": LGBMClassifier(n_estimators=100, verbose=-1),
    "k-neighbours": KNeighborsClassifier(),
    "SVC": SVC(),
    "MLP": MLPClassifier(max_iter=300, random_state=0),
}


def main() -> None:
    X, y = make_classification(2_000, 20, n_informative=10, random_state=0)
    print(f"{'seconds from POST to report':<28}{'median':>8}   stages of the last run")
    with (
        tempfile.TemporaryDirectory() as folder,
        served(ROOT / "app.py", Path(folder), "/ready") as (_, _, url),
    ):
        for name, model in MODELS.items():
            file = io.BytesIO()
            joblib.dump(model.fit(X, y), file)
            seconds = []
            for _ in range(ROUNDS + 1):
                started = time.perf_counter()
                answer = httpx.post(
                    f"{url}/run_tests", files={"model": ("model.pkl", file.getvalue())}, timeout=300
                )
                seconds.append(time.perf_counter() - started)
            report = answer.json()
            stages = "  ".join(f"{stage} {s:.2f}" for stage, s in report["timings"].items())
            print(f"{name:<28}{statistics.median(seconds[1:]):>8.2f}   {report['status']}: {stages}")


if __name__ == "__main__":
    main()
