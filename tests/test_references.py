"""References against solutions in closed form, so that what is compared with is itself compared."""

from collections.abc import Callable
from math import cos, exp, pi, sin, sqrt
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from helpers.sampled import sampled
from helpers.shipped import SHIPPED
from scipy.integrate import solve_ivp
from torch import Tensor

from pinn.derivatives import biharmonic, laplacian, partial
from pinn.domains import Box
from pinn.errors import InputError
from pinn.problems import (
    AllenCahn,
    Arrhenius,
    Bratu,
    CahnHilliard,
    Cavity,
    GinzburgLandau,
    GrayScott,
    KdV,
    KuramotoSivashinsky,
    Schrodinger,
    ThinFin,
)
from pinn.problems.bratu import CRITICAL
from pinn.references import CavityFlow, Computed, Exact, PeriodicFlow, TwoPoint, cole_hopf
from pinn.references.cavity import corners
from pinn.references.exponential import etdrk4, lawson4, phi

RING = Box(x=(-1, 1), t=(0, 1))


def scattered(count: int = 300, box: Box = RING) -> dict[str, Tensor]:
    unit = torch.rand(count, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return box.interior.points(unit)


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


@pytest.mark.parametrize("carry", [etdrk4, lawson4])
def test_exponential_steps_are_exact_for_linear_equations_and_of_fourth_order(carry: Callable[..., Any]) -> None:
    rates = np.array([-1e4, -1.0, 2j])
    decayed = carry(np.ones(3, dtype=complex), rates, lambda c: 0 * c, 0.7, 2)
    # exp of a number of size 1.4, rounded.
    assert decayed == pytest.approx(np.exp(0.7 * rates), rel=1e-14)

    def logistic(steps: int) -> complex:
        return carry(np.array([0.1 + 0j]), np.array([1 + 0j]), lambda c: -(c**2), 3.0, steps).item()

    exact = 1 / (1 + 9 * exp(-3))
    errors = [abs(logistic(steps) - exact) for steps in (20, 40)]
    # Order 4 divides the error by 16; terms of the next order leave some percent of that.
    assert 14 < errors[0] / errors[1] < 18


def test_waves_that_turn_many_times_in_a_step_drive_each_other() -> None:
    """c' = iω c + ½i (c₂, c₁) with ω = 1,000 and 1,001, of which a step of 0.01 sees ten radians."""
    frequencies = np.array([1000.0, 1001.0])
    matrix = np.diag(frequencies) + np.array([[0, 0.5], [0.5, 0]])
    values, vectors = np.linalg.eigh(matrix)
    exact = vectors @ (np.exp(1j * values) * (vectors.T @ np.array([1, 0])))
    start = np.array([1, 0], dtype=complex)
    errors = {
        carry: abs(carry(start, 1j * frequencies, lambda c: 0.5j * c[::-1], 1.0, 100) - exact).max()
        for carry in (etdrk4, lawson4)
    }
    # Fourth order in what is left when the waves are taken away: 0.01⁴ / 120 = 1e-10.
    assert errors[lawson4] < 1e-9
    assert errors[etdrk4] > 0.1


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


@pytest.mark.parametrize("kind", ["complex", "real"])
def test_products_of_a_series_are_sums_over_its_coefficients(kind: str) -> None:
    """u_t = ½ u_xx - |u|² u in modes |k| < 4 that need more, so that an aliased product would be seen."""
    wavenumbers = 2 * pi / 3 * np.arange(-3, 4)
    coefficients = np.array([0.3, -0.2j, 0.5 + 0.1j, 0.4, 0.2, -0.3 + 0.4j, 0.1j])
    if kind == "real":
        coefficients = coefficients + coefficients[::-1].conj()

    def value(x: Tensor, c: Any) -> Tensor:
        u = torch.exp(1j * (x - 1).unsqueeze(-1) * torch.from_numpy(wavenumbers[None])) @ torch.from_numpy(c)
        return u if kind == "complex" else u.real

    def rate(t: float, c: Any) -> Any:
        return -(wavenumbers**2) / 2 * c - np.convolve(np.convolve(c, c), c[::-1].conj())[6:13]

    flow = PeriodicFlow(
        initial=lambda x: value(x, coefficients),
        linear=lambda k: -(k**2) / 2,
        nonlinear=lambda u: abs(u) ** 2 * u,
        order=0,
        degree=3,
        modes=4,
        panels=[0, 0.5, 1],
        step=1e-3,
        interval=(1.0, 4.0),
    )
    x = 1 + 3 * torch.rand(50, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    exact = solve_ivp(rate, (0, 0.8), coefficients, "DOP853", rtol=1e-12, atol=1e-12).y[:, -1]
    # Fourth order at rates of ten: 0.01⁴ / 120 = 1e-10.
    assert (flow(x, torch.full_like(x, 0.8)) - value(x, exact)).abs().max() < 1e-9


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


def test_waves_of_schrodinger_are_solitons() -> None:
    """One alone stands, exp(it/2) / cosh x; two at one place beat (Satsuma and Yajima 1974)."""
    problem = Schrodinger(half_width=20.0)
    points = scattered(box=problem.domain)
    x, t = points.values()
    two = 4 * (torch.cosh(3 * x) + 3 * torch.exp(4j * t) * torch.cosh(x)) * torch.exp(0.5j * t)
    two = two / (torch.cosh(4 * x) + 4 * torch.cosh(2 * x) + 3 * torch.cos(4 * t))
    found = problem.solve(512)(**points)
    # Fourth order at |h|² = 16, which turns h by 0.03 in a step: 0.03⁴ / 120 = 7e-9 of it, times 16 in a time of one.
    assert (torch.complex(found["u"], found["v"]) - two).abs().max() < 1e-6
    problem.start = lambda x: 1 / torch.cosh(x)  # type: ignore[method-assign]
    found = problem.solve(128)(**points)
    # 1 / cosh 20 = 4e-9 is left at the seam.
    assert (torch.complex(found["u"], found["v"]) - torch.exp(0.5j * t) / torch.cosh(x)).abs().max() < 1e-8


def test_gray_and_scott_without_a_reaction_are_two_heat_equations() -> None:
    points = scattered(box=GrayScott().domain)
    x, t = points.values()

    def spread(x: Tensor, diffusivity: float) -> Tensor:
        width = 1 + 160 * diffusivity * t
        return torch.exp(-40 * x**2 / width) / torch.sqrt(width)

    found = GrayScott(reaction=1e-14).solve(96)(**points)
    # Round-off; v is 7e-3 at the end.
    assert (found["u"] - 1 + torch.exp(-4 * t) * spread(x + 0.05, 0.002)).abs().max() < 1e-13
    assert (found["v"] - torch.exp(-10 * t) * spread(x - 0.05, 0.001)).abs().max() < 1e-13


def test_gray_and_scott_without_a_gradient_are_ordinary_equations() -> None:
    problem = GrayScott()
    problem.start = lambda x: (torch.full_like(x, 0.8), torch.full_like(x, 0.5))  # type: ignore[method-assign]

    def rate(t: float, fields: Any) -> list[float]:
        u, v = fields
        return [4 * (1 - u) - 100 * u * v**2, 100 * u * v**2 - 10 * v]

    points = scattered(box=problem.domain)
    times = points["t"].sort().values
    exact = solve_ivp(rate, (0, 0.5), [0.8, 0.5], "DOP853", times.numpy(), rtol=1e-12, atol=1e-12).y
    found = problem.solve(128)(x=points["x"], t=times)
    # Fourth order at rates of 50: (50 × 0.12 / 128)⁴ / 120 = 4e-8.
    for row, name in zip(exact, ("u", "v"), strict=True):
        assert (found[name] - torch.from_numpy(row)).abs().max() < 1e-7


def test_a_plane_wave_of_ginzburg_and_landau_grows_and_turns() -> None:
    """A = √s exp(i(qx + φ)): s' = 2 (μ - εq²) s - 2γ s² and φ' = -ω s."""
    problem, q, start = GinzburgLandau(), 2 * pi, 0.04
    rate = 10 - 0.004 * q**2
    problem.start = lambda x: (sqrt(start) * torch.cos(q * x), sqrt(start) * torch.sin(q * x))  # type: ignore[method-assign]
    points = scattered(box=problem.domain)
    x, t = points.values()
    grown = 1 + 10 * start / rate * torch.expm1(2 * rate * t)
    size = torch.sqrt(start * torch.exp(2 * rate * t) / grown)
    phase = q * x - 15 / 20 * torch.log(grown)
    found = problem.solve(64)(**points)
    # Fourth order at rates of 20: (20 × 0.064 / 64)⁴ / 120 = 1e-9 of each, a few of them.
    assert (found["u"] - size * torch.cos(phase)).abs().max() < 2e-8
    assert (found["v"] - size * torch.sin(phase)).abs().max() < 2e-8


@pytest.mark.parametrize("name", ["kuramoto_sivashinsky", "cahn_hilliard"])
def test_equations_of_fourth_order_agree_with_a_method_of_lines(name: str) -> None:
    """Trigonometric collocation in space, SciPy's implicit Runge-Kutta method in time, for wide enough layers."""

    def rate(t: float, u: Any) -> Any:
        if name == "cahn_hilliard":
            return second @ (0.05 * (u**3 - u) - 1e-3 * (second @ u))
        return -5 * u * (first @ u) - 0.5 * (second @ u) - 0.01 * (second @ (second @ u))

    problem: Any = {
        "kuramoto_sivashinsky": KuramotoSivashinsky(hyperdiffusivity=0.01),
        "cahn_hilliard": CahnHilliard(capillarity=1e-3, mobility=0.05),
    }[name]
    nodes = 41
    x = torch.arange(nodes, dtype=torch.float64) * (2 / nodes) - 1
    wavenumbers = pi * np.fft.fftfreq(nodes, 1 / nodes)
    first = np.fft.ifft(1j * wavenumbers[:, None] * np.fft.fft(np.eye(nodes), axis=0), axis=0).real
    second = first @ first
    end = problem.domain.intervals["t"][1]
    lines = solve_ivp(rate, (0, end), problem.start(x).numpy(), "Radau", [end / 3, end], rtol=1e-9, atol=1e-9).y
    found = problem.solve(64)
    for time, exact in zip((end / 3, end), lines.T, strict=True):
        # What SciPy was asked for, a few times, and less of the fourth order of the other.
        assert (found(x=x, t=torch.full_like(x, time))["u"] - torch.from_numpy(exact)).abs().max() < 1e-8


def test_the_claim_for_the_cavity() -> None:
    reference = Cavity().reference()
    assert 0 < reference.error < 3e-6
    assert list(reference(x=torch.tensor([0.5]), y=torch.tensor([0.5]))) == ["u", "v"]


CLAIMS = {
    "allen_cahn": 3e-7,
    "kdv": 2e-10,
    "schrodinger": 2e-6,
    "gray_scott": 1e-9,
    "kuramoto_sivashinsky": 1e-9,
    "cahn_hilliard": 1e-9,
    "ginzburg_landau": 1e-10,
}


@pytest.mark.parametrize("name", sampled(CLAIMS, 2))
def test_the_claims_of_the_documentation(name: str) -> None:
    problem = SHIPPED[name].problem()
    reference = problem.reference()
    assert isinstance(reference, Computed)
    assert reference is problem.reference()
    assert 0 < reference.error < CLAIMS[name]
    start = scattered(box=problem.domain) | {"t": torch.zeros(300, dtype=torch.float64)}
    for row in problem.residuals("initial", start, lambda at: reference(**at)).values():
        assert torch.equal(row, torch.zeros_like(row))


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
