"""What a server answered to a form, as far as answers are told apart by those who post thousands of them."""

from typing import Any, NamedTuple

import httpx

__all__ = ["Said", "read"]

FAULT = "internal_error"
LONGEST = 300


class Said(NamedTuple):
    """code: of the problem, of the report's first error, or the run's state where there is none."""

    status: int
    code: str = ""
    stage: str = ""
    state: str = ""
    message: str = ""

    @property
    def kind(self) -> str:
        return "-".join(str(part) for part in (self.status, self.code, self.stage) if part)

    @property
    def is_fault(self) -> bool:
        """Whether the dashboard is at fault, and neither the form nor the model's process."""
        return self.status >= 500 or self.code == FAULT

    @property
    def is_judged(self) -> bool:
        return self.state in ("passed", "warned", "failed")

    def __str__(self) -> str:
        return " ".join(" ".join(map(str, self)).split())


def read(answer: httpx.Response) -> Said:
    """Of a report with several errors a fault of the dashboard is told first; a run without one is such."""
    try:
        body: dict[str, Any] = answer.json()
    except ValueError:
        return Said(answer.status_code, message=answer.text[:LONGEST])
    if answer.status_code >= 300:
        return Said(answer.status_code, str(body.get("code")), message=str(body.get("detail"))[:LONGEST])
    errors, state = body.get("errors") or (), str(body["status"])
    if state == "error" and not errors:
        return Said(answer.status_code, FAULT, state=state, message=str(body.get("message"))[:LONGEST])
    faults = [error for error in errors if error["code"] == FAULT]
    first: dict[str, str] = next(iter([*faults, *errors]), {})
    message = first.get("message", "")[:LONGEST]
    return Said(answer.status_code, first.get("code", state), first.get("stage", ""), state, message)
