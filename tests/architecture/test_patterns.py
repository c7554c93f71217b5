"""Patterns match whole values: ``$`` also matches before a final newline, which then goes where it must not."""

import ast
import pathlib

from tests.architecture.test_imports import ROOT, modules


def _ends_at_a_line(node: ast.AST) -> bool:
    text = node.value if isinstance(node, ast.Constant) else None
    return isinstance(text, str) and text.endswith("$") and not text.endswith("\\$")


def _faults(path: pathlib.Path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values):
                name = key.value if isinstance(key, ast.Constant) else None
                if name == "pattern" and _ends_at_a_line(value):
                    yield node.lineno, "a schema's pattern is matched wholly: leave ^ and $ out"
                if name == "patternProperties" and isinstance(value, ast.Dict) and any(
                        k is not None and _ends_at_a_line(k) for k in value.keys):
                    yield node.lineno, "names of patternProperties are matched wholly: leave ^ and $ out"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            of = node.func.value.id if isinstance(node.func.value, ast.Name) else None
            with_flags = len(node.args) + len(node.keywords) > 2
            if of == "re" and node.args and not with_flags and _ends_at_a_line(node.args[0]):
                yield node.lineno, "use re.fullmatch (or \\Z) instead of $"
            if node.func.attr in ("isdigit", "isdecimal", "isnumeric"):
                yield node.lineno, "'²'.isdigit() is true: parse with common.values.integer"


def test_patterns_match_whole_values():
    found = [f"{path}:{line}: {reason}" for path in modules() if path.relative_to(ROOT).parts[0] != "deploy"
             for line, reason in _faults(path)]
    assert not found, "\n".join(found)
