"""One error tree: what happened, in which stage, and what to do about it.

    DashboardError                     500  internal_error
    ├── InvalidInput                   422  invalid_input      the caller can mend it
    │   ├── InvalidSchema              422  invalid_schema
    │   ├── InvalidSample              422  invalid_sample
    │   ├── InvalidPlan                422  invalid_config
    │   └── TooLarge                   413  too_large
    ├── ModelError                     422  model_error        the model file is at fault
    │   ├── NotAModel                  422  not_a_model        not a pickle, empty, truncated
    │   ├── NoPredict                  422  no_predict
    │   ├── SeveralModels              422  several_models     asked which of them; `choices`
    │   ├── VersionMismatch            422  version_mismatch
    │   ├── MissingLibrary             422  missing_library
    │   ├── PredictFailed              422  predict_failed
    │   └── ModelRefused               422  model_refused      the policy does not allow it here
    ├── ChildError                     500  child_error        the locked process is at fault
    │   ├── ChildDied                  500  child_died
    │   ├── ChildTimeout               504  child_timeout
    │   └── BadAnswer                  502  bad_answer
    ├── Cancelled                      409  cancelled
    ├── NotFound                       404  not_found
    ├── Conflict                       409  conflict
    │   └── Changed                    412  changed            by another, since it was read
    ├── Unauthorized                   401  unauthorized
    ├── Forbidden                      403  forbidden
    ├── TooBusy                        429  too_busy
    └── Unavailable                    503  unavailable
        └── LockUnavailable            503  lock_unavailable   this machine cannot hold a model's process

Expected errors carry their HTTP status, so that the API renders them in one place.
"""

from collections.abc import Sequence
from typing import ClassVar

__all__ = [
    "MAX_QUOTED",
    "BadAnswer",
    "Cancelled",
    "Changed",
    "ChildDied",
    "ChildError",
    "ChildTimeout",
    "Conflict",
    "DashboardError",
    "Forbidden",
    "InvalidInput",
    "InvalidPlan",
    "InvalidSample",
    "InvalidSchema",
    "LockUnavailable",
    "MissingLibrary",
    "ModelError",
    "ModelRefused",
    "NoPredict",
    "NotAModel",
    "NotFound",
    "PredictFailed",
    "SeveralModels",
    "TooBusy",
    "TooLarge",
    "Unauthorized",
    "Unavailable",
    "VersionMismatch",
    "kind_of",
]

MAX_QUOTED = 300  # characters of a message, or of a name, that are not our own


class DashboardError(Exception):
    """The root. `message` says what happened, `hint` what to do, `field` where (when one is at fault).

    choices: what the caller can choose from, where that mends it.
    """

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Something went wrong on our side"
    retry_after_s: int | None = None  # seconds after which asking again makes sense

    def __init__(
        self, message: str, *, hint: str = "", field: str | None = None, choices: Sequence[str] = ()
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.field = field
        self.choices = tuple(choices)


class InvalidInput(DashboardError):
    code = "invalid_input"
    status = 422
    title = "The request cannot be used"


class InvalidSchema(InvalidInput):
    code = "invalid_schema"
    title = "The schema cannot be used"


class InvalidSample(InvalidInput):
    code = "invalid_sample"
    title = "The sample cannot be used"


class InvalidPlan(InvalidInput):
    code = "invalid_config"
    title = "The run's config cannot be used"


class TooLarge(InvalidInput):
    code = "too_large"
    status = 413
    title = "The upload is too large"


class ModelError(DashboardError):
    code = "model_error"
    status = 422
    title = "The model cannot be tested"


class NotAModel(ModelError):
    code = "not_a_model"
    title = "The file is not a model that can be read"


class NoPredict(ModelError):
    code = "no_predict"
    title = "The file holds nothing that can predict"


class SeveralModels(ModelError):
    code = "several_models"
    title = "The file holds several models"


class VersionMismatch(ModelError):
    code = "version_mismatch"
    title = "The model was saved with a library version that cannot be loaded here"


class MissingLibrary(ModelError):
    code = "missing_library"
    title = "The model needs a library that is not installed"


class PredictFailed(ModelError):
    code = "predict_failed"
    title = "The model's predict failed"


class ModelRefused(ModelError):
    code = "model_refused"
    title = "The model is refused by this server's policy"


class ChildError(DashboardError):
    code = "child_error"
    title = "The model's process failed"


class ChildDied(ChildError):
    code = "child_died"
    title = "The model's process died"


class ChildTimeout(ChildError):
    code = "child_timeout"
    status = 504
    title = "The model took too long"


class BadAnswer(ChildError):
    code = "bad_answer"
    status = 502
    title = "The model's process gave an answer that cannot be used"


class Cancelled(DashboardError):
    code = "cancelled"
    status = 409
    title = "The run was cancelled"


class NotFound(DashboardError):
    code = "not_found"
    status = 404
    title = "Not found"


class Conflict(DashboardError):
    code = "conflict"
    status = 409
    title = "The request contradicts what is stored"


class Changed(Conflict):
    code = "changed"
    status = 412
    title = "It was changed in the meantime"


class Unauthorized(DashboardError):
    code = "unauthorized"
    status = 401
    title = "A token is needed"


class TooBusy(DashboardError):
    code = "too_busy"
    status = 429
    title = "Too many requests"
    retry_after_s = 10


class Forbidden(DashboardError):
    code = "forbidden"
    status = 403
    title = "The request is not allowed"


class Unavailable(DashboardError):
    code = "unavailable"
    status = 503
    title = "The service is not ready"
    retry_after_s = 5


class LockUnavailable(Unavailable):
    code = "lock_unavailable"
    title = "This machine cannot hold a model's process"


def kind_of(code: str) -> type[DashboardError] | None:
    """The kind of error that has this code, as it was stored or sent; None for one that is not ours.

    >>> kind_of("too_busy")
    <class 'errors.TooBusy'>
    """
    kinds = [DashboardError]
    for kind in kinds:
        if kind.code == code:
            return kind
        kinds += kind.__subclasses__()
    return None
