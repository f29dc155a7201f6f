"""A step of Adam in PINA on the first row of the benchmark of speed: prints its processor time in milliseconds."""

import time
from itertools import pairwise
from statistics import median
from typing import Any

import torch
from lightning.pytorch import Callback
from pina import Trainer
from pina.model import FeedForward
from pina.optim import TorchOptimizer
from pina.problem.zoo import Poisson2DSquareProblem
from pina.solver import PhysicsInformedSingleModelSolver

STEPS = 60


class Ends(Callback):
    """Writes down when steps end."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def on_train_batch_end(self, *_: Any) -> None:
        """Called after every step."""
        self.times.append(time.process_time())


def main() -> None:
    """Train for some steps."""
    torch.set_num_threads(1)
    problem = Poisson2DSquareProblem()
    problem.discretise_domain(n=2500, mode="random", domains="D")
    problem.discretise_domain(n=400, mode="random", domains="boundary")
    network = FeedForward(input_dimensions=2, output_dimensions=1, layers=[50] * 4, func=torch.nn.Tanh)
    adam = TorchOptimizer(torch.optim.Adam, lr=1e-3)
    ends = Ends()
    trainer = Trainer(
        PhysicsInformedSingleModelSolver(problem, network, optimizer=adam),
        max_epochs=STEPS,
        accelerator="cpu",
        callbacks=[ends],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.train()
    print(1e3 * median(after - before for before, after in pairwise(ends.times[3:])))


if __name__ == "__main__":
    main()
