"""Every page in every state fits its window: nothing is outside, cut off without a title, or too small to be touched, at five
widths and from right to left."""

import pathlib
import re

import pytest

from dashboard.panels import PANELS
from tests.dashboard.sample import first
from tests.dashboard.screens import CHROMIUM, MOST_SHIFT, Screens, View, screens, views

HERE = pathlib.Path(__file__).resolve().parent
STYLE = (HERE.parents[1] / "dashboard" / "static" / "style.css").read_text()
needs_chromium = pytest.mark.skipif(not pathlib.Path(CHROMIUM).exists(), reason="needs Debian's chromium-headless-shell")
VIEWS = list(views())
PATHS = {view.path for view in VIEWS}
# Pages of one template differ in what is in them, so those with the longest texts show what breaks: every list, and of the other
# pages those of instances. ``python -m tests.dashboard.screenshots`` looks at all.
HARD = [view for view in VIEWS if view.state == "long" and (view.path.count("/") == 3 or view.path.startswith(
    "/project/instances/")) and ("?target" not in view.path or "/delete/" in view.path)]


@pytest.fixture(scope="module")
def shown():
    with screens() as made:
        yield made


@needs_chromium
@pytest.mark.parametrize("part", range(2))
def test_the_longest_texts_fit(shown: Screens, part):
    found = {}
    for view in HARD[part::2]:
        shown.open(view)
        problems = shown.problems_everywhere((360, 1280))
        if problems and all("the layout shifts" in text for text in problems):  # a busy machine may paint a page in parts, once
            shown.open(view)
            problems = shown.problems_everywhere((360, 1280))
        if problems:
            found[view.name] = problems
    assert not found
    assert not shown.complaints


@needs_chromium
@pytest.mark.parametrize("view", [view for view in VIEWS if view.path == "/project/instances/" and view.state != "long"]
                         + [view for view in VIEWS if view.state in ("down", "failed", "missing", "refused")][:4],
                         ids=lambda view: view.name)
def test_every_state_of_a_page_fits(shown: Screens, view: View):
    shown.open(view)
    assert not shown.problems_everywhere()


@needs_chromium
@pytest.mark.parametrize("language", ["de", "fr"])
def test_longer_languages_fit(shown: Screens, language):
    """Lists and tabs at three widths; forms, of which only the buttons are long, at the least, in the language with the longest
    words."""
    shown.context.set_extra_http_headers({"Accept-Language": language})
    found = {}
    for view in [view for view in VIEWS if not view.state and (
            view.path.count("/") == 3 or view.path.replace("/admin/", "/project/") not in PATHS - {view.path})]:
        is_list = "?tab=" in view.path or view.path.count("/") == 3
        if not is_list and language != "de":
            continue
        widths = (1280, 1920, 360) if is_list else (360,)
        shown.open(view, widths[0])
        if problems := [f"{width} px: {text}" for width in widths for text in shown.problems(width)]:
            found[view.name] = problems
    shown.context.set_extra_http_headers({})
    assert not found


@needs_chromium
def test_from_right_to_left_values_and_pictures_stay_as_they_are(shown: Screens):
    page = shown.open(View("/project/network_topology/", rows=4))
    page.evaluate("document.documentElement.dir = 'rtl'")
    assert page.evaluate("""() => [...document.querySelectorAll(".picture a")].filter((part) => {
        const [box, text] = [part.querySelector("rect"), part.querySelector("text")].map((e) => e.getBoundingClientRect());
        return text.left < box.left || text.left > box.left + 20;
    }).length""") == 0
    page = shown.open(View("/project/instances/", rows=4), 1920)
    page.evaluate("document.documentElement.dir = 'rtl'")
    assert page.evaluate("""() => [...document.querySelectorAll("time")].every((time) => {
        const [day, hour] = [...time.children].map((e) => e.getBoundingClientRect());
        return day.right <= hour.left;
    })""")


@needs_chromium
def test_ids_are_whole_where_there_is_room(shown: Screens):
    """In cards too, to which the narrower columns of tables do not apply."""
    for path in ("/project/floating_ips/", "/identity/users/", "/project/key_pairs/", "/admin/security_groups/"):
        page = shown.open(View(path), 1920)
        assert page.evaluate("[...document.querySelectorAll('td code')].every((e) => e.scrollWidth <= e.clientWidth)"), path
        page = shown.open(View(path), 390)
        assert page.evaluate(
            "[...document.querySelectorAll('td code')].every((e) => e.getBoundingClientRect().height < 60)"), path


@needs_chromium
def test_what_is_no_id_is_never_cut(shown: Screens):
    """An address of an interface ends with what tells it from others."""
    for path in ("/project/ports/", "/admin/ports/"):
        for width in (1024, 1280):
            page = shown.open(View(path), width)
            assert page.evaluate(
                "[...document.querySelectorAll('td code:not(.id)')].every((e) => e.scrollWidth <= e.clientWidth)"), (path, width)


@needs_chromium
def test_amounts_stand_beside_their_labels(shown: Screens):
    """The bar is below them: above, it would seem to be of the row before."""
    for width in (390, 1280):
        page = shown.open(View("/admin/hypervisors/"), width)
        assert page.evaluate("""() => [...document.querySelectorAll("td .meter")].every((meter) => {
            const [text, bar] = [...meter.children].map((e) => e.getBoundingClientRect());
            return text.bottom <= bar.top + 1 && Math.abs(text.top - meter.closest("td").getBoundingClientRect().top) < 14;
        })""")


