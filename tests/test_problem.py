"""The interface of a problem: names are bound, mistakes are told at construction, shapes are checked at evaluation."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from helpers.small import Decay, Ring, model_of, points_of
from torch import Tensor, nn

from pinn.derivatives import partial
from pinn.domains import Box
from pinn.errors import InputError
from pinn.model import Model
from pinn.problems import Burgers, Constraint, Heat, Poisson, Problem, try_out
from pinn.references import Exact


class Line(Problem):
    """A correct problem, for subclasses to spoil."""

    coordinates, fields = ("x",), ("u", "v")

    def __init__(self, scale: float = 2.0, *, shift: float = 0.0) -> None:
        super().__init__()
        self.domain = Box(x=(0, 1))

    def constraints(self) -> dict[str, Constraint]:
        return {"equation": Constraint(self.domain.interior, self.equation)}

    def equation(self, u: Tensor, v: Tensor, x: Tensor) -> Any:
        return partial(u, x) - v


def evaluate(problem: Problem, constraint: str = "equation") -> dict[str, Tensor]:
    points = points_of(problem, 5)[constraint]
    leaves = {name: value.requires_grad_(name in problem.coordinates) for name, value in points.items()}
    return model_of(problem)(constraint, leaves)


def test_residuals_are_named_after_their_constraint() -> None:
    class System(Line):
        def equation(self, v: Tensor, x: Tensor, u: Tensor) -> dict[str, Tensor]:
            return {"first": u + v, "second": u * x}

    assert list(evaluate(Line())) == ["equation"]
    assert list(evaluate(System())) == ["equation.first", "equation.second"]


def test_arguments_are_bound_by_name_in_any_order() -> None:
    class Swapped(Line):
        def equation(self, x: Tensor, v: Tensor, u: Tensor) -> Tensor:
            return partial(u, x) - v

    assert torch.equal(evaluate(Line())["equation"], evaluate(Swapped())["equation"])


def test_normals_can_be_asked_for_on_a_boundary() -> None:
    class Flux(Line):
        def constraints(self) -> dict[str, Constraint]:
            return {"equation": Constraint(self.domain.boundary(), lambda u, x, n_x: partial(u, x) * n_x)}

    problem = Flux()
    points = problem.constraints()["equation"].region.points(torch.zeros(4, 0, dtype=torch.float64))
    model = model_of(problem)
    x = points["x"].requires_grad_()
    slope = partial(model.fields({"x": x})["u"], x)
    assert torch.equal(model("equation", {**points, "x": x})["equation"], slope * torch.tensor([-1, -1, 1, 1]))


def test_an_image_is_the_field_one_period_away() -> None:
    problem = Ring()
    points = points_of(problem, 6)["ring"]
    model = model_of(problem)
    leaves = {name: value.requires_grad_() for name, value in points.items()}
    rows = model("ring", leaves)
    far = {**leaves, "x": (leaves["x"].detach() + 2).requires_grad_()}
    here, there = model.fields(leaves)["u"], model.fields(far)["u"]
    assert torch.equal(rows["ring.value"], there - here)
    torch.testing.assert_close(
        rows["ring.slope"], partial(there, far["x"]) - partial(here, leaves["x"]), rtol=1e-14, atol=1e-14
    )


def test_an_ansatz_changes_the_fields_everywhere() -> None:
    problem = Ring()
    x = torch.linspace(0, 2, 7, dtype=torch.float64)
    start = model_of(problem).fields({"x": x, "t": torch.zeros_like(x)})["u"]
    assert torch.equal(start, torch.sin(torch.pi * x))


def test_an_ansatz_may_change_some_of_the_fields() -> None:
    class Half(Line):
        def ansatz(self, v: Tensor, x: Tensor) -> dict[str, Tensor]:
            return {"v": x * v}

    x = torch.linspace(0, 1, 5, dtype=torch.float64)
    plain, half = model_of(Line()).fields({"x": x}), model_of(Half()).fields({"x": x})
    assert torch.equal(half["u"], plain["u"])
    assert torch.equal(half["v"], x * plain["v"])


def test_two_stars_take_the_coordinates_that_are_not_named() -> None:
    class Plane(Line):
        def __init__(self) -> None:
            super().__init__()
            self.coordinates = ("x", "y", "z")
            self.domain = Box(x=(0, 1), y=(0, 1), z=(0, 1))

        def equation(self, u: Tensor, y: Tensor, **others: Tensor) -> Tensor:
            assert list(others) == ["x", "z"]
            return u + others["x"] + 2 * y + 3 * others["z"]

        def ansatz(self, v: Tensor, **x: Tensor) -> dict[str, Tensor]:
            return {"v": v, "u": sum(x.values()) - x["y"]}

    problem = Plane()
    x, y, z = points_of(problem, 5)["equation"].values()
    torch.testing.assert_close(evaluate(problem)["equation"], 2 * x + 2 * y + 4 * z, rtol=1e-14, atol=0)


def test_arguments_of_the_constructor_are_remembered() -> None:
    assert Line(3.0, shift=1.0).arguments == {"scale": 3.0, "shift": 1.0}
    assert Line().arguments == {"scale": 2.0, "shift": 0.0}
    assert Poisson().arguments == {}
    assert Heat(diffusivity=0.5).arguments == {"diffusivity": 0.5}


def test_a_constructor_need_not_call_that_of_the_module() -> None:
    class Short(Line):
        def __init__(self, rate: float = 2.0) -> None:
            self.rate = nn.Parameter(torch.tensor(rate))
            self.domain = Box(x=(0, 1))

    class Late(Short):
        def __init__(self) -> None:
            Short.__init__(self, 3.0)
            super().__init__(4.0)

    assert {name: value.item() for name, value in Short().named_parameters()} == {"rate": 2.0}
    assert {name: value.item() for name, value in Late().named_parameters()} == {"rate": 4.0}
    assert Short().arguments == {"rate": 2.0}


def test_names_may_be_in_a_list() -> None:
    problem = replaced(fields=["u", "v"], coordinates=["x"])()
    assert (problem.coordinates, problem.fields) == (("x",), ("u", "v"))


def test_unknown_coefficients_are_parameters_of_the_model() -> None:
    assert "problem.rate" in dict(model_of(Decay()).named_parameters())


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), "one", None, True])
def test_coefficients_must_be_positive(value: object) -> None:
    with pytest.raises(InputError, match="viscosity must be a positive number"):
        Burgers(viscosity=value)


def without(name: str) -> type[Problem]:
    body = {"coordinates": ("x",), "fields": ("u",), "constraints": Line.constraints, "equation": Line.equation}
    body.pop(name, None)

    def constructor(self: Problem) -> None:
        Problem.__init__(self)
        if name != "domain":
            self.domain = Box(x=(0, 1))

    return type("Incomplete", (Problem,), {**body, "__init__": constructor})


def with_equation(equation: Callable[..., Any]) -> type[Problem]:
    return type("Spoilt", (Line,), {"equation": staticmethod(equation)})


def replaced(**attributes: object) -> type[Problem]:
    return type("Spoilt", (Line,), attributes)


INSIDE = Constraint(Box(x=(0, 1)).interior, lambda u, v, x: partial(u, x) - v)

MISTAKES = [
    (without("coordinates"), "Incomplete has no 'coordinates'"),
    (without("fields"), "Incomplete has no 'fields'"),
    (without("domain"), "Incomplete has no 'domain'"),
    (replaced(coordinates=("y",)), r"names coordinates \('y',\), but its domain is Box"),
    (replaced(fields=("u", "x")), "calls x both a coordinate and a field"),
    (replaced(constraints=lambda self: {}), r"constraints\(\) is empty"),
    (replaced(constraints=lambda self: [INSIDE]), r"constraints\(\) must return a dict .*; it returned a list"),
    (replaced(constraints=lambda self: None), r"constraints\(\) must return a dict .*; it returned a NoneType"),
    (replaced(constraints=lambda self: self.nope), r"constraints\(\) cannot be evaluated: AttributeError.*_problem.py"),
    (
        replaced(constraints=lambda self: {"a.b": INSIDE}),
        "a constraint cannot be called 'a.b'; take a word without a dot",
    ),
    (replaced(constraints=lambda self: {5: INSIDE}), "a constraint cannot be called 5"),
    (replaced(constraints=lambda self: {"a": None}), "constraint 'a' must be a Constraint; it is None"),
    (replaced(constraints=lambda self: {"a": Constraint(1, 2)}), "constraint 'a' needs a region first.* given 1"),
    (
        replaced(constraints=lambda self: {"a": Constraint(self.domain.boundary, 2)}),
        "needs a region first, as self.domain",
    ),
    (
        replaced(constraints=lambda self: {"a": Constraint(self.domain.interior, 2)}),
        "needs a function that returns its",
    ),
    (
        replaced(constraints=lambda self: {"a": Constraint(self.domain.interior, torch.sin)}),
        "names no arguments; write",
    ),
    (replaced(fields="uv"), r"Spoilt.fields must be a tuple of names, as \(\"u\",\); it is 'uv'"),
    (replaced(fields=()), "Spoilt.fields must be a tuple of names"),
    (replaced(fields=("u", 1)), "Spoilt.fields must be a tuple of names"),
    (replaced(fields=("u", "v", "u")), "Spoilt.fields names 'u' twice"),
    (replaced(fields=("u", "v", "n_x")), "Spoilt.fields cannot name 'n_x'"),
    (replaced(coordinates="x"), "Spoilt.coordinates must be a tuple of names"),
    (type("Spoilt", (Problem,), {}), r"Spoilt has no constraints\(\)"),
    (
        with_equation(lambda u, w: u),
        "constraint 'equation' asks for 'w', which is not there; the names there are: x, u, v",
    ),
    (with_equation(lambda u, n_x: u), "asks for 'n_x'"),
    (with_equation(lambda u, u_image: u), "asks for 'u_image'"),
    (replaced(ansatz=lambda self, w: w), "the ansatz asks for 'w'"),
]


@pytest.mark.parametrize(("problem", "message"), MISTAKES, ids=[message[:30] for _, message in MISTAKES])
def test_mistakes_are_told_at_construction(problem: type[Problem], message: str) -> None:
    with pytest.raises(InputError, match=message):
        problem()


SHAPES = [
    (lambda u, x: u.unsqueeze(1), r"'equation' has shape \(5, 1\), expected \(5,\)"),
    (lambda u, x: u.sum(), r"'equation' has shape \(\), expected \(5,\)"),
    (lambda u, x: u[:2], r"'equation' has shape \(2,\), expected \(5,\)"),
    (lambda u, x: 0.0, r"'equation' has shape float"),
    (lambda u, x: None, r"'equation' has shape NoneType"),
    (lambda u, x: {"a": u, "b": u[1:]}, r"'equation.b' has shape \(4,\)"),
]


@pytest.mark.parametrize(("equation", "message"), SHAPES)
def test_a_residual_of_the_wrong_shape_is_refused(equation: Callable[..., Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        evaluate(with_equation(equation)())


@pytest.mark.parametrize("count", [1, 3])
def test_a_network_of_the_wrong_width_is_refused(count: int) -> None:
    model = Model(Line(), nn.Linear(1, count, dtype=torch.float64))
    with pytest.raises(InputError, match=rf"returned shape \(5, {count}\) for 5 points, expected \(5, 2\)"):
        model.fields({"x": torch.rand(5, dtype=torch.float64)})


HOLE = torch.tensor(float("nan"), dtype=torch.float64)

NOT_READY: list[tuple[type[Problem], str]] = [
    (
        with_equation(lambda u, v, x: u + v * torch.nan),
        r"residual equation is nan at x = [\d.]+ \(50 of 50 points\) what",
    ),
    (
        with_equation(lambda u, v, x: u - v + torch.where(x > 0.9, HOLE, x)),
        r"is nan at x = 0.9\d+ \([1-9] of 50 points\)",
    ),
    (with_equation(lambda u, v, x: {"a": u, "b": v / (x * 0)}), r"residual equation.b is -?inf at x = "),
    (
        with_equation(lambda u, v, x: torch.log(-1 - u**2) + v),
        "residual equation is nan at x = .* whatever the fields are",
    ),
    (with_equation(lambda u, v, x: x), "residual 'equation' does not depend on the network"),
    (with_equation(lambda u, v, x: torch.ones_like(u)), "residual 'equation' does not depend on the network"),
    (with_equation(lambda u, v, x: {"a": u + v, "b": x}), "residual 'equation.b' does not depend on the network"),
    (with_equation(lambda u, v, x: u), "no residual depends on v; take it out"),
    (with_equation(lambda u, v, x: u + 1j * v), "residual 'equation' has dtype complex128, expected float64"),
    (with_equation(lambda u, v, x: (u + v).float()), "residual 'equation' has dtype float32, expected float64"),
    (with_equation(lambda u, v, x: u > v), "residual 'equation' has dtype bool, expected float64"),
    (with_equation(lambda u, v, x: u + nope), r"cannot be evaluated .*NameError.*\(test_problem.py, line \d+\)"),  # type: ignore[name-defined]  # noqa: F821
    (with_equation(lambda u, v, x: u + np.sin(v)), r"Can't call numpy\(\) on Tensor.*\(test_problem.py, line \d+\)"),
    (with_equation(lambda u, v, x: u if u > v else v), "Boolean value of Tensor with more than one value is ambiguous"),
    (with_equation(lambda u, v, x: {}), "constraint 'equation' returned no residual"),
    (replaced(ansatz=lambda self, u: u.sum()), r"the ansatz gives u as float64 of shape \(\), expected .* \(50,\)"),
    (replaced(ansatz=lambda self, u: {"w": u}), "the ansatz returns 'w', which is no field; the fields are u, v"),
    (replaced(ansatz=lambda self, u: 5), r"ansatz\(\) must return a field or a dict of them; it returned 5"),
    (replaced(ansatz=lambda self, u: u + self.nope), "the ansatz cannot be evaluated: AttributeError"),
    (replaced(reference=lambda self: Exact(lambda x: {"w": x})), "the reference returns 'w', which is no field"),
    (replaced(reference=lambda self: Exact(lambda x: {"u": x[0]})), r"the reference gives u as float64 of shape \(\)"),
    (replaced(reference=lambda self: Exact(lambda x: {"u": 1.0})), "the reference gives u as 1.0, expected"),
    (replaced(reference=lambda self: Exact(lambda x: {"u": x + HOLE})), "the reference of u is infinite or no number"),
    (replaced(reference=lambda self: Exact(lambda x: {})), "the reference must return .*; it returned an empty one"),
    (replaced(reference=lambda self: Exact(lambda x: x)), "the reference must return .*; it returned a Tensor"),
    (replaced(reference=lambda self: Exact(lambda y: {"u": y})), "the exact solution cannot be evaluated: TypeError"),
    (
        replaced(reference=lambda self: Exact(lambda x: {}["u"])),
        "the exact solution cannot be evaluated: KeyError: 'u'",
    ),
    (replaced(reference=lambda self: lambda x: {"u": x}), r"reference\(\) must return a reference, as pinn.Exact"),
    (replaced(reference=lambda self: self.nope), "the reference cannot be made: AttributeError"),
]


@pytest.mark.parametrize(("problem", "message"), NOT_READY, ids=[message[:30] for _, message in NOT_READY])
def test_what_is_wrong_with_a_problem_is_told_before_anything_is_planned(problem: type[Problem], message: str) -> None:
    made = problem()
    with pytest.raises(InputError, match=message):
        try_out(made, points_of(made, 50))


def test_roots_and_logarithms_of_a_positive_field_are_no_mistake() -> None:
    """Random fields are negative at half of the points, where these have no value; that is not the problem's fault."""
    positive = with_equation(lambda u, v, x: torch.sqrt(u) + torch.log(v) + 1 / u)()
    try_out(positive, points_of(positive, 50))


def test_a_coefficient_that_no_residual_uses_is_named() -> None:
    class Idle(Line):
        def __init__(self) -> None:
            super().__init__()
            self.rate, self.known = (
                nn.Parameter(torch.tensor(1.0)),
                nn.Parameter(torch.tensor(1.0), requires_grad=False),
            )

    with pytest.raises(InputError, match="no residual depends on rate; take it out"):
        try_out(Idle(), points_of(Idle(), 5))


def test_a_fault_of_ours_stays_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's residual is innocent when an operator of pinn breaks inside of it."""
    broken = with_equation(lambda u, v, x: partial(u, x) - v)()
    monkeypatch.setattr("pinn.derivatives.first_order.check_single", None)
    with pytest.raises(TypeError, match="'NoneType' object is not callable"):
        try_out(broken, points_of(broken, 5))
