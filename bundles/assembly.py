"""The parts of a bundle, or of several files, put together as the one pipeline that people apply by hand.

Promises: what is taken, in which order, and what is left aside is told part by part; nothing is guessed where
two ways fit equally and differ. Leaves opening the files to `estimators.loading`.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from sklearn.pipeline import Pipeline

import model_utils
from bundles.entries import Encoders, Entry, entries_of, kind_of, names_in, predicts
from bundles.layout import COLUMNS, NO_ORDER, Layout, column_of, laid_out
from bundles.scales import foreign_scalers
from bundles.sentences import nothing_predicts
from bundles.shapes import TEXT, Shape, rank, shape_of
from errors import ModelError, SeveralModels
from estimators.asked import Asked, AskedWithScores, Rescaled
from estimators.columns import ColumnSteps, Named
from estimators.traits import label_text, task_of
from model_utils import Adapter
from records.model import MAX_PARTS_TOLD, ModelPart, PartRole

__all__ = ["Assembled", "assembled"]

MOST_TRANSFORMERS = 8
MOST_CHOICES = 50
MOST_TOLD = MAX_PARTS_TOLD // 2  # preprocessors by name; a bundle may have an encoder for each column
CLASSES = re.compile(r"class|label|target|species|categor|decod")
LIST_HINT = (
    "Where one was fitted on some columns, send the list of all columns too (columns.pkl, columns.json), in "
    "the model's order; or save all steps with the model as one Pipeline."
)
TARGET_NAMES = ("target", "label", "labels", "class", "classes", "y", "output", "species", "response")


@dataclass(frozen=True)
class Assembled:
    """What is asked. file: which of the files holds what predicts; parts: () for a file that is a model."""

    adapter: Adapter
    file: int = 0
    parts: tuple[ModelPart, ...] = ()


def assembled(
    files: Sequence[tuple[str, Any]], entry: str | None = None, steps: Sequence[str] = ()
) -> Assembled:
    """One adapter for what the files hold, (name, object) each; the first is the one sent as the model.

    entry: the path of the part to test, where several predict. steps: the paths of the preprocessors in their
    order, where it is not to be found by shapes and names. Raises NoPredict, SeveralModels, and ModelError
    for parts that do not fit together, with what to do.
    """
    if len(files) == 1 and entry is None and not steps and predicts(files[0][1]):
        return Assembled(model_utils.adapt(files[0][1]))
    found = entries_of(files)
    model = _model(files, found, entry)
    others = [part for part in found if part is not model and not isinstance(part.value, str | int | float)]
    return _Assembly(model, others, tuple(steps), len(files) > 1).build()


def _model(files: Sequence[tuple[str, Any]], found: Sequence[Entry], entry: str | None) -> Entry:
    """The one part that is tested."""
    able = {id(part.value): part for part in reversed(found) if predicts(part.value)}
    able_parts = [part for part in found if able.get(id(part.value)) is part]
    choices = tuple(part.path or files[part.file][0] for part in able_parts)[:MOST_CHOICES]
    if entry is not None:
        chosen = [part for part in able_parts if entry in (part.path, part.path.partition(":")[2])]
        if len(chosen) == 1:
            return chosen[0]
        if len(files) == 1 and len(able_parts) == 1 and entry == files[0][0]:
            return able_parts[0]
        raise SeveralModels(
            f"Nothing that predicts is at the entry {entry[:100]!r}.",
            hint=f"What predicts: {', '.join(choices) or 'nothing'}. Name one as `entry` in the config.",
            choices=choices,
        )
    if not able_parts:
        raise nothing_predicts([value for _, value in files], len(files) > 1)
    if len(able_parts) > 1:
        first = [part for part in able_parts if part.file == 0]
        plain = [part for part in able_parts if not hasattr(part.value, "transform")]
        for one in (first, plain):  # sent as the model; a clustering beside it is a step before it
            if len(one) == 1 and len(files) > 1:
                return one[0]
        raise SeveralModels(
            f"{len(able_parts)} parts of the file can predict: {', '.join(choices[:10])}"
            f"{' and more' if len(able_parts) > 10 else ''}.",
            hint=f'Say which is to be tested: "entry": "{choices[0]}" in the run\'s config, or on the page.',
            choices=choices,
        )
    return able_parts[0]


class _Assembly:
    """The pipeline in the making."""

    def __init__(self, model: Entry, others: list[Entry], steps: tuple[str, ...], several: bool) -> None:
        self.model = model
        self.several = several
        self.inner = model_utils.adapt(model.value)
        self.order = steps
        self.parts: list[ModelPart] = []
        self.left: list[ModelPart] = []
        self.names: list[tuple[Entry, tuple[str, ...]]] = []
        self.encoders = Encoders()
        self.encoder_paths: dict[str, Entry] = {}
        self.single: list[Entry] = []
        self.transformers: list[Entry] = []
        self.labels: tuple[str, ...] | None = None
        self.rescale: Entry | None = None
        self._sort(others)
        self.shapes = {id(part): shape_of(part.value) for part in self.transformers}

    def build(self) -> Assembled:
        self._take_labels()
        left = list(self.left)
        chain = self._chain()
        layout = self._layout(chain)
        foreign = [] if self.order else foreign_scalers(self.model.value, chain, layout)
        if foreign:  # once more, without them
            self.left = left
            for part in foreign:
                self._leave(part, "the model knows values of another size than it gives")
            self.transformers = [one for one in self.transformers if not any(one is part for part in foreign)]
            chain = self._chain()
            layout = self._layout(chain)
        before = [*layout.used, *(part for part, _ in chain)]
        self.parts += [self._part(part, "preprocessor") for part in before[:MOST_TOLD]]
        self.parts.append(self._part(self.model, "model"))
        if self.rescale is not None:
            self.parts.append(self._part(self.rescale, "answers"))
        told = (*self.parts, *self._told(layout), *self.left)
        return Assembled(self._adapter(chain, layout), self.model.file, told[:MAX_PARTS_TOLD])

    # What there is ------------------------------------------------------------------------------

    def _sort(self, others: Sequence[Entry]) -> None:
        for part in others:
            value = part.value
            if (names := names_in(value)) is not None:
                self.names.append((part, names))
            elif isinstance(value, Encoders):
                self.encoders.update(value)
                self.encoder_paths |= dict.fromkeys(value, part)
            elif predicts(value) and not hasattr(value, "transform"):
                self._leave(part)
            elif type(value).__name__ in ("LabelEncoder", "LabelBinarizer"):
                self.single.append(part)
            elif isinstance(value, type) or not hasattr(value, "transform"):
                self._leave(part)
            else:
                self.transformers.append(part)
        if self.order:
            self._in_given_order()

    def _in_given_order(self) -> None:
        """The transformers as `steps` names them; those that it leaves out are left aside."""
        parts = [*self.transformers, *self.single, *{id(p): p for p in self.encoder_paths.values()}.values()]
        known = {name: part for part in parts for name in (part.path, part.path.partition(":")[2]) if name}
        unknown = [path for path in self.order if path not in known]
        if unknown:
            names = ", ".join(part.path for part in parts)
            raise ModelError(
                f"There is no preprocessor {unknown[0][:100]!r} among the files.",
                hint=f"`steps` of the config names them in order: {names or 'there is none'}.",
            )
        chosen = [known[path] for path in self.order]
        for part in self.transformers:
            if not any(part is one for one in chosen):
                self._leave(part)
        self.transformers = [part for part in chosen if any(part is one for one in self.transformers)]

    def _take_labels(self) -> None:
        """The words for a classifier's codes: an encoder of the target, or a list of as many names."""
        codes = self.inner.labels
        coded = codes is not None and codes == tuple(str(i) for i in range(len(codes)))
        features = set(self.inner.features).union(*(self.shapes[id(p)].names for p in self.transformers))
        known = tuple(sorted(features.union(*(names for _, names in self.names))))
        named = [(part, part.value.classes_) for part in self.single]
        named += [
            (self.encoder_paths[name], encoder.classes_)
            for name, encoder in self.encoders.items()
            if name not in features and (name.lower() in TARGET_NAMES or len(self.encoders) == 1 or features)
        ]
        lists = [
            (part, names)
            for part, names in self.names
            if not features & set(names) and (CLASSES.search(part.last) or not COLUMNS.search(part.last))
        ]
        for part, classes in [*named, *lists]:
            words = tuple(label_text(value) for value in classes)
            feature = column_of(part.last, known)
            if self.labels is None and coded and codes and len(words) == len(codes) and feature is None:
                if words == codes:
                    continue
                self.labels = words
                self.parts.append(self._part(part, "classes"))
                self.single = [one for one in self.single if one is not part]
                self.names = [(one, names) for one, names in self.names if one is not part]
                self.encoders = Encoders(
                    {name: one for name, one in self.encoders.items() if one.classes_ is not classes}
                )

    # The order ----------------------------------------------------------------------------------

    def _chain(self) -> list[tuple[Entry, Shape]]:
        """Transformers of whole tables, from the first to the model; those of some columns come later."""
        shapes = [(part, self.shapes[id(part)]) for part in self.transformers]
        own = self._own_steps()
        wide = self._width()
        if task_of(self.model.value) == "regression":
            for part, shape in shapes:
                if (
                    shape.takes == 1
                    and wide != 1
                    and hasattr(part.value, "inverse_transform")
                    and (set(part.last.replace("-", "_").split("_")) & {*TARGET_NAMES, "price", "answer"})
                ):
                    self.rescale = part
        usable = []
        for part, shape in shapes:
            twin = type(part.value).__name__ in own and shape.takes == wide and shape.gives == wide
            if part is self.rescale:
                continue
            if twin and not self.order:
                self._leave(part, "the model has one of its own")
            else:
                usable.append((part, shape))
        if len(usable) > MOST_TRANSFORMERS:
            raise ModelError(
                f"{len(usable)} preprocessors were found; at most {MOST_TRANSFORMERS} are put together.",
                hint="Put them into one Pipeline with the model, and save that.",
            )
        if wide is None:
            return []
        chains = list(_chains(usable, wide))
        if self.order:
            places = {id(part): i for i, (part, _) in enumerate(usable)}
            chains = [chain for chain in chains if _rises([places[id(part)] for part, _ in chain])]
        longest = max(map(len, chains), default=0)
        best = sorted((chain for chain in chains if len(chain) == longest), key=_disorder)
        chosen = best[0] if best else []
        return list(chosen)

    def _own_steps(self) -> set[str]:
        """The classes of the steps that the model already has."""
        model = getattr(self.model.value, "best_estimator_", self.model.value)
        return {type(step).__name__ for _, step in getattr(model, "steps", ())[:-1]}

    def _width(self) -> int | None:
        if self.inner.n_features is not None:
            return self.inner.n_features
        model = getattr(self.model.value, "best_estimator_", self.model.value)
        first = model.steps[0][1] if hasattr(model, "steps") else model
        shape = shape_of(first)
        if shape.takes is not None:
            return shape.takes
        coefficients = getattr(model, "coef_", None)
        return None if coefficients is None else int(coefficients.shape[-1])

    # The columns --------------------------------------------------------------------------------

    def _layout(self, chain: list[tuple[Entry, Shape]]) -> Layout:
        """What happens to single columns before the chain begins."""
        first = chain[0][1] if chain else None
        width = first.takes if first is not None else self._width()
        names = first.names if first is not None else self.inner.features
        used = [part for part, _ in chain]
        rest = [
            part
            for part in self.transformers
            if part not in used and part is not self.rescale and part.path not in {p.entry for p in self.left}
        ]
        if width == TEXT:
            self._refuse(rest)
            return Layout()
        layout = laid_out(
            width=width,
            names=names,
            lists=self.names,
            encoders=self.encoders,
            paths=self.encoder_paths,
            single=self.single,
            rest=[(part, self.shapes[id(part)]) for part in rest],
        )
        self._refuse(layout.unplaced)
        lost = [part for part, why in layout.left if why == NO_ORDER and self._was_sent(part)]
        if lost:
            raise ModelError(
                f"Which columns {', '.join(part.path for part in lost[:5])} is for is not known: {NO_ORDER}.",
                hint=LIST_HINT,
            )
        for part, why in layout.left:
            self._leave(part, why)
        return layout

    def _refuse(self, parts: Sequence[Entry]) -> None:
        """A companion that was sent on purpose and fits nowhere is a fault; one in a bundle is left aside."""
        width = self._width()
        for part in parts:
            shape = self.shapes[id(part)]
            if not self._was_sent(part) and not self.order:
                self._leave(part, "it fits nowhere before the model")
                continue
            takes = "texts" if shape.takes == TEXT else f"{shape.takes or 'an unknown number of'} columns"
            raise ModelError(
                f"{part.path} ({kind_of(part.value)}) takes {takes} and gives {shape.gives or 'unknown'}; "
                f"the model takes {'an unknown number' if width is None else f'{width:,}'}: it cannot be put "
                "before it.",
                hint=f"Send the preprocessors that this very model was fitted behind. {LIST_HINT}",
            )

    def _was_sent(self, part: Entry) -> bool:
        """Whether it came in a file of its own, on purpose."""
        return self.several and part.file != self.model.file

    # The whole ----------------------------------------------------------------------------------

    def _adapter(self, chain: list[tuple[Entry, Shape]], layout: Layout) -> Adapter:
        inner = self.inner
        final = self.model.value
        if not hasattr(type(final), "__sklearn_tags__"):  # a booster, a network: no step of a pipeline
            final = (AskedWithScores if inner.labels is not None else Asked)(inner)
        if self.rescale is not None:
            final = Rescaled(final, self.rescale.value)
        steps: list[tuple[str, Any]] = []
        if layout.names:
            first = chain[0][1].names if chain else inner.features
            steps.append(("columns", ColumnSteps(layout.names, layout.parts, layout.out, bool(first))))
        for number, (part, shape) in enumerate(chain):
            if steps and shape.names and steps[-1][0] != "columns":
                steps.append((f"names_{number}", Named(shape.names)))
            steps.append((f"step_{number}", part.value))
        if inner.features and steps and steps[-1][0] != "columns":
            steps.append(("names", Named(inner.features)))
        labels, answers = self.labels or inner.labels, inner.labels if self.labels else None
        if not steps and self.rescale is None:
            return replace(inner, labels=labels, answers=answers)
        whole = model_utils.adapt(Pipeline([*steps, ("model", final)]))
        return replace(
            whole,
            framework=inner.framework,
            name=inner.name,
            task=inner.task,
            labels=labels,
            answers=answers,
            scores_decide=whole.scores_decide and inner.labels is not None,
            notes=inner.notes,
        )

    def _told(self, layout: Layout) -> list[ModelPart]:
        used = layout.names_from
        told = [] if used is None else [self._part(used, "columns")]
        for part, _ in self.names:
            if part is not used and part.path not in {p.entry for p in (*self.parts, *self.left)}:
                self._leave(part)
        return told

    def _part(self, part: Entry, role: PartRole, note: str = "") -> ModelPart:
        return ModelPart(entry=part.path[:200], kind=kind_of(part.value)[:200], role=role, note=note)

    def _leave(self, part: Entry, why: str = "") -> None:
        if len(self.left) < MOST_CHOICES:
            self.left.append(self._part(part, "left aside", why))


def _chains(
    usable: Sequence[tuple[Entry, Shape]], wide: int, behind: tuple[tuple[Entry, Shape], ...] = ()
) -> Iterator[tuple[tuple[Entry, Shape], ...]]:
    """Every sequence, the empty one too, whose last gives what the model takes and whose shapes join."""
    yield behind
    if wide == TEXT:
        return
    for part, shape in usable:
        if shape.gives == wide and shape.takes and not any(part is other for other, _ in behind):
            yield from _chains(usable, shape.takes, ((part, shape), *behind))


def _rises(places: Sequence[int]) -> bool:
    return all(a < b for a, b in pairwise(places))


def _disorder(chain: Sequence[tuple[Entry, Shape]]) -> tuple[int, tuple[int, ...]]:
    """Pairs of steps that people would apply the other way round; see `rank`. Then as they were sent."""
    ranks = [rank(part.value) for part, _ in chain]
    pairs = sum(a > b for i, a in enumerate(ranks) for b in ranks[i + 1 :])
    return pairs, tuple(part.file for part, _ in chain)
