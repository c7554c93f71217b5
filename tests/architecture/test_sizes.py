"""The ceilings of size: a module, a function and a handler that outgrow them are split by noun."""

import ast
import pathlib

from tests.architecture.test_imports import ROOT, modules

MODULE, TEST_MODULE, FUNCTION, HANDLER = 500, 800, 80, 60


def functions(path: pathlib.Path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def test_modules_keep_their_ceiling():
    long = {str(p): n for p in modules() if (n := len(p.read_text().splitlines())) > MODULE}
    long.update({str(p): n for p in (ROOT / "tests").rglob("*.py") if (n := len(p.read_text().splitlines())) > TEST_MODULE})
    assert not long


def test_functions_keep_their_ceiling():
    long = [(str(p), name, n) for p in modules() for name, n in functions(p)
            if n > (HANDLER if "handlers" in p.parts else FUNCTION)]
    assert not long
