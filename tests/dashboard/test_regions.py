"""Regions of the catalogue: whose services a session asks."""

import dataclasses

import pytest

from common import errors
from common.rest import RestClient
from dashboard import regions, session
from tests.dashboard.apis import ACTIVE, OTHER, PROJECT, Apis, Dashboard


def service(kind: str, **urls: str) -> dict:
    return {"type": kind, "name": kind, "endpoints": [
        {"interface": interface, "region": region, "url": url} for region, url in urls.items()
        for interface in ("public", "admin")]}


CATALOG = [service("compute", RegionOne="http://one:8774/v2.1", West="http://west:8774/v2.1/"),
           service("volumev3", RegionOne="http://one:8776/v3/p", West="http://west:8776/v3/p"),
           service("network", RegionOne="http://one:9696", West="http://west:9696/"), service("object-store", North="http://n")]


def test_a_region_has_a_compute_service():
    assert regions.names(CATALOG) == ("RegionOne", "West") and regions.names([]) == ()


def test_urls_are_those_of_the_region_without_versions():
    assert regions.endpoints(CATALOG, "West") == {
        "compute": "http://west:8774", "volume": "http://west:8776", "network": "http://west:9696"}


@pytest.fixture
def west(monkeypatch):
    """The services of the other region."""
    apis = Apis(**{"GET /v2.1/servers/detail": {"servers": []}})
    asked: list[str] = []

    def request(client: RestClient, method, service, where, **more):
        asked.append(getattr(client.conf.endpoints, service))
        return apis.request(method, service, where, **more)
    monkeypatch.setattr(RestClient, "__init__", lambda self, conf: setattr(self, "conf", conf))
    monkeypatch.setattr(RestClient, "request", request)
    return asked


def dashboard() -> Dashboard:
    made = Dashboard({"GET /v3/auth/catalog": {"catalog": CATALOG}, "GET /v2.1/servers/detail": {"servers": []}})
    made.active = dataclasses.replace(ACTIVE, regions=["RegionOne", "West"])
    return made


def test_pages_ask_the_services_of_the_region_that_was_chosen(west):
    here = dashboard()
    assert here.send("/project/instances/").status_int == 200 and not west
    moved = here.send("/auth/region/", [("region", "West")])
    assert moved.status_int == 303
    here.active = dataclasses.replace(here.active, region="West")
    assert here.send("/project/instances/").status_int == 200 and west == ["http://west:8774"]
    assert here.send("/project/images/").status_int == 404, "the image service is not there"
    assert "Change the region" in here.send("/project/instances/").text


def test_projects_with_other_catalogues_are_asked_elsewhere(west):
    """Identity can give projects different endpoints."""
    catalogs = iter((CATALOG, [service("compute", West="http://theirs:8774/v2.1")]))
    here = dashboard()
    here.apis.answers["GET /v3/auth/catalog"] = lambda query: {"catalog": next(catalogs)}
    for project in (PROJECT, OTHER, PROJECT):
        here.active = dataclasses.replace(here.active, region="West", project_id=project)
        here.send("/project/instances/")
    assert west == ["http://west:8774", "http://theirs:8774", "http://west:8774"]


def test_only_a_region_of_the_catalogue_can_be_chosen():
    assert dashboard().send("/auth/region/", [("region", "http://evil")]).status_int == 404
    with pytest.raises(errors.NotFound):
        session.moved(ACTIVE, "West")


def test_with_one_region_nothing_is_offered():
    assert "Change the region" not in Dashboard({"GET /v2.1/servers/detail": {"servers": []}}).send("/project/instances/").text
