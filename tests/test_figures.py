import subprocess
import sys
import warnings
from dataclasses import replace
from itertools import combinations
from math import inf, log10, nan, pi, sqrt

import matplotlib as mpl
import numpy as np
import pytest
import torch
from helpers.sampled import sampled
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.mathtext import MathTextParser
from torch import Tensor

from pinn.errors import InputError
from pinn.evaluation import Evaluation
from pinn.figures import plot_convergence, plot_profiles, plot_residual, plot_solution, save_figures
from pinn.figures.cuts import cuts
from pinn.figures.panels import Scale, error_scale, field_scale
from pinn.figures.residual import log_magnitude
from pinn.figures.style import label, scientific

STAGES = ["adam", "ssbroyden"]
U, T = r"$\mathit{u}$", r"$\mathit{t}$"


def grid(**axes: tuple[float, float, int]) -> dict[str, Tensor]:
    nodes = [torch.linspace(lower, upper, size, dtype=torch.float64) for lower, upper, size in axes.values()]
    return dict(zip(axes, torch.meshgrid(*nodes, indexing="ij"), strict=True))


def evaluation(coordinates, reference, residuals=("equation",), error=1e-6):
    """Prediction = reference + a smooth error; residuals of its size that change sign."""
    wave = sum(torch.cos((3 + i) * c) for i, c in enumerate(coordinates.values()))
    residual = 30 * error * torch.sin(0.3 + 7 * sum(coordinates.values()))
    return Evaluation(
        coordinates=coordinates,
        fields={name: values + error * wave for name, values in reference.items()},
        reference=reference,
        residuals={name: (1 + i) * residual for i, name in enumerate(residuals)},
    )


def poisson():
    points = grid(x=(0, 1, 21), y=(0, 1, 21))
    return evaluation(points, {"u": torch.sin(pi * points["x"]) * torch.sin(pi * points["y"])})


def kovasznay():
    points = grid(x=(-0.5, 1, 16), y=(-0.5, 1.5, 21))
    x, y = points.values()
    rate = 20 - sqrt(400 + 4 * pi**2)
    reference = {
        "u": 1 - torch.exp(rate * x) * torch.cos(2 * pi * y),
        "v": rate / (2 * pi) * torch.exp(rate * x) * torch.sin(2 * pi * y),
        "p": (1 - torch.exp(2 * rate * x)) / 2,
    }
    return evaluation(points, reference, ("equation.momentum_x", "equation.momentum_y", "equation.continuity"))


def burgers():
    """u = -sin π(x - u t): no viscosity, before the shock; the fixed-point iteration contracts for π t < 1."""
    points = grid(x=(-1, 1, 41), t=(0, 0.25, 9))
    x, t = points.values()
    u = torch.zeros_like(x)
    for _ in range(200):
        u = -torch.sin(pi * (x - u * t))
    return evaluation(points, {"u": u})


def heat():
    points = grid(x=(0, 2, 17), y=(0, 1, 9), t=(0, 1, 5))
    x, y, t = points.values()
    return evaluation(points, {"u": torch.exp(-t) * torch.sin(pi * x) * y * (1 - y)})


def oscillator():
    points = grid(t=(0, 10, 51))
    return evaluation(points, {"u": torch.cos(points["t"]), "v": torch.sin(points["t"])})


def without_reference(full):
    return replace(full, reference={})


def velocity_only(full):
    """The pressure, the last field, has no reference."""
    return replace(full, reference=dict(list(full.reference.items())[:-1]))


def channel_velocity():
    return velocity_only(channel())


def oscillator_velocity():
    return velocity_only(oscillator())


