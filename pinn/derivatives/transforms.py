"""The operators as transforms of plain functions of the coordinates: ``laplacian_of(f)(x, y)`` is (Δf)(x, y).

A function takes separate coordinates ``(points,)``, or one tensor ``(points, dim)``, and returns a field; so does its
transform, and transforms can be nested. The coordinates need not require grad, and two arguments may be one tensor:
each argument is differentiated as a variable of its own. The operators of the same name say the rest.
"""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from pinn.derivatives.along import Direction, directional, material, normal
from pinn.derivatives.components import Coordinates
from pinn.derivatives.contract import check_mode, check_real
from pinn.derivatives.first_order import gradient, partial
from pinn.derivatives.second_order import biharmonic, hessian, laplacian
from pinn.derivatives.systems import System, cartesian
from pinn.derivatives.vector import curl, divergence, jacobian

Function = Callable[..., Any]


def partial_of(function: Function, *arguments: int) -> Function:
    """∂ⁿf / ∂x₁ … ∂xₙ for the numbers of the arguments, from 0: ``partial_of(f, 0, 1)(x, t)`` is f_xt."""
    return _transform(function, lambda u, x: partial(u, *(x[argument] for argument in arguments)))


def gradient_of(function: Function, *, system: System = cartesian) -> Function:
    """∇f of a scalar function; see `gradient`."""
    return _transform(function, lambda u, x: gradient(u, _coordinates(x), system=system))


def jacobian_of(function: Function, *, system: System = cartesian) -> Function:
    """∇F of a vector function; see `jacobian`."""
    return _transform(function, lambda u, x: jacobian(u, _coordinates(x), system=system))


def hessian_of(function: Function, *, system: System = cartesian) -> Function:
    """∇∇f of a scalar function; see `hessian`."""
    return _transform(function, lambda u, x: hessian(u, _coordinates(x), system=system))


def divergence_of(function: Function, *, system: System = cartesian) -> Function:
    """∇·F of a vector or tensor function; see `divergence`."""
    return _transform(function, lambda u, x: divergence(u, _coordinates(x), system=system))


def curl_of(function: Function, *, system: System = cartesian) -> Function:
    """∇×F of a vector function in two or three dimensions; see `curl`."""
    return _transform(function, lambda u, x: curl(u, _coordinates(x), system=system))


def laplacian_of(function: Function, *, system: System = cartesian) -> Function:
    """Δf of a scalar or vector function; see `laplacian`."""
    return _transform(function, lambda u, x: laplacian(u, _coordinates(x), system=system))


def biharmonic_of(function: Function, *, system: System = cartesian) -> Function:
    """Δ²f of a scalar or vector function; see `biharmonic`."""
    return _transform(function, lambda u, x: biharmonic(u, _coordinates(x), system=system))


def directional_of(function: Function, direction: Direction, *, system: System = cartesian) -> Function:
    """(d·∇)f of a scalar or vector function; see `directional`."""
    return _transform(function, lambda u, x: directional(u, _coordinates(x), direction, system=system))


def normal_of(function: Function, normals: Direction, *, system: System = cartesian) -> Function:
    """∂f/∂n of a scalar or vector function; see `normal`."""
    return _transform(function, lambda u, x: normal(u, _coordinates(x), normals, system=system))


def material_of(function: Function, velocity: Direction, *, system: System = cartesian) -> Function:
    """Df/Dt of a scalar or vector function whose last argument is the time; see `material`."""
    return _transform(function, lambda u, x: material(u, velocity, _coordinates(x[:-1]), x[-1], system=system))


def _transform(function: Function, operator: Callable[[Any, tuple[Tensor, ...]], Any]) -> Function:
    def transformed(*coordinates: Tensor) -> Any:
        check_mode()
        variables = tuple(_variable(coordinate) for coordinate in coordinates)
        return operator(function(*variables), variables)

    return transformed


def _variable(coordinate: Tensor) -> Tensor:
    """The coordinate as a value of its own in the graph, connected to where it came from."""
    check_real(coordinate, "coordinate")
    return coordinate.view_as(coordinate) if coordinate.requires_grad else coordinate.clone().requires_grad_()


def _coordinates(variables: tuple[Tensor, ...]) -> Coordinates:
    return variables[0] if len(variables) == 1 and variables[0].ndim == 2 else variables
