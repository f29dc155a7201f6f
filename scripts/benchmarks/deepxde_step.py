"""A step of Adam in DeepXDE on the first row of the benchmark of speed: prints its processor time in milliseconds."""

import time
from itertools import pairwise
from statistics import median

import deepxde as dde
import torch

STEPS = 60


class Ends(dde.callbacks.Callback):
    """Writes down when steps end."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = []

    def on_epoch_end(self) -> None:
        """Called after every step."""
        self.times.append(time.process_time())


def residual(x: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
    """Δu + 2π² sin πx sin πy."""
    source = 2 * torch.pi**2 * torch.sin(torch.pi * x[:, :1]) * torch.sin(torch.pi * x[:, 1:])
    return dde.grad.hessian(u, x, i=0, j=0) + dde.grad.hessian(u, x, i=1, j=1) + source


def main() -> None:
    """Train for some steps."""
    torch.set_num_threads(1)
    square = dde.geometry.Rectangle([0, 0], [1, 1])
    zero = dde.icbc.DirichletBC(square, lambda x: 0, lambda x, on_boundary: on_boundary)
    data = dde.data.PDE(square, residual, zero, num_domain=2500, num_boundary=400)
    model = dde.Model(data, dde.nn.FNN([2, *[50] * 4, 1], "tanh", "Glorot normal"))
    model.compile("adam", lr=1e-3, verbose=0)
    ends = Ends()
    model.train(iterations=STEPS, display_every=10 * STEPS, callbacks=[ends], verbose=0)
    print(1e3 * median(after - before for before, after in pairwise(ends.times[3:])))


if __name__ == "__main__":
    main()
