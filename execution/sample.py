"""The sample of one run: read behind the lock, matched with the model, and its labels in the model's words.

Promises: all that was done to it is told, a sentence each; a table that is not the model's is refused before
anything runs. Leaves what fits to `rows.matching`, and what labels mean to `rows.labels` and
`execution.labels`.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

import metrics
from errors import InvalidPlan, InvalidSample, PredictFailed
from estimators.answers import Predict, Predictions
from execution.labels import settled, translated
from records.base import Section
from records.metrics import Accuracy
from records.model import ModelInfo
from records.sample import EncodedColumn, LabelCandidate, LabelMap, SampleUse
from records.schema import MAX_NAME, Schema
from rows.columns import check_target, split_target
from rows.labels import in_words_of
from rows.limits import INDEX, MAX_ROWS, listed
from rows.matching import ENCODE, Match, is_schema_table, match
from rows.names import is_identifier
from rows.schema_tables import document_of
from rows.taking import FrameTable, inputs_of
from rows.texts import text_inputs
from sandbox.reader import open_sample
from sandbox.zygote import Zygote
from schema_utils import parse_schema
from services import Services
from store.run_rows import RunRow

__all__ = ["TakenSample", "read_sample", "take"]

PROBED_ROWS = 5
SCORED = ("classification", "regression")
NO_LABELS = "No real labels came with the run: send a sample with a label column, and name it as target."


@dataclass(frozen=True)
class TakenSample:
    """What a run has of real rows. inputs: under the model's names; where the sample lacks some, the others
    alone. labels: of the same rows, in the model's words as far as is known. schema: what the user says of
    the inputs, be it by the table that came as sample. named: somebody named the target.
    """

    inputs: pd.DataFrame | None = None
    labels: "pd.Series | None" = None
    schema: Schema | None = None
    use: SampleUse | None = None
    named: bool = False

    @property
    def target(self) -> str | None:
        return self.use.target if self.use is not None else None

    @property
    def told(self) -> tuple[str, ...]:
        return self.use.told if self.use is not None else ()

    def complete_for(self, names: Sequence[str]) -> bool:
        """Whether its rows have all of these features."""
        return self.inputs is not None and set(names) <= set(self.inputs.columns)

    def unscored(self, info: ModelInfo) -> Section[Accuracy] | None:
        """Why there is nothing to score; None where there is."""
        if self.inputs is None or self.labels is None:
            return Section[Accuracy].not_applicable(NO_LABELS)
        if info.task not in SCORED:
            return Section[Accuracy].not_applicable(f"A {info.task} model has no labels to score against.")
        if self.use is not None and self.use.generated:
            kind = Section[Accuracy].failed if self.named else Section[Accuracy].not_applicable
            return kind(
                f"The sample lacks {listed(list(self.use.generated))}, which the model takes: an answer to "
                "made-up values says nothing of its score."
            )
        return None

    def settled(self, answers: Predictions) -> "TakenSample":
        """The labels in the model's words, where its answers to the sample's rows had to tell."""
        if self.use is None or self.use.labels is None or self.use.labels.how != "undecided":
            return self
        assert self.labels is not None
        found = settled(self.labels, answers)
        told = self.told if found.how == "undecided" else (*self.told, _labels_told(found))
        return replace(
            self,
            labels=translated(self.labels, found.pairs),
            use=self.use.model_copy(update={"labels": found, "told": told}),
        )

    def score(self, answers: Predictions, info: ModelInfo) -> Accuracy:
        """Raises PredictFailed where no row was answered, InvalidSample where the labels cannot be read."""
        assert self.labels is not None
        if answers.failed.all():  # no wrong answers: none
            why = f" {answers.errors[0].kind}: {answers.errors[0].message}" if answers.errors else ""
            raise PredictFailed(
                f"The model answered none of the sample's {len(self.labels):,} labelled rows.{why}"[:500],
                hint="Predict with the model on rows of the sample; they may lack a step before it.",
            )
        if self.use is not None and self.use.labels is not None and self.use.labels.how == "undecided":
            raise _undecided(self.use.labels, info)
        return metrics.score(self.labels, answers, info.task, self.target or "")

    def other_scale(self, answers: Predictions, found: Accuracy) -> str:
        """A sentence where numbers miss the labels, yet fit them on another scale; else ""."""
        if found.r2 is None or self.labels is None:
            return ""
        return metrics.other_scale(self.labels, answers, self.target or "")


def read_sample(
    services: Services, zygote: Zygote, row: RunRow, features: Sequence[str], cancelled: threading.Event
) -> tuple[pd.DataFrame | None, tuple[str, ...]]:
    """The run's sample as it is, and what of it was left unread; None where none was sent.

    features: the model's, which may have been fitted on the index of a table as well.
    """
    if row.sample_sha256 is None:
        return None, ()
    path = services.artifacts.path(row.sample_sha256)
    name, index = row.sample_name or "sample.csv", INDEX in features
    with open_sample(zygote, path, name, cancelled=cancelled, index=index) as sample:
        frame = sample.frame()
    if sample.cut_at is None:
        return frame, ()
    return frame, (
        f"Of the sample the first {sample.cut_at:,} rows were used: of one no more are taken than "
        f"{MAX_ROWS:,} rows, or {services.settings.sample_mb} MB unfolded (SAMPLE_MB).",
    )


def take(
    frame: pd.DataFrame | None, row: RunRow, info: ModelInfo, mined: Schema | None, predict: Predict
) -> TakenSample:
    """What of the sample is the model's. predict: asked for a few rows, where texts meet numbers.

    Raises InvalidSample for a table that is not the model's, InvalidPlan for a `target_map` that does not
    fit.
    """
    user = row.user_schema
    if frame is None:
        return TakenSample(schema=user)
    if is_schema_table(list(frame.columns), info.features):
        return _as_schema(frame, user)
    if row.target is not None:
        empty = [row.target] if row.target in frame.columns and frame[row.target].isna().all() else []
        check_target(row.target, list(frame.columns), empty)
    frame, chosen_text = _one_text(frame, mined, row.target)
    found = match(FrameTable(frame), info, mined, user, row.target)
    labels = None
    if found.target is not None:
        features, labels = split_target(frame, found.target)
        # A model that takes its own label: that is for the reader to judge.
        frame = frame[frame[found.target].notna()].reset_index(drop=True)
        frame = frame if found.target in dict(found.taken).values() else features
    inputs, read = inputs_of(frame, found)
    _refuse_texts(inputs, found, predict)
    chosen = row.plan.target_map
    if chosen and (labels is None or not info.classes):
        raise InvalidPlan(
            "target_map says what labels mean, but "
            + ("no target was named." if labels is None else "the model has no classes."),
            hint="Name the label column as target." if labels is None else "Leave it out.",
            field="config.target_map",
        )
    words = None
    if labels is not None and info.task == "classification":
        words = in_words_of([str(value) for value in labels.unique()], info.classes, chosen)
        labels = translated(labels, words.pairs) if words.pairs else labels
    renamed = [{"column": column, "feature": feature} for feature, column in found.taken if column != feature]
    use = SampleUse.model_validate({
        "rows": len(frame),
        "target": found.target,
        "target_found": found.target_found,
        "columns": tuple(column for _, column in found.taken),
        "renamed": renamed,
        "encoded": found.encoded,
        "numbers": tuple(read),
        "generated": found.missing,
        "left_out": tuple(name[:MAX_NAME] for name in found.left_out),
        "labels": words,
    })  # fmt: skip
    told = (*chosen_text, *_told(use, found, read))
    return TakenSample(inputs, labels, user, use.model_copy(update={"told": told}), row.target is not None)


def _one_text(
    frame: pd.DataFrame, mined: Schema | None, target: str | None
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Of several columns of texts beside a named label, the one that a model of bare texts reads."""
    if target is None or frame.shape[1] < 3:
        return frame, ()
    text, told = text_inputs(frame.drop(columns=[target]), mined)
    if told is None or text is None:
        return frame, ()
    return text.join(frame[target]), (told,)


