"""Small wrongs made in a program on purpose: a test that does not notice them tests nothing."""

import ast
import copy
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

FACTOR = 1.001
OPPOSITE: dict[type[ast.operator], type[ast.operator]] = {ast.Add: ast.Sub, ast.Sub: ast.Add}
ARITHMETIC = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow)


@dataclass(frozen=True)
class Mutant:
    """A program with one change."""

    change: str
    code: Any

    def run(self, name: str) -> dict[str, Any]:
        """Execute it as a module of that name and return what it defines."""
        namespace: dict[str, Any] = {"__name__": name}
        exec(self.code, namespace)  # noqa: S102  the program is one of our own files
        return namespace


def mutants(source: str, untouched: Collection[str]) -> Iterator[Mutant]:
    """Yield the program with each number and each operand × 1.001, each + and - exchanged, and each sign dropped.

    Args:
        source: of the program.
        untouched: functions that stay as they are.
    """
    tree = ast.parse(source)
    site = 0
    while True:
        mutation = _Mutation(site, untouched)
        mutated = ast.fix_missing_locations(mutation.visit(copy.deepcopy(tree)))
        if mutation.change is None:
            return
        yield Mutant(mutation.change, compile(mutated, mutation.change, "exec"))
        site += 1


class _Mutation(ast.NodeTransformer):
    """Makes the change at one site; sites are counted in the order of a walk over the tree."""

    def __init__(self, site: int, untouched: Collection[str]) -> None:
        self.remaining, self.untouched = site, untouched
        self.around: list[str] = []
        self.change: str | None = None

    def _at(self, node: ast.expr, new: ast.expr) -> ast.expr:
        """Return the new node at the chosen site, the old one elsewhere."""
        self.remaining -= 1
        if self.remaining != -1:
            return node
        self.change = " in ".join([f"{ast.unparse(node)} -> {ast.unparse(new)}", *self.around[-1:]])
        return new

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.around.append(ast.unparse(node))
        self.generic_visit(node)
        self.around.pop()
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        if node.name in self.untouched:
            return node
        self.around.append(node.name)
        self.generic_visit(node)
        self.around.pop()
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        if isinstance(node.value, bool) or not isinstance(node.value, int | float):
            return node
        return self._at(node, ast.Constant(node.value * FACTOR if node.value else FACTOR - 1))

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        self.generic_visit(node)
        return self._at(node, node.operand) if isinstance(node.op, ast.USub) else node

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        if not isinstance(node.op, ARITHMETIC):
            return node
        node.left, node.right = self._scaled(node.left), self._scaled(node.right)
        opposite = OPPOSITE.get(type(node.op))
        return self._at(node, ast.BinOp(node.left, opposite(), node.right)) if opposite else node

    def _scaled(self, operand: ast.expr) -> ast.expr:
        if isinstance(operand, ast.Constant):
            return operand
        return self._at(operand, ast.BinOp(ast.Constant(FACTOR), ast.Mult(), operand))
