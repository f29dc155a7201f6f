"""Objects written down as plain values, {"_target_": "module.Class", argument: value, …}, and built again.

A target is judged by the object that it resolves to, never by its name: only classes, and only those that are defined
in pinn, torch.nn, torch.optim, Lightning's callbacks and loggers, or a module that the caller trusts. Functions and
methods are refused, so that no text in a configuration or a file can make the program run something else.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import Any

from pinn.errors import InputError

TRUSTED = ("pinn", "torch.nn", "torch.optim", "lightning.pytorch.callbacks", "lightning.pytorch.loggers")
"""Packages whose classes may be built."""

Recipe = Mapping[str, Any]


def describe(factory: Callable[..., Any]) -> dict[str, Any] | None:
    """Return the recipe of a class or a partial of one, or None where plain values cannot say it."""
    function, arguments = (factory.func, factory.keywords) if isinstance(factory, partial) else (factory, {})
    if not isinstance(function, type) or (isinstance(factory, partial) and factory.args):
        return None
    if not all(_is_plain(value) for value in arguments.values()):
        return None
    return {"_target_": f"{function.__module__}.{function.__qualname__}", **arguments}


def rebuild(recipe: Recipe | None, trust: Sequence[str] = (), **more: Any) -> Any:
    """Build what a recipe says; recipes among its arguments are built first.

    `_partial_: true` returns a callable that builds later, for arguments that are only known then.

    Args:
        recipe: the recipe; None, where none could be written, is refused.
        trust: further modules whose classes may be built.
        more: further arguments.

    Raises:
        InputError: a target that does not exist or is not trusted, or arguments that it refuses.
    """
    if recipe is None:
        raise InputError(
            "this object was not written down, as it was made from more than plain values; pass it yourself."
        )
    target = resolve(str(recipe["_target_"]), trust)
    arguments = {name: _build_inside(value, trust) for name, value in recipe.items() if name not in _RESERVED}
    later = bool(recipe.get("_partial_"))
    _require_arguments(target, {**arguments, **more}, complete=not later)
    return partial(target, **arguments, **more) if later else target(**arguments, **more)


def _require_arguments(target: type, arguments: Mapping[str, Any], *, complete: bool) -> None:
    """Raise InputError unless the constructor takes these arguments and, if they are to be complete, needs no more."""
    # The signature of a class may be that of its metaclass; that of `object` says that it takes everything.
    constructor = target.__init__  # type: ignore[misc]
    own = constructor is not object.__init__
    parameters = list(inspect.signature(constructor).parameters.values())[1:] if own else []
    names = [parameter.name for parameter in parameters if parameter.kind not in _VARIADIC]
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
    if unknown := [name for name in arguments if name not in names and not takes_any]:
        takes = ", ".join(names) or "no arguments"
        raise InputError(f"{target.__name__} does not know {', '.join(unknown)}; it takes {takes}.")
    needed = [p.name for p in parameters if p.default is p.empty and p.kind not in _VARIADIC]
    if missing := [name for name in needed if complete and name not in arguments]:
        raise InputError(f"{target.__name__} needs {', '.join(missing)} as well.")


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
    if any(_inside(name, package) for package in allowed):
        return refusal
    return f"{refusal} For a module of your own say trust=[{name.partition('.')[0]}]."


def _inside(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def _build_inside(value: Any, trust: Sequence[str]) -> Any:
    if isinstance(value, Mapping):
        return rebuild(value, trust) if "_target_" in value else {k: _build_inside(v, trust) for k, v in value.items()}
    if isinstance(value, list):
        return [_build_inside(item, trust) for item in value]
    return value


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(_is_plain(item) for item in value)
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(item) for key, item in value.items())
    return value is None or isinstance(value, bool | int | float | str)


_RESERVED = ("_target_", "_partial_")
_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
