"""How good a solution is, told without any reference."""

from pinn.verdict.judge import judge
from pinn.verdict.verdict import NO_SOLUTION, Status, Verdict, exit_code

__all__ = ["NO_SOLUTION", "Status", "Verdict", "exit_code", "judge"]
