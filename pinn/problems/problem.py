"""What a user writes: the equation and its conditions, in one small class."""

import inspect
from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any, Self

import torch
from torch import Tensor, nn

from pinn.domains import Box, Points
from pinn.errors import InputError
from pinn.problems.constraint import Constraint
from pinn.references import Reference
from pinn.theirs import in_their_code


class _CheckedWhenBuilt(ABCMeta):
    """Checks a problem right after its constructor, and remembers the arguments it was built with."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if inspect.isabstract(cls):
            raise InputError(f"{cls.__name__} has no constraints(); return the equation and its conditions by name.")
        problem = super().__call__(*args, **kwargs)
        # The signature of the class itself would be that of this method.
        bound = inspect.signature(cls.__init__).bind(problem, *args, **kwargs)  # type: ignore[misc]
        bound.apply_defaults()
        problem.arguments = dict(list(bound.arguments.items())[1:])
        problem.check()
        return problem


class Problem(nn.Module, metaclass=_CheckedWhenBuilt):
    """A system of differential equations for named fields over named coordinates.

    A subclass names its `coordinates` and `fields`, sets `self.domain` in its constructor, and returns its constraints.
    Every quantity that its methods see is a tensor of shape (points,): one number a point. Unknown coefficients of an
    inverse problem are `nn.Parameter`s of shape (), measured data are buffers.

    ```python
    class Decay(Problem):
        coordinates, fields = ("t",), ("u",)

        def __init__(self, rate: float = 1.0):
            super().__init__()
            self.rate = rate
            self.domain = Box(t=(0, 1))

        def constraints(self):
            return {
                "equation": Constraint(self.domain.interior, self.equation),
                "initial": Constraint(self.domain.face(t=0), lambda u: u - 1),
            }

        def equation(self, u, t):
            return partial(u, t) + self.rate * u
    ```

    Raises:
        InputError: at construction, when names do not fit together; the message lists the names there are.
    """

    coordinates: tuple[str, ...]
    fields: tuple[str, ...]
    domain: Box
    arguments: dict[str, Any]
    """The constructor's arguments by name, defaults included."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """Make the module before the constructor runs, which may call `super().__init__()` or not."""
        problem = super().__new__(cls)
        nn.Module.__init__(problem)
        return problem

    def __init__(self) -> None:
        """Change nothing; everything is made."""

    @abstractmethod
    def constraints(self) -> dict[str, Constraint]:
        """Return the equation and its conditions by name."""

    def ansatz(self, **fields: Tensor) -> Tensor | Mapping[str, Tensor] | None:
        """Build conditions into the network's output, if wanted; by default the output is left as it is.

        Override it with any coordinates and fields as arguments, bound by name, and return the changed field, or
        a dict of the changed ones: `def ansatz(self, u, x): return x * (1 - x) * u`.
        """
        return None

    def reference(self) -> Reference | None:
        """Return the solution to compare with, if one is known."""
        return None

    def apply_ansatz(self, points: Points, outputs: Points) -> Points:
        """Return the fields by name, (points,) each, from the network's outputs by name."""
        if type(self).ansatz is Problem.ansatz:
            return outputs
        changed = self.ansatz(**self._bind(self.ansatz, {**points, **outputs}))
        if isinstance(changed, Tensor):
            changed = {self.fields[0]: changed}
        if not isinstance(changed, Mapping | None):
            raise InputError(
                f"{type(self).__name__}.ansatz() must return a field or a dict of them; it returned {changed!r}."
            )
        return {**outputs, **(changed or {})}

    def copied(self, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float64) -> Self:
        """Return a problem of its own that asks the same, its parameters and buffers on a device, in a precision.

        A solution owns such a copy, so that solving changes nothing that was given.

        Raises:
            InputError: something in the problem cannot be copied.
        """
        try:
            copy = deepcopy(self)
        except (TypeError, RuntimeError) as error:
            # What Python and torch say of open files, locks, and tensors that are part of a graph.
            raise InputError(
                f"{type(self).__name__} holds what cannot be copied, so it cannot be solved: {error}."
            ) from error
        return copy.to(device, dtype)

    def residuals(self, name: str, points: Points, fields: Callable[[Points], Points]) -> Points:
        """Evaluate one constraint.

        Args:
            name: of the constraint.
            points: of its region, (points,) each; coordinates must require grad.
            fields: maps points to fields by name: the network, or an exact solution in its place.

        Returns:
            the residuals by name, (points,) each: `{"equation": …}`, or `{"equation.momentum_x": …, …}` for a system.
        """
        constraint = self.constraints()[name]
        known = {**points, **fields(points)}
        image = constraint.region.image(points)
        if image is not None:
            known |= {f"{field}_image": value for field, value in fields(image).items()}
        result = constraint.residual(**self._bind(constraint.residual, known))
        rows = (
            {f"{name}.{part}": row for part, row in result.items()} if isinstance(result, Mapping) else {name: result}
        )
        count = points[self.coordinates[0]].shape
        if not rows:
            raise InputError(f"{type(self).__name__}: constraint {name!r} returned no residual.")
        for row_name, row in rows.items():
            if not isinstance(row, Tensor) or row.shape != count:
                given = tuple(row.shape) if isinstance(row, Tensor) else type(row).__name__
                raise InputError(
                    f"{type(self).__name__}: residual {row_name!r} has shape {given}, expected {tuple(count)}: one "
                    f"number a point. Coordinates and fields have this shape too; combine them element by element."
                )
        return rows

    def check(self) -> None:
        """Raise InputError unless domain, constraints, ansatz and their argument names fit together."""
        title = type(self).__name__
        for attribute in ("coordinates", "fields", "domain"):
            if not hasattr(self, attribute):
                raise InputError(f"{title} has no {attribute!r}; see the example in the documentation of pinn.Problem.")
        for kind in ("coordinates", "fields"):
            setattr(self, kind, _names(f"{title}.{kind}", getattr(self, kind)))
        if self.coordinates != getattr(self.domain, "coordinates", None):
            raise InputError(f"{title} names coordinates {self.coordinates}, but its domain is {self.domain}.")
        if overlap := set(self.coordinates) & set(self.fields):
            raise InputError(f"{title} calls {', '.join(sorted(overlap))} both a coordinate and a field.")
        with in_their_code(f"{title}.constraints() cannot be evaluated"):
            constraints = self.constraints()
        if not isinstance(constraints, Mapping):
            raise InputError(
                f"{title}.constraints() must return a dict of constraints by name; it returned a "
                f"{type(constraints).__name__}."
            )
        if not constraints:
            raise InputError(f"{title}.constraints() is empty; return at least an equation.")
        for name, constraint in constraints.items():
            if not isinstance(name, str) or not name or "." in name:
                raise InputError(
                    f"{title}: a constraint cannot be called {name!r}; take a word without a dot, which comes between "
                    f"a constraint and its parts."
                )
            if not isinstance(constraint, Constraint):
                raise InputError(f"{title}: constraint {name!r} must be a Constraint; it is {constraint!r}.")
            constraint.check(f"{title}: constraint {name!r}")
            known = [*self.coordinates, *self.fields, *constraint.region.normals]
            if constraint.region.image({c: Tensor() for c in self.coordinates}) is not None:
                known += [f"{field}_image" for field in self.fields]
            self._require_known(f"constraint {name!r}", constraint.residual, known)
        if type(self).ansatz is not Problem.ansatz:
            self._require_known("the ansatz", self.ansatz, [*self.coordinates, *self.fields])

    def _bind(self, function: Callable[..., Any], known: Points) -> Points:
        """Return the quantities that a function asks for, by name."""
        bound = {name: known[name] for name in _arguments(function)}
        kinds = {parameter.kind for parameter in inspect.signature(function).parameters.values()}
        if inspect.Parameter.VAR_KEYWORD in kinds:
            bound |= {name: known[name] for name in self.coordinates if name not in bound}
        return bound

    def _require_known(self, where: str, function: Callable[..., Any], known: list[str]) -> None:
        for argument in _arguments(function):
            if argument not in known:
                raise InputError(
                    f"{type(self).__name__}: {where} asks for {argument!r}, which is not there; "
                    f"the names there are: {', '.join(known)}."
                )


def _names(what: str, given: Any) -> tuple[str, ...]:
    """Return names as a tuple, or raise InputError unless each of them can name an argument, and one only."""
    names = tuple(given) if isinstance(given, tuple | list) else ()
    if not names or not all(isinstance(name, str) and name.isidentifier() for name in names):
        raise InputError(f'{what} must be a tuple of names, as ("u",); it is {given!r}.')
    if reserved := [name for name in names if name.startswith("n_") or name.endswith("_image")]:
        raise InputError(f"{what} cannot name {reserved[0]!r}: n_... are normals and ..._image are image points.")
    if twice := [name for name in names if names.count(name) > 1]:
        raise InputError(f"{what} names {twice[0]!r} twice.")
    return names


def _arguments(function: Callable[..., Any]) -> tuple[str, ...]:
    """Names of the arguments that must be given."""
    return tuple(
        name
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD
    )


def positive(**values: float) -> None:
    """Raise InputError unless each named value is a number greater than zero."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
            raise InputError(f"{name} must be a positive number; it was given {value!r}.")
