"""The demonstration gives the numbers that the tutorial prints, and writes its pictures."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

SCRIPT = Path(__file__).parents[2] / "scripts" / "derivatives.py"
PRINTED = {"rtol": 0, "atol": 5.1e-5}  # four decimals, and a little for what single precision makes of a 5 at the end


@pytest.fixture(scope="module")
def script() -> ModuleType:
    specification = importlib.util.spec_from_file_location("demonstration", SCRIPT)
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module  # where dataclasses look their types up
    specification.loader.exec_module(module)
    return module


def assert_printed(values: torch.Tensor, first: list[float], last: list[float]) -> None:
    torch.testing.assert_close(values[: len(first)], torch.tensor(first), **PRINTED)
    torch.testing.assert_close(values[-len(last) :], torch.tensor(last), **PRINTED)


def test_the_cubic_and_the_parabola(script):
    example = script.cubic()
    assert_printed(example.y_x.ours, [3.0000, 3.0407, 3.0820, 3.1240, 3.1665], [9.6997, 9.7992, 9.8993, 10.0000])
    assert_printed(example.y_x.ours[61:65], [6.6036, 6.6817], [6.7603, 6.8396])
    assert_printed(example.z_x.ours, [2.0000, 2.0202, 2.0404, 2.0606], [3.9394, 3.9596, 3.9798, 4.0000])


def test_the_function_on_the_mesh_grid(script):
    example = script.surface()
    z_x, z_y = example.first
    assert_printed(z_x.ours, [16.0000, 16.0404, 16.0808], [3.9596, 3.9798, 4.0000])
    assert_printed(z_y.ours, [0.0000, 0.2425, 0.4853], [6.8388, 6.9193, 7.0000])
    assert_printed(z_x.ours.reshape(100, 100)[:, 0], [16.0], [2.0])  # 2y³ on the edge x = 0, from the top
    assert torch.equal(example.doubled.ours, 2 * z_x.ours)


def test_ours_are_autograd_to_the_last_bit_and_the_formulas_to_round_off(script):
    curve, plane = script.cubic(), script.surface()
    for derivative in (curve.y_x, curve.y_xx, curve.z_x, *plane.first, *plane.second, plane.doubled):
        assert torch.equal(derivative.ours, derivative.autograd)
        # Some four roundings of 2⁻²⁴ relative to the largest value, which no term exceeds.
        assert derivative.difference().abs().max() <= 4 * 2**-24 * derivative.analytic.abs().max()


def test_the_errors_say_what_to_do(script):
    (torch_freed, ours_freed), (torch_detached, ours_detached) = script.mistakes().values()
    assert "second time" in torch_freed
    assert ours_freed.startswith("FreedGraphError")
    assert "retain_graph=True" in ours_freed
    assert "does not require grad" in torch_detached
    assert ours_detached.startswith("DetachedError")
    assert "create_graph=True" in ours_detached


def test_pictures_and_numbers(script, tmp_path, capsys):
    script.main(["--output", str(tmp_path / "new" / "folder")])
    written = {path.name: path.read_bytes()[:8] for path in (tmp_path / "new" / "folder").iterdir()}
    png = b"\x89PNG\r\n\x1a\n"
    assert written == dict.fromkeys(("cubic.png", "first_derivatives.png", "second_derivatives.png"), png)
    printed = capsys.readouterr().out
    for words in ("3.0000 3.0407 3.0820 ... 9.7992 9.8993 10.0000", "∂z/∂x = 2xy + 2y³", "FreedGraphError"):
        assert words in printed


def test_maps_share_their_colours_and_are_the_right_way_up(script):
    example = script.surface()
    figure = script.draw_maps(example, example.second)
    for row in range(3):
        analytic, ours, difference = (axes.collections[0] for axes in figure.axes[3 * row : 3 * row + 3])
        assert analytic.get_clim() == ours.get_clim()
        lower, upper = difference.get_clim()
        assert lower == -upper
    axes = figure.axes[0]
    assert axes.get_xlim() == (0, 1)
    assert axes.get_ylim() == (1, 2)  # y grows upwards although the grid lists it downwards
