"""The package needs nothing but torch."""

import subprocess
import sys

PROGRAM = """
import importlib.abc, sys

class Blocker(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"numpy", "scipy", "lightning", "hydra", "omegaconf", "matplotlib", "rich"}:
            raise ModuleNotFoundError(name + " is blocked")

sys.meta_path.insert(0, Blocker())
import torch
from pinn.derivatives import curl, laplacian, laplacian_of, partial, spherical

x, y, z = (torch.linspace(1, 2, 5, requires_grad=True) for _ in range(3))
print(partial(x**3, x, x)[0].item(), laplacian(x**2 * y, (x, y, z))[0].item())
print(curl((x * y, x, z), (x, y, z))[2][0].item(), laplacian(x**2, (x, y, z), system=spherical)[0].item())
print(laplacian_of(lambda x, y: x**2 * y)(x, y)[0].item())
"""


def test_derivatives_work_where_only_torch_can_be_imported():
    run = subprocess.run([sys.executable, "-W", "ignore", "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == ["6.0", "2.0", "0.0", "6.0", "2.0"]
