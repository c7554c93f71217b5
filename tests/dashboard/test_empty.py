"""What pages show where there is nothing: what there is none of, and what one can do."""

import re

import pytest

from dashboard.filters import segment
from dashboard.panels import PANELS
from tests.dashboard.sample import SampleDashboard, first, pages


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.path)
def test_every_list_and_tab_says_what_one_can_do(panel):
    """A sentence says that there is nothing; a second one, why, or what to do."""
    said = {panel.path: panel.empty, **{f"{panel.path} {tab.name} {table.title}": table.empty
                                        for tab in panel.tabs for table in tab.tables}}
    assert not {where: text for where, text in said.items() if len(re.findall(r"\w[.:] ", f"{text} ")) < 2}


def test_what_is_added_to_an_empty_tab_is_offered_there():
    """Once: above the table only while it has rows."""
    dashboard, offered = SampleDashboard(rows=0), 0
    for panel in PANELS:
        for tab in panel.tabs if panel.path.startswith(("/project/", "/identity/")) else ():
            page = dashboard.send(f"{panel.path}/{first(panel)}/?tab={tab.name}").text
            boxes = re.findall(r'<div class="empty">.*?</section>', page, re.S)
            for verb in [verb for table in tab.tables if f"<p>{table.empty}</p>" in page for verb in table.add]:
                links = rf'<a class="button" href="[^"]*/{verb}/"'
                assert len(re.findall(links, page)) == len(re.findall(links, "".join(boxes)))
                offered += len(re.findall(links, page))
    assert offered > 8


def test_a_tab_without_anything_says_so_once():
    dashboard = SampleDashboard(changed=lambda answer: {} if isinstance(answer, dict) and "cpu_details" in answer else answer)
    (panel,) = [panel for panel in PANELS if panel.path == "/project/instances"]
    page = dashboard.send(f"{panel.path}/{first(panel)}/?tab=metrics").text
    assert page.count('class="empty"') == 1 and "There are no metrics." in page


@pytest.mark.parametrize("rows", [0, 25])
def test_no_choice_is_blank_or_made_unseen(rows):
    """A choice among what others made says that there is nothing, or asks for one, unless one is chosen already."""
    dashboard, seen = SampleDashboard(rows=rows), set()
    for panel in PANELS:
        for path in pages(panel):
            answer = dashboard.send(path)
            for options in re.findall(r'<select name="(?!size|language)[^>]*id="f-.*?</select>', answer.text, re.S):
                texts = re.findall(r"<option[^>]*>([^<]*)</option>", options)
                assert texts and all(re.search(r"\w", text) for text in texts), (path, texts)
                thing = re.search(r'<option value="[0-9a-f]{32}"|<option value="[0-9a-f-]{36}"', options)
                if thing and len(texts) > 1 and thing.start() == options.index("<option"):
                    assert " selected" in options, (path, texts)
                seen.update(texts[:1])
    assert ("There are none yet" if rows == 0 else "Choose one") in seen


def test_what_a_tab_offers_is_not_offered_twice():
    """In the head of the page too."""
    dashboard, offered = SampleDashboard(), 0
    for panel in PANELS:
        for tab in panel.tabs:
            own = f"{panel.path}/{segment(first(panel))}"
            page = dashboard.send(f"{own}/?tab={tab.name}").text
            for verb in [verb for table in tab.tables for verb in table.add]:
                found = page.count(f'href="{own}/{verb}/')
                assert found < 2, (panel.path, verb)
                offered += found
    assert offered > 8


def test_facts_that_do_not_apply_are_left_out():
    shown = SampleDashboard().send(f"/identity/credentials/{'0' * 64}/").text
    assert "<h2>Access key</h2>" in shown and "One-time passwords" not in shown


def test_an_empty_list_offers_every_way_to_fill_it():
    dashboard = SampleDashboard(rows=0)
    for path, links in (("/project/images/", ["/project/images/upload/", "/project/images/create/"]),
                        ("/project/snapshots/", ["/project/volumes/"]), ("/project/volumes/", ["/project/volumes/create/"])):
        box = re.search(r'<div class="empty">.*?</form>', dashboard.send(path).text, re.S)[0]
        assert re.findall('class="button[^"]*" href="([^"]+)"', box) == links
