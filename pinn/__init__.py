"""pinn: partial differential equations solved by neural networks, to the accuracy of a numerical solver.

The names below are loaded when they are first used, so that `import pinn` costs nothing and `pinn.derivatives` needs
nothing but torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pinn.domains import Box
    from pinn.errors import InputError
    from pinn.inspection import check
    from pinn.networks import MLP
    from pinn.problems import Constraint, Problem
    from pinn.references import Exact
    from pinn.solution import Solution, load
    from pinn.solver import solve
    from pinn.training import Stage
    from pinn.verdict import Verdict

__version__ = "0.1.0"
__all__ = [
    "MLP",
    "Box",
    "Constraint",
    "Exact",
    "InputError",
    "Problem",
    "Solution",
    "Stage",
    "Verdict",
    "check",
    "load",
    "solve",
]

_HOMES = {
    "Box": "pinn.domains",
    "Constraint": "pinn.problems",
    "Exact": "pinn.references",
    "InputError": "pinn.errors",
    "MLP": "pinn.networks",
    "Problem": "pinn.problems",
    "Solution": "pinn.solution",
    "Stage": "pinn.training",
    "Verdict": "pinn.verdict",
    "check": "pinn.inspection",
    "load": "pinn.solution",
    "solve": "pinn.solver",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'pinn' has no attribute {name!r}; it has {', '.join(__all__)}.")


def __dir__() -> list[str]:
    return sorted(__all__)
