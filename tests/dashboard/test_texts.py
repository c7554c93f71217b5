"""Every text of the dashboard is translated, into every language, and every text that a page shows comes from a translation."""

import html.parser
import re
import string

import pytest
import webob

from common import context
from dashboard import languages, session
from dashboard.texts import Text
from tests.dashboard import texts
from tests.dashboard.attacks import paths
from tests.dashboard.sample import SampleDashboard, mapped

OTHERS = [name for name in languages.NAMES if name != "en"]
# Names, units, and words of the APIs that are the same in every language.
SAME = re.compile(r"[a-z]+(-[a-z0-9]+)+|Pileus|Ctrl\+K|Default|English|Deutsch|"
                  r"Français|of-eve|pileus trace|req-\S*|[\w:]+ = |[KMGT]iB|bytes|ms|min|"
                  r"\b[A-Z]{2,5}S?\b|[0-9a-f-]{36}|\b(eve|nova|default|ssh|raw|iso|qcow2|vmdk|vdi|vhdx?|a[mkr]i|ploop|private|"
                  r"shared|community|public|compute|identity|image|network|affinity|node\d*)\b")


def _slots(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("language", OTHERS)
def test_every_text_is_translated(language):
    wanted, known = texts.texts(), languages.CATALOGS[language]
    assert len(wanted) > 500
    missing = [text for text in wanted if text not in known]
    assert not missing, "python -m tests.dashboard.texts adds them to dashboard/locale; then translate them"
    assert not [text for text, said in known.items() if _slots(text) != _slots(said)], "the names in braces"


@pytest.mark.parametrize("language", OTHERS)
def test_the_files_are_as_the_program_writes_them(language):
    """So without translations of texts that are not there any more."""
    assert (texts.LOCALE / f"{language}.po").read_text() == texts.written(language, languages.CATALOGS[language], texts.texts())


def test_no_line_of_french_begins_with_a_sign():
    """The space before a sign, and within quotation marks, does not break."""
    assert not [said for said in languages.CATALOGS["fr"].values() if re.search(" [;:?!»%]|« ", said)]


class _Seen(html.parser.HTMLParser):
    """The texts of a page, also those in attributes."""

    def __init__(self, page: str):
        super().__init__()
        self.found: list[str] = []
        self._inside: list[str] = []
        self.feed(page.replace("<wbr>", ""))

    def handle_starttag(self, tag, attrs):
        if tag in ("pre", "code", "textarea", "style"):
            self._inside.append(tag)
        self.found += [value for name, value in attrs if name in ("aria-label", "title", "data-label") and value]

    def handle_endtag(self, tag):
        if self._inside and self._inside[-1] == tag:
            self._inside.pop()

    def handle_data(self, data):
        if not self._inside:
            self.found.append(data)


def test_no_page_shows_a_text_that_is_not_translated(monkeypatch):
    """All texts are translated into signs without letters, and so is what the APIs say. What still has letters was forgotten."""
    def signs(text: str) -> str:
        return re.sub(r"\{[^}]*\}|[^\W\d_]", lambda found: found[0] if found[0].startswith("{") else "·", text)
    monkeypatch.setitem(languages.CATALOGS, "de", {text: signs(text) for text in texts.texts()})

    def silent(key: str, text: str) -> str:
        plain = key in ("id", "status", "state", "direction", "type", "interface", "binary",
                         "OS-EXT-STS:vm_state") or key.endswith(
            ("_id", "Id", "_at", "id")) or re.fullmatch(r"[0-9a-f-]{32,36}|enabled|disabled|default|[\d.:/-]*T?[\d:.]*Z?", text)
        return text if plain else signs(text)
    dashboard, forgotten = SampleDashboard(rows=9, changed=lambda answer: mapped(answer, silent)), {}
    for path in paths():
        if path.startswith(("/about/", "/static/")):
            continue
        page = dashboard.send(path, **{"Accept-Language": "de"})
        for text in _Seen(page.text).found if page.content_type == "text/html" else ():
            rest = SAME.sub("", text)
            if re.search(r"[A-Za-z]{3,}", rest) and not re.fullmatch(r"[0-9a-f-]{30,}", rest.strip()):
                forgotten.setdefault(" ".join(text.split())[:80], path)
    assert not forgotten


def test_a_language_is_the_browsers_or_the_chosen():
    dashboard = SampleDashboard()

    def opened(path: str, **headers) -> webob.Response:
        return dashboard.send(path, **headers)
    assert '<html lang="en"' in opened("/project/").text
    for accepted, language in (("de-AT,de;q=0.9,en;q=0.5", "de"), ("fr", "fr"), ("en-GB,de;q=0.5", "en"), ("nl", "en"),
                               ("*", "en"),
                               ("", "en"), ("x" * 5000, "en")):
        answer = opened("/project/", **{"Accept-Language": accepted})
        assert f'<html lang="{language}"' in answer.text, accepted
        assert "Accept-Language" in answer.headers["Vary"]
    chosen = dashboard.send("/auth/language/", [("language", "fr"), ("next", "/project/volumes/")])
    assert chosen.status_int == 303 and chosen.location.endswith("/project/volumes/")
    cookie = chosen.headers.getall("Set-Cookie")[0]
    assert cookie.startswith("language=fr") and "Max-Age" in cookie and "HttpOnly" in cookie
    own = f"{session.COOKIE}={dashboard.seal.close(dashboard.active.__dict__)}"
    request = webob.Request.blank("/project/", headers={"Cookie": f"{own}; language=fr", "Accept-Language": "de"})
    request.environ["pileus.context"] = context.Context()
    assert '<html lang="fr"' in request.get_response(dashboard.app).text
    for wrong in ("xx", "<script>", "../de"):
        answer = dashboard.send("/auth/language/", [("language", wrong), ("next", "//evil.example/")])
        assert answer.location in ("/project/", "http://localhost/project/") and "language=" not in str(answer.headers)


def test_notices_dates_and_numbers_are_in_the_language():
    dashboard = SampleDashboard()
    answer = dashboard.send("/project/volumes/create/", [("name", "x‮y"), ("size", "1")], **{"Accept-Language": "de"})
    assert dashboard.notice(answer) == "\u2068x\u202ey\u2069 wird erstellt."
    page = dashboard.send("/project/images/", **{"Accept-Language": "de"}).text
    assert "28.11.2026" in page and "2,2 GiB" in page and "Abbilder" in page
    usage = dashboard.send("/project/usage/?from=2026-11-01&to=2026-11-28", **{"Accept-Language": "de"}).text
    assert "812,50" in usage and "01.11.2026 bis 28.11.2026" in usage and 'data-value="0.0">0,00' in usage
    assert "28/11/2026" in dashboard.send("/project/images/", **{"Accept-Language": "fr"}).text
    refused = dashboard.send("/project/volumes/create/", [("name", ""), ("size", "0")], **{"Accept-Language": "de"})
    assert refused.status_int == 400 and "Geben Sie eine ganze Zahl" in refused.text


def test_a_name_that_others_chose_is_not_translated():
    dashboard = SampleDashboard(changed=lambda answer: mapped(answer, lambda key, text: "Any" if key == "name" else text))
    page = dashboard.send("/project/instances/launch/", **{"Accept-Language": "de"}).text
    assert re.search(r'<option value="[0-9a-f-]{36}"[^>]*>Any</option>', page)


def test_a_text_keeps_what_stands_in_it():
    text = Text("{name} was created.", name="{braces} %s")
    assert text == "{braces} %s was created." and languages.translated(text, "en") == text
    assert languages.translated("An API said this.", "de") == "An API said this."
    with pytest.raises((ValueError, SyntaxError)):
        languages.read('msgid "a"\nmsgstr b\n')
