"""Looking at a problem before a run, and at a run after it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.markup import escape

from pinn import checkpoint
from pinn.build import collocation_of, import_trusted, problem_of, set_up_process
from pinn.config import check_config
from pinn.evaluation import require_grid, require_memory
from pinn.figures import save_figures
from pinn.files import write_text
from pinn.folder import (
    require_file,
    require_free,
)
from pinn.inspection import inspect
from pinn.memory import out_of_memory_in_one_line
from pinn.metrics import to_json
from pinn.parts import parts_of
from pinn.report import open_console, print_check, print_errors
from pinn.results import write_solution
from pinn.sampling import Sobol
from pinn.shapes import HISTORY, Plain, about, require
from pinn.solution import restore as restore_solution
from pinn.training.held_out import columns
from pinn.training.saved import require_history
from pinn.verdict import NO_SOLUTION, judge
from pinn.waiting import said_if_long


@out_of_memory_in_one_line()
def check(config: Mapping[str, Any], folder: Path) -> int:
    """Look at the problem of a configuration, train nothing, write a picture of its points, and return the exit code.

    Raises:
        InputError: the configuration cannot be used, or the folder is not empty; nothing has been written then.
    """
    console = open_console()
    require_free(folder)
    problem = problem_of(config)
    sampler = parts_of(config, config["trust"]).sampler
    found = inspect(problem, collocation_of(config, sampler)(problem, seed=config["seed"]))
    print_check(console, found, found.plot(folder / "points.png"))
    return 0 if found.ok else NO_SOLUTION


@out_of_memory_in_one_line()
def evaluate(
    folder: Path,
    *,
    grid: int | Mapping[str, int] | None = None,
    trust: Sequence[str] = (),
    output: Path | None = None,
    estimate: bool = True,
) -> dict[str, Any]:
    """Load the best state of a run, evaluate it on a mesh grid, print the errors and return them.

    Args:
        folder: of the run.
        grid: nodes a coordinate, or by coordinate; by default the run's own, which gives the run's own numbers.
        trust: your own modules that the run needs.
        output: a folder for `solution.npz` and the figures on that grid, if they are wanted.
    """
    console = open_console()
    path = require_file(folder, "checkpoints/best.ckpt")
    content = checkpoint.read(path, needs=("recipe", "state", "history", "config", "stages"))
    with about(path):
        require(content["stages"], [str], "stages")
        require(content["history"], HISTORY, "history")
        require_history(content["history"], len(content["stages"]))
        require(content["config"], {str: Plain}, "config")
        config = {"seconds": None, "target_error": None, "trust": [], "estimate": estimate, **content["config"]}
        check_config(config)
    import_trusted(trust)
    set_up_process(config["trainer"]["threads"])
    solution = restore_solution(content, path, trust=trust)
    grid = config["grid"] if grid is None else grid
    require_grid(solution.problem.domain, grid)
    require_memory(solution.problem, grid, next(solution.model.parameters()).dtype)
    # Its own points are drawn anew in any case, and those of an adaptive sampler depend on its training.
    collocation = collocation_of(config, Sobol())(solution.problem, seed=config["seed"])
    with said_if_long(console.print, "the evaluation is going on"):
        evaluation = solution.evaluate(grid)
        verdict = judge(solution.model, collocation, config["weights"], estimate=estimate, seed=config["seed"])
    result = {
        "grid": list(next(iter(evaluation.coordinates.values())).shape),
        "relative_l2": evaluation.relative_l2,
        "relative_l2_total": evaluation.relative_l2_total,
        "max_error": evaluation.max_error,
        "verdict": verdict.to_dict(),
        "residual_rms": verdict.rms,
    }
    name = type(solution.problem).__name__
    print_errors(console, solution.problem, evaluation)
    console.print(verdict.told(), highlight=False)
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
        write_solution(output / "solution.npz", evaluation)
        write_text(output / "evaluation.json", to_json(result))
        save_figures(evaluation, columns(solution.history), content["stages"], name, output)
        console.print(f"written to {escape(str(output))}")
    return result