def _as_schema(frame: pd.DataFrame, user: Schema | None) -> TakenSample:
    if user is None:
        user = parse_schema(document_of(frame))
        told = (
            f"The sample is a table of features ({', '.join(frame.columns[:6])}): it was used as the schema."
        )
    else:
        told = "The sample is a table of features, and a schema came with the run: the table was not used."
    return TakenSample(schema=user, use=SampleUse(rows=0, as_schema=True, told=(told,)))


def _refuse_texts(inputs: pd.DataFrame, found: Match, predict: Predict) -> None:
    """Raises InvalidSample where the model is not known to take texts, and answers no row that holds them."""
    if not found.texts or found.missing:
        return
    whole = inputs.dropna()
    answers = predict((inputs if whole.empty else whole).head(PROBED_ROWS))
    if not answers.failed.all():
        return
    verb = "holds" if len(found.texts) == 1 else "hold"
    said = f" It said: {answers.errors[0].kind}: {answers.errors[0].message}" if answers.errors else ""
    raise InvalidSample(
        f"The model takes numbers; {listed(list(found.texts))} {verb} text.{said}"[:500],
        hint=ENCODE,
        field="sample",
    )


def _told(use: SampleUse, found: Match, read: dict[str, int]) -> list[str]:
    """What was done, a sentence each; what was done to nothing is not said."""
    told = []
    if use.target_found:
        told.append(f"No target was named: {use.target!r} was taken as the label.")
    if found.could_be:
        told.append(
            "No target was named, and which column holds the labels is not certain: "
            f"{listed(list(found.could_be))} may. Name it as the target to have the model scored."
        )
    if use.target in use.columns:
        told.append(f"The model takes its own label {use.target!r} as a feature, so its score says little.")
    numbering = [] if found.order else [name for name in use.columns if is_identifier(name)]
    if numbering:
        told.append(
            f"The model keeps no names, and by their count it takes {listed(numbering)} as a feature too."
        )
    if use.left_out:
        verb = "is" if len(use.left_out) == 1 else "are"
        told.append(f"Of the sample {listed(list(use.left_out))} {verb} left out: not taken by the model.")
    if use.renamed:
        pairs = [f"{each.column[:60]!r} as {each.feature[:60]!r}" for each in use.renamed]
        told.append(f"Taken under the model's own names: {_some(pairs)}.")
    if use.encoded:
        told.append(f"Encoded by their names: {_some([_encoding(each) for each in use.encoded])}.")
    if read:
        gaps = [f"{name[:60]!r}{f' ({count:,} blank or marked as missing)' if count else ''}"
                for name, count in read.items()]  # fmt: skip
        told.append(f"Texts read as numbers: {_some(gaps)}.")
    if use.generated:
        one = len(use.generated) == 1
        told.append(
            f"The sample lacks {listed(list(use.generated))}, which the model takes: "
            f"{'it is' if one else 'they are'} generated from the schema, and nothing is scored."
        )
    if use.labels is not None and use.labels.pairs:
        told.append(_labels_told(use.labels))
    if use.labels is not None and use.labels.unknown and use.labels.how != "undecided":
        told.append(
            f"No class of the model: the labels {listed(list(use.labels.unknown))}, counted as wrong."
        )
    return told


