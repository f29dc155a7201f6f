"""Functions of one or two variables as sums of given polynomials: networks whose answers are known."""

import torch
from torch import Tensor, nn

from pinn.domains import Box
from pinn.problems import Constraint, Problem


class Expansion(nn.Module):
    """u_k(x) = Σ c_kn p_n(x), with p_n all products over the inputs of polynomials up to a degree.

    Args:
        inputs: size of a point.
        outputs: number of fields.
        degree: of the polynomials in each input.
        basis: `chebyshev`, or `powers`, whose Gram matrix is of Hilbert's kind, as badly conditioned as one likes.
    """

    def __init__(self, inputs: int, outputs: int, degree: int, basis: str = "chebyshev") -> None:
        super().__init__()
        self.degree, self.basis = degree, basis
        self.output = nn.Linear((degree + 1) ** inputs, outputs, bias=False)
        nn.init.zeros_(self.output.weight)

    def forward(self, x: Tensor) -> Tensor:
        products = torch.ones_like(x[:, :1])
        for column in x.unbind(-1):
            one = [torch.ones_like(column), column]
            for _ in range(1, self.degree):
                one.append(2 * column * one[-1] - one[-2] if self.basis == "chebyshev" else column * one[-1])
            both = products.unsqueeze(2) * torch.stack(one, dim=-1).unsqueeze(1)
            products = both.reshape(len(x), -1)
        return self.output(products)


class Measured(Problem):
    """u = 1 / (1 + 25 x²) on (-1, 1), measured: the least-squares fit of Runge's function, which leaves a residual."""

    coordinates, fields = ("x",), ("u",)

    def __init__(self) -> None:
        super().__init__()
        self.domain = Box(x=(-1, 1))

    def constraints(self) -> dict[str, Constraint]:
        return {"measured": Constraint(self.domain.interior, lambda u, x: u - 1 / (1 + 25 * x**2))}
