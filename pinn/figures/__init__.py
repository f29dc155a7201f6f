"""What a person looks at after a run: figures of plain data, without any display."""

from pinn.figures.convergence import plot_convergence
from pinn.figures.profiles import plot_profiles
from pinn.figures.residual import plot_residual
from pinn.figures.save import save_figures
from pinn.figures.solution import plot_solution

__all__ = ["plot_convergence", "plot_profiles", "plot_residual", "plot_solution", "save_figures"]
