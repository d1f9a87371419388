"""The use case that every door calls: submit a run, look at it, list, compare, change, cancel and delete.

Promises: what is accepted here is stored before it is answered, and nothing is computed in the
caller's process. Leaves the work itself to `execution.stages`, in the worker.
"""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Annotated, BinaryIO

from pydantic import ConfigDict, Field, StringConstraints, ValidationError

from errors import Changed, Conflict, InvalidInput, InvalidPlan, InvalidSample, NotFound, TooBusy, kind_of
from example_models import EXAMPLES
from records.base import Record
from records.model import ModelFile, name_of_file
from records.run import RunPlan, RunReport, Source
from records.sample import SampleFacts
from records.schema import Schema
from registry.models import baseline_of, with_kept_gates
from reports.comparison import Comparison, compared
from rows.columns import check_target
from rows.matching import is_schema_table
from schema_utils import check_complete, combine
from services import Services
from store.jobs import JobKind, JobRow
from store.run_lists import RunPage, RunQuery
from store.run_rows import RunRow

__all__ = [
    "Given",
    "RunChange",
    "Upload",
    "artifact",
    "at_work",
    "cancel_run",
    "changed",
    "check_may_contain",
    "check_room",
    "compare_runs",
    "delete_run",
    "edit_run",
    "facts_of",
    "get_job",
    "get_report",
    "get_run",
    "given_to",
    "is_repeated",
    "list_runs",
    "request_example",
    "request_inspection",
    "request_reading",
    "run_again",
    "store_upload",
    "submit",
]

MAX_FILE_NAME = 200
Tag = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
TERMINAL_STATES = frozenset({"passed", "warned", "failed", "error", "cancelled"})


class Upload(Record):
    """A file that is already stored: the name people gave it, and what it is known by here."""

    name: str
    sha256: str
    bytes: int


class RunChange(Record):
    """What people write on a run: its name, its tags, notes. None leaves it as it is."""

    # A body: built with its route, where FastAPI keeps pydantic from warning of how it names it.
    model_config = ConfigDict(defer_build=False)

    name: str | None = Field(None, min_length=1, max_length=200)
    tags: tuple[Tag, ...] | None = Field(None, max_length=20)
    notes: str | None = Field(None, max_length=10_000)


def store_upload(services: Services, stream: BinaryIO, name: str) -> Upload:
    """Keep an uploaded file under its sha256; its name is only ever shown.

    Errors: `TooLarge` over MAX_UPLOAD_MB, `InvalidInput` for an empty file.
    """
    artifact = services.artifacts.add(stream, services.settings.max_upload_bytes)
    return Upload(name=_display_name(name), sha256=artifact.sha256, bytes=artifact.bytes)


def submit(
    services: Services,
    *,
    model: Upload,
    schema: Schema | None = None,
    sample: Upload | None = None,
    target: str | None = None,
    plan: RunPlan | None = None,
    source: Source = "api",
    idempotency_key: str | None = None,
    facts: SampleFacts | None = None,
    companions: Sequence[Upload] = (),
) -> RunRow:
    """Store a run and queue its job; returns at once.

    companions: the preprocessors that the model was fitted behind, and lists of its columns.
    What can be refused without opening the model is refused here: a target that the sample lacks, a schema
    that contradicts itself, a baseline that is not there. facts: what the sample holds, as `facts_of`; of a
    sample that was not read yet the run itself will say what is wrong. The same `idempotency_key` with the
    same request gives the first run again; with another it is a `Conflict`. It holds for all of the server:
    a door that callers share puts into it whose it is.
    """
    asked = plan or RunPlan()
    belongs_to = asked.model or name_of_file(model.name)
    _check_sample(sample, facts, target, schema)
    check_names((model, *companions))
    run_id, job_id = new_run_id(), services.jobs.new_id()
    plan = with_kept_gates(services, asked, belongs_to)
    row = RunRow(
        id=run_id,
        job_id=job_id,
        name=plan.name or model.name,
        tags=plan.tags,
        source=source,
        created_at=datetime.now(UTC),
        model=belongs_to,
        model_name=model.name,
        model_sha256=model.sha256,
        model_bytes=model.bytes,
        companions=tuple(ModelFile(**one.model_dump()) for one in companions),
        sample_sha256=sample.sha256 if sample else None,
        sample_name=sample.name if sample else None,
        target=target,
        rows=plan.rows,
        plan=plan,
        user_schema=schema,
    )
    with services.store.transaction():
        if idempotency_key is not None:
            fingerprint = _fingerprint(model, schema, sample, target, asked, companions)
            earlier = services.store.runs.claim_idempotency(idempotency_key, fingerprint, run_id)
            if earlier is not None:
                return get_run(services, earlier)
        # After the look-up: a repeated request takes no place, so a full queue does not refuse it.
        check_room(services)
        if plan.policy is not None:
            check_may_contain(services)
        services.artifacts.path(model.sha256)  # NotFound: it was uploaded days ago, and tidied away
        row = row.model_copy(update={"baseline_id": baseline_of(services, plan, belongs_to)})
        # Inside the transaction, so that deleting another run cannot pull a shared file away in between.
        for upload in (model, sample, *companions):
            if upload is not None:
                services.artifacts.path(upload.sha256)
        services.store.runs.insert(row)
        services.jobs.submit("run", run_id, {}, id=job_id)
    return get_run(services, run_id)


