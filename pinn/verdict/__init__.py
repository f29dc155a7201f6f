"""How good a solution is, told without any reference."""

from pinn.verdict.verdict import Status, Verdict, judge

__all__ = ["Status", "Verdict", "judge"]
