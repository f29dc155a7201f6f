"""A GPU works behind the program: it does later what it is asked for now. A clock that is read says nothing before."""

import torch


def finish(device: torch.device) -> None:
    """Wait until a device has done all that it was asked for; the CPU always has."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


class Pace:
    """Keeps a program at most one step ahead of its GPU, so that its clock is late by no more than that step.

    To wait for each step itself would leave the GPU idle while the next one is being asked for.

    Args:
        device: that the steps are computed on; another one than CUDA's is not waited for.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._last: torch.cuda.Event | None = None

    def __call__(self) -> None:
        """Hear that a step was asked for, and wait for the one before it."""
        if self.device.type != "cuda":
            return
        before, self._last = self._last, torch.cuda.Event()
        self._last.record(torch.cuda.current_stream(self.device))
        if before is not None:
            before.synchronize()
