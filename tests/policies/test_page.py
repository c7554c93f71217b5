"""The reference pages say what the rules are, and oslo.policy's generators find every service's rules."""

import importlib
import pathlib
import tomllib

import pytest
import yaml
from oslo_config import cfg
from oslo_policy import generator

from tests.policies import page
from tests.policies.compare import OURS, declared

ROOT = pathlib.Path(__file__).resolve().parents[2]
ENTRY_POINTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["oslo.policy.policies"]


def test_the_pages_are_what_the_rules_say():
    stale = [str(path) for path, text in page.pages().items() if not path.exists() or path.read_text() != text]
    assert not stale, "run python -m tests.policies.page"


def test_descriptions_have_one_form():
    described = {f"{service} {rule.name}": rule.description for service in OURS for rule in declared(service)}
    assert {name: text for name, text in described.items() if not text or text[0].islower() or text.endswith(".")} == {}


def test_every_service_has_an_entry_point():
    assert {name: point for name, point in ENTRY_POINTS.items()} == {
        service: f"{package}.policies:list_rules" for service, package in OURS.items()}


@pytest.mark.parametrize("service", OURS)
def test_the_sample_file_has_every_rule(service, monkeypatch, tmp_path):
    """As oslopolicy-sample-generator writes it, which finds the rules by the entry point of an installation."""
    module, name = ENTRY_POINTS[service].split(":")
    rules = getattr(importlib.import_module(module), name)()
    monkeypatch.setattr(generator, "get_policies_dict", lambda namespaces: {service: rules})
    generator.generate_sample(["--namespace", service, "--output-file", str(tmp_path / "sample.yaml")], cfg.ConfigOpts())
    text = (tmp_path / "sample.yaml").read_text()
    assert [r.name for r in declared(service) if f'#"{r.name}": "{r.check_str}"' not in text] == []
    assert yaml.safe_load(text) is None, "everything is commented out"
