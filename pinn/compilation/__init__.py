"""Steps of first order as one graph: captured once, simplified, and compiled where that pays."""

from pinn.compilation.capture import capture
from pinn.compilation.kernels import compiled
from pinn.compilation.step import Compile, CompiledStep

__all__ = ["Compile", "CompiledStep", "capture", "compiled"]
