"""Residual rows and their Jacobians, which Gauss-Newton methods evaluate, from one graph for each constraint."""

import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any, Literal, TypeVar

import torch

from pinn.compilation.capture import capture, leaf, state_of
from pinn.compilation.choice import Clock, Count, NoClock, repays, why_not_compile
from pinn.compilation.kernels import OUT_OF_MEMORY, compiled, reason
from pinn.devices import finish
from pinn.domains import Points
from pinn.errors import OutOfTime
from pinn.model import Model, call_with

Way = Literal["eager", "captured", "compiled"]
T = TypeVar("T")
RowFunction = Callable[[Model, str, Points], T]
"""Returns tensors without graphs from the points of one constraint, as `pinn.jacobian.residual_jacobian` does."""


class RowGraphs:
    """Calls functions of model, constraint and points, each of them as a graph of its own.

    Captured graphs give the same bits, compiled ones differ by round-off. What cannot be compiled is captured, and what
    cannot be captured is computed operation by operation; a line says so.

    Args:
        way: how rows are computed: eager, captured or compiled.
        patient: whether a graph is made only when it would have saved what it costs by now. Then no more than twice the
            shortest time is lost, however many calls are to come (Karlin, Manasse, Rudolph and Sleator 1988).
        say: takes a line of text.
        clock: knows how much time there is: nothing is compiled that might not be ready in time.
    """

    def __init__(
        self,
        way: Way,
        patient: bool,
        say: Callable[[str], object],
        clock: Clock = NoClock(),  # noqa: B008
    ) -> None:
        self.way, self.patient, self.say, self.clock = way, patient, say, clock
        self._graphs: dict[Any, Callable[..., Any]] = {}
        self._operations: dict[Any, int] = {}
        self._seconds: dict[Any, float] = defaultdict(float)

    def __call__(self, function: RowFunction[T], model: Model, constraint: str, points: Points) -> T:
        """Return what the function returns; coordinates among the points require grad."""
        if self.way == "eager":
            return function(model, constraint, points)
        sizes = tuple((name, len(values)) for name, values in points.items())
        # A stage may hold a part of the network fixed.
        form = function, constraint, sizes, tuple(parameter.requires_grad for parameter in model.parameters())
        if self.patient and form not in self._graphs and not self._is_due(form):
            device = next(model.parameters()).device
            return self._measured(form, device, lambda: function(model, constraint, points))
        state, values = state_of(model), {name: value.detach() for name, value in points.items()}
        try:
            # Derivatives are computed inside of the graph; autograd has nothing to record.
            with torch.no_grad():
                if form in self._graphs:
                    result: T = self._graphs[form](state, values)
                    return result
                with self.clock.apart():
                    self._graphs[form] = self._graph(function, model, constraint, state, values)
                    # Compiling happens in the first call.
                    first: T = self._graphs[form](state, values)
                    return first
        except OUT_OF_MEMORY:
            raise
        except Exception as error:
            if self.clock.interrupted():
                raise OutOfTime from error
            # As in `CompiledStep`: tracers raise what they please, and an error of the problem's own comes again.
            before: Way = "captured" if self.way == "compiled" else "eager"
            self.say(f"residuals cannot be {self.way}, so they are {before}: {reason(error)}")
            self.way = before
            self._graphs.clear()
            return self(function, model, constraint, points)

    def _is_due(self, form: Any) -> bool:
        return form in self._operations and repays(self._operations[form], self._seconds[form])

    def _measured(self, form: Any, device: torch.device, call: Callable[[], T]) -> T:
        if form not in self._operations:
            with Count() as count:
                result = call()
            self._operations[form] = count.operations
            return result
        finish(device)
        started = time.perf_counter()
        result = call()
        finish(device)
        self._seconds[form] += time.perf_counter() - started
        return result

    def _graph(
        self, function: RowFunction[Any], model: Model, constraint: str, state: Points, points: Points
    ) -> Callable[[Points, Points], Any]:
        trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}

        def rows(state: Points, points: Points) -> Any:
            leaves = {name: leaf(value, name in trained) for name, value in state.items()}
            at = {name: leaf(value, name in model.problem.coordinates) for name, value in points.items()}
            return call_with(model, leaves, lambda given: function(given, constraint, at))

        began = time.perf_counter()
        graph = capture(rows, state, points)
        if self.way != "compiled":
            return graph
        if why_not := why_not_compile(len(graph.graph.nodes), time.perf_counter() - began, self.clock):
            self.say(f"residuals are captured and not compiled: {why_not}")
            self.way = "captured"
            return graph
        return compiled(graph, cuda_graphs=next(model.parameters()).device.type == "cuda")
