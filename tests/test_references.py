"""References against solutions in closed form, so that what is compared with is itself compared."""

from math import cos, exp, pi, sin, sqrt

import mpmath
import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from torch import Tensor

from pinn.derivatives import biharmonic, laplacian, partial
from pinn.domains import Box
from pinn.errors import InputError
from pinn.problems import AllenCahn, Arrhenius, Bratu, Cavity, KdV, ThinFin
from pinn.problems.bratu import CRITICAL
from pinn.references import CavityFlow, Computed, Exact, PeriodicFlow, TwoPoint, cole_hopf
from pinn.references.cavity import corners
from pinn.references.exponential import etdrk4, phi

RING = Box(x=(-1, 1), t=(0, 1))


def scattered(count: int = 300) -> dict[str, Tensor]:
    unit = torch.rand(count, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return RING.interior.points(unit)


@pytest.mark.parametrize("z", [0, 1e-9, -0.3, 0.999j, 1.001, -1.5 + 2j, -40, 300j, -5000])
def test_phi_is_its_definition(z: complex) -> None:
    with mpmath.workdps(60):
        wanted = []
        for n in (1, 2, 3):
            tail = sum(mpmath.mpc(z) ** j / mpmath.factorial(j) for j in range(n))
            wanted.append(complex((mpmath.exp(z) - tail) / mpmath.mpc(z) ** n) if z else 1 / float(mpmath.factorial(n)))
    found = phi(np.array([z], dtype=complex), 3)
    # The worst cancellation is that of φ₃ at |z| = 1, where 1/6 is left of numbers of size 3 after three subtractions.
    assert [value.item() for value in found] == pytest.approx(wanted, rel=1e-14)


def test_exponential_steps_are_exact_for_linear_equations_and_of_fourth_order() -> None:
    rates = np.array([-1e4, -1.0, 2j])
    decayed = etdrk4(np.ones(3, dtype=complex), rates, lambda c: 0 * c, 0.7, 2)
    # exp of a number of size 1.4, rounded.
    assert decayed == pytest.approx(np.exp(0.7 * rates), rel=1e-14)

    def logistic(steps: int) -> complex:
        return etdrk4(np.array([0.1 + 0j]), np.array([1 + 0j]), lambda c: -(c**2), 3.0, steps).item()

    exact = 1 / (1 + 9 * exp(-3))
    errors = [abs(logistic(steps) - exact) for steps in (20, 40)]
    # Order 4 divides the error by 16; terms of the next order leave some percent of that.
    assert 14 < errors[0] / errors[1] < 18


def test_a_flow_with_viscosity_is_the_burgers_equation() -> None:
    flow = PeriodicFlow(
        initial=lambda x: -torch.sin(pi * x),
        linear=lambda k: -0.05 * k**2,
        nonlinear=lambda u: u**2 / 2,
        order=1,
        degree=2,
        modes=64,
        panels=[0, 0.25, 0.5, 1],
        step=1e-3,
    )
    points = scattered()
    exact = cole_hopf(0.05)(**points)["u"]
    # Fourth order at |u_x| = 10: (10 × 1e-3)⁴ / 120 = 1e-10.
    assert (flow(**points) - exact).abs().max() < 1e-9


def test_a_flow_with_dispersion_carries_a_soliton() -> None:
    dispersion, speed = 0.03, 0.6

    def soliton(x: Tensor, t: Tensor) -> Tensor:
        return 3 * speed / torch.cosh(sqrt(speed) / (2 * dispersion) * (x - speed * t + 0.3)) ** 2

    problem = KdV(dispersion)
    problem.start = lambda x: soliton(x, torch.zeros_like(x))  # type: ignore[method-assign]
    found = problem.solve(120)
    points = scattered()
    # Its tails, exp(-0.7 × 0.77 / 0.03) = 1.5e-8 of it at the nearer end, go round the ring in the flow alone.
    assert (found(**points)["u"] - soliton(**points)).abs().max() < 1e-6


def test_reactions_without_a_gradient_are_an_ordinary_equation() -> None:
    problem = AllenCahn(rate=5.0)
    problem.start = lambda x: torch.full_like(x, 0.2)  # type: ignore[method-assign]
    points = scattered()
    exact = 1 / torch.sqrt(1 + (1 / 0.04 - 1) * torch.exp(-10 * points["t"]))
    # Fourth order: (10 × 4/256)⁴ / 120 = 5e-6, and ten times less for its small constants.
    assert (problem.solve(256)(**points)["u"] - exact).abs().max() < 1e-6


def test_the_kink_of_allen_cahn_spreads_like_that_of_the_heat_equation() -> None:
    """At the seam u + 1 ≈ 2 exp(-2ct) √(4Dt/π): heat conduction of a kink of slope ±2 around the state -1."""
    problem = AllenCahn()
    t = torch.tensor([0.003, 0.005, 0.007], dtype=torch.float64)
    local = -1 + 2 * torch.exp(-10 * t) * torch.sqrt(4e-4 * t / pi)
    # What is left out is of second order in the width of the layer, 4Dt = 2e-6, times a few. Before t = 0.003 the modes
    # above the 1,024 of the series have not decayed, exp(-D (1024π)² t) = 4e-2.
    assert (problem.reference()(x=torch.ones_like(t), t=t)["u"] - local).abs().max() < 1e-5


def test_the_claim_for_the_cavity() -> None:
    reference = Cavity().reference()
    assert 0 < reference.error < 3e-6
    assert list(reference(x=torch.tensor([0.5]), y=torch.tensor([0.5]))) == ["u", "v"]


@pytest.mark.parametrize(("problem", "claim"), [(AllenCahn(), 3e-7), (KdV(), 2e-10)], ids=["allen_cahn", "kdv"])
def test_the_claims_of_the_documentation(problem: AllenCahn | KdV, claim: float) -> None:
    reference = problem.reference()
    assert reference is problem.reference()
    assert 0 < reference.error < claim
    start = scattered() | {"t": torch.zeros(300, dtype=torch.float64)}
    assert torch.equal(reference(**start)["u"], problem.start(start["x"]))


def test_the_singular_corners_of_a_cavity_have_no_inertia_and_the_speed_of_the_lid() -> None:
    x, y = torch.rand(2, 100, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x.requires_grad_(), y.requires_grad_()
    flow = corners(x, y)
    psi = flow["0"]
    pairs = {"x": (x,), "y": (y,), "xx": (x, x), "xy": (x, y), "yy": (y, y)}
    for name, by in pairs.items():
        torch.testing.assert_close(partial(psi, *by), flow[name], rtol=1e-12, atol=1e-12)
    # The terms of fourth order grow like 1 / r² to 1e4 at the nearest point, and cancel.
    assert biharmonic(psi, (x, y)).abs().max() < 1e-10
    lid, ends = corners(x, torch.ones_like(x)), corners(torch.zeros_like(y), y)
    torch.testing.assert_close(lid["y"], torch.full_like(x, 4.0), rtol=1e-14, atol=0)
    # At the left wall only the right corner flows.
    torch.testing.assert_close(ends["x"], 4 * torch.atan2(1 - y, torch.ones_like(y)), rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("reynolds", [1.0, 400.0])
def test_the_flow_in_a_cavity_keeps_to_its_sides_and_its_balances(reynolds: float) -> None:
    flow = CavityFlow(reynolds, 20)
    s = torch.linspace(0, 1, 21, dtype=torch.float64)
    for x, y, speed in (
        *((s, torch.zeros_like(s), 0 * s), (s, torch.ones_like(s), 4 * s * (1 - s))),
        *((torch.zeros_like(s), s, 0 * s), (torch.ones_like(s), s, 0 * s)),
    ):
        found = flow(x, y)
        # 20 modes leave the sides to the error of the lifting.
        assert (found["u"] - speed).abs().max() < 1e-9
        assert found["v"].abs().max() < 1e-9
    x, y = (0.1 + 0.8 * torch.rand(2, 200, generator=torch.Generator().manual_seed(0), dtype=torch.float64)).unbind()
    x.requires_grad_(), y.requires_grad_()
    u, v, p = flow(x, y).values()
    balance = u * partial(u, x) + v * partial(u, y) + partial(p, x) - laplacian(u, (x, y)) / reynolds
    # The velocity of 20 modes is 2e-5 off, and second derivatives magnify that.
    assert balance.abs().max() < 0.02


def test_a_flow_that_is_not_found_is_refused() -> None:
    with pytest.raises(InputError, match=r"not found for reynolds=100000; choose a smaller one"):
        CavityFlow(1e5, 12)


@pytest.mark.parametrize(
    ("interval", "ends"),
    [((0, 1), ((0, 0), (0, 0))), ((0, 0.5), ((0, 0), (1, 0))), ((0.5, 1), ((1, 0), (0, 0)))],
    ids=["both values", "slope on the right", "slope on the left"],
)
def test_a_two_point_problem_is_solved_to_round_off(
    interval: tuple[float, float], ends: tuple[tuple[int, float], tuple[int, float]]
) -> None:
    """The problem of Bratu, whole and each half of it to the middle, where the slope is zero."""
    found = TwoPoint(lambda x, u: -3 * torch.exp(u), interval, ends, guess=0.0, nodes=40)
    x = torch.linspace(*interval, 101, dtype=torch.float64).requires_grad_()
    u, exact = found(x), Bratu(rate=3.0).exact(x)["u"]
    # u is up to 0.6 and u'' up to 5.7; each derivative of a series of degree n costs up to n² round-offs.
    assert (u - exact).abs().max() < 1e-14
    assert (partial(u, x) - partial(exact, x)).abs().max() < 1e-12
    assert (partial(u, x, x) - partial(exact, x, x)).abs().max() < 1e-11


def test_a_two_point_problem_may_depend_on_the_place() -> None:
    found = TwoPoint(lambda x, u: u - 2 * torch.sin(x), (-1, 2), ((1, cos(1)), (0, sin(2))), guess=1.0, nodes=30)
    x = torch.linspace(-1, 2, 101, dtype=torch.float64)
    assert (found(x) - torch.sin(x)).abs().max() < 1e-14


def test_a_two_point_problem_without_a_solution_is_refused() -> None:
    with pytest.raises(InputError, match=r"Newton's method did not converge .*; choose milder coefficients"):
        TwoPoint(lambda x, u: -3.6 * torch.exp(u), (0, 1), ((0, 0), (0, 0)), guess=0.0, nodes=40)


def test_a_fin_keeps_what_its_equation_conserves() -> None:
    """k δ T'²/2 - 2 σ ε (T⁵/5 - T_s⁴ T) is the same everywhere, the equation multiplied by T' and integrated."""
    problem = ThinFin()
    x = torch.linspace(0, 0.2, 101, dtype=torch.float64).requires_grad_()
    temperature = problem.reference()(x=x)["T"]
    radiated = 2 * 5.670374419e-8 * 0.9 * (temperature**5 / 5 - 300.0**4 * temperature)
    conserved = 200 * 0.002 * partial(temperature, x) ** 2 / 2 - radiated
    # Terms of up to 6.4e6 W K / m².
    assert (conserved - conserved[-1]).abs().max() < 1e-6
    assert 0 < problem.reference().error < 1e-14


def test_a_reaction_is_that_of_another_integrator() -> None:
    """From the middle, where the reference says how much is left, the surface is reached with a concentration of 1."""
    problem = Arrhenius()
    ends = torch.tensor([0.0, 1.0], dtype=torch.float64).requires_grad_()
    u = problem.reference()(x=ends)["u"]

    def rate(x: float, state: tuple[float, float]) -> list[float]:
        return [state[1], state[0] * exp(20 * 0.1 * (1 - state[0]) / (1 + 0.1 * (1 - state[0])))]

    shot = solve_ivp(rate, (0, 1), [u[0].item(), 0.0], method="DOP853", rtol=1e-13, atol=1e-15).y[:, -1]
    # An error at the start, a few round-offs, grows by some ten times.
    assert shot == pytest.approx([1.0, partial(u, ends)[1].item()], abs=1e-12)
    assert 0 < problem.reference().error < 1e-14


@pytest.mark.parametrize("rate", [1e-6, 1.0, 3.5, 3.51383071, CRITICAL])
def test_the_claim_for_bratu_holds_up_to_the_critical_rate(rate: float) -> None:
    reference, x = Bratu(rate).reference(), torch.linspace(0.05, 0.95, 19, dtype=torch.float64)
    with mpmath.workdps(40):
        scale = mpmath.sqrt(mpmath.mpf(rate) / 8)
        s = mpmath.findroot(lambda s: s - scale * mpmath.cosh(s), Bratu(rate).smaller_root() / 4)
        wanted = [-2 * mpmath.log(mpmath.cosh((2 * mpmath.mpf(at) - 1) * s) / mpmath.cosh(s)) for at in x.tolist()]
    exact = torch.tensor([float(value) for value in wanted], dtype=torch.float64)
    assert torch.linalg.vector_norm(reference(x=x)["u"] - exact) < reference.error * torch.linalg.vector_norm(exact)


def test_a_computed_reference_is_lazy_and_knows_its_error() -> None:
    solved = []

    def solve(resolution: int) -> object:
        solved.append(resolution)
        return lambda x, t: {"u": x + t + 1 / resolution, "v": 2 + 0 * x}

    reference = Computed("series", solve, fine=100, coarse=10, box=RING)
    assert solved == []
    at = torch.tensor([0.5], dtype=torch.float32)
    assert reference(x=at, t=at)["u"].dtype == torch.float32
    assert solved == [100]
    # 0.1 - 0.01 over the root of the mean of (x + t + 0.01)² on the ring: 1/3 + 1/3 + 2 × 0.01 / 2 + 0.01².
    assert reference.error == pytest.approx(0.09 / sqrt(2 / 3 + 0.0101), rel=1e-2)
    assert reference.error == reference.error
    assert solved == [100, 10]
    assert reference.kind == "series"


def test_an_exact_reference_has_the_error_of_round_off_unless_it_says_another() -> None:
    assert Exact(lambda x: {"u": x}).error == 1e-15
    assert Exact(lambda x: {"u": x}, error=1e-3).error == 1e-3
