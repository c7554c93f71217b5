"""The search over pages and resources."""

import re

import pytest

from common import errors
from tests.dashboard.apis import Dashboard
from tests.dashboard.browser import words

ID = "0" * 31 + "1"
ANSWERS = {"GET /v2.1/servers": {"servers": [{"id": ID, "name": "web-1"}]}, "GET /v3/volumes": {"volumes": []},
           "GET /v2/images": {"images": [{"id": ID, "name": "debian"}, {"id": ID, "name": None}]},
           "GET /v2.0/networks": {"networks": [{"id": ID, "name": "the-WEB"}, {"id": ID, "name": "other"}]},
           "GET /v2.0/routers": {"routers": []}, "GET /v2.0/security-groups": {"security_groups": []}}


def links(dashboard: Dashboard, text: str) -> list[str]:
    page = dashboard.send(f"/search/?q={text}").text
    return re.findall(r'<li><a href="([^"]+)">', page.partition('id="found"')[2])


def test_resources_are_found_by_a_part_of_their_name():
    assert links(Dashboard(ANSWERS), "web") == [f"/project/instances/{ID}/", f"/project/networks/{ID}/"]


def test_what_is_typed_is_no_regular_expression_of_the_api():
    dashboard = Dashboard(ANSWERS)
    dashboard.send("/search/?q=a.b")
    asked = {sent.path: sent.query for sent in dashboard.apis.sent}
    assert asked["/v2.1/servers"]["name"] == "a\\.b" and asked["/v3/volumes"]["name~"] == "a.b"
    assert "project_id" in asked["/v2.0/routers"], "administrators too search their project"


def test_pages_are_found_by_their_title():
    assert links(Dashboard(ANSWERS), "key pa") == ["/project/key_pairs/"]
    assert "/admin/hypervisors/" not in links(Dashboard(ANSWERS, admin=False), "hyperv")


def test_an_id_is_asked_for_of_every_service():
    dashboard = Dashboard({f"GET /v3/volumes/{ID}": {"volume": {"id": ID, "name": ""}}})
    assert links(dashboard, ID) == [f"/project/volumes/{ID}/"]


@pytest.mark.parametrize("error", [errors.ServiceUnavailable(part="compute"), errors.Error()])
def test_a_service_that_is_away_is_named(error):
    """Or else what it has would seem not to exist."""
    dashboard = Dashboard({**ANSWERS, "GET /v2.1/servers": error, f"GET /v2.1/servers/{ID}": error})
    assert links(dashboard, "web") == [f"/project/networks/{ID}/"]
    for text in ("web", "nowhere", ID):
        said = words(dashboard.send(f"/search/?q={text}").text)
        assert "because their service does not respond: Instances" in said and "Nothing was found" not in said
        assert "Volumes" not in said.partition("respond:")[2][:20]


def test_what_a_service_refuses_is_not_there():
    dashboard = Dashboard({**ANSWERS, "GET /v2.1/servers": errors.Forbidden("no")})
    assert "does not respond" not in dashboard.send("/search/?q=web").text
    ended = Dashboard({**ANSWERS, "GET /v3/volumes": errors.Unauthorized()})
    assert "/auth/login/" in ended.send("/search/?q=web").location


def test_one_letter_asks_nobody():
    dashboard = Dashboard(ANSWERS)
    assert "Type a part" in words(dashboard.send("/search/?q=~").text) and not dashboard.apis.sent
    assert "Nothing was found" in words(dashboard.send("/search/?q=nowhere").text)


def test_in_the_dialog_it_is_a_part_of_a_page():
    assert "<html" not in Dashboard(ANSWERS).send("/search/", **{"HX-Target": "dialog-body"}).text
