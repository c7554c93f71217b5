"""Handlers parse and render; services decide: no transaction in a handler, and no request beneath one."""

import ast
import pathlib

from tests.architecture.test_imports import ROOT, SERVICES, imports, modules

DOORS = {"handlers", "v2"}  # folders of handlers
TRANSACTIONS = {"reader", "writer", "transact"}
# What is called with a request: routes, views, and what joins them to WSGI.
GIVEN_REQUESTS = {"app.py", "router.py", "views.py"}


def _name(path: pathlib.Path) -> str:
    return str(path.relative_to(ROOT))


def _is_door(path: pathlib.Path) -> bool:
    return bool(DOORS & set(path.relative_to(ROOT).parts))


def _of_services():
    divided = set(SERVICES) - {"dashboard"}  # it has no services: it asks those of others
    return [path for path in modules() if path.relative_to(ROOT).parts[0] in divided]


def test_handlers_open_no_transaction():
    found = {_name(path) for path in _of_services() if _is_door(path) for node in ast.walk(ast.parse(path.read_text()))
             if isinstance(node, ast.Attribute) and node.attr in TRANSACTIONS}
    assert not found


def _takes_request(path: pathlib.Path) -> bool:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.arg) and node.arg == "req":
            return True
        if isinstance(node, ast.Attribute) and node.attr == "environ" and ast.unparse(node.value) == "req":
            return True
    return False


def test_no_request_goes_beneath_the_handlers():
    found = {_name(path) for path in _of_services() if not _is_door(path) and path.name not in GIVEN_REQUESTS
             and _takes_request(path)}
    assert not found


# What joins handlers to routes, and routes to the server.
_JOINERS = {"app.py", "router.py"}


def test_nothing_beneath_handlers_calls_them():
    found = {_name(path): calls for path in _of_services() if not _is_door(path) and path.name not in _JOINERS
             and (calls := {i for i in imports(path) if DOORS & set(i.split(".")[1:])})}
    assert not found


def test_handlers_name_no_tables():
    found = {_name(path): names for path in _of_services() if _is_door(path)
             and (names := {i for i in imports(path) if i == "common.rows" or ".db.models" in i or i.startswith("sqlalchemy")})}
    assert not found
