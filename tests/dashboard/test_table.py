"""The table of ``doc/dashboard.md`` names tests that exist, and every panel stands in it."""

import pathlib
import re

from dashboard.panels import PANELS

HERE = pathlib.Path(__file__).resolve().parent
TABLE = (HERE.parents[1] / "doc" / "dashboard.md").read_text()


def test_every_named_test_exists():
    named = re.findall(r"`(?:(test_\w+): )?(test_\w+)`", TABLE)
    assert len(named) > 30
    module, missing = "", []
    for given, name in named:
        module = given or module
        if f"def {name}(" not in (HERE / f"{module}.py").read_text():
            missing.append(f"{module}: {name}")
    assert not missing


def test_every_panel_is_in_the_table():
    rows = TABLE.lower()
    assert not [panel.title for panel in PANELS if panel.title.lower().removeprefix("all ") not in rows]
