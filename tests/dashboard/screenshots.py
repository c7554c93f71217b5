"""``python -m tests.dashboard.screenshots --out DIRECTORY [--only PATTERN]``: pictures of every page in every state, on contact
sheets, and a list of what does not fit, at five widths, light and dark."""

import argparse
import base64
import pathlib
import re
import sys

from axe_playwright_python.sync_playwright import Axe

from tests.dashboard.screens import Screens, View, screens, views

_A_SHEET = 12


def _sheet(made: Screens, pictures: list[tuple[str, bytes]], to: pathlib.Path, width: int) -> None:
    """Several pictures on one, each with its name."""
    columns = 4 if width < 700 else 3
    cells = "".join(f'<figure><figcaption>{name}</figcaption><img src="data:image/png;base64,{base64.b64encode(data).decode()}">'
                    "</figure>" for name, data in pictures)
    page = made.browser.new_page(viewport={"width": 1900, "height": 100})
    page.set_content(f"<style>body{{margin:8px;font:12px sans-serif;display:grid;grid-template-columns:repeat({columns},1fr);"
                     f"gap:8px;background:#888}}figure{{margin:0}}img{{width:100%}}</style>{cells}")
    page.screenshot(path=to, full_page=True)
    page.close()


def _look(made: Screens, view: View, width: int, axe: Axe | None) -> tuple[list[str], bytes]:
    made.open(view, width)
    picture, found = made.page.screenshot(), made.problems_everywhere()
    if axe:
        found += [f"axe: {v['id']} {v['nodes'][0]['html'][:90]}" for v in axe.run(made.page).response["violations"]]
    return found, picture


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--only", default="", help="a regular expression of the names of views")
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--axe", action="store_true", help="look for faults of accessibility too, which takes most of the time")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    wrong, pictures, sheets = 0, [], 0
    with screens(dark=given.dark) as made:
        chosen = [view for view in views() if re.search(given.only, view.name)]
        for view in chosen:
            found, picture = _look(made, view, given.width, Axe() if given.axe else None)
            for text in found:
                print(f"{view.name}: {text}")
            wrong += len(found)
            pictures.append((view.name, picture))
            if len(pictures) == _A_SHEET or view is chosen[-1]:
                sheets += 1
                _sheet(made, pictures, given.out / f"{given.width}{'-dark' if given.dark else ''}-{sheets:02}.png", given.width)
                pictures.clear()
        for text in dict.fromkeys(made.complaints):
            print(text)
    print(f"{len(chosen)} views, {wrong} complaints, {sheets} sheets")
    return 1 if wrong or made.complaints else 0


if __name__ == "__main__":
    sys.exit(main())
