"""Hold the code to its budgets of size, complexity, annotation and documentation; say what exceeds them, worst first.

    python -m scripts.check_budgets

The product (`inference`, `operator`) is held to the medians and to docstrings too; tests and scripts to the rest.
"""

import ast
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from radon.visitors import ComplexityVisitor

PRODUCT = ("inference", "operator")
REST = ("tests", "scripts")

LONGEST_FILE = 400
MEDIAN_FILE = 130
LONGEST_BODY = 50
MEDIAN_BODY = 8
MOST_COMPLEX = 10
NAMES_THAT_SAY_NOTHING = frozenset({"utils", "util", "helpers", "helper", "common", "core", "misc", "manager"})


@dataclass(frozen=True, slots=True)
class Excess:
    """A place over its budget, and by how much: 1.0 is the budget itself."""

    ratio: float
    sentence: str


@dataclass(frozen=True, slots=True)
class Function:
    """A function's place and size."""

    name: str
    line: int
    body_lines: int
    annotated: bool


@dataclass(frozen=True, slots=True)
class Measured:
    """What the budgets look at in one file."""

    path: Path
    lines: int
    functions: tuple[Function, ...]
    complexities: tuple[tuple[str, int, int], ...]
    """Name, line and cyclomatic complexity of each function and method, as radon counts it, asserts left out."""
    undocumented: tuple[tuple[str, int], ...]
    """Name and line of each public thing without a docstring."""


def measure(path: Path, source: str) -> Measured:
    """Measure one file."""
    tree = ast.parse(source)
    blocks = ComplexityVisitor.from_ast(tree, no_assert=True)
    methods = [method for block in blocks.classes for method in block.methods]
    return Measured(
        path,
        source.count("\n"),
        tuple(_function(node) for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)),
        tuple((block.name, block.lineno, block.complexity) for block in [*blocks.functions, *methods]),
        tuple(_undocumented(tree)),
    )


def exceeding(measured: Measured, *, product: bool) -> Iterator[Excess]:
    """Yield what exceeds the budgets within one file."""
    path = measured.path
    if path.stem in NAMES_THAT_SAY_NOTHING or path.parent.name in NAMES_THAT_SAY_NOTHING:
        yield Excess(2.0, f"{path}: a name that says nothing")
    if measured.lines > LONGEST_FILE:
        yield Excess(measured.lines / LONGEST_FILE, f"{path}: {measured.lines} lines ({LONGEST_FILE} at most)")
    for function in measured.functions:
        yield from _exceeding_function(f"{path}:{function.line} {function.name}", function)
    for name, line, complexity in measured.complexities:
        if complexity > MOST_COMPLEX:
            ratio = complexity / MOST_COMPLEX
            yield Excess(ratio, f"{path}:{line} {name}: complexity {complexity} ({MOST_COMPLEX} at most)")
    if product:
        for name, line in measured.undocumented:
            yield Excess(1.0, f"{path}:{line} {name}: public, without a docstring")


def _exceeding_function(place: str, function: Function) -> Iterator[Excess]:
    if function.body_lines > LONGEST_BODY:
        yield Excess(
            function.body_lines / LONGEST_BODY, f"{place}: {function.body_lines} lines ({LONGEST_BODY} at most)"
        )
    if not function.annotated:
        yield Excess(1.0, f"{place}: not annotated in full")


def exceeding_medians(product: Sequence[Measured]) -> Iterator[Excess]:
    """Yield the medians of the product that exceed theirs."""
    lines = [measured.lines for measured in product]
    bodies = [function.body_lines for measured in product for function in measured.functions]
    for what, values, budget in (("file", lines, MEDIAN_FILE), ("function body", bodies, MEDIAN_BODY)):
        if values and median(values) > budget:
            yield Excess(median(values) / budget, f"the median {what} has {median(values):g} lines ({budget} at most)")


def _function(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Function:
    body = node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
    lines = (node.end_lineno or node.lineno) - body[0].lineno + 1 if body else 0
    return Function(node.name, node.lineno, lines, _is_annotated(node))


def _is_annotated(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    named = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    starred = [argument for argument in (node.args.vararg, node.args.kwarg) if argument is not None]
    arguments = [argument for argument in named if argument.arg not in {"self", "cls"}] + starred
    return node.returns is not None and all(argument.annotation is not None for argument in arguments)


def _undocumented(tree: ast.Module) -> Iterator[tuple[str, int]]:
    if ast.get_docstring(tree) is None and tree.body:
        yield "the module", 1
    yield from _undocumented_members(tree)


def _undocumented_members(owner: ast.Module | ast.ClassDef) -> Iterator[tuple[str, int]]:
    for node in owner.body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) or node.name.startswith("_"):
            continue
        if ast.get_docstring(node) is None and not _inherits_its_docstring(node):
            yield node.name, node.lineno
        if isinstance(node, ast.ClassDef):
            yield from _undocumented_members(node)


def _inherits_its_docstring(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> bool:
    return any(isinstance(decorator, ast.Name) and decorator.id == "override" for decorator in node.decorator_list)


def measure_tree(root: Path, folders: Sequence[str]) -> list[Measured]:
    """Measure every Python file under the folders."""
    paths = sorted(path for folder in folders for path in (root / folder).rglob("*.py"))
    return [measure(path.relative_to(root), path.read_text(encoding="utf-8")) for path in paths]


def check_tree(root: Path) -> list[Excess]:
    """Return what exceeds the budgets anywhere, worst first."""
    product, rest = measure_tree(root, PRODUCT), measure_tree(root, REST)
    found = [excess for measured in product for excess in exceeding(measured, product=True)]
    found += [excess for measured in rest for excess in exceeding(measured, product=False)]
    found += exceeding_medians(product)
    return sorted(found, key=lambda excess: (-excess.ratio, excess.sentence))


def main() -> int:
    """Check the repository of the current folder; return the exit code."""
    found = check_tree(Path.cwd())
    for excess in found:
        print(excess.sentence)
    print(f"Budgets: {len(found)} places exceed them." if found else "Budgets: kept.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
