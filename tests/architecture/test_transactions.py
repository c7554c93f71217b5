"""No transaction is open while another service or the bus is waited for: it would lock its rows, or all writers, so long."""

import ast
import pathlib

from tests.architecture.test_imports import ROOT, modules

_BUS = frozenset(("agents", "conductor", "scheduler", "peers"))  # attributes of services that are clients of the bus
_OWNERS = frozenset(("svc", "service", "agent", "self"))


class Code:
    """Functions by their full names, and what each calls, as far as names tell."""

    def __init__(self):
        self.trees = {_name(path): ast.parse(path.read_text()) for path in modules()}
        self.imported: dict[str, dict[str, str]] = {name: dict(_imports(tree)) for name, tree in self.trees.items()}
        self.functions: dict[str, tuple[str, str | None, ast.FunctionDef]] = {}
        for name, tree in self.trees.items():
            for node in tree.body:
                if isinstance(node, ast.FunctionDef):
                    self.functions[f"{name}.{node.name}"] = (name, None, node)
                for method in node.body if isinstance(node, ast.ClassDef) else ():
                    if isinstance(method, ast.FunctionDef):
                        self.functions[f"{name}.{node.name}.{method.name}"] = (name, node.name, method)
        self._known: dict[str, str | None] = {}

    def _called(self, module: str, within: str | None, function: ast.expr) -> str:
        names = ast.unparse(function).split(".")
        if names[0] in ("self", "cls") and within and len(names) == 2:
            return f"{module}.{within}.{names[1]}"
        names[0] = self.imported[module].get(names[0], f"{module}.{names[0]}")
        return ".".join(names)

    def waits(self, module: str, within: str | None, nodes) -> str | None:
        """What of another service or the bus these nodes call, perhaps through other functions, or None."""
        for node in nodes:
            for call in (each for each in ast.walk(node) if isinstance(each, ast.Call)):
                if _leaves(call.func):
                    return f"{module}:{call.lineno} {ast.unparse(call.func)}"
                name = self._called(module, within, call.func)
                if name in self.functions and (found := self.waits_in(name)):
                    return f"{module}:{call.lineno}, {found}"
        return None

    def waits_in(self, name: str) -> str | None:
        if name not in self._known:
            self._known[name] = None  # of functions that call each other
            module, within, function = self.functions[name]
            self._known[name] = self.waits(module, within, function.body)
        return self._known[name]

    def faults(self):
        for name, (module, within, function) in self.functions.items():
            # A connection to a database has no annotation; a socket has one.
            given = any(each.arg == "connection" and not each.annotation for each in function.args.args)
            if given and (found := self.waits_in(name)):
                yield f"{name}, which is given a transaction: {found}"
            for node in ast.walk(function):
                if isinstance(node, ast.With) and any(
                        ast.unparse(each.context_expr).endswith(("db.writer()", "db.reader()")) for each in node.items):
                    if found := self.waits(module, within, node.body):
                        yield f"{name}: {found}"


def _name(path: pathlib.Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def _imports(tree: ast.Module):
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from ((each.asname or each.name, f"{node.module}.{each.name}") for each in node.names)


def _leaves(function: ast.expr) -> bool:
    """Whether a call is one to another service, or over the bus."""
    names = ast.unparse(function).split(".")
    return names[-2:] == ["rest", "request"] or any(
        owner in _OWNERS and client in _BUS for owner, client in zip(names, names[1:-1]))


def test_no_transaction_is_open_while_others_are_waited_for():
    found = list(Code().faults())
    assert not found, "\n".join(found)