def get_run(services: Services, run_id: str) -> RunRow:
    row = services.store.runs.get(run_id)
    if row is None:
        raise NotFound(
            f"There is no run {run_id!r}.", hint="It may have been deleted; /api/v1/runs lists what there is."
        )
    return row


def get_report(services: Services, run_id: str) -> RunReport | None:
    """The report of a finished run, under the name and tags it has now; None while it is queued or running.

    NotFound for one of before reports were read back when stored, which may hold what no reader takes.
    """
    row = get_run(services, run_id)
    document = services.store.runs.report(run_id)
    try:
        if document is None:
            return None
        return RunReport.model_validate(document | {"name": row.name, "tags": row.tags})
    except ValidationError as error:
        place = ".".join(map(str, error.errors(include_url=False)[0]["loc"]))
        raise NotFound(
            f"The report of run {run_id} is stored but cannot be read: {place} is at fault.",
            hint="Delete the run, and test the model again.",
        ) from None


def list_runs(services: Services, query: RunQuery) -> RunPage:
    return services.store.runs.list(query)


def at_work(services: Services, limit: int = 10) -> tuple[RunRow, ...]:
    """The newest runs that are queued or running, without the files beside their models."""
    return services.store.runs.at_work(limit)


def is_repeated(services: Services, idempotency_key: str | None) -> bool:
    """Whether a run was submitted under this key already; whether by the same request, `submit` finds."""
    return idempotency_key is not None and services.store.runs.run_of_key(idempotency_key) is not None


def check_room(services: Services) -> None:
    """TooBusy when as many runs wait as the settings allow."""
    _check_room(services, "runs", "run")


def check_may_contain(services: Services) -> None:
    """InvalidPlan where the operator keeps single runs from asking for the policy `contained`."""
    if services.settings.model_policy == "strict" and not services.settings.contained_on_request:
        raise InvalidPlan(
            "This server tests only files that its scan allows.",
            hint="Leave `policy` out, or ask whoever runs the server (CONTAINED_ON_REQUEST).",
            field="config.policy",
        )


def cancel_run(services: Services, run_id: str) -> RunRow:
    """Stop a run: a queued one at once, a running one within about a second. `Conflict` when it is over."""
    row = get_run(services, run_id)
    if row.state in TERMINAL_STATES:
        raise Conflict(
            f"Run {run_id} is already {row.state}.", hint="Only queued and running runs can be cancelled."
        )
    with services.store.transaction():
        if row.job_id is not None and services.jobs.cancel(row.job_id).state == "cancelled":
            services.store.runs.mark_cancelled(run_id)
    return get_run(services, run_id)


