"""Tables and models in the shapes in which people have them beside each other: raw CSV, an encoded model.

Each table is made up, with the names, types and blanks of the public one that it is called after.
"""

import io
from dataclasses import dataclass, field
from typing import Any

import joblib
import numpy as np
import pandas as pd
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.preprocessing import LabelEncoder
from sklearn.tree import DecisionTreeClassifier

__all__ = ["CASES", "Case", "csv_of", "diabetes", "drugs", "houses", "iris", "saved", "telco", "titanic"]


@dataclass(frozen=True)
class Case:
    """One post. score: the least accuracy or R2 that the report must have; None: nothing may be scored.
    said: what the warnings must say. refused: what the only error must say, where nothing may run.
    """

    model: Any
    sample: bytes
    target: str | None = None
    config: dict[str, Any] = field(default_factory=dict)
    score: float | None = None
    said: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    status: str = "ok"  # of the section accuracy


def saved(model: Any) -> bytes:
    buffer = io.BytesIO()
    joblib.dump(model, buffer)
    return buffer.getvalue()


def csv_of(frame: pd.DataFrame, **options: Any) -> bytes:
    return str(frame.to_csv(**({"index": False} | options))).encode()


def titanic(rows: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    sex = rng.choice(["male", "female"], rows, p=[0.65, 0.35])
    pclass = rng.choice([1, 2, 3], rows, p=[0.25, 0.2, 0.55])
    age = np.where(rng.random(rows) < 0.2, np.nan, rng.normal(30, 13, rows).clip(0.5, 80).round(1))
    fare = (rng.lognormal(3.6 - 0.7 * pclass, 0.4) + 6).round(4)
    alive = (2.5 * (sex == "female") - 0.9 * pclass + 1.0 + rng.normal(0, 0.5, rows)) > 0
    return pd.DataFrame({
        "PassengerId": np.arange(1, rows + 1),
        "Survived": alive.astype(int),
        "Pclass": pclass,
        "Name": [f"Person, Mr. {i}" for i in range(rows)],
        "Sex": sex,
        "Age": age,
        "SibSp": rng.poisson(0.5, rows),
        "Parch": rng.poisson(0.4, rows),
        "Ticket": [f"A/{i * 37 % 9973}" for i in range(rows)],
        "Fare": fare,
        "Cabin": pd.Series(["C85"] * rows).mask(rng.random(rows) < 0.77),
        "Embarked": rng.choice(["S", "C", "Q"], rows, p=[0.7, 0.2, 0.1]),
    })  # fmt: skip


def telco(rows: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(2)
    contract = rng.choice(["Month-to-month", "One year", "Two year"], rows, p=[0.55, 0.21, 0.24])
    tenure = rng.integers(0, 73, rows)
    monthly = rng.uniform(18, 119, rows).round(2)
    total = [
        " " if months == 0 else f"{months * price:.2f}" for months, price in zip(tenure, monthly, strict=True)
    ]
    gone = (
        1.8 * (contract == "Month-to-month") - 0.04 * tenure + 0.01 * monthly + rng.normal(0, 0.3, rows) > 0.6
    )
    return pd.DataFrame({
        "customerID": [f"{i:04d}-ABCDE" for i in rng.permutation(rows)],
        "gender": rng.choice(["Female", "Male"], rows),
        "SeniorCitizen": rng.integers(0, 2, rows),
        "tenure": tenure,
        "InternetService": rng.choice(["DSL", "Fiber optic", "No"], rows),
        "Contract": contract,
        "MonthlyCharges": monthly,
        "TotalCharges": total,
        "Churn": np.where(gone, "Yes", "No"),
    })  # fmt: skip


def iris() -> pd.DataFrame:
    found = load_iris(as_frame=True)
    frame = pd.DataFrame(found.data)
    frame["species"] = found.target_names[found.target]
    return frame


def diabetes(rows: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    glucose, bmi, age = rng.normal(120, 30, rows), rng.normal(32, 7, rows), rng.integers(21, 81, rows)
    return pd.DataFrame({
        "Pregnancies": rng.poisson(3, rows),
        "Glucose": glucose.round(0),
        "BMI": bmi.round(1),
        "Age": age,
        "Outcome": (glucose + bmi + 0.3 * age + rng.normal(0, 8, rows) > 175).astype(int),
    })  # fmt: skip


def drugs(rows: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(4)
    ratio, pressure = rng.uniform(6, 38, rows), rng.choice(["HIGH", "LOW", "NORMAL"], rows)
    drug = np.where(ratio > 15, "DrugY", np.where(pressure == "HIGH", "drugA", "drugX"))
    return pd.DataFrame({
        "Age": rng.integers(15, 75, rows),
        "Sex": rng.choice(["F", "M"], rows),
        "BP": pressure,
        "Cholesterol": rng.choice(["HIGH", "NORMAL"], rows),
        "Na_to_K": ratio.round(3),
        "Drug": drug,
    })  # fmt: skip


def houses(rows: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    area, rooms, year = (
        rng.normal(1500, 400, rows).clip(400),
        rng.integers(1, 7, rows),
        rng.integers(1950, 2011, rows),
    )
    price = 100 * area + 9000 * rooms + 500 * (year - 1950) + rng.normal(0, 4000, rows)
    return pd.DataFrame({
        "Id": np.arange(1, rows + 1),
        "GrLivArea": area.round(0),
        "TotRmsAbvGrd": rooms,
        "YearBuilt": year,
        "Neighborhood": rng.choice(["NAmes", "OldTown", "CollgCr"], rows),
        "SalePrice": price.round(0),
    })  # fmt: skip


FOREST = {"n_estimators": 15, "random_state": 0}


def _titanic_forest() -> Any:
    X = titanic()[["Pclass", "Sex", "Age", "Fare", "Embarked"]].assign(Age=lambda d: d.Age.fillna(28))
    return RandomForestClassifier(**FOREST).fit(pd.get_dummies(X), titanic().Survived)


def _telco(drop_first: bool, encode: bool) -> Any:
    data = telco().drop(columns=["customerID"])
    data["TotalCharges"] = pd.to_numeric(data.TotalCharges, errors="coerce").fillna(0)
    y = LabelEncoder().fit_transform(data.Churn) if encode else data.Churn
    X = pd.get_dummies(data.drop(columns="Churn"), drop_first=drop_first, dtype=int)
    return RandomForestClassifier(**FOREST).fit(X, y)


def _drugs_encoded() -> Any:
    data = drugs()
    for name in ("Sex", "BP", "Cholesterol"):
        data[name] = LabelEncoder().fit_transform(data[name])
    return DecisionTreeClassifier(random_state=0).fit(data.drop(columns="Drug").to_numpy(), data.Drug)


def _diabetes(as_array: bool, **changes: Any) -> Any:
    data = diabetes()
    X = data.drop(columns="Outcome")
    return LogisticRegression(max_iter=5000).fit(X.to_numpy() if as_array else X, data.Outcome)


def _iris(labels: str) -> Any:
    data = iris()
    codes = LabelEncoder().fit_transform(data.species)
    y = {"names": data.species, "codes": codes, "reversed": 2 - codes}[labels]
    return LogisticRegression(max_iter=1000).fit(data.drop(columns="species"), y)


def _cases() -> dict[str, Case]:
    numbers = ["GrLivArea", "TotRmsAbvGrd", "YearBuilt"]
    house_line = LinearRegression().fit(houses()[numbers], houses().SalePrice)
    house_forest = RandomForestRegressor(**FOREST).fit(houses()[numbers], houses().SalePrice)
    house_array = LinearRegression().fit(houses()[numbers].to_numpy(), houses().SalePrice)
    prefixed = iris().assign(species=lambda d: "Iris-" + d.species)
    short = ["sepal_length", "sepal_width", "petal_length", "petal_width", "species"]
    yes_no = diabetes().assign(Outcome=lambda d: np.where(d.Outcome == 1, "Yes", "No"))
    sick = diabetes().assign(Outcome=lambda d: np.where(d.Outcome == 1, "A: sick", "B: well"))
    one_two = diabetes().assign(Outcome=lambda d: d.Outcome + 1)
    spelled = telco().assign(Churn=lambda d: d.Churn.str.lower() + " ")
    with_index = diabetes().reset_index().rename(columns={"index": "Unnamed: 0"})
    return {
        "titanic raw, dummies": Case(
            _titanic_forest(), csv_of(titanic()), "Survived", score=0.8,
            said=("'PassengerId', 'Name', 'SibSp'", "'Sex' as 'Sex_female', 'Sex_male'"),
        ),
        "titanic without a target": Case(
            _titanic_forest(), csv_of(titanic()), score=0.8,
            said=("'Survived' was taken as the label",),
        ),
        "titanic test part": Case(
            _titanic_forest(), csv_of(titanic().drop(columns="Survived")), status="not_applicable",
            said=("'Embarked' as 'Embarked_C'",),
        ),
        "telco raw, dummies, codes": Case(
            _telco(False, True), csv_of(telco()), "Churn", score=0.9,
            said=("'Contract' as 'Contract_Month-to-month'", "'TotalCharges' (", "'No' as '0', 'Yes' as '1'"),
        ),
        "telco raw, drop_first": Case(
            _telco(True, False), csv_of(telco()), "Churn", score=0.9,
            said=("'Contract_Two year' ('Month-to-month' is 0 in all)", "as 'gender_Male' ('Female'"),
        ),
        "telco, labels spelled otherwise": Case(
            _telco(False, False), csv_of(spelled), "Churn", score=0.9,
            said=("'no ' as 'No', 'yes ' as 'Yes'",),
        ),
        "iris names, codes": Case(
            _iris("codes"), csv_of(iris()), "species", score=0.9,
            said=("'setosa' as '0', 'versicolor' as '1', 'virginica' as '2'", "bear out"),
        ),
        "iris names, codes of its own": Case(
            _iris("reversed"), csv_of(iris()), "species", status="failed",
            said=(),
        ),
        "iris names, codes chosen": Case(
            _iris("reversed"), csv_of(iris()), "species", score=0.9,
            config={"target_map": {"setosa": 2, "versicolor": 1, "virginica": 0}}, said=("target_map says",),
        ),
        "iris with a prefix": Case(
            _iris("names"), csv_of(prefixed), "species", score=0.9, said=("'Iris-setosa' as 'setosa'",),
        ),
        "iris, short names, no target": Case(
            _iris("names"), csv_of(iris().set_axis(short, axis=1)), score=0.9,
            said=("'sepal_length' as 'sepal length (cm)'", "'species' was taken as the label"),
        ),
        "diabetes with an index, array": Case(
            _diabetes(True), csv_of(with_index), "Outcome", score=0.85, said=("'Unnamed: 0' is left out",),
        ),
        "diabetes with an index, no target, array": Case(
            _diabetes(True), csv_of(with_index), score=0.85,
            said=("'Unnamed: 0' is left out", "'Outcome' was taken as the label"),
        ),
        "diabetes with an index, frame": Case(
            _diabetes(False), csv_of(diabetes(), index=True), "Outcome", score=0.85,
        ),
        "diabetes with an index, which the model takes": Case(
            RandomForestClassifier(**FOREST).fit(with_index.drop(columns="Outcome"), with_index.Outcome),
            csv_of(diabetes(), index=True), "Outcome", score=0.95,
        ),
        "diabetes, semicolons and a mark": Case(
            _diabetes(False), b"\xef\xbb\xbf" + csv_of(diabetes(), sep=";", decimal=","), "Outcome",
            score=0.85,
        ),
        "diabetes yes and no": Case(
            _diabetes(False), csv_of(yes_no), "Outcome", score=0.85, said=("'No' as '0', 'Yes' as '1'",),
        ),
        "diabetes one and two": Case(
            _diabetes(False), csv_of(one_two), "Outcome", score=0.85, said=("'1' as '0', '2' as '1'",),
        ),
        "diabetes in words that mislead": Case(
            _diabetes(False), csv_of(sick), "Outcome", status="failed",
        ),
        "drugs raw, codes": Case(
            _drugs_encoded(), csv_of(drugs()), "Drug",
            refused=("takes numbers; 'Sex', 'BP', 'Cholesterol' hold text.", "the encoder beside the model"),
        ),
        "houses, line": Case(
            house_line, csv_of(houses()), "SalePrice", score=0.9, said=("'Id', 'Neighborhood' are left out",),
        ),
        "houses, no target": Case(
            house_line, csv_of(houses()), score=0.9, said=("'SalePrice' was taken as the label",),
        ),
        "houses, other case": Case(
            house_line, csv_of(houses().rename(columns=str.lower)), "saleprice", score=0.9,
            said=("'grlivarea' as 'GrLivArea'",),
        ),
        "houses, a column lacks, line": Case(
            house_line, csv_of(houses().drop(columns="YearBuilt")), "SalePrice",
            refused=("The sample lacks 'YearBuilt'", "The sample has 'Id'"),
        ),
        "houses, a column lacks, forest": Case(
            house_forest, csv_of(houses().drop(columns="YearBuilt")), "SalePrice", status="failed",
            said=("The sample lacks 'YearBuilt'", "generated from the schema"),
        ),
        "houses, array and text": Case(
            house_array, csv_of(houses()), "SalePrice", refused=("takes 3 columns and keeps no names",),
        ),
        "houses, array and an id": Case(
            house_array, csv_of(houses().drop(columns="Neighborhood")), "SalePrice", score=0.9,
            said=("'Id' is left out",),
        ),
        "another table": Case(
            house_line, csv_of(titanic()), "Survived",
            refused=("not a table of this model", "it has none of them", "'GrLivArea'", "'PassengerId'"),
        ),
        "a schema as sample": Case(
            house_line,
            b"name,type,min,max\nGrLivArea,number,400,3000\nTotRmsAbvGrd,int,1,7\nYearBuilt,int,1950,2010",
            status="not_applicable", said=("it was used as the schema",),
        ),
    }  # fmt: skip


CASES = _cases()
