"""Tables like those that people's first models are fitted on, drawn from published shares.

Promises: the shares of each column are those of its source, columns hang together in the direction that is
known, the labels depend on them, and one seed gives one table. Used by tests and `benchmarks/shares.py`.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["TABLES", "heart", "one_hot", "telco", "titanic"]

Table = tuple[pd.DataFrame, npt.NDArray[np.int64]]


def titanic(rows: int = 891, seed: int = 0) -> Table:
    """Titanic's passengers as a tutorial encodes them, with who survived.

    Shares of Kaggle's training file: classes 24, 21 and 55 %, men 65 %, siblings 0 to 8 (68, 23, 3, 2, 2, 1,
    1 %), parents and children 0 to 6 (76, 13, 9 %, few), Southampton 72, Cherbourg 19, Queenstown 9 %;
    survival by class and sex (women 97, 92 and 50 %, men 37, 16 and 14 %).
    """
    rng = np.random.default_rng(seed)
    pclass = rng.choice([1, 2, 3], rows, p=[0.24, 0.21, 0.55])
    sex = (rng.random(rows) < np.array([0.565, 0.587, 0.707])[pclass - 1]).astype(int)
    sibsp = rng.choice([0, 1, 2, 3, 4, 5, 8], rows, p=[0.682, 0.235, 0.031, 0.018, 0.020, 0.006, 0.008])
    parch = rng.choice([0, 1, 2, 3, 4, 5, 6], rows, p=[0.761, 0.132, 0.090, 0.006, 0.004, 0.006, 0.001])
    age = np.clip(rng.normal(np.array([38.0, 30.0, 25.0])[pclass - 1] - 2.0 * (sibsp > 2), 13), 0.42, 80)
    age = np.where(rng.random(rows) < 0.03, np.floor(age) + 0.5, np.floor(age).clip(1))
    age = np.where(rng.random(rows) < 0.01, rng.choice([0.42, 0.67, 0.75, 0.83, 0.92], rows), age)
    fare = np.round(np.exp(rng.normal(np.array([4.1, 2.85, 2.3])[pclass - 1], 0.5)), 4)
    fare[rng.random(rows) < 0.017] = 0.0
    port = np.where(
        pclass == 1, rng.choice(["C", "Q", "S"], rows, p=[0.39, 0.01, 0.60]),
        rng.choice(["C", "Q", "S"], rows, p=[0.125, 0.11, 0.765]),
    )  # fmt: skip
    women = np.array([0.97, 0.92, 0.50])[pclass - 1]
    men = np.array([0.37, 0.16, 0.14])[pclass - 1]
    survival = np.where(sex == 0, women, men) + 0.3 * (age < 10) * (pclass > 1) - 0.2 * (sibsp > 2)
    frame = pd.DataFrame(
        {"Pclass": pclass, "Sex": sex, "Age": age, "SibSp": sibsp, "Parch": parch, "Fare": fare}
        | one_hot("Embarked", port)
    )
    return frame, (rng.random(rows) < survival.clip(0.02, 0.98)).astype(np.int64)


def telco(rows: int = 3_000, seed: int = 0) -> Table:
    """IBM's telephone customers with all categories one-hot, and who left.

    Shares of the public file: seniors 16 %, partner 48 %, dependents 30 %, contracts 55, 21 and 24 %, fibre
    44, DSL 34 and no internet 22 %, four ways to pay (34, 23, 22, 21 %), tenure 0 to 72 months.
    """
    rng = np.random.default_rng(seed)
    contract = rng.choice(["Month-to-month", "One year", "Two year"], rows, p=[0.55, 0.21, 0.24])
    internet = rng.choice(["DSL", "Fiber optic", "No"], rows, p=[0.34, 0.44, 0.22])
    payment = rng.choice(
        ["Bank transfer (automatic)", "Credit card (automatic)", "Electronic check", "Mailed check"],
        rows, p=[0.22, 0.21, 0.34, 0.23],
    )  # fmt: skip
    places = {"Month-to-month": (0.5, 2.2), "One year": (1.8, 1.6), "Two year": (2.6, 0.8)}
    ends = np.array([places[str(one)] for one in contract])
    tenure = np.rint(72 * rng.beta(ends[:, 0], ends[:, 1])).astype(int)
    base = pd.Series(internet).map({"DSL": 55.0, "Fiber optic": 90.0, "No": 20.0}).to_numpy()
    charges = np.round(base + rng.normal(0, 8, rows) * (internet != "No") + rng.random(rows), 2)
    partner = (rng.random(rows) < 0.48).astype(int)
    frame = pd.DataFrame(
        {
            "gender": (rng.random(rows) < 0.505).astype(int),
            "SeniorCitizen": (rng.random(rows) < 0.16).astype(int),
            "Partner": partner,
            "Dependents": (rng.random(rows) < np.where(partner == 1, 0.52, 0.10)).astype(int),
            "tenure": tenure,
            "PaperlessBilling": (rng.random(rows) < 0.59).astype(int),
            "MonthlyCharges": charges,
            "TotalCharges": np.round(charges * tenure * rng.uniform(0.97, 1.03, rows), 2),
        }
        | one_hot("Contract", contract)
        | one_hot("InternetService", internet)
        | one_hot("PaymentMethod", payment)
    )
    odds = (
        -1.6 + 1.6 * (contract == "Month-to-month") - 0.9 * (contract == "Two year") - 0.03 * tenure
        + 0.9 * (internet == "Fiber optic") + 0.5 * (payment == "Electronic check") + 0.3 *
        frame["SeniorCitizen"]
    )  # fmt: skip
    return frame, (rng.random(rows) < 1 / (1 + np.exp(-odds))).astype(np.int64)


def heart(rows: int = 303, seed: int = 0) -> Table:
    """Cleveland's heart patients, all columns numbers, and who is ill.

    Shares of UCI's file: men 68 %, chest pain 47, 17, 28 and 8 %, sugar above 120 in 15 %, electrocardiogram
    48, 50 and 2 %, angina 33 %, slope 7, 46 and 47 %, vessels 0 to 4 (58, 21, 13, 7, 1 %), thal 0 to 3.
    """
    rng = np.random.default_rng(seed)
    age = np.clip(np.rint(rng.normal(54.4, 9.1, rows)), 29, 77).astype(int)
    frame = pd.DataFrame(
        {
            "age": age,
            "sex": (rng.random(rows) < 0.68).astype(int),
            "cp": rng.choice(4, rows, p=[0.47, 0.17, 0.28, 0.08]),
            "trestbps": np.clip(np.rint(rng.normal(118 + 0.25 * age, 17)), 94, 200).astype(int),
            "chol": np.clip(np.rint(rng.normal(246, 50, rows)), 126, 564).astype(int),
            "fbs": (rng.random(rows) < 0.15).astype(int),
            "restecg": rng.choice(3, rows, p=[0.485, 0.50, 0.015]),
            "thalach": np.clip(np.rint(rng.normal(204 - age, 20)), 71, 202).astype(int),
            "exang": (rng.random(rows) < 0.33).astype(int),
            "oldpeak": np.round(np.where(rng.random(rows) < 0.33, 0, rng.exponential(1.5, rows)), 1),
            "slope": rng.choice(3, rows, p=[0.07, 0.46, 0.47]),
            "ca": rng.choice(5, rows, p=[0.578, 0.214, 0.125, 0.066, 0.017]),
            "thal": rng.choice(4, rows, p=[0.007, 0.059, 0.548, 0.386]),
        }
    )
    odds = (
        -0.6 + 0.9 * frame["sex"] - 0.9 * (frame["cp"] > 0) + 0.9 * frame["exang"] + 0.5 * frame["oldpeak"]
        + 0.8 * frame["ca"] + 1.2 * (frame["thal"] == 3) - 0.02 * (frame["thalach"] - 150)
    )  # fmt: skip
    return frame, (rng.random(rows) < 1 / (1 + np.exp(-odds))).astype(np.int64)


def one_hot(prefix: str, values: npt.NDArray[np.str_]) -> dict[str, npt.NDArray[np.int64]]:
    """A column of 0 and 1 for each value, as `pd.get_dummies` names them."""
    return {f"{prefix}_{value}": (values == value).astype(np.int64) for value in np.unique(values)}


TABLES: dict[str, Callable[..., Table]] = {"titanic": titanic, "telco": telco, "heart": heart}
