"""Requests to other services: no text of a client becomes part of their URLs unchecked."""

import ast

import pytest

from common import errors
from common.rest import Path, RestClient, path
from tests.architecture.test_imports import ROOT, modules

_CALLS = ("request", "anonymous", "call", "_ask", "_request")


def _made_of_text(node: ast.expr) -> bool:
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Attribute) and node.func.attr in ("format", "join")
    return isinstance(node, (ast.JoinedStr, ast.BinOp)) or isinstance(node, ast.Constant) and str(node.value).startswith("/v")


def test_paths_are_made_by_the_path_builder():
    """The third argument of a request is no text: ``path`` made it, of a template that is written there."""
    found = []
    for module in modules():
        for node in ast.walk(ast.parse(module.read_text())):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            where = f"{module.relative_to(ROOT)}:{node.lineno}"
            if name in _CALLS and len(node.args) > 2 and any(_made_of_text(a) for a in node.args[1:4]) and (
                    module.parts[len(ROOT.parts)] != "deploy" and "pool" not in ast.unparse(node.func)):
                found.append(where)
            if name == "path" and isinstance(node.func, ast.Name) and node.args and not isinstance(node.args[0], ast.Constant):
                found.append(f"{where}: the template is not written out")
            if name == "Path" and isinstance(node.func, ast.Name) and module.relative_to(ROOT).as_posix() != "common/rest.py":
                found.append(f"{where}: a Path of its own")
    assert not found


HOSTILE = ["", ".", "..", "../x", "x/../y", "a?b", "a#b", "a%2fb", "a\nb", "a\0b", "\ud800", "x" * 300, "?id=1", "/", "%2e%2e",
           "11111111-2222-3333-4444-555555555555?", "11111111-2222-3333-4444-555555555555/action", "²" * 32,
           "11111111-2222-3333-4444-555555555555\n"]


@pytest.mark.parametrize("text", HOSTILE)
def test_only_ids_are_ids(text):
    with pytest.raises(errors.NotFound):
        path("/v2.0/ports/{id}", text)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_name_stays_one_segment(text):
    try:
        made = path("/v2.1/os-keypairs/{name}", text)
    except errors.NotFound:
        return
    segment = made.removeprefix("/v2.1/os-keypairs/")
    assert segment and not set(segment) & set("/?#\\") and segment not in (".", "..") and segment.isascii()


def test_queries_are_quoted():
    assert path("/v2.0/ports", query={"device_id": "a&id=b", "id": ["1", "2"]}) == "/v2.0/ports?device_id=a%26id%3Db&id=1&id=2"
    with pytest.raises(errors.NotFound):
        path("/v2.0/ports", query={"device_id": "\ud800"})


def test_a_client_takes_no_path_of_another_kind():
    client = RestClient.__new__(RestClient)
    with pytest.raises(TypeError):
        client._url("network", "/v2.0/ports")  # type: ignore[arg-type]
    assert isinstance(path("/v2.0/ports"), Path)
