"""How the steps of a training are computed: operation by operation, captured as one graph, or compiled."""

import math
import statistics
import time
from collections.abc import Callable
from typing import Any, Literal, TypeVar

import torch

from pinn.compilation.capture import capture, first_order_step, state_of
from pinn.compilation.choice import Clock, Count, NoClock, Step, choose, why_not_compile
from pinn.compilation.kernels import OUT_OF_MEMORY, compiled, reason
from pinn.compilation.rows import RowFunction, RowGraphs, Way
from pinn.devices import finish
from pinn.domains import Points
from pinn.errors import InputError, OutOfTime
from pinn.jacobian import residual_jacobian
from pinn.model import Model
from pinn.objective import Gradient, Objective

Compile = Literal["auto"] | bool
T = TypeVar("T")

STEPS_TO_MEASURE = 4
"""Steps that `auto` looks at before it decides: in the first it counts operations, of the others it takes the time."""


class CompiledStep:
    """Computes the gradient of an objective, and its rows and Jacobian; give it to `Objective` as `step`.

    Parameters, points and weights are inputs of the captured graph, so that fresh points need no new one; points in
    other numbers do. Captured steps give the bits of those that are not; compiled ones differ by round-off,
    because sums are fused and taken in another order.

    What cannot be captured is computed operation by operation, and what cannot be compiled is captured; a line says so.

    Args:
        compile: True, False, or "auto", which measures the first steps and weighs what it would cost against what is to
            come.
        say: takes a line of text.
        clock: knows how much time there is: nothing is compiled that might not be ready in time.

    Raises:
        InputError: another value of `compile`.
    """

    def __init__(
        self,
        compile: Compile = "auto",
        say: Callable[[str], object] = print,
        clock: Clock = NoClock(),  # noqa: B008
    ) -> None:
        if not isinstance(compile, bool) and compile != "auto":
            raise InputError(f"compile must be auto, true or false; it was given {compile!r}.")
        self.compile, self.say, self.clock = compile, say, clock
        self.way = "compiled" if compile is True else "eager"
        """How steps are computed at present: eager, captured or compiled."""
        self.open = compile == "auto"
        """Whether that is still to be decided."""
        way: Way = "compiled" if compile is True else "captured" if compile else "eager"
        self.jacobians = RowGraphs(way, compile == "auto", say, clock)
        """How Jacobians are computed; `auto` does not compile them, so that they have the bits of eager ones."""
        self.evaluations = RowGraphs("captured" if compile else "eager", True, say, clock)
        """How rows without derivatives are; compiling gains nothing there."""
        self._steps = 0
        self._operations = 0
        self._times: list[float] = []
        self._graphs: dict[Any, tuple[Callable[..., Any], tuple[str, ...]]] = {}
        self._numbers: dict[str, float] = {}
        self._scales: Points = {}

    def expect(self, steps: int) -> None:
        """Hear what is to come, at the beginning of a stage: so many steps at most."""
        self._steps = steps
        self.open = self.compile == "auto" and self.way != "compiled"
        if self.open and len(self._times) == STEPS_TO_MEASURE - 1:
            self._decide()

    def settle(self, way: str) -> None:
        """Take a decision as made: a run that goes on computes its steps as it did before, to the same bits."""
        self.way, self.open = way, False

    def rows(self, function: RowFunction[T], model: Model, constraint: str, points: Points) -> T:
        """Call a function of model, constraint and points."""
        graphs = self.jacobians if function is residual_jacobian else self.evaluations
        return graphs(function, model, constraint, points)

    def __call__(self, objective: Objective) -> Gradient:
        """Return loss, terms and gradients of the objective."""
        if self.open:
            return self._measured(objective)
        if self.way != "eager":
            try:
                # Gradients are computed inside of the graph; autograd has nothing to record.
                with torch.no_grad():
                    return self._from_graph(objective)
            except OUT_OF_MEMORY:
                raise
            except Exception as error:
                if self.clock.interrupted():
                    raise OutOfTime from error
                # Tracers and compilers raise what they please. An error of the problem's own comes again on the way
                # below, and no way is below eager.
                self._step_down(error)
                return self(objective)
        return objective.gradient()

    def _measured(self, objective: Objective) -> Gradient:
        if not self._operations:
            with Count() as count:
                gradient = objective.gradient()
            self._operations = count.operations
            return gradient
        device = objective.parameters[0].device
        finish(device)
        started = time.perf_counter()
        gradient = objective.gradient()
        finish(device)
        self._times.append(time.perf_counter() - started)
        if len(self._times) == STEPS_TO_MEASURE - 1:
            self._decide()
        return gradient

    def _decide(self) -> None:
        self.open = False
        step = Step(statistics.median(self._times), self._operations)
        left = self.clock.left()
        way = choose(step, self._steps, left, self.way)
        if way != self.way:
            self._graphs.clear()
            self.way = way
            coming = min(self._steps, math.ceil(left / step.seconds)) if math.isfinite(left) else self._steps
            self.say(f"steps are {way} from here: up to {coming} of {1e3 * step.seconds:.0f} ms are to come")

    def _step_down(self, error: Exception) -> None:
        """Say why this way is closed, and take the one before."""
        before = {"compiled": "captured", "captured": "eager"}[self.way]
        self.say(f"steps cannot be {self.way}, so they are {before}: {reason(error)}")
        self._graphs.clear()
        self.settle(before)

    def _from_graph(self, objective: Objective) -> Gradient:
        model = objective.model
        state = state_of(model)
        points = {name: {key: x.detach() for key, x in group.items()} for name, group in objective.points.items()}
        sizes = tuple((name, key, len(x)) for name, group in points.items() for key, x in group.items())
        # A stage may hold a part of the network fixed.
        form = sizes, tuple(parameter.requires_grad for parameter in model.parameters())
        if form in self._graphs:
            graph, rows = self._graphs[form]
            return Gradient(*graph(state, points, self._scales_of(objective, rows)))
        rows = tuple(objective.spans())
        scales = self._scales_of(objective, rows)
        with self.clock.apart():
            began = time.perf_counter()
            graph = capture(first_order_step(model), state, points, scales)
            if self.way == "compiled":
                if why_not := why_not_compile(len(graph.graph.nodes), time.perf_counter() - began, self.clock):
                    self.say(f"steps are captured and not compiled: {why_not}")
                    self.settle("captured")
                else:
                    graph = compiled(graph, cuda_graphs=objective.parameters[0].device.type == "cuda")
            self._graphs[form] = graph, rows
            # Compiling happens in the first call.
            return Gradient(*graph(state, points, scales))

    def _scales_of(self, objective: Objective, rows: tuple[str, ...]) -> Points:
        """Return the scales as tensors on the device, made anew only when a weight has changed."""
        numbers = {name: objective.scale(name) for name in rows}
        if numbers != self._numbers:
            like = objective.parameters[0]
            self._numbers = numbers
            self._scales = {name: like.new_tensor(number) for name, number in numbers.items()}
        return self._scales
