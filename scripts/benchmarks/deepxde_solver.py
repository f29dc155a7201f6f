"""DeepXDE on one problem, as `peers.py` runs it.

`deepxde_solver.py problem seed seconds started`; it trains for so many seconds.
"""

import sys
from typing import Any

import deepxde as dde
import numpy as np
import torch
from benchmarks.error_curve import ErrorCurve
from deepxde.optimizers.config import LBFGS_options

from pinn.domains import Points
from pinn.problems import Burgers, Poisson, Problem

ADAM_STEPS = {"poisson": 20, "burgers": 15000}
"""Before L-BFGS, at most: what its own example of Burgers' equation takes. On Poisson 500 come as far, but later."""
ADAM_SHARE = 1 / 3
"""Of the time, at most, so that L-BFGS has the rest."""
LOOK_EVERY = {"poisson": 20, "burgers": 200}
"""Steps of Adam between two looks at the error."""
BLOCK = 50
"""Iterations of L-BFGS between two looks. The optimizer keeps its state from block to block."""


def poisson() -> tuple[dde.data.PDE, dde.nn.NN, Problem]:
    """-Δu = 2π² sin πx sin πy with u = x (1 - x) y (1 - y) N, 4 × 50 tanh, 2,500 points."""

    def residual(x: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
        source = 2 * torch.pi**2 * torch.sin(torch.pi * x[:, :1]) * torch.sin(torch.pi * x[:, 1:])
        return dde.grad.hessian(u, x, i=0, j=0) + dde.grad.hessian(u, x, i=1, j=1) + source

    data = dde.data.PDE(dde.geometry.Rectangle([0, 0], [1, 1]), residual, [], num_domain=2500)
    network = dde.nn.FNN([2, *[50] * 4, 1], "tanh", "Glorot normal")
    network.apply_output_transform(lambda x, n: x[:, :1] * (1 - x[:, :1]) * x[:, 1:] * (1 - x[:, 1:]) * n)
    return data, network, Poisson()


def burgers() -> tuple[dde.data.PDE, dde.nn.NN, Problem]:
    """u_t + u u_x = ν u_xx, 3 × 20 tanh, 2,540 points and 240 for the conditions, all as in its own example.

    In three minutes it left 7e-3 and 2e-2 for two seeds. Conditions that are built in, u = -sin πx + t (1 - x²) N, left
    4e-2 and 2e-2, and the error rose again while the loss fell.
    """
    problem = Burgers()

    def residual(x: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
        u_x, u_t = dde.grad.jacobian(u, x, i=0, j=0), dde.grad.jacobian(u, x, i=0, j=1)
        return u_t + u * u_x - problem.viscosity * dde.grad.hessian(u, x, i=0, j=0)

    where = dde.geometry.GeometryXTime(dde.geometry.Interval(-1, 1), dde.geometry.TimeDomain(0, 1))
    walls = dde.icbc.DirichletBC(where, lambda x: 0, lambda _, on_boundary: on_boundary)
    start = dde.icbc.IC(where, lambda x: -np.sin(np.pi * x[:, :1]), lambda _, on_initial: on_initial)
    data = dde.data.TimePDE(where, residual, [walls, start], num_domain=2540, num_boundary=80, num_initial=160)
    return data, dde.nn.FNN([2, *[20] * 3, 1], "tanh", "Glorot normal"), problem


class Watch(dde.callbacks.Callback):
    """Looks at the error now and then, and stops a stage when its time is up.

    Args:
        curve: takes the errors.
        every: batches between two looks; a batch is a step of Adam or a block of L-BFGS.
        until: seconds after which the stage ends.
    """

    def __init__(self, curve: ErrorCurve, every: int, until: float) -> None:
        super().__init__()
        self.curve, self.every, self.until, self.batches = curve, every, until, 0

    def on_train_begin(self) -> None:
        """Look at what the stage begins with."""
        self.curve.look(self._u)

    def on_batch_end(self) -> None:
        """Look and stop where it is time to."""
        self.batches += 1
        if self.batches % self.every == 0:
            self.curve.look(self._u)
        self.model.stop_training = self.curve.seconds > self.until

    def _u(self, points: Points) -> torch.Tensor:
        return torch.from_numpy(self.model.predict(torch.stack(list(points.values()), dim=1).numpy())[:, 0])


def main(name: str, seed: int, seconds: float, started: float) -> None:
    """Adam, then L-BFGS to the end of the time."""
    torch.set_num_threads(1)
    dde.config.set_default_float("float64")
    dde.config.set_random_seed(seed)
    data, network, problem = {"poisson": poisson, "burgers": burgers}[name]()
    model = dde.Model(data, network)
    curve = ErrorCurve(problem, started)
    quiet: dict[str, Any] = {"display_every": 10**9, "verbose": 0}
    model.compile("adam", lr=1e-3, verbose=0)
    adam = Watch(curve, LOOK_EVERY[name], until=ADAM_SHARE * seconds)
    model.train(iterations=ADAM_STEPS[name], callbacks=[adam], **quiet)
    dde.optimizers.set_LBFGS_options(maxiter=10**6, ftol=0, gtol=0)
    # As many evaluations as the line searches want: a block cut short would pass for convergence.
    LBFGS_options.update(iter_per_step=BLOCK, fun_per_step=100 * BLOCK)
    model.compile("L-BFGS", verbose=0)
    model.train(callbacks=[Watch(curve, 1, until=seconds)], **quiet)
    curve.print()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4]))
