"""When a page of a list has a link to the next one."""

import types

import pytest
import webob

from common import errors
from compute_api.handlers import paging


def _links(query: str, count: int) -> list[dict]:
    req = webob.Request.blank(f"/v2.1/flavors?{query}")
    return paging.next_links(req, [{"id": str(n)} for n in range(count)], "id")


@pytest.mark.parametrize("query, count, more", [
    ("", paging.MAX_PAGE, True), ("", paging.MAX_PAGE - 1, False), ("limit=5000", paging.MAX_PAGE, True), ("limit=2", 2, True),
    ("limit=2", 1, False), ("limit=0", 0, False), ("", 0, False)])
def test_a_full_page_has_a_link(query, count, more):
    assert bool(_links(query, count)) == more


def test_the_link_asks_the_same_of_what_comes_after():
    (link,) = _links("limit=2&sort_key=name&sort_key=id&marker=old", 2)
    assert link == {"rel": "next", "href": "http://localhost/v2.1/flavors?limit=2&sort_key=name&sort_key=id&marker=1"}


@pytest.mark.parametrize("limit", ["-1", "x"])
def test_no_limit_but_a_number(limit):
    with pytest.raises(errors.BadRequest):
        paging.limit(types.SimpleNamespace(GET={"limit": limit}))
