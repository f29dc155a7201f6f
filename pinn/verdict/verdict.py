"""How good a solution is, in words and numbers, without any reference."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from rich.markup import escape

from pinn.shapes import require

EXIT_CODES = {"solved": 0, "diverged": 3}
"""By the status of the verdict."""
NO_SOLUTION = 5
"""Exit code of the others: the program ran, but this is no solution."""

NUMBERS = {str: (float, None)}
RECORD = {
    "status": str,
    "reason": str,
    "error": NUMBERS,
    "unknowns": NUMBERS,
    "residuals": NUMBERS,
    "notes": [str],
    "seconds": float,
}
"""What `to_dict` returns, as `pinn.shapes.require` wants it."""

Status = Literal["solved", "not solved", "not determined", "contradictory", "diverged", "interrupted"]


@dataclass(frozen=True)
class Verdict:
    """What a solution is worth.

    Attributes:
        status: solved, not solved, not determined, contradictory, diverged or interrupted.
        reason: why, where, and what to do, in words.
        error: the estimated relative L2 error of each field; empty where it was not estimated.
        unknowns: of each unknown coefficient, likewise.
        residuals: what is left of each residual, relative: 0.01 is what a change of the fields by one part in a hundred
            would leave.
        rms: the root of the mean square of each residual, as it is.
        notes: what else was noticed, in words.
        seconds: that it took.
    """

    status: Status
    reason: str
    error: dict[str, float] = field(default_factory=dict)
    unknowns: dict[str, float] = field(default_factory=dict)
    residuals: dict[str, float] = field(default_factory=dict)
    rms: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def solved(self) -> bool:
        """Whether there is a solution."""
        return self.status == "solved"

    def __str__(self) -> str:
        return f"{self.status} {self.reason}" if self.solved else f"{self.status}: {self.reason}"

    def told(self) -> str:
        """Return it as a line for rich, with a colour."""
        status = f"[{'green' if self.solved else 'red'}]{self.status}[/]"
        return f"[bold]verdict[/bold] {status}{'' if self.solved else ':'} {escape(self.reason)}"

    @classmethod
    def of(cls, metrics: Mapping[str, Any]) -> "Verdict | None":
        """Return what was recorded in `metrics.json`; None if there is no record.

        Raises:
            InputError: a record that cannot be one.
        """
        recorded = metrics.get("verdict")
        if recorded is None:
            return None
        require(recorded, RECORD, "verdict")
        return cls(**{**recorded, "notes": tuple(recorded["notes"])}, rms=metrics.get("residual_rms", {}))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for `metrics.json`; those of the residuals are recorded beside it."""
        return {
            "status": self.status,
            "reason": self.reason,
            "error": self.error,
            "unknowns": self.unknowns,
            "residuals": self.residuals,
            "notes": list(self.notes),
            "seconds": self.seconds,
        }


def exit_code(status: str) -> int:
    """Return what a program ends with that has come to this."""
    return EXIT_CODES.get(status, NO_SOLUTION)
