"""Tables in the shapes of those that students and small deployments use: same columns, types and dirt.

Made up, and the same every time: the legacy generator of NumPy gives one stream in all its releases. Each
function returns the table as the CSV beside the model holds it; the label hangs on the columns as it does in
the famous table, with noise. Nothing here is taken from those tables.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

__all__ = ["TABLES", "table"]

ROWS = 400


class Draw:
    """Columns of one table, drawn from a seed of its own."""

    def __init__(self, seed: int, n: int = ROWS) -> None:
        self.random = np.random.RandomState(seed)
        self.n = n

    def normal(self, mean: float, sd: float, digits: int = 2, low: float = -1e9, high: float = 1e9) -> Any:
        return np.round(np.clip(self.random.normal(mean, sd, self.n), low, high), digits)

    def whole(self, low: int, high: int) -> Any:
        return self.random.randint(low, high + 1, self.n)

    def one_of(self, *values: Any, p: Any = None) -> Any:
        return np.array(values, dtype=object)[self.random.choice(len(values), self.n, p=p)]

    def flag(self, share: float) -> Any:
        return (self.random.uniform(size=self.n) < share).astype(int)

    def happens(self, score: Any, noise: float = 0.5) -> Any:
        """0 or 1: whether the score, with noise, lies above its median."""
        noisy = np.asarray(score, dtype=float) + self.random.normal(0, noise, self.n)
        return (noisy > np.median(noisy)).astype(int)

    def blanks(self, values: Any, share: float) -> Any:
        column = pd.Series(values, dtype=object)
        column[self.random.uniform(size=self.n) < share] = np.nan
        return column


def iris(d: Draw) -> Any:
    species = d.whole(0, 2)
    columns = {
        "Id": np.arange(1, d.n + 1),
        "SepalLengthCm": np.round(5 + species * 0.8 + d.normal(0, 0.4), 1),
        "SepalWidthCm": np.round(3.4 - species * 0.2 + d.normal(0, 0.3), 1),
        "PetalLengthCm": np.round(1.5 + species * 2.1 + d.normal(0, 0.4), 1),
        "PetalWidthCm": np.round(np.clip(0.2 + species * 0.9 + d.normal(0, 0.2), 0.1, None), 1),
        "Species": np.array(["Iris-setosa", "Iris-versicolor", "Iris-virginica"], dtype=object)[species],
    }
    return pd.DataFrame(columns)


def titanic(d: Draw) -> Any:
    sex = d.one_of("male", "female", p=[0.65, 0.35])
    pclass = d.one_of(1, 2, 3, p=[0.24, 0.21, 0.55]).astype(int)
    age = d.normal(30, 14, 0, 1, 80)
    fare = np.round(np.exp(4.6 - 0.8 * pclass + d.normal(0, 0.5)), 4)
    survived = d.happens(2.2 * (sex == "female") - 0.7 * pclass - 0.01 * age, 0.8)
    surnames, firsts = (
        d.one_of("Braund", "Cumings", "Heikkinen", "Allen"),
        d.one_of("Owen", "Laina", "William"),
    )
    titles = np.where(sex == "male", "Mr.", "Mrs.")
    return pd.DataFrame({
        "PassengerId": np.arange(1, d.n + 1), "Survived": survived, "Pclass": pclass,
        "Name": [f"{a}, {t} {b}" for a, t, b in zip(surnames, titles, firsts, strict=True)],
        "Sex": sex, "Age": d.blanks(age, 0.19), "SibSp": d.one_of(0, 1, 2, 3, p=[0.68, 0.24, 0.04, 0.04]),
        "Parch": d.one_of(0, 1, 2, p=[0.76, 0.14, 0.1]),
        "Ticket": [f"A/5 {v}" for v in d.whole(10000, 99999)],
        "Fare": fare, "Cabin": d.blanks([f"C{v}" for v in d.whole(1, 130)], 0.77),
        "Embarked": d.blanks(d.one_of("S", "C", "Q", p=[0.72, 0.19, 0.09]), 0.01),
    }).infer_objects()  # fmt: skip


def telco(d: Draw) -> Any:
    tenure, monthly = d.whole(0, 72), d.normal(65, 28, 2, 18, 119)
    contract = d.one_of("Month-to-month", "One year", "Two year", p=[0.55, 0.21, 0.24])
    internet = d.one_of("DSL", "Fiber optic", "No", p=[0.34, 0.44, 0.22])
    churn = d.happens(1.5 * (contract == "Month-to-month") - tenure / 30 + (internet == "Fiber optic"))
    total = [" " if t == 0 else str(round(t * m, 2)) for t, m in zip(tenure, monthly, strict=True)]
    letters = d.one_of("VHVEG", "NVDE", "QPYBK", "CFOCW")
    return pd.DataFrame({
        "customerID": [f"{a}-{b}" for a, b in zip(d.whole(1000, 9999), letters, strict=True)],
        "gender": d.one_of("Female", "Male"), "SeniorCitizen": d.flag(0.16), "Partner": d.one_of("Yes", "No"),
        "tenure": tenure, "PhoneService": d.one_of("Yes", "No", p=[0.9, 0.1]), "InternetService": internet,
        "Contract": contract, "PaperlessBilling": d.one_of("Yes", "No"),
        "PaymentMethod": d.one_of("Electronic check", "Mailed check", "Bank transfer (automatic)"),
        "MonthlyCharges": monthly, "TotalCharges": total, "Churn": np.where(churn == 1, "Yes", "No"),
    })  # fmt: skip


def heart(d: Draw) -> Any:
    age, thalach = d.whole(29, 77), d.whole(71, 202)
    cp, oldpeak, ca = d.whole(0, 3), d.normal(1, 1.1, 1, 0, 6.2), d.whole(0, 3)
    columns = {
        "Unnamed: 0": np.arange(d.n), "age": age, "sex": d.flag(0.68), "cp": cp, "trestbps": d.whole(94, 200),
        "chol": d.whole(126, 400), "fbs": d.flag(0.15), "restecg": d.whole(0, 1), "thalach": thalach,
        "exang": d.flag(0.33), "oldpeak": oldpeak, "slope": d.whole(0, 2), "ca": ca, "thal": d.whole(1, 3),
        "target": d.happens(cp * 0.7 + thalach / 40 - oldpeak * 0.6 - ca * 0.6 - age / 50),
    }  # fmt: skip
    return pd.DataFrame(columns)


def heart_failure(d: Draw) -> Any:
    pain, sex = (
        d.one_of("ASY", "NAP", "ATA", "TA", p=[0.54, 0.22, 0.19, 0.05]),
        d.one_of("M", "F", p=[0.79, 0.21]),
    )
    slope, oldpeak = d.one_of("Flat", "Up", "Down", p=[0.5, 0.43, 0.07]), d.normal(0.9, 1, 1, -2.6, 6.2)
    ill = d.happens(1.5 * (pain == "ASY") + 1.5 * (slope == "Flat") + 0.5 * oldpeak + 0.7 * (sex == "M"))
    return pd.DataFrame({
        "Age": d.whole(28, 77), "Sex": sex, "ChestPainType": pain, "RestingBP": d.whole(92, 200),
        "Cholesterol": d.whole(85, 420), "FastingBS": d.flag(0.23),
        "RestingECG": d.one_of("Normal", "ST", "LVH", p=[0.6, 0.2, 0.2]), "MaxHR": d.whole(60, 202),
        "ExerciseAngina": d.one_of("N", "Y", p=[0.6, 0.4]), "Oldpeak": oldpeak, "ST_Slope": slope,
        "HeartDisease": ill,
    })  # fmt: skip


def diabetes(d: Draw) -> Any:
    glucose, bmi, age = d.whole(44, 199), d.normal(32, 7, 1, 18, 67), d.whole(21, 81)
    return pd.DataFrame({
        "Pregnancies": d.whole(0, 13), "Glucose": glucose, "BloodPressure": d.whole(40, 110),
        "SkinThickness": d.whole(7, 60), "Insulin": d.whole(14, 400), "BMI": bmi,
        "DiabetesPedigreeFunction": d.normal(0.47, 0.25, 3, 0.08, 2.4), "Age": age,
        "Outcome": d.happens(glucose / 25 + bmi / 9 + age / 30),
    })  # fmt: skip


def housing(d: Draw) -> Any:
    income, rooms, age = d.normal(68000, 10000), d.normal(7, 1), d.normal(6, 1)
    people = d.normal(36000, 9000)
    price = 21 * income + 120000 * rooms + 160000 * age + 15 * people - 2.6e6 + d.normal(0, 1e5)
    return pd.DataFrame({
        "Avg. Area Income": income, "Avg. Area House Age": age, "Avg. Area Number of Rooms": rooms,
        "Avg. Area Number of Bedrooms": d.normal(4, 1.2), "Area Population": people,
        "Price": np.round(price, 2),
        "Address": [f"{v} Main St. Suite {v % 90}\nLaketown, CO {v + 10000}" for v in d.whole(100, 9999)],
    })  # fmt: skip


def bengaluru(d: Draw) -> Any:
    bhk, size = d.whole(1, 5), d.whole(500, 4000)
    place = d.one_of("Whitefield", "Electronic City", "Hebbal", "Yelahanka", "Indira Nagar")
    worth = {"Whitefield": 5, "Electronic City": 4, "Hebbal": 6, "Yelahanka": 4.5, "Indira Nagar": 9}
    price = size * np.array([worth[p] for p in place]) / 80 + 5 * bhk + d.normal(0, 8)
    return pd.DataFrame({
        "location": place, "total_sqft": size, "bath": np.clip(bhk + d.whole(-1, 1), 1, None), "bhk": bhk,
        "price": np.round(price, 1),
    })  # fmt: skip


def crops(d: Draw) -> Any:
    names = ["rice", "maize", "jute", "cotton", "coconut", "papaya"]
    kind = d.whole(0, 5)
    base = np.array(
        [
            [80, 48, 40, 24, 82, 6.4, 236],
            [78, 48, 20, 22, 65, 6.2, 85],
            [78, 47, 40, 25, 80, 6.7, 175],
            [118, 46, 20, 24, 80, 6.9, 80],
            [22, 17, 31, 27, 95, 6.0, 176],
            [50, 59, 50, 34, 92, 6.7, 143],
        ]
    )
    x = base[kind] * (1 + d.random.normal(0, 0.07, (d.n, 7)))
    frame = pd.DataFrame(np.round(x, 2), columns=["N", "P", "K", "temperature", "humidity", "ph", "rainfall"])
    frame[["N", "P", "K"]] = frame[["N", "P", "K"]].round().astype(int)
    frame["label"] = np.array(names, dtype=object)[kind]
    return frame


def laptops(d: Draw) -> Any:
    ram, company = (
        d.one_of(4, 8, 16, 32, p=[0.3, 0.5, 0.15, 0.05]).astype(int),
        d.one_of("Dell", "HP", "Apple", "Acer"),
    )
    cpu = d.one_of("Intel Core i3", "Intel Core i5", "Intel Core i7", "AMD Processor")
    price = (
        20000
        + 2200 * ram
        + 30000 * (company == "Apple")
        + 15000 * (cpu == "Intel Core i7")
        + d.normal(0, 4000)
    )
    return pd.DataFrame({
        "Company": company, "TypeName": d.one_of("Notebook", "Ultrabook", "Gaming"), "Ram": ram,
        "Weight": d.normal(2, 0.5, 2, 0.9, 4.5), "Touchscreen": d.flag(0.15), "Ips": d.flag(0.28),
        "ppi": d.normal(146, 40, 6, 90, 350), "Cpu brand": cpu, "HDD": d.one_of(0, 500, 1000,
        2000).astype(int),
        "SSD": d.one_of(0, 128, 256, 512).astype(int), "Gpu brand": d.one_of("Intel", "Nvidia", "AMD"),
        "os": d.one_of("Windows", "Mac", "Others/No OS/Linux"), "Price": np.round(price, 4),
    })  # fmt: skip


def cars(d: Draw) -> Any:
    year, present = d.whole(2003, 2018), d.normal(8, 5, 2, 0.5, 35)
    fuel, seller = d.one_of("Petrol", "Diesel", "CNG", p=[0.7, 0.25, 0.05]), d.one_of("Dealer", "Individual")
    price = present * np.exp(-(2020 - year) / 9) + 1.2 * (fuel == "Diesel") + d.normal(0, 0.3)
    return pd.DataFrame({
        "Car_Name": d.one_of("ritz", "sx4", "ciaz", "wagon r", "swift"), "Year": year,
        "Selling_Price": np.round(np.clip(price, 0.1, None), 2), "Present_Price": present,
        "Kms_Driven": d.whole(500, 90000), "Fuel_Type": fuel, "Seller_Type": seller,
        "Transmission": d.one_of("Manual", "Automatic", p=[0.87, 0.13]),
        "Owner": d.one_of(0, 1, p=[0.95, 0.05]),
    }).infer_objects()  # fmt: skip


def loans(d: Draw) -> Any:
    history, income = d.one_of(1.0, 0.0, p=[0.8, 0.2]).astype(float), d.whole(1200, 12000)
    area = d.one_of("Urban", "Rural", "Semiurban")
    amount = d.whole(30, 400)
    yes = d.happens(3 * history + 0.4 * (area == "Semiurban") + income / 8000 - amount / 300)
    return pd.DataFrame({
        "Loan_ID": [f"LP{v:06d}" for v in np.arange(1002, 1002 + d.n)],
        "Gender": d.blanks(d.one_of("Male", "Female", p=[0.8, 0.2]), 0.02), "Married": d.one_of("Yes", "No"),
        "Dependents": d.one_of("0", "1", "2", "3+"), "Education": d.one_of("Graduate", "Not Graduate"),
        "Self_Employed": d.blanks(d.one_of("No", "Yes", p=[0.86, 0.14]), 0.05), "ApplicantIncome": income,
        "CoapplicantIncome": d.whole(0, 5000), "LoanAmount": d.blanks(amount.astype(float), 0.03),
        "Loan_Amount_Term": d.one_of(360.0, 180.0, 480.0, p=[0.84, 0.12, 0.04]),
        "Credit_History": history, "Property_Area": area, "Loan_Status": np.where(yes == 1, "Y", "N"),
    }).infer_objects()  # fmt: skip


def insurance(d: Draw) -> Any:
    age, bmi, smoker = d.whole(18, 64), d.normal(30, 6, 3, 16, 53), d.one_of("yes", "no", p=[0.2, 0.8])
    charges = 260 * age + 320 * bmi + 23000 * (smoker == "yes") - 9000 + d.normal(0, 2000)
    return pd.DataFrame({
        "age": age, "sex": d.one_of("female", "male"), "bmi": bmi, "children": d.whole(0, 5),
        "smoker": smoker,
        "region": d.one_of("southwest", "southeast", "northwest", "northeast"), "charges": np.round(charges,
        5),
    })  # fmt: skip


def wine(d: Draw) -> Any:
    alcohol, volatile = d.normal(10.4, 1, 1, 8.4, 14.9), d.normal(0.53, 0.18, 2, 0.12, 1.58)
    sulphates = d.normal(0.66, 0.17, 2, 0.33, 2)
    noisy = 0.5 * (alcohol - 10.4) - 1.8 * (volatile - 0.53) + 1.5 * (sulphates - 0.66) + d.normal(5.6, 0.3)
    return pd.DataFrame({
        "fixed acidity": d.normal(8.3, 1.7, 1, 4.6, 15.9), "volatile acidity": volatile,
        "citric acid": d.normal(0.27, 0.19, 2, 0, 1), "residual sugar": d.normal(2.5, 1, 1, 0.9, 15),
        "chlorides": d.normal(0.09, 0.04, 3, 0.01, 0.6), "free sulfur dioxide": d.normal(16, 10, 0, 1, 72),
        "total sulfur dioxide": d.normal(46, 30, 0, 6, 289), "density": d.normal(0.9967, 0.0019, 5),
        "pH": d.normal(3.3, 0.15, 2), "sulphates": sulphates, "alcohol": alcohol,
        "quality": np.clip(np.round(noisy), 3, 8).astype(int),
    })  # fmt: skip


def cancer(d: Draw) -> Any:
    ill = d.flag(0.37)
    columns: dict[str, Any] = {"id": d.whole(8000, 9_000_000), "diagnosis": np.where(ill == 1, "M", "B")}
    means = {
        "radius": (12, 5),
        "texture": (18, 4),
        "perimeter": (78, 37),
        "area": (460, 500),
        "smoothness": (0.092, 0.01),
    }
    for part in ("mean", "worst"):
        for name, (low, more) in means.items():
            columns[f"{name}_{part}"] = np.round(low + more * ill * 0.8 + d.random.normal(0, low / 7, d.n), 4)
    columns["Unnamed: 32"] = np.full(d.n, np.nan)
    return pd.DataFrame(columns)


def marks(d: Draw) -> Any:
    hours = d.normal(5, 2.5, 1, 1, 10)
    return pd.DataFrame({"Hours": hours, "Scores": np.round(2.5 + 9.7 * hours + d.normal(0, 5)).astype(int)})


def salaries(d: Draw) -> Any:
    years = d.normal(5, 2.8, 1, 1, 12)
    return pd.DataFrame(
        {"YearsExperience": years, "Salary": np.round(25000 + 9400 * years + d.normal(0, 5000))}
    )


def students(d: Draw) -> Any:
    reading, lunch = d.whole(20, 100), d.one_of("standard", "free/reduced", p=[0.65, 0.35])
    math = np.clip(np.round(reading * 0.85 + 8 * (lunch == "standard") + d.normal(3, 5)), 0, 100).astype(int)
    return pd.DataFrame({
        "gender": d.one_of("female", "male"), "race/ethnicity": d.one_of("group A", "group B", "group C",
        "group D"),
        "parental level of education": d.one_of("some college", "high school", "bachelor's degree"),
        "lunch": lunch, "test preparation course": d.one_of("none", "completed"), "math score": math,
        "reading score": reading, "writing score": np.clip(reading + d.whole(-8, 8), 0, 100),
    })  # fmt: skip


def fraud(d: Draw) -> Any:
    cheat = d.flag(0.06)
    columns: dict[str, Any] = {"Time": np.sort(d.whole(0, 172792)).astype(float)}
    for i in range(1, 15):
        columns[f"V{i}"] = np.round(d.random.normal(0, 1, d.n) - 2.5 * cheat * (i % 3 == 0), 6)
    columns.update({"Amount": np.round(np.exp(d.normal(3, 1.4)), 2), "Class": cheat})
    return pd.DataFrame(columns)


def stroke(d: Draw) -> Any:
    age, glucose, pressure = d.normal(43, 22, 0, 1, 82), d.normal(106, 45, 2, 55, 272), d.flag(0.1)
    return pd.DataFrame({
        "id": d.random.permutation(np.arange(1, 72941))[: d.n], "gender": d.one_of("Male", "Female"),
        "age": age,
        "hypertension": pressure, "heart_disease": d.flag(0.05), "ever_married": d.one_of("Yes", "No"),
        "work_type": d.one_of("Private", "Self-employed", "Govt_job", "children"),
        "Residence_type": d.one_of("Urban", "Rural"), "avg_glucose_level": glucose,
        "bmi": pd.Series(d.normal(29, 8, 1, 11, 60)).astype(object).where(d.random.uniform(size=d.n) > 0.04,
        "N/A"),
        "smoking_status": d.one_of("formerly smoked", "never smoked", "smokes", "Unknown"),
        "stroke": d.happens(age / 15 + glucose / 80 + pressure, 0.7),
    })  # fmt: skip


def ipl(d: Draw) -> Any:
    teams = ("Chennai Super Kings", "Delhi Daredevils", "Mumbai Indians", "Rajasthan Royals")
    overs, wickets = d.normal(12, 4, 1, 5, 19.6), d.whole(0, 9)
    runs = np.round(overs * 8 + d.normal(0, 10)).astype(int)
    total = np.round(runs + (20 - overs) * (9 - 0.5 * wickets) + d.normal(0, 8)).astype(int)
    return pd.DataFrame({
        "mid": np.arange(1, d.n + 1), "date": [f"20{v:02d}-04-15" for v in d.whole(8, 17)],
        "venue": d.one_of("M Chinnaswamy Stadium", "Wankhede Stadium"), "bat_team": d.one_of(*teams),
        "bowl_team": d.one_of(*teams), "batsman": d.one_of("SC Ganguly", "BB McCullum", "MS Dhoni"),
        "runs": runs,
        "wickets": wickets, "overs": overs, "runs_last_5": d.whole(20, 70), "wickets_last_5": d.whole(0, 4),
        "total": total,
    })  # fmt: skip


def bank(d: Draw) -> Any:
    age, active, land = (
        d.whole(18, 85),
        d.flag(0.5),
        d.one_of("France", "Germany", "Spain", p=[0.5, 0.25, 0.25]),
    )
    balance = np.where(d.flag(0.64) == 1, d.normal(120000, 30000), 0.0)
    products = d.one_of(1, 2, 3, p=[0.5, 0.45, 0.05]).astype(int)
    left = d.happens(age / 14 - active + 0.9 * (land == "Germany") - 0.6 * products)
    return pd.DataFrame({
        "RowNumber": np.arange(1, d.n + 1), "CustomerId": d.whole(15565701, 15815690),
        "Surname": d.one_of("Hargrave", "Hill", "Onio", "Boni"), "CreditScore": d.whole(350, 850),
        "Geography": land,
        "Gender": d.one_of("Male", "Female"), "Age": age, "Tenure": d.whole(0, 10), "Balance": balance,
        "NumOfProducts": products, "HasCrCard": d.flag(0.7), "IsActiveMember": active,
        "EstimatedSalary": d.normal(100000, 50000, 2, 11, 200000), "Exited": left,
    })  # fmt: skip


def mall(d: Draw) -> Any:
    group = d.whole(0, 4)
    centre = np.array([[25, 20], [25, 80], [55, 50], [88, 17], [86, 82]])[group]
    points = np.round(centre + d.random.normal(0, 6, (d.n, 2))).astype(int)
    return pd.DataFrame({
        "CustomerID": np.arange(1, d.n + 1), "Gender": d.one_of("Male", "Female"), "Age": d.whole(18, 70),
        "Annual Income (k$)": points[:, 0], "Spending Score (1-100)": points[:, 1],
    })  # fmt: skip


def drugs(d: Draw) -> Any:
    pressure, ratio = d.one_of("HIGH", "LOW", "NORMAL"), d.normal(16, 7, 3, 6, 38)
    cholesterol, age = d.one_of("HIGH", "NORMAL"), d.whole(15, 74)
    drug = np.where(ratio > 15, "DrugY", np.where(pressure == "HIGH", np.where(age > 50, "drugB", "drugA"),
                    np.where((pressure == "LOW") & (cholesterol == "HIGH"), "drugC", "drugX")))  # fmt: skip
    return pd.DataFrame({
        "Age": age, "Sex": d.one_of("F", "M"), "BP": pressure, "Cholesterol": cholesterol, "Na_to_K": ratio,
        "Drug": drug.astype(object),
    })  # fmt: skip


def _texts(d: Draw, kind: Any, words: dict[int, str], shared: str, low: int, high: int) -> list[str]:
    """A text for each row: words of its kind among words that all kinds share."""
    common, found = shared.split(), []
    for k, length in zip(kind, d.whole(low, high), strict=True):
        own = words[int(k)].split()
        pick = [own if d.random.uniform() < 0.35 else common for _ in range(length)]
        found.append(" ".join(w[d.random.randint(len(w))] for w in pick))
    return found


SHARED = "the a to and you is it in for of on that this have at so but not with be me my can just now will"
SPAM = {1: "free WIN prize claim cash urgent txt call now! winner 1000 mobile offer reply stop guaranteed £5",
        0: "ok lol home dinner later love tomorrow see come going sorry thanks meet sleep work"}  # fmt: skip
FILMS = {1: "wonderful brilliant superb loved masterpiece great charming best touching <br /><br />",
         0: "boring awful waste terrible dull worst stupid poor bad predictable <br /><br />"}  # fmt: skip
NEWS = {1: "shocking hoax conspiracy secret exposed unbelievable truth elites banned share",
        0: "president senate said minister officials reuters economy committee statement"}  # fmt: skip


def sms(d: Draw) -> Any:
    spam = d.flag(0.3)
    empty = np.full(d.n, np.nan)
    columns = {"v1": np.where(spam == 1, "spam", "ham"), "v2": _texts(d, spam, SPAM, SHARED, 4, 25)}
    return pd.DataFrame({**columns, "Unnamed: 2": empty, "Unnamed: 3": empty, "Unnamed: 4": empty})


def movies(d: Draw) -> Any:
    good = d.flag(0.5)
    texts = _texts(d, good, FILMS, SHARED + " film movie actor story scene plot", 20, 80)
    return pd.DataFrame({"review": texts, "sentiment": np.where(good == 1, "positive", "negative")})


def news(d: Draw) -> Any:
    fake = d.flag(0.5)
    titles, texts = _texts(d, fake, NEWS, SHARED, 5, 12), _texts(d, fake, NEWS, SHARED, 30, 90)
    labels = np.where(fake == 1, "FAKE", "REAL")
    return pd.DataFrame({"Unnamed: 0": d.whole(2, 10557), "title": titles, "text": texts, "label": labels})


_MAKERS = (
    iris, titanic, telco, heart, heart_failure, diabetes, housing, bengaluru, crops, laptops, cars, loans,
        insurance,
    wine, cancer, marks, salaries, students, fraud, stroke, ipl, bank, mall, drugs, sms, movies, news,
)  # fmt: skip
TABLES = {make.__name__: (number, make) for number, make in enumerate(_MAKERS)}


def table(name: str, rows: int = ROWS) -> Any:
    """The table of that name, as a frame with the types that reading its CSV gives."""
    number, make = TABLES[name]
    return make(Draw(100 + number, rows))
