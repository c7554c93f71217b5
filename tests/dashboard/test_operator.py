"""What operators do by web with instances and volumes of any project, on two hosts."""

import pytest

from common.periodic import wait_for
from tests.conftest import FakeCloud, new_member, new_volume
from tests.dashboard.browser import Browser

LIST = "/admin/instances/"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    made = FakeCloud(tmp_path_factory.mktemp("cloud"), "compute.compute.reclaim_instance_interval=3600", hosts=2).start()
    yield made
    made.stop()


def settled(cloud, server: str, status: str) -> dict:
    def found() -> dict:
        return cloud.client.call("compute", "GET", f"/servers/{server}")["server"]
    wait_for(lambda: found()["status"] == status and not found()["OS-EXT-STS:task_state"], 30, what=status)
    return found()


def test_instances_are_moved_between_hosts(cloud, browser):
    server = cloud.client.find("compute", "servers", "first", "/servers/detail")["id"]
    own = LIST + server
    hosts = {"fake-host", "fake-host-2"}
    wait_for(lambda: {s["host"] for s in cloud.client.call("compute", "GET", "/os-services?binary=nova-compute")["services"]
                      if s["state"] == "up"} == hosts, 20, what="both hosts to be up")
    for verb, confirmed in (("migrate", True), ("live-migrate", False)):
        (there,) = hosts - {settled(cloud, server, "ACTIVE")["OS-EXT-SRV-ATTR:host"]}
        browser.do(f"{own}/{verb}/", host=there)
        if confirmed:
            settled(cloud, server, "VERIFY_RESIZE")
            browser.open(LIST).press(f"{own}/confirm/")
        assert settled(cloud, server, "ACTIVE")["OS-EXT-SRV-ATTR:host"] == there, verb
    assert browser.open("/admin/migrations/").row("live-migration")
    assert not browser.open("/admin/migrations/?migration_type=resize").row("live-migration")
    assert browser.refused(f"{own}/evacuate/").status in (400, 409), "its host is up"
    browser.do(f"{own}/reset-state/", state="error")
    settled(cloud, server, "ERROR")
    browser.do(f"{own}/reset-state/", state="active")
    settled(cloud, server, "ACTIVE")


def test_an_instance_is_restored_or_deleted_now(cloud, browser):
    server = cloud.client.find("compute", "servers", "first", "/servers/detail")["id"]
    own = f"/project/instances/{server}"
    browser.do(own + "/delete/")
    settled(cloud, server, "SOFT_DELETED")
    assert not browser.open("/project/instances/").row("first")
    browser.open("/project/instances/?status=SOFT_DELETED").press(own + "/restore/")
    settled(cloud, server, "ACTIVE")
    assert browser.open("/project/instances/").row("first")
    spare = cloud.client.call("compute", "POST", "/servers", {"server": {
        "name": "spare", "flavorRef": cloud.client.find("compute", "flavors", "m1.nano")["id"], "networks": "auto",
        "imageRef": cloud.client.find("image", "images", "cirros")["id"]}})["server"]["id"]
    settled(cloud, spare, "ACTIVE")
    browser.do(f"/project/instances/{spare}/delete/")
    settled(cloud, spare, "SOFT_DELETED")
    browser.do(f"/project/instances/{spare}/force-delete/", confirm_name="spare")
    wait_for(lambda: browser.open(f"/project/instances/{spare}/").status == 404, 20, what="it to go")


def test_what_other_projects_have_is_listed_and_changed(cloud, browser):
    member = new_member(cloud)
    volume = new_volume(member, "of-mallory")
    assert "of-mallory" in browser.open("/admin/volumes/").words()
    assert "of-mallory" not in browser.open("/project/volumes/").words()
    own = f"/admin/volumes/{volume}"
    browser.do(own + "/reset/", status="error")
    assert "error" in browser.open("/admin/volumes/").row("of-mallory")
    browser.do(own + "/force-delete/", confirm_name="of-mallory")
    wait_for(lambda: not browser.open("/admin/volumes/").row("of-mallory"), 10, what="it to go")
    of_member = Browser(browser.base).log_in("mallory", "pw")
    server = cloud.client.find("compute", "servers", "first", "/servers/detail")["id"]
    assert of_member.open(f"/project/instances/{server}/").status == 404
    assert of_member.open(f"/project/instances/{server}/migrate/").status == 404
    assert of_member.open(f"/admin/instances/{server}/delete/").status == 403


def test_images_are_deactivated(cloud, browser):
    image = cloud.client.find("image", "images", "cirros")["id"]
    browser.do(f"/admin/images/{image}/deactivate/")
    assert "deactivated" in browser.row("cirros")
    browser.press(f"/admin/images/{image}/reactivate/")
    assert "active" in browser.row("cirros").split()
