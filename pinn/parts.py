"""The parts of a run, from a configuration or by name: each is judged by its place before it is built."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from torch import nn

from pinn.errors import InputError
from pinn.recipes import Place, rebuild
from pinn.sampling import Sampler, Sobol
from pinn.solution import NETWORK
from pinn.training import Stage
from pinn.weighting import Weighting

SAMPLING = Place("sampling", Sampler)
WEIGHTING = Place("weighting", Weighting)

T = TypeVar("T")


class Parts(NamedTuple):
    """What a problem is solved with; None is chosen by the plan."""

    network: Callable[..., nn.Module] | None
    sampler: Sampler
    weighting: Weighting | None
    stages: Mapping[str, Stage] | None


def parts_of(config: Mapping[str, Any], trust: Sequence[str] = ()) -> Parts:
    """Build the parts that a configuration names.

    Raises:
        InputError: a part that cannot be built.
    """
    stages = {
        name: rebuild(recipe, Place(f"training.{name}", Stage), trust) for name, recipe in config["training"].items()
    }
    return Parts(
        None if is_left_open(config["network"]) else rebuild(config["network"], NETWORK, trust),
        rebuild(config["sampling"], SAMPLING, trust),
        None
        if is_left_open(config["weighting"])
        else rebuild(config["weighting"], WEIGHTING, trust, weights=config["weights"]),
        stages or None,
    )


def is_left_open(recipe: Mapping[str, Any]) -> bool:
    """Tell whether a recipe names no class, so that the plan chooses one."""
    return recipe.get("_target_", "") is None


def parts_from(
    network: Callable[..., nn.Module] | str | None,
    sampler: Sampler | str | None,
    weighting: Weighting | str | None,
    stages: Mapping[str, Stage] | str | None,
    weights: Mapping[str, float] | None,
) -> Parts:
    """Return the parts that `pinn.solve` was given; a word is the name of an option of `configs/`, with its defaults.

    An option may choose others: with `stages="lstsq"` comes the network that it is for, unless one is given.

    Raises:
        InputError: a part of another kind, or a name that is none.
    """
    given = {"network": network, "sampling": sampler, "weighting": weighting, "training": stages}
    names = {group: part for group, part in given.items() if isinstance(part, str)}
    named = Parts(None, Sobol(), None, None)
    if names:
        # Hydra is loaded only for those who name options.
        from pinn.config import defaults

        named = parts_of({**defaults(**names), "weights": weights or {}})
    parts = Parts(
        _given_or(network, named.network),
        _given_or(sampler, named.sampler),
        _given_or(weighting, named.weighting),
        _given_or(stages, named.stages),
    )
    _require_kinds(parts)
    return parts


def _given_or(part: T | str | None, option: T) -> T:
    return option if part is None or isinstance(part, str) else part


def _require_kinds(parts: Parts) -> None:
    network, sampler, weighting, stages = parts
    if isinstance(network, nn.Module) or not (network is None or callable(network)):
        _refuse("network", "what makes one from the numbers of inputs and outputs, as partial(MLP, width=32)", network)
    if not isinstance(sampler, Sampler):
        _refuse("sampler", "a pinn.sampling.Sampler", sampler)
    if not isinstance(weighting, Weighting | None):
        _refuse("weighting", "a pinn.weighting.Weighting", weighting)
    if stages is not None and not isinstance(stages, Mapping):
        _refuse("stages", "a dict of pinn.Stage by name", stages)
    for name, stage in (stages or {}).items():
        if not isinstance(stage, Stage):
            _refuse(f"stages[{name!r}]", "a pinn.Stage", stage)


def _refuse(name: str, expected: str, given: object) -> None:
    raise InputError(f"{name} must be {expected}, or the name of an option; it was given {given!r}.")