@needs_chromium
def test_actions_stay_beside_a_long_name(shown: Screens):
    view = next(view for view in VIEWS if view.path.startswith("/admin/networks/") and "tab=overview" in view.path
                and view.state == "long")
    for width in (360, 768, 1280):
        page = shown.open(view, width)
        assert page.evaluate("""() => {
            const [name, actions] = [".head h1", ".head h1 + .do"].map((e) => document.querySelector(e).getBoundingClientRect());
            return actions.left >= name.right && actions.top < name.bottom;
        }"""), width


@needs_chromium
def test_tools_of_a_list_are_whole_words(shown: Screens):
    view = next(view for view in VIEWS if view.path == "/admin/volume_types/" and view.state == "full")
    for width in (360, 390):
        page = shown.open(view, width)
        assert page.evaluate("[...document.querySelectorAll('.tools .button')].every((e) => e.offsetHeight < 42)"), width


@needs_chromium
def test_short_words_are_not_broken_where_others_are_long(shown: Screens):
    """Addresses, and links such as Launch, have a column that is wide enough."""
    for view in [view for view in VIEWS if view.state == "long" and view.path in (
            "/project/images/", "/identity/domains/", "/project/networks/", "/project/routers/")]:
        assert shown.open(view).evaluate("""() => [...document.querySelectorAll("td > a:not(.button), td .line")]
            .filter((e) => !e.matches(".clamp, .any") && !e.textContent.includes(" ") && e.getBoundingClientRect().height > 36)
            .map((e) => e.textContent)"""
        ) == [], view.path


@needs_chromium
def test_the_entry_of_the_page_is_in_sight_in_a_long_menu(shown: Screens):
    page = shown.open(View("/admin/agents/"))
    assert page.evaluate("document.querySelector('.side [aria-current]').getBoundingClientRect().bottom < innerHeight")
    assert page.evaluate("scrollY") == 0


@needs_chromium
def test_every_tab_is_in_sight(shown: Screens):
    """The open one is, so that one knows where one is, and the others, so that one knows that they are there."""
    for width in (360, 768):
        page = shown.open(View(f"/project/instances/{first(PANELS[0])}/?tab=actions"), width)
        assert page.evaluate("""() => [...document.querySelectorAll(".tabs a")].filter(
            (tab) => tab.getBoundingClientRect().right > innerWidth).map((tab) => tab.textContent)""") == [], width


@needs_chromium
def test_the_bars_of_cards_fill_them(shown: Screens):
    page = shown.open(View(f"/project/instances/{first(PANELS[0])}/?tab=actions&request=req-1"), 390)
    assert page.evaluate("""() => [...document.querySelectorAll("td .bar")].every((bar) =>
        bar.closest("tr").getBoundingClientRect().right - bar.getBoundingClientRect().right < 24)""")


@needs_chromium
def test_a_card_that_begins_with_an_amount_says_of_what(shown: Screens):
    page = shown.open(View(f"/project/instances/{first(PANELS[0])}/?tab=metrics"), 360)
    assert page.evaluate("""() => getComputedStyle(document.querySelector("td.first:has(.whole)"), "::before").content""") != (
        "none")


@needs_chromium
def test_the_box_of_a_card_is_in_its_corner(shown: Screens):
    for path in ("/project/key_pairs/", "/admin/images/"):  # few columns, and many
        page = shown.open(View(path), 768)
        assert page.evaluate("""() => [...document.querySelectorAll("tbody tr:has(.pick input)")].every((row) =>
            row.getBoundingClientRect().right - row.querySelector(".pick input").getBoundingClientRect().right < 24)"""), path


@needs_chromium
def test_a_layout_that_shifts_is_seen(shown: Screens):
    page = shown.open(View("/project/instances/", rows=9))
    assert shown.shift() < MOST_SHIFT
    page.evaluate("""() => setTimeout(() => {
        const late = document.createElement("div");
        late.style.height = "400px";
        document.querySelector("main").prepend(late);
    }, 600)""")
    page.wait_for_timeout(700)
    assert shown.shift() > MOST_SHIFT


def test_styles_do_not_know_left_from_right():
    """So that pages also read from right to left. ``50%`` and centred transforms know no side."""
    found = re.findall(r"[^-\w](left|right|margin-left|margin-right|padding-left|padding-right|border-left|border-right)\s*:|"
                       r":\s*(left|right)\b|border-(?:top|bottom)-(?:left|right)", STYLE)
    assert not found


def test_colours_are_tokens():
    """Colours stand in the tokens only, where both colour schemes have them."""
    beneath = STYLE.partition("/* Page */")[2]
    assert not re.findall(r"#[0-9a-f]{3,8}\b(?![^{]*\{)", beneath)


def test_the_sample_has_every_panel():
    for panel in PANELS:
        assert first(panel)


def test_what_belongs_to_a_choice_has_its_rule():
    """Without a rule in the style sheet, a field with ``when`` would always be shown."""
    declared = {when for path in (HERE.parents[1] / "dashboard" / "panels").glob("*.py")
                for when in re.findall(r'when="(\w+=[\w,-]+)"', path.read_text())}
    assert len(declared) > 5
    for when in declared:
        name, _, values = when.partition("=")
        others = ", ".join(f"[value={value}]" for value in values.split(","))
        assert f'form:has(#f-{name} option:checked:not({others})) [data-when="{when}"]' in STYLE


@needs_chromium
def test_a_form_shows_what_belongs_to_the_choice(shown: Screens):
    page = shown.open(View("/project/instances/launch/"))
    assert page.locator("#f-image").is_visible() and page.locator("#f-volume").is_hidden()
    page.select_option("#f-source", "volume")
    assert page.locator("#f-image").is_hidden() and page.locator("#f-volume").is_visible()
    assert page.locator("#f-user_data").is_hidden()
    page.get_by_text("Configuration", exact=True).click()
    assert page.locator("#f-user_data").is_visible()
