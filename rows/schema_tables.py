"""A table that lists features (name, type, min, max and the like) as the document of a schema.

Promises: empty cells are keys that are not given; nothing is checked. Leaves that to `schema_utils`, and
telling such a table from rows of features to `rows.matching`.
"""

from typing import Any

import pandas as pd

from records.texts import plain_value

__all__ = ["document_of"]

TYPES = {
    "float": "number", "float64": "number", "double": "number", "numeric": "number", "continuous": "number",
    "int": "integer", "int64": "integer", "str": "category", "string": "category", "object": "category",
    "categorical": "category", "bool": "boolean", "date": "datetime",
}  # fmt: skip
KEYS = {"missing": "missing_share"}
LISTS = ("categories", "weights", "quantiles")
NUMBERS = ("min", "max", "mean", "std", "missing_share")


def document_of(frame: pd.DataFrame) -> dict[str, Any]:
    """The features as `schema_utils.parse_schema` takes them; lists are cells such as "red, blue".

    >>> document_of(pd.DataFrame({"name": ["age", "plan"], "type": ["int", "category"], "min": [18, None],
    ...                           "categories": [None, "free, pro"]}))["features"][1]
    {'name': 'plan', 'type': 'category', 'categories': ['free', 'pro']}
    """
    titles = [str(title).strip().lower() for title in frame.columns]
    return {
        "features": [
            dict(
                _entry(KEYS.get(title, title), cell)
                for title, cell in zip(titles, row, strict=True)
                if not pd.isna(cell) and str(cell).strip()
            )
            for row in frame.astype(object).itertuples(index=False, name=None)
        ]
    }


def _entry(key: str, cell: Any) -> tuple[str, Any]:
    if key in LISTS:
        return key, [plain_value(part) for part in str(cell).replace("|", ",").split(",") if part.strip()]
    if key == "type":
        kind = str(cell).strip().lower()
        return key, TYPES.get(kind, kind)
    if key == "name":
        return key, str(cell).strip()
    if key in NUMBERS:
        return key, plain_value(str(cell))
    return key, cell.strip() if isinstance(cell, str) else cell