def scattered():
    """More coordinates than a mesh grid can have."""
    numbers = torch.rand(500, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    points = {f"x{i + 1}": column for i, column in enumerate(numbers.unbind(1))}
    return evaluation(points, {"u": sum(points.values()), "v": torch.cos(3 * points["x1"])}, error=1e-2)


def scattered_velocity():
    return velocity_only(scattered())


def history(fields=("u",), constraints=("equation", "initial", "walls")):
    """Two stages: 300 steps at 0.01 s, then steps at 0.05 s; errors are known at every fifth row."""
    step = [10.0 * row for row in range(1, 201)]
    curve = [10 ** (-1 - 3 * s / 300) if s <= 300 else 10 ** (-4 - 8 * (s - 300) / 1700) for s in step]
    columns = {
        "step": step,
        "seconds": [0.01 * s if s <= 300 else 3 + 0.05 * (s - 300) for s in step],
        "stage": [0 if s <= 300 else 1 for s in step],
        "loss": curve,
        "validation": [1.3 * value for value in curve],
    }
    for i, name in enumerate(constraints):
        columns[f"residual/{name}"] = [value * 0.5 ** (i + 1) for value in curve]
    for i, name in enumerate(fields):
        columns[f"relative_l2/{name}"] = [
            sqrt(value) * 2**i if row % 5 == 0 else nan for row, value in enumerate(curve)
        ]
    return columns


def meshes(figure):
    return [axes.collections[0] for axes in figure.axes]


def drawn_values(figure, axes, points):
    """Read the values at data points off the rendered picture: the colour of the pixel, found in the colour map."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    picture = np.asarray(canvas.buffer_rgba())
    [mesh] = axes.collections
    colours = mesh.cmap(np.linspace(0, 1, 256), bytes=True)[:, :3].astype(int)
    values = []
    for column, row in axes.transData.transform(points):
        pixel = picture[picture.shape[0] - 1 - int(row), int(column), :3].astype(int)
        share = np.abs(colours - pixel).sum(axis=1).argmin() / 255
        values.append(mesh.norm.vmin + share * (mesh.norm.vmax - mesh.norm.vmin))
    return np.array(values)


@pytest.mark.parametrize(
    ("names", "horizontal", "vertical", "known"),
    [
        (("x", "y"), "x", "y", True),
        (("x", "y"), "x", "y", False),
        (("y", "x"), "y", "x", False),
        (("x", "t"), "t", "x", True),
        (("t", "x"), "t", "x", False),
        (("t", "x", "y"), "x", "y", True),
        (("x", "y", "z"), "x", "y", False),
    ],
)
def test_every_point_is_drawn_where_it_is(names, horizontal, vertical, known):
    # 101 × 81 nodes; a third coordinate does not change the field.
    sizes = dict.fromkeys(names, 3) | {horizontal: 101, vertical: 81}
    points = grid(**{name: (0, 1, size) for name, size in sizes.items()})
    field = points[horizontal] - 0.2 * points[vertical] ** 2
    full = evaluation(points, {"u": field}, error=1e-3)
    figure = plot_solution(full if known else without_reference(full), "")
    figure.set_dpi(150)
    axes = figure.axes[0]
    assert axes.get_xlabel() in (label(horizontal), "")  # rows above the lowest do not repeat it
    assert axes.get_ylabel() == label(vertical)
    where = np.array([(0.2, 0.3), (0.8, 0.3), (0.2, 0.9), (0.7, 0.7), (0.5, 0.1)])
    wanted = where[:, 0] - 0.2 * where[:, 1] ** 2
    # A panel is more than 300 pixels wide and the field changes by 1 across it: 0.004 a pixel; with the 256 colours of
    # a scale of width 2 (0.008) and the prediction's error of 0.003 that makes 0.015. Swapped axes are wrong by 0.7.
    assert drawn_values(figure, axes, where) == pytest.approx(wanted, abs=0.02)


def test_the_error_is_prediction_minus_reference():
    full = poisson()
    full.fields["u"] = full.reference["u"] + 0.5 * full.coordinates["x"]
    figure = plot_solution(full, "Poisson")
    drawn = meshes(figure)[2].get_array()
    # The same subtraction up to round-off of numbers of size 1.
    assert np.asarray(drawn).reshape(21, 21) == pytest.approx(0.5 * full.coordinates["x"].numpy(), abs=1e-15)
    assert (
        figure.get_suptitle()
        == f"Poisson\nrelative $L^2$ error of $\\mathit{{u}}$: {scientific(full.relative_l2['u'])}"
    )


def test_profiles_leave_out_references_that_are_not_there():
    full = burgers()
    full.fields["p"] = full.fields["u"]
    reference, prediction = ([len(axes.lines) for axes in plot_profiles(full, "").axes[i::2]] for i in (0, 1))
    assert reference == [10, 5]
    assert prediction == [5, 0]


def test_scattered_points_are_drawn_as_prediction_over_reference():
    full = scattered()
    above, errors, *_ = plot_solution(full, "").axes
    dots = next(line for line in above.lines if len(line.get_xdata()) == 500)
    # Drawn as they are.
    assert np.array_equal(dots.get_xdata(), full.reference["u"].numpy())
    assert np.array_equal(dots.get_ydata(), full.fields["u"].numpy())
    assert sum(bar.get_height() for bar in errors.patches) == 500
    [residual] = plot_residual(full, "").axes
    assert residual.get_xlabel() == r"$\log_{10}\,|r|$"
    assert sum(bar.get_height() for bar in residual.patches) == 500


def test_prediction_and_reference_share_the_scale_of_the_reference_in_all_rows():
    full = heat()
    full.fields["u"] = 3 * full.reference["u"]
    drawn = meshes(plot_solution(full, ""))
    largest = full.reference["u"][..., 0].abs().max().item()  # the field decays: its range is that of the first row
    assert len(drawn) == 9
    for mesh in [mesh for row in range(3) for mesh in drawn[3 * row : 3 * row + 2]]:
        assert mesh.get_clim() == pytest.approx((-largest, largest))
    for mesh in drawn[2::3]:
        assert mesh.get_clim() == pytest.approx((-2 * largest, 2 * largest))


def test_without_a_reference_the_times_of_a_field_share_a_scale():
    full = heat()
    full.fields["u"] = full.coordinates["t"]
    figure = plot_solution(without_reference(full), "")
    assert [mesh.get_clim() for mesh in meshes(figure)] == [(0, 1)] * 3
    assert [axes.get_title() for axes in figure.axes] == [
        rf"prediction {U}, {T} = {time}" for time in ("0", "0.5", "1")
    ]


def test_every_colour_bar_has_its_label():
    prediction, reference, error = plot_solution(poisson(), "").axes
    assert not prediction.child_axes
    assert [bar.get_ylabel() for axes in (reference, error) for bar in axes.child_axes] == [U, "error"]
    [residual] = plot_residual(poisson(), "").axes
    assert [bar.get_ylabel() for bar in residual.child_axes] == [r"$\log_{10}\,|r|$"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([-1.0, 3.0], Scale(-3, 3, "RdBu_r")),
        ([-0.1, 3.0], Scale(-0.1, 3, "viridis")),  # an undershoot is no second sign
        ([1.0, nan, 2.0, inf], Scale(1, 2, "viridis")),
        ([4.0, 4.0 + 1e-12], Scale(2, 6, "viridis")),
        ([0.0, 0.0], Scale(-1, 1, "viridis")),
        ([nan, nan], Scale(-1, 1, "viridis")),
    ],
)
def test_scale_of_a_field(values, expected):
    scale = field_scale([np.array(values)])
    assert (scale.lower, scale.upper) == pytest.approx((expected.lower, expected.upper))  # round-off only
    assert scale.colours == expected.colours


def test_scale_of_an_error():
    assert error_scale([np.array([-1e-7, 3e-6]), np.array([nan])]) == Scale(-3e-6, 3e-6, "PuOr_r")
    assert error_scale([np.zeros(3)]) == Scale(-1, 1, "PuOr_r")


@pytest.mark.parametrize(
    ("values", "ends"), [([0.0, 1.0], "neither"), ([-1.0, 1.0], "min"), ([0.0, 2.0], "max"), ([-1.0, 2.0], "both")]
)
def test_the_colour_bar_shows_that_values_leave_the_scale(values, ends):
    assert Scale(0, 1, "viridis").extend(np.array(values)) == ends


@pytest.mark.parametrize(
    ("names", "free", "held"),
    [
        ("x", "x", [{}]),
        ("xt", "tx", [{}]),
        ("xy", "xy", [{}]),
        ("xyt", "xy", [{"t": 0.0}, {"t": 0.5}, {"t": 1.0}]),
        ("txyz", "xy", [{"t": 0.0, "z": 0.5}, {"t": 0.5, "z": 0.5}, {"t": 1.0, "z": 0.5}]),
        ("abcde", "ab", [{"c": 0.5, "d": 0.5, "e": 0.5}]),
    ],
)
def test_cuts(names, free, held):
    points = grid(**dict.fromkeys(names, (0, 1, 5)))
    found = cuts(points)
    assert [cut.held for cut in found] == held
    for cut in found:
        assert "".join(cut.axes) == free
        for name in names:  # a coordinate, cut as a field is, gives back its axis or its held value
            assert np.array_equal(cut(points[name]), cut.axes.get(name, np.full((5,) * len(free), cut.held.get(name))))
    assert found[0].caption("u") == ", ".join(["u", *(f"{label(n)} = {v:.3g}" for n, v in held[0].items())])


def test_one_coordinate_is_drawn_as_curves():
    full = oscillator()
    figure = plot_solution(full, "")
    for (left, right), name in zip(np.reshape(figure.axes, (2, 2)), full.fields, strict=True):
        below, above = left.lines
        assert np.array_equal(below.get_ydata(), full.reference[name])
        assert np.array_equal(above.get_ydata(), full.fields[name])
        assert above.get_linestyle() == "--"
        assert np.array_equal(right.lines[0].get_ydata(), full.fields[name] - full.reference[name])
    [curve] = plot_solution(without_reference(full), "").axes[1].lines
    assert np.array_equal(curve.get_ydata(), full.fields["v"])


@pytest.mark.parametrize("order", ["xt", "tx"])
def test_profiles_are_the_columns_at_the_quarters_of_time(order):
    full = burgers()
    if order == "tx":
        parts = [full.coordinates, full.fields, full.reference, full.residuals]
        full = Evaluation(*({name: part[name].T for name in reversed(part)} for part in parts))
    upper, lower = plot_profiles(full, "").axes
    columns = slice(None, None, 2)  # 9 nodes in time
    at = (columns,) if order == "tx" else (slice(None), columns)
    u, exact = (part["u"][at] if order == "tx" else part["u"][at].T for part in (full.fields, full.reference))
    assert np.array_equal([line.get_ydata() for line in upper.lines[0::2]], exact)
    assert np.array_equal([line.get_ydata() for line in upper.lines[1::2]], u)
    assert np.array_equal([line.get_ydata() for line in lower.lines], u - exact)
    [panel] = plot_profiles(without_reference(full), "").axes
    assert np.array_equal([line.get_ydata() for line in panel.lines], u)


@pytest.mark.parametrize("case", [poisson, oscillator, heat])
def test_profiles_of_anything_but_one_coordinate_and_time_are_refused(case):
    with pytest.raises(InputError, match=f"the evaluation has {', '.join(case().coordinates)}"):
        plot_profiles(case(), "")


def test_log_magnitude_of_zero_and_of_what_is_not_finite():
    logarithms = log_magnitude(torch.tensor([1e-3, -10.0, 0.0, nan, inf], dtype=torch.float64))
    # Round-off of the logarithm; the zero is drawn 16 digits below the peak.
    assert logarithms.tolist() == pytest.approx([-3, 1, -15, nan, inf], abs=1e-12, nan_ok=True)
    assert log_magnitude(torch.zeros(2)).tolist() == [log10(sys.float_info.min)] * 2


def test_residuals_are_drawn_by_name_in_decades():
    full = kovasznay()
    figure = plot_residual(full, "Kovasznay")
    assert [axes.get_title() for axes in figure.axes] == list(full.residuals)
    for mesh, residual in zip(meshes(figure), full.residuals.values(), strict=True):
        assert np.asarray(mesh.get_array()).ravel() == pytest.approx(np.log10(np.abs(residual.numpy().ravel())))
        lower, upper = mesh.get_clim()
        assert upper == pytest.approx(log10(residual.abs().max()))
        assert lower > log10(residual.abs().min())  # the lines of zeros do not take the colours


def test_residuals_that_are_exactly_zero_do_not_take_the_colours():
    """At round-off a tenth of the residuals may vanish; the others lie between 1e-15 and 1e-14."""
    full = kovasznay()
    name, residual = next(iter(full.residuals.items()))
    row = torch.linspace(1e-15, 1e-14, residual.numel(), dtype=torch.float64)
    row[::10] = 0
    figure = plot_residual(replace(full, residuals={name: row.reshape(residual.shape)}), "Kovasznay")
    lower, upper = meshes(figure)[0].get_clim()
    # A fiftieth of the values that are not zero lies below the lower end.
    assert -15 < lower < -14.8
    assert upper == pytest.approx(lower + 1)


def test_convergence_shows_the_terms_the_errors_and_the_stages():
    columns = history(fields=("u", "p"))
    losses, errors = plot_convergence(columns, STAGES, "").axes
    curves = {line.get_label(): line for line in losses.lines}
    for name in ("loss", "validation"):
        assert np.array_equal(curves[name].get_ydata(), columns[name])
    for name in ("equation", "initial", "walls"):
        assert np.array_equal(curves[name].get_ydata(), columns[f"residual/{name}"])
    u, p = errors.lines[:2]
    assert np.array_equal(u.get_xdata(), columns["seconds"][::5])
    assert np.array_equal(p.get_ydata(), columns["relative_l2/p"][::5])
    assert [line.get_xdata()[0] for line in losses.lines if line.get_linestyle() == ":"] == [300]
    assert [line.get_xdata()[0] for line in errors.lines if line.get_linestyle() == ":"] == [3]
    assert [(text.get_text(), text.xy[0]) for text in losses.texts] == [("adam", 0), ("ssbroyden", 300)]
    assert {losses.get_yscale(), errors.get_yscale()} == {"log"}


def test_one_step_has_no_ticks_between():
    columns = {name: values[:2] for name, values in history(fields=("u",)).items()} | {"step": np.array([0.0, 1.0])}
    losses, _ = plot_convergence(columns, STAGES, "").axes
    assert all(tick == int(tick) for tick in losses.get_xticks())


def test_names_of_short_stages_stand_above_each_other():
    columns = history()
    columns["stage"] = [0] * 3 + [1] * 100 + [2] * 97
    figure = plot_convergence(columns, ["adam", "levenberg_marquardt", "ssbroyden"], "")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    adam, marquardt, ssbroyden = (text.get_window_extent() for text in figure.axes[0].texts)
    assert adam.y1 <= marquardt.y0
    assert ssbroyden.y0 == adam.y0  # there is room again
    assert not marquardt.overlaps(ssbroyden)


def test_without_a_reference_convergence_has_one_panel():
    assert len(plot_convergence(history(fields=()), STAGES, "").axes) == 1
    columns = history()
    columns["relative_l2/u"] = [nan] * 200
    assert len(plot_convergence(columns, STAGES, "").axes) == 1


def test_a_term_that_is_zero_is_named_so():
    columns = history()
    columns["residual/walls"] = [0.0] * 200
    names = [line.get_label() for line in plot_convergence(columns, STAGES, "").axes[0].lines]
    assert "walls (zero)" in names
    assert "equation" in names


@pytest.mark.parametrize("rows", [0, 1])
def test_convergence_of_a_short_history_is_drawn(rows):
    columns = {name: values[:rows] for name, values in history().items()}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        FigureCanvasAgg(plot_convergence(columns, STAGES, "")).draw()


@pytest.mark.parametrize(
    "full",
    sampled(
        [
            *(poisson(), burgers(), scattered(), heat(), oscillator()),
            *(without_reference(burgers()), without_reference(scattered()), velocity_only(oscillator())),
        ],
        2,
    ),
    ids=lambda full: ",".join([*full.coordinates, *full.fields]) + " with reference" * bool(full.reference),
)
def test_files_are_written_without_a_warning(full, tmp_path):
    folder = tmp_path / "run" / "figures"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        paths = save_figures(full, history(full.reference), STAGES, "title", folder)
    names = ["solution", "residual", "convergence"] + ["profiles"] * (set(full.coordinates) == {"x", "t"})
    assert paths == [folder / f"{name}.png" for name in names]
    assert sorted(folder.iterdir()) == sorted(paths)  # no temporary file is left
    assert all(path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n") for path in paths)


@pytest.mark.parametrize("value", [nan, inf, 0.0, 1.0])
@pytest.mark.parametrize("case", [burgers, oscillator])
def test_what_went_wrong_is_drawn_too(case, value):
    """The first half of fields and residuals, and the whole history, are this one value; 1 and 0 stand everywhere."""
    full = case()

    def spoil(values):
        half = len(values) if value in (0, 1) else len(values) // 2
        return torch.cat([torch.full_like(values[:half], value), values[half:]])

    columns = {name: [value] * 3 for name in history()} | {"step": [1, 2, 3], "seconds": [1, 2, 3], "stage": [0, 0, 1]}
    fields = {name: spoil(values) for name, values in full.fields.items()}
    residuals = {name: spoil(values) for name, values in full.residuals.items()}
    reference = fields if value == 0 else full.reference
    spoilt = Evaluation(full.coordinates, fields, reference, residuals)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for figure in (plot_solution(spoilt, ""), plot_residual(spoilt, ""), plot_convergence(columns, STAGES, "")):
            FigureCanvasAgg(figure).draw()


def test_without_interior_residuals_there_is_no_figure_of_them(tmp_path):
    paths = save_figures(replace(oscillator(), residuals={}), history(), STAGES, "", tmp_path)
    assert [path.name for path in paths] == ["solution.png", "convergence.png"]


def channel():
    """Long names, a long domain."""
    points = grid(x=(0, 20, 41), y=(0, 4, 9))
    x, y = points.values()
    fields = {"velocity_x": y * (4 - y), "pressure": torch.sin(x)}
    return evaluation(points, fields, ("equation.momentum_x", "equation.momentum_y", "equation.continuity"))


def column():
    points = grid(x=(0, 1, 9), y=(0, 5, 41))
    return evaluation(points, {"u": points["y"]})


@pytest.mark.parametrize("case", [channel, oscillator, heat])
def test_a_field_without_a_reference_is_drawn_alone(case):
    full = case()
    hidden = list(full.fields)[-1]
    full.fields["p"] = full.fields[hidden]
    figure = plot_solution(full, "")
    names = [axes.get_title() + axes.get_ylabel() for axes in figure.axes]
    about = [name for name in names if label("p") in name]
    assert about
    assert not [name for name in about if "error" in name or "reference" in name]


@pytest.mark.parametrize(
    "case", [kovasznay, burgers, oscillator, channel, column, channel_velocity, scattered, scattered_velocity]
)
@pytest.mark.parametrize("plot", [plot_solution, plot_residual])
def test_panels_with_their_labels_do_not_overlap(plot, case):
    figure = plot(case(), "title")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    boxes = [axes.get_tightbbox(canvas.get_renderer()) for axes in figure.axes]
    for one, other in combinations(boxes, 2):
        # Half a pixel: text is placed on whole pixels.
        common = min(one.x1, other.x1) - max(one.x0, other.x0), min(one.y1, other.y1) - max(one.y0, other.y0)
        assert min(common) < 0.5


@pytest.mark.parametrize(
    "name", ["u", "u_x", "phi", "lambda_1", "velocity_x", "x1", "a_b_c", "α", "u_", "Phi", "Alpha"]
)
def test_labels_can_be_typeset(name):
    MathTextParser("path").parse(label(name))
    assert label(name).startswith("$")


def test_labels_have_greek_letters_and_subscripts():
    assert label("phi_0") == r"$\phi_{\mathit{0}}$"
    assert label("philo") == r"$\mathit{philo}$"


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.26e-6, r"$1.3\times10^{-6}$"), (9.96e-7, r"$1.0\times10^{-6}$"), (0, "0"), (nan, "nan"), (inf, "inf")],
)
def test_numbers(value, text):
    assert scientific(value) == text


def test_the_users_settings_do_not_reach_the_figures_and_come_back():
    with mpl.rc_context({"axes.labelsize": 30, "axes.labelcolor": "red"}):
        name = plot_residual(poisson(), "").axes[0].xaxis.label
        assert (name.get_fontsize(), name.get_color()) == (9, "black")
        assert (mpl.rcParams["axes.labelsize"], mpl.rcParams["axes.labelcolor"]) == (30, "red")


def test_no_import_of_pinn_loads_matplotlib_and_no_figure_loads_pyplot(tmp_path):
    code = """
import sys, torch, pinn, pinn.evaluation
assert "matplotlib" not in sys.modules
from pinn.figures import save_figures
x = torch.linspace(0, 1, 5)
evaluation = pinn.evaluation.Evaluation({"x": x}, {"u": x}, {"u": x}, {"equation": x})
columns = ("step", "seconds", "stage", "loss", "validation", "residual/equation", "relative_l2/u")
save_figures(evaluation, dict.fromkeys(columns, [0.0]), ["adam"], "", __import__("pathlib").Path(sys.argv[1]))
assert "matplotlib.figure" in sys.modules and "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
