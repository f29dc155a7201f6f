"""A message is one line that is safe to print; a fault of ours is no message."""

import pickle
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch

from pinn.errors import MOST_CHARACTERS, InputError, NotFinite, is_out_of_memory
from pinn.files import write_text
from pinn.shapes import Plain, require
from pinn.theirs import in_their_code


def test_a_message_is_one_printable_line() -> None:
    said = str(InputError("a\nb\r\n c\u2028d \x1b[31mred\x07 \u202etxt \ud800 ü"))
    assert said == "a b c d \ufffd[31mred\ufffd \ufffdtxt \ufffd ü"
    assert said.isprintable()
    assert len(str(InputError("x" * 10**6))) == MOST_CHARACTERS + 2
    assert str(pickle.loads(pickle.dumps(InputError("a\nb")))) == "a b"  # noqa: S301


def divide() -> float:
    return 1 / 0


def multiply() -> torch.Tensor:
    return torch.ones(2, 3) @ torch.ones(2, 3)


THEIRS: list[tuple[Callable[[], Any], str]] = [
    (divide, r"^it refuses: ZeroDivisionError: division by zero \(test_mistakes\.py, line \d+\)\.$"),
    (multiply, r"^it refuses: RuntimeError: .*shape.*\(\w+\.py, line \d+\)\.$"),
    (partial(torch.nn.Linear, "a", 1), r"^it refuses: TypeError: [^(]*\("),
    (partial(torch.optim.Adam, [], lr=1), "^it refuses: ValueError: optimizer got an empty parameter list\\.$"),
]


@pytest.mark.parametrize(("call", "message"), THEIRS)
def test_their_exceptions_become_one_line(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(InputError, match=message), in_their_code("it refuses"):
        call()


def raising(error: BaseException) -> Callable[[], Any]:
    def call() -> None:
        raise error

    return call


OURS: list[tuple[Callable[[], Any], type[BaseException]]] = [
    (partial(write_text, None, ""), AttributeError),  # type: ignore[arg-type]
    (raising(MemoryError()), MemoryError),
    (raising(RuntimeError("can't allocate memory: 8 bytes")), RuntimeError),
    (raising(KeyboardInterrupt()), KeyboardInterrupt),
    (raising(NotFinite("u is nan")), NotFinite),
]


@pytest.mark.parametrize(("call", "kind"), OURS)
def test_faults_of_ours_and_lack_of_memory_stay_what_they_are(
    call: Callable[[], Any], kind: type[BaseException]
) -> None:
    with pytest.raises(kind) as error, in_their_code("it refuses"):
        call()
    assert type(error.value) is kind


def test_lack_of_memory_has_many_names() -> None:
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA"))
    assert is_out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"))
    assert not is_out_of_memory(RuntimeError("shapes"))


FITS = [
    (1, int),
    (1, float),
    ("a", str),
    (None, (None, int)),
    (3, (None, int)),
    ("b", ("a", "b")),
    ([1, 2], [int]),
    ({"x": 1}, {str: int}),
    ({"x": [1.5]}, {"x": [float]}),
    ({"x": {"y": [None, True, "a"]}}, {"x": Plain}),
    (torch.zeros(2), torch.ones(2)),
    ({0: "a"}, dict),
]
FITS_NOT = [
    (True, int, "x is True, expected a int"),
    (1.5, int, "x is 1.5, expected a int"),
    (True, float, "x is True, expected a float"),
    ("c", ("a", "b"), "x is 'c', expected 'a' or 'b'"),
    (1, (None, str), "x is 1, expected None or a str"),
    ([1, "a"], [int], "x.1 is 'a', expected a int"),
    ({"y": "a"}, {str: int}, "x.y is 'a', expected a int"),
    ({0: 1}, {str: int}, "x is a dict, expected a dict"),
    ({"y": 1}, {"y": int, "z": int}, "x.z is missing"),
    ({"y": 1, "w": 1}, {"y": int}, "x.w does not belong there"),
    ({"y": torch.zeros(1)}, {"y": Plain}, "x.y is a tensor of shape"),
    (
        torch.zeros(2),
        torch.zeros(3),
        r"x is a tensor of shape \(2,\) and dtype float32, expected a tensor of shape \(3,\)",
    ),
    (torch.zeros(2), torch.zeros(2, dtype=torch.float64), "expected a tensor of shape .* and dtype float64"),
    (0, torch.zeros(2), "x is 0, expected a tensor"),
]


@pytest.mark.parametrize(("value", "example"), FITS)
def test_what_looks_like_its_example_passes(value: object, example: object) -> None:
    require(value, example, "x")


@pytest.mark.parametrize(("value", "example", "message"), FITS_NOT)
def test_what_looks_otherwise_is_named(value: object, example: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        require(value, example, "x")
