"""The multipart form of a new run, read, checked and stored: bytes in, a `Submission` out.

Promises: what can be refused without touching the model is refused first, every fault names its
field, and nothing of the model is read but bytes. Leaves the run to `runs.submit`.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, get_args

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartParser

import runs
from errors import InvalidInput, InvalidPlan, InvalidSchema, TooLarge
from records import bounded_json
from records.model import MAX_FILES
from records.run import RunPlan
from records.schema import MAX_NAME, Schema
from routes.dependencies import blocking
from routes.problems import of_validation, summary
from runs import Upload
from schema_utils import MAX_SCHEMA_BYTES, parse_schema
from services import Services

__all__ = ["FORM_SCHEMA", "Submission", "parse_plan", "read_submission"]

FIELDS = ("model", "preprocessor", "schema", "sample", "target", "config")
REPEATABLE = ("preprocessor",)
MAX_PARTS = 24  # a few more than FIELDS, so that a wrong name is named instead of counted
MAX_CONFIG_BYTES = 1 << 20
# Beyond, a form goes to disk while it arrives, each piece by way of another thread: four times as long.
MultiPartParser.spool_max_size = 8 * 1024 * 1024
EXAMPLE = 'Keys and texts stand in double quotes, such as {"rows": 500, "name": "nightly"}.'

FORM_SCHEMA: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["model"],
                    "additionalProperties": False,
                    "properties": {
                        "model": {
                            "type": "string",
                            "format": "binary",
                            "description": "The model: pickle, joblib, ONNX, skops and others.",
                        },
                        "preprocessor": {
                            "type": "array",
                            "items": {"type": "string", "format": "binary"},
                            "description": "What the model was fitted behind, repeatable: scaler, encoders, "
                            "vectorizer, list of columns (pickle, joblib or JSON).",
                        },
                        "schema": {
                            "type": "string",
                            "description": "The inputs as JSON, text or file; else read off the model.",
                        },
                        "sample": {
                            "type": "string",
                            "format": "binary",
                            "description": "Rows to learn the inputs from: CSV or Parquet.",
                        },
                        "target": {
                            "type": "string",
                            "description": "Name of the label column in the sample.",
                        },
                        "config": {
                            "type": "string",
                            "description": "What to run as JSON, text or file; unknown keys are refused.",
                        },
                    },
                }
            }
        },
    }
}


@dataclass(frozen=True)
class Submission:
    """A form that can be run."""

    model: Upload
    schema: Schema | None
    sample: Upload | None
    target: str | None
    plan: RunPlan
    companions: tuple[Upload, ...] = ()


async def read_submission(request: Request, services: Services) -> Submission:
    """Parse the form and store its files. Raises InvalidInput and its kin, TooLarge."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise InvalidInput(
            "The body is not multipart/form-data.",
            hint="Send the model as a form file: curl -F model=@model.pkl URL/run_tests",
        )
    async with request.form(
        max_files=MAX_PARTS, max_fields=MAX_PARTS, max_part_size=MAX_SCHEMA_BYTES
    ) as form:
        _refuse_unknown(form)
        model = _file(form, "model")
        if model is None:
            raise InvalidInput(
                "The form has no model.", hint="Add the model's file as `model`.", field="model"
            )
        config = await _text(form, "config")
        plan = RunPlan() if config is None else parse_plan(config)
        text = await _text(form, "schema")
        schema = None if text is None else _schema(text)
        target = await _target(form)
        sample = _file(form, "sample")
        beside = _files(form, "preprocessor")
        return Submission(
            model=await _store(request, services, model, "model"),
            schema=schema,
            sample=None if sample is None else await _store(request, services, sample, "sample"),
            target=target,
            plan=plan,
            companions=tuple([await _store(request, services, one, "preprocessor") for one in beside]),
        )


def parse_plan(text: str | bytes) -> RunPlan:
    """A `RunPlan` from JSON. Raises InvalidPlan naming the keys at fault.

    >>> parse_plan('{"rows": 50}').rows
    50
    """
    try:
        document = bounded_json.parse(text, max_bytes=MAX_CONFIG_BYTES, max_depth=20, max_tokens=50_000)
    except json.JSONDecodeError as error:
        raise InvalidPlan(f"The config is not JSON: {error}.", hint=EXAMPLE, field="config") from error
    except ValueError as error:
        raise InvalidPlan(f"The config cannot be read: {error}.", hint=EXAMPLE, field="config") from error
    if not isinstance(document, dict):
        raise InvalidPlan("The config is not a JSON object.", hint=EXAMPLE, field="config")
    try:
        return RunPlan.model_validate_json(json.dumps(document))
    except ValidationError as error:
        found = of_validation(error)
        raise InvalidPlan(
            summary(found),
            hint=_hint_for(error),
            field=f"config.{found[0].field}" if found[0].field else "config",
        ) from error


