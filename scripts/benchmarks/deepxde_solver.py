"""DeepXDE on one problem, as `peers.py` runs it.

`deepxde_solver.py problem seed seconds` prints [[seconds, error], …].
"""

import json
import sys
import time

STARTED = time.perf_counter()

import deepxde as dde  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402

from pinn.problems import Burgers, Poisson, Problem  # noqa: E402

ADAM_STEPS = {"poisson": 500, "burgers": 15000}
"""Before L-BFGS: what its own example of Burgers' equation takes; on Poisson more do not help."""
LOOK_EVERY = {"poisson": 20, "burgers": 200}
"""Steps between two looks at the error."""


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
    """u_t + u u_x = ν u_xx with u = -sin πx + t (1 - x²) N, 3 × 20 tanh, 2,540 points as in its example."""
    problem = Burgers()

    def residual(x: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
        u_x, u_t = dde.grad.jacobian(u, x, i=0, j=0), dde.grad.jacobian(u, x, i=0, j=1)
        return u_t + u * u_x - problem.viscosity * dde.grad.hessian(u, x, i=0, j=0)

    where = dde.geometry.GeometryXTime(dde.geometry.Interval(-1, 1), dde.geometry.TimeDomain(0, 1))
    data = dde.data.TimePDE(where, residual, [], num_domain=2540)
    network = dde.nn.FNN([2, *[20] * 3, 1], "tanh", "Glorot normal")
    network.apply_output_transform(lambda x, n: -torch.sin(torch.pi * x[:, :1]) + x[:, 1:] * (1 - x[:, :1] ** 2) * n)
    return data, network, problem


class Watch(dde.callbacks.Callback):
    """Writes down the error, and ends the training when the time is up."""

    def __init__(self, problem: Problem, every: int, seconds: float) -> None:
        super().__init__()
        grid = problem.domain.grid(101, dtype=torch.float64)
        points = {name: values.flatten() for name, values in grid.items()}
        reference = problem.reference()
        assert reference is not None  # noqa: S101
        self.exact = reference(**points)["u"].numpy()
        self.points = np.stack([values.numpy() for values in points.values()], axis=1)
        self.every, self.seconds, self.step = every, seconds, 0
        self.curve: list[tuple[float, float]] = []

    def on_batch_end(self) -> None:
        """Look now and then."""
        self.step += 1
        if self.step % self.every == 0:
            self.look()
        if time.perf_counter() - STARTED > self.seconds:
            raise TimeoutError

    def look(self) -> None:
        """Measure on the grid on which this project measures itself."""
        found = self.model.predict(self.points)[:, 0]
        error = np.linalg.norm(found - self.exact) / np.linalg.norm(self.exact)
        self.curve.append((time.perf_counter() - STARTED, float(error)))


def main() -> None:
    """Adam, then L-BFGS to the end of the time."""
    name, seed, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    torch.set_num_threads(1)
    dde.config.set_default_float("float64")
    dde.config.set_random_seed(seed)
    data, network, problem = {"poisson": poisson, "burgers": burgers}[name]()
    model = dde.Model(data, network)
    watch = Watch(problem, LOOK_EVERY[name], seconds)
    try:
        model.compile("adam", lr=1e-3, verbose=0)
        model.train(iterations=ADAM_STEPS[name], callbacks=[watch], display_every=10**9, verbose=0)
        dde.optimizers.set_LBFGS_options(maxiter=10**6, ftol=0, gtol=0)
        model.compile("L-BFGS", verbose=0)
        model.train(callbacks=[watch], display_every=10**9, verbose=0)
    except TimeoutError:
        pass
    watch.look()
    print(json.dumps(watch.curve))


if __name__ == "__main__":
    main()
