"""Objects written down as plain values, {"_target_": "module.Class", argument: value, …}, and built again.

A class is judged before anything is built: by where it is defined, by the kind that its place needs, and by whether its
constructor takes the values. Only classes that are defined in pinn, torch.nn, torch.optim or a module that the caller
trusts are built. Functions and methods are refused, and so is a class of another kind than its place needs, so that no
text in a configuration or a file can make the program run something else.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from types import UnionType
from typing import Any, get_args

from pinn.annotations import admits, class_in, in_words, of_constructor
from pinn.errors import InputError
from pinn.theirs import in_their_code

TRUSTED = ("pinn", "torch.nn", "torch.optim")
"""Packages whose classes may be built."""


@dataclass(frozen=True)
class Place:
    """Where an object is needed: in a configuration, or as an argument of a class in one.

    Attributes:
        name: what messages call it, `network` or `training.adam.optimizer`.
        kind: the class that it must be a subclass of, or several of which one will do.
        later: the arguments that it is made with when it is needed, by name, or how many come first; None makes it now.
    """

    name: str
    kind: type | UnionType
    later: tuple[str, ...] | int | None = None


def describe(factory: Callable[..., Any]) -> dict[str, Any] | None:
    """Return the recipe of a class or a partial of one, or None where plain values cannot say it."""
    function, arguments = (factory.func, factory.keywords) if isinstance(factory, partial) else (factory, {})
    if not isinstance(function, type) or (isinstance(factory, partial) and factory.args):
        return None
    if not all(_is_plain(value) for value in arguments.values()):
        return None
    return {"_target_": f"{function.__module__}.{function.__qualname__}", **arguments}


def rebuild(recipe: object, place: Place, trust: Sequence[str] = (), **more: Any) -> Any:
    """Build what a recipe says, or what makes it later; recipes among its arguments are built first.

    An argument is a place too: its kind is the class, or the class that the callable returns, in its annotation.

    Args:
        recipe: plain values; None, where none could be written, is refused.
        place: where the object is needed.
        trust: further modules whose classes may be built.
        more: further arguments.

    Raises:
        InputError: a target that does not exist, is not trusted or of another kind, or arguments that it refuses.
    """
    if recipe is None:
        raise InputError(
            f"the {place.name} was not written down, as it was made from more than plain values; pass it yourself."
        )
    if not isinstance(recipe, Mapping) or not isinstance(recipe.get("_target_"), str):
        raise InputError(f"{place.name} must name a class by _target_; it was given {recipe!r}.")
    target = resolve(recipe["_target_"], trust)
    if not issubclass(target, place.kind):
        kinds = " or a ".join(f"{kind.__module__}.{kind.__name__}" for kind in _classes(place.kind))
        raise InputError(f"{place.name} must be a {kinds}; it was given {target.__name__}.")
    if inspect.isabstract(target):
        missing = ", ".join(sorted(getattr(target, "__abstractmethods__", ())))
        raise InputError(f"{place.name}: {target.__name__} cannot be built, for it has no {missing}().")
    if recipe.get("_partial_", place.later is not None) is not (place.later is not None):
        when = "at once" if place.later is None else "later"
        raise InputError(f"{place.name} is made {when}, whatever _partial_ says; leave _partial_ out.")
    given = {name: value for name, value in recipe.items() if name not in _RESERVED}
    _require_arguments(target, place, {**given, **more})
    arguments = {name: _argument(value, name, target, place, trust) for name, value in given.items()} | more
    if place.later is not None:
        return partial(target, **arguments)
    with in_their_code(f"{place.name}: {target.__name__} refuses what it was given"):
        return target(**arguments)


def _classes(kind: type | UnionType) -> tuple[type, ...]:
    return get_args(kind) if isinstance(kind, UnionType) else (kind,)


def _argument(value: Any, name: str, target: type, place: Place, trust: Sequence[str]) -> Any:
    """Return an argument: a plain value, or the object that a recipe in its place says."""
    annotation = of_constructor(target).get(name, Any)
    if isinstance(value, Mapping) and "_target_" in value and (found := class_in(annotation)):
        return rebuild(value, Place(f"{place.name}.{name}", *found), trust)
    if _holds_target(value) or not admits(annotation, value):
        raise InputError(f"{place.name}.{name} must be {in_words(annotation)}; it was given {value!r}.")
    return value


def _require_arguments(target: type, place: Place, arguments: Mapping[str, Any]) -> None:
    """Raise InputError unless the constructor takes these arguments and needs none but those that come later."""
    # The signature of a class may be that of its metaclass; that of `object` says that it takes everything.
    constructor = target.__init__  # type: ignore[misc]
    own = constructor is not object.__init__
    parameters = list(inspect.signature(constructor).parameters.values())[1:] if own else []
    names = [parameter.name for parameter in parameters if parameter.kind not in _VARIADIC]
    later = names[: place.later] if isinstance(place.later, int) else place.later or ()
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
    if unknown := [name for name in (*later, *arguments) if name not in names and not takes_any]:
        takes = ", ".join(names) or "no arguments"
        raise InputError(f"{place.name}: {target.__name__} does not know {', '.join(unknown)}; it takes {takes}.")
    if twice := [name for name in arguments if name in later]:
        raise InputError(f"{place.name}: {target.__name__} is given {', '.join(twice)} later; leave it out.")
    needed = [p.name for p in parameters if p.default is p.empty and p.kind not in _VARIADIC]
    if missing := [name for name in needed if name not in arguments and name not in later]:
        raise InputError(f"{place.name}: {target.__name__} needs {', '.join(missing)} as well.")


def resolve(name: str, trust: Sequence[str] = ()) -> type:
    """Return the class of that dotted name if it may be built.

    Raises:
        InputError: it does not exist, is no class, or is defined elsewhere.
    """
    allowed = (*TRUSTED, *trust)
    module_name, _, attribute = name.rpartition(".")
    # Importing runs a module's code: only from where classes may come.
    if not any(_inside(module_name, package) for package in allowed):
        raise InputError(_refusal(name, allowed))
    try:
        target = getattr(import_module(module_name), attribute)
    except (ImportError, AttributeError) as error:
        raise InputError(f"there is no {name!r}: {error}.") from error
    if not isinstance(target, type) or not any(_inside(target.__module__, package) for package in allowed):
        raise InputError(_refusal(name, allowed))
    return target


def _refusal(name: str, allowed: Sequence[str]) -> str:
    refusal = f"{name!r} may not be built: it must be a class defined in {', '.join(allowed)}."
    package = name.partition(".")[0]
    if any(_inside(name, package) for package in allowed) or not package.isidentifier():
        return refusal
    return f"{refusal} For a module of your own say trust=[{package}]."


def _inside(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def _holds_target(value: Any) -> bool:
    if isinstance(value, Mapping):
        return "_target_" in value or any(map(_holds_target, value.values()))
    return isinstance(value, list) and any(map(_holds_target, value))


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(_is_plain(item) for item in value)
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(item) for key, item in value.items())
    return value is None or isinstance(value, bool | int | float | str)


_RESERVED = ("_target_", "_partial_")
_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
