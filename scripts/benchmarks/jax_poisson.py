"""The step of the Poisson benchmark in JAX, the usual way: second derivatives by `jvp` of `grad`, all under `jit`."""

from typing import Any

import jax
import jax.numpy as jnp
from benchmarks.timing import Work

SIZES = (2, 50, 50, 50, 50, 1)
RATE, MOMENTUM, SQUARES, SMALL = 1e-3, 0.9, 0.999, 1e-8
"""Of Adam."""


def step(points: int = 2500, boundary_points: int = 400) -> Work:
    """Return a step of Adam that updates a state of its own."""
    keys = jax.random.split(jax.random.key(0), len(SIZES) + 1)
    layers = [
        (jax.nn.initializers.glorot_normal()(key, (inputs, outputs)), jnp.zeros(outputs))
        for key, inputs, outputs in zip(keys, SIZES[:-1], SIZES[1:], strict=False)
    ]
    inside = jax.random.uniform(keys[-2], (points, 2))
    along = jax.random.uniform(keys[-1], (boundary_points,))
    boundary = jnp.stack([along, jnp.zeros_like(along)], axis=1)
    zeros = jax.tree.map(jnp.zeros_like, layers)
    state = [(layers, zeros, zeros, jnp.zeros(()))]
    update = jax.jit(_update)

    def work() -> None:
        state[0] = jax.block_until_ready(update(state[0], inside, boundary))

    return work


def _network(layers: Any, x: Any) -> Any:
    for weight, bias in layers[:-1]:
        x = jnp.tanh(x @ weight + bias)
    weight, bias = layers[-1]
    return (x @ weight + bias)[0]


def _residual(layers: Any, x: Any) -> Any:
    gradient = jax.grad(lambda at: _network(layers, at))
    second = [jax.jvp(gradient, (x,), (direction,))[1] @ direction for direction in jnp.eye(2)]
    return sum(second) + 2 * jnp.pi**2 * jnp.prod(jnp.sin(jnp.pi * x))


def _loss(layers: Any, inside: Any, boundary: Any) -> Any:
    equation = jax.vmap(lambda x: _residual(layers, x))(inside)
    walls = jax.vmap(lambda x: _network(layers, x))(boundary)
    return (jnp.mean(equation**2) + jnp.mean(walls**2)) / 2


def _update(state: Any, inside: Any, boundary: Any) -> Any:
    layers, mean, square, count = state
    gradient = jax.grad(_loss)(layers, inside, boundary)
    count = count + 1
    mean = jax.tree.map(lambda m, g: MOMENTUM * m + (1 - MOMENTUM) * g, mean, gradient)
    square = jax.tree.map(lambda s, g: SQUARES * s + (1 - SQUARES) * g * g, square, gradient)
    moved = jax.tree.map(
        lambda p, m, s: p - RATE * m / (1 - MOMENTUM**count) / (jnp.sqrt(s / (1 - SQUARES**count)) + SMALL),
        layers,
        mean,
        square,
    )
    return moved, mean, square, count
