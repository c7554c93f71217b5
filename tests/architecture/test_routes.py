"""Route tables: what is written there can be reached."""

import importlib
import re

import pytest

every_table = pytest.mark.parametrize("package", [
    "identity", "image", "network", "volume", "compute_api", "compute_api.console", "compute_api.placement", "dashboard"])


@every_table
def test_no_route_hides_another(package):
    """The mapper stops at the first path that fits: two paths of one shape must be written the same."""
    shapes: dict[str, set[str]] = {}
    for route in importlib.import_module(f"{package}.router").ROUTES:
        shapes.setdefault(re.sub(r"\{[^}]*\}", "{}", route.path), set()).add(route.path)
    assert not {k: v for k, v in shapes.items() if len(v) > 1}


@every_table
def test_no_parameter_is_called_as_the_mapper_calls_its_own(package):
    """Routes takes ``{controller}`` for the name of a controller that it should know, and finds nothing."""
    assert not [r.path for r in importlib.import_module(f"{package}.router").ROUTES if "{controller" in r.path]