def delete_run(services: Services, run_id: str) -> None:
    """Delete a run and the files that no other run uses. Errors: `Conflict` while it is not over."""
    row = get_run(services, run_id)
    if row.state not in TERMINAL_STATES:
        raise Conflict(f"Run {run_id} is still {row.state}.", hint="Cancel it first.")
    with services.store.transaction():
        for sha256 in services.store.runs.delete(run_id):
            services.artifacts.remove(sha256)


def edit_run(services: Services, run_id: str, change: RunChange, revision: int | None = None) -> RunRow:
    """Give a run another name, other tags or notes; what is None stays. `Changed` where `revision`, as it was
    read, is no longer the run's."""
    values = change.model_dump(exclude_none=True)
    row = get_run(services, run_id)
    if revision is not None and row.revision != revision:
        raise changed(run_id)
    if values and not services.store.runs.edit(run_id, values, revision):
        raise changed(run_id)
    return get_run(services, run_id)


class Given(Record):
    """What a run was given, to be given again: files that are still stored, and settings."""

    model: Upload
    companions: tuple[Upload, ...]
    sample: Upload | None
    target: str | None
    schema_: Schema | None
    plan: RunPlan


def given_to(services: Services, run_id: str) -> Given:
    """What a run was submitted with, under the name and tags that it has now."""
    row = get_run(services, run_id)
    sample = None
    if row.sample_sha256 is not None:
        size = services.artifacts.path(row.sample_sha256).stat().st_size
        sample = Upload(name=row.sample_name or "sample.csv", sha256=row.sample_sha256, bytes=size)
    return Given(
        model=Upload(name=row.model_name, sha256=row.model_sha256, bytes=row.model_bytes),
        companions=tuple(
            Upload(**one.model_dump(include={"name", "sha256", "bytes"})) for one in row.companions
        ),
        sample=sample,
        target=row.target,
        schema_=row.user_schema,
        plan=row.plan.model_copy(update={"name": row.name, "tags": row.tags}),
    )


def run_again(services: Services, run_id: str) -> RunRow:
    """Submit the same files with the same settings as a run of their own."""
    given = given_to(services, run_id)
    return submit(
        services,
        model=given.model,
        companions=given.companions,
        schema=given.schema_,
        sample=given.sample,
        target=given.target,
        plan=given.plan,
        source="dashboard",
    )


def artifact(services: Services, run_id: str, name: str) -> Path:
    """The file that a run left behind under `name`, such as `rows.parquet`."""
    get_run(services, run_id)
    files = {f.name: f for f in services.store.runs.files(run_id)}
    if name not in files:
        known = ", ".join(sorted(files)) or "none"
        raise NotFound(f"Run {run_id} has no file {name!r}.", hint=f"Its files: {known}.")
    return services.artifacts.path(files[name].sha256)


def request_inspection(
    services: Services,
    model: Upload,
    *,
    contained: bool = False,
    companions: Sequence[Upload] = (),
    entry: str | None = None,
    steps: Sequence[str] = (),
) -> str:
    """Queue a look into a model (its identity and schema); returns the job's id for `get_job`.

    companions: as for `submit`; the answer names the file that turned out to be the model. entry and steps:
    as in `RunPlan`.
    contained: also into one that the scan refuses, where the operator allows that.
    TooBusy when as many of these, examples included, wait as runs may.
    """
    if contained:
        check_may_contain(services)
    _check_room(services, "models to be read and examples", "inspect", "example")
    check_names((model, *companions))
    beside = [one.model_dump() for one in companions]
    payload = {
        "name": model.name,
        "bytes": model.bytes,
        "contained": contained,
        "companions": beside,
        "entry": entry,
        "steps": list(steps),
    }
    return services.jobs.submit("inspect", model.sha256, payload, priority=10, max_attempts=1).id


def request_reading(services: Services, sample: Upload) -> str:
    """Queue a look into a sample; returns the job's id for `facts_of`. TooBusy as for models."""
    _check_room(services, "samples to be read", "read")
    return services.jobs.submit("read", sample.sha256, {"name": sample.name}, priority=20).id