HOW = {
    "chosen": "as the config's target_map says",
    "spelling": "which differ in spelling only",
    "words": "which say the same",
    "contained": "which hold the same words",
    "order": "in the order of a LabelEncoder, which the model's own answers bear out",
}


def _encoding(column: EncodedColumn) -> str:
    without = f" ({listed(list(column.without))} is 0 in all)" if column.without else ""
    return f"{column.column[:60]!r} as {listed(list(column.features), 4)}{without}"


def _labels_told(found: LabelMap) -> str:
    scores = [candidate.score or 0.0 for candidate in found.candidates]
    told = f" (accuracy {scores[0]:.3g}; read otherwise {scores[1]:.3g} at most)" if len(scores) > 1 else ""
    return f"Labels are read as the model's classes, {HOW[found.how]}: {_pairs(found.pairs)}{told}."


def _scores(candidates: Sequence[LabelCandidate]) -> str:
    return ", ".join(
        f"accuracy {candidate.score:.3g} with {_pairs(candidate.pairs)}" for candidate in candidates
    )


def _pairs(pairs: Sequence[tuple[str, str]]) -> str:
    return _some([f"{value[:40]!r} as {name[:40]!r}" for value, name in pairs], 5)


def _some(texts: Sequence[str], most: int = 10) -> str:
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more


def _undecided(found: LabelMap, info: ModelInfo) -> InvalidSample:
    first = found.candidates[0] if found.candidates else None
    example = ", ".join(
        f'"{value[:40]}": "{name[:40]}"' for value, name in (first.pairs[:3] if first else ())
    )
    return InvalidSample(
        f"The sample's labels {listed(list(found.unknown), 5)} are not the model's classes "
        f"{listed(list(info.classes), 5)}, and what stands for what is not certain: "
        f"{_scores(found.candidates)}."[:500],
        hint=f'Say it in the config: "target_map": {{{example}{", ..." if len(info.classes) > 3 else ""}}}.',
        field="target",
    )
