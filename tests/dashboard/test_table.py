"""The table of ``doc/dashboard.md`` names tests that exist, and every panel stands in it."""

import pathlib
import re

from dashboard.panels import PANELS

HERE = pathlib.Path(__file__).resolve().parent
TABLE = (HERE.parents[1] / "doc" / "dashboard.md").read_text()


def test_every_named_test_exists():
    """In the module that is named with it, or else last before it; modules of other directories are named by their path."""
    named = re.findall(r"`(?:(test_\w+|tests/[\w/]+\.py): )?(test_\w+)`", TABLE)
    assert len(named) > 100
    module, missing = pathlib.Path(), []
    for given, name in named:
        if given:
            module = HERE.parents[1] / given if "/" in given else HERE / f"{given}.py"
        if f"def {name}(" not in module.read_text():
            missing.append(f"{module}: {name}")
    assert not missing
    assert not [path for path in re.findall(r"`(tests/[\w/]+\.py)`", TABLE) if not (HERE.parents[1] / path).exists()]


def in_chromium(module: str, name: str) -> bool:
    text = (HERE / f"{module}.py").read_text()
    (parameters,) = re.findall(rf"def {name}\(([^)]*)\)", text)
    given = set(parameters.replace(" ", "").split(","))
    return bool(given & {"window", "chromium", "shown:Screens"}) or "browser" in given and "def browser(window)" in text


def test_nearly_everything_of_horizon_is_done_in_chromium():
    """Of what the services can do: at least 95 % of the rows."""
    rows, done, module = 0, 0, ""
    for row in re.findall(r"^\|(?! panel |---)(.*)\|$", TABLE.partition("## What Proxmox")[0], re.M):
        said = row.split("|")[-1]
        if "the service has n" in said:
            continue
        rows += 1
        ticked = False
        for given, name in re.findall(r"`(?:(test_\w+): )?(test_\w+)`", said):
            module = given or module
            ticked |= in_chromium(module, name)
        done += ticked
    assert rows > 60 and done / rows >= 0.95, (done, rows)


def test_every_panel_is_in_the_table():
    rows = TABLE.lower()
    assert not [panel.title for panel in PANELS if panel.title.lower().removeprefix("all ") not in rows]