def facts_of(job: JobRow) -> SampleFacts | None:
    """What a look into a sample found; None while it goes on, and where the worker was lost over it.

    Raises InvalidSample, or another of our errors, for a sample that cannot be used.
    """
    if job.state == "done":
        return SampleFacts.model_validate(job.result)
    kind = kind_of((job.error or {}).get("code", ""))
    if job.error is None or kind is None:
        return None
    field = "sample" if issubclass(kind, InvalidInput) else None
    raise kind(job.error["message"], hint=job.error["hint"], field=field)


def request_example(services: Services, name: str) -> str:
    """Queue the training of a shipped example; returns the job's id for `get_job`. Errors as above."""
    if name not in {example.name for example in EXAMPLES}:
        known = ", ".join(example.name for example in EXAMPLES)
        raise NotFound(f"There is no example {name!r}.", hint=f"The examples: {known}.")
    _check_room(services, "models to be read and examples", "inspect", "example")
    return services.jobs.submit("example", name, {}, priority=10).id


def get_job(services: Services, job_id: str) -> JobRow:
    return services.jobs.get(job_id)


def compare_runs(services: Services, ids: Sequence[str]) -> Comparison:
    """Figures of two to ten runs side by side. Errors: `InvalidInput`, `NotFound`."""
    unique = tuple(dict.fromkeys(ids))
    if not 2 <= len(unique) <= 10:
        raise InvalidInput(
            f"A comparison takes 2 to 10 different runs, not {len(unique)}.", hint="Give ids=first,second."
        )
    rows = [get_run(services, run_id) for run_id in unique]
    reports = [get_report(services, run_id) for run_id in unique]
    return compared(unique, [row.name for row in rows], [row.state for row in rows], reports)


def _check_room(services: Services, what: str, *kinds: JobKind) -> None:
    """Each door's queue has its own end: many runs from CI keep nobody from looking into a model."""
    waiting = services.jobs.waiting(*kinds)
    if waiting >= services.settings.max_queue:
        raise TooBusy(
            f"{waiting:,} {what} wait for a worker already.",
            hint="Try again when some of them are done, or raise MAX_QUEUE or MAX_WORKERS on the server.",
        )


def new_run_id() -> str:
    """Sortable by time to the second, unguessable after it: 20261121-101500-3f9a2c41d0."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(5)}"


def _check_sample(
    sample: Upload | None, facts: SampleFacts | None, target: str | None, schema: Schema | None
) -> None:
    if sample is None and target is not None:
        raise InvalidSample(
            f"A target column {target!r} was named, but no sample was sent.",
            hint="Send the sample that holds the column, or leave the target out.",
            field="target",
        )
    if facts is None or is_schema_table(facts.columns):
        return
    if target is not None:
        check_target(target, facts.columns, facts.empty)
    shown = facts.schema_without(target)
    if schema is not None and shown is not None:
        check_complete(combine(schema, shown, None))


def check_names(uploads: Sequence[Upload]) -> None:
    """Files are told apart by their names. Raises InvalidInput for two of the same."""
    names = [upload.name for upload in uploads]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InvalidInput(
            f"Two of the files are called {twice!r}.",
            hint="Give each its own name: the report tells them apart by it.",
            field="preprocessor",
        )


def changed(run_id: str) -> Changed:
    """What to answer who changes a run as it no longer is."""
    return Changed(f"Run {run_id} was changed since it was read.", hint="Read it again, then change it.")


def _fingerprint(
    model: Upload,
    schema: Schema | None,
    sample: Upload | None,
    target: str | None,
    plan: RunPlan,
    companions: Sequence[Upload],
) -> str:
    parts = (
        model.sha256,
        schema.model_dump_json() if schema else "",
        sample.sha256 if sample else "",
        target or "",
        plan.model_dump_json(),
        *(one.model_dump_json() for one in companions),
    )
    return hashlib.sha256("\x00".join(parts).encode()).hexdigest()


def _display_name(name: str) -> str:
    """The last part of whatever path a browser or script sent, printable and of bounded length."""
    last = PureWindowsPath(PurePosixPath(name.replace("\x00", "")).name).name
    printable = "".join(c for c in last if c.isprintable()).strip()
    return printable[:MAX_FILE_NAME] or "model"