def _hint_for(error: ValidationError) -> str:
    """Of an unknown key, the one that was most likely meant, and those there are."""
    unknown = next((each["loc"] for each in error.errors() if each["type"] == "extra_forbidden"), ())
    names = _keys_at(RunPlan, unknown[:-1]) if unknown else ()
    if not names:
        return "Its keys and their limits are at /docs#config."
    return f"{_meant(str(unknown[-1]), names)}Known keys here: {', '.join(names)}."


def _keys_at(model: type[BaseModel], place: Sequence[int | str]) -> tuple[str, ...]:
    """The keys of the object at a place within a model; () where it is not found."""
    for part in place:
        if isinstance(part, int):  # which item of a list, whose kind is the field's
            continue
        field = model.model_fields.get(part)
        inner = _model_in(field.annotation) if field is not None else None
        if inner is None:
            return ()
        model = inner
    return tuple(field.alias or name for name, field in model.model_fields.items())


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model that an annotation such as `tuple[Scenario, ...] | None` speaks of."""
    if isinstance(annotation, type) and not get_args(annotation) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part))), None)


def _meant(given: str, names: Sequence[str]) -> str:
    """`Did you mean ...? ` where a name is near enough; else nothing."""
    lower = given.lower()
    near = [name for name in names if lower and name.startswith(lower)]
    near = near or get_close_matches(lower, names, n=1)
    return f"Did you mean `{near[0]}`? " if near else ""


def _schema(text: str | bytes) -> Schema:
    try:
        return parse_schema(text)
    except InvalidSchema as error:
        error.field = error.field or "schema"
        raise


def _refuse_unknown(form: FormData) -> None:
    names = [name for name, _ in form.multi_items()]
    unknown = sorted({name[:MAX_NAME] for name in names} - set(FIELDS))
    if unknown:
        raise InvalidInput(
            f"Unknown form fields: {', '.join(unknown)}.",
            hint=f"{_meant(unknown[0], FIELDS)}Known fields are {', '.join(FIELDS)}; the model's file goes "
            "into `model`.",
            field=unknown[0],
        )
    for name in FIELDS:
        if names.count(name) > 1 and name not in REPEATABLE:
            raise InvalidInput(
                f"The form has more than one {name}.", hint="Send each field once.", field=name
            )


def _file(form: FormData, name: str) -> UploadFile | None:
    return _checked_file(form.get(name), name)


def _files(form: FormData, name: str) -> list[UploadFile]:
    """A field that may be repeated. Raises InvalidInput for more files than a run has."""
    found = [file for value in form.getlist(name) if (file := _checked_file(value, name)) is not None]
    if len(found) >= MAX_FILES:
        raise InvalidInput(
            f"The form has {len(found)} files as {name}; a run has {MAX_FILES} at most, with its model.",
            hint="Put the steps into one Pipeline with the model, and save that.",
            field=name,
        )
    return found


def _checked_file(value: UploadFile | str | None, name: str) -> UploadFile | None:
    if value is None or value == "":
        return None
    if isinstance(value, str):
        raise InvalidInput(
            f"The field {name} is text, not a file.", hint=f"With curl: -F {name}=@FILE.", field=name
        )
    if not value.filename and not value.size:  # an HTML form's empty file input
        return None
    return value


async def _text(form: FormData, name: str) -> str | bytes | None:
    """A JSON part, sent as text or as a file; empty means absent."""
    value = form.get(name)
    if isinstance(value, UploadFile):
        if (value.size or 0) > MAX_SCHEMA_BYTES:
            raise TooLarge(f"The {name} is larger than {MAX_SCHEMA_BYTES // 1024**2} MB.", field=name)
        try:
            value = (await value.read()).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise InvalidInput(f"The {name} is not UTF-8 text.", field=name) from error
    return value if value and value.strip() else None


async def _target(form: FormData) -> str | None:
    value = form.get("target")
    if isinstance(value, UploadFile):
        raise InvalidInput(
            "The target is a column's name, not a file.", hint="With curl: -F target=NAME.", field="target"
        )
    if value and (len(value) > MAX_NAME or "\0" in value):
        raise InvalidInput(
            "The target is not a column's name.",
            hint=f"Give the name in the sample's header line, of at most {MAX_NAME} characters.",
            field="target",
        )
    return value or None


async def _store(request: Request, services: Services, upload: UploadFile, field: str) -> Upload:
    try:
        return await blocking(request, runs.store_upload, services, upload.file, upload.filename or field)
    except InvalidInput as error:
        error.field = error.field or field
        raise
