"""What operators do by web with instances and volumes of any project, on two hosts."""

import functools
import http.server
import json
import threading
import urllib.parse

import pytest

from common.periodic import wait_for
from tests.conftest import FakeCloud, new_member, new_volume
from tests.dashboard.browser import Browser

LIST = "/admin/instances/"


@pytest.fixture
def browser(window):
    return window


@pytest.fixture(scope="module")
def mirror(tmp_path_factory):
    """The URL of a disk image on a web server."""
    home = tmp_path_factory.mktemp("mirror")
    (home / "disk.raw").write_bytes(b"x" * 5000)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(
        http.server.SimpleHTTPRequestHandler, directory=str(home)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/disk.raw"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def cloud(tmp_path_factory, mirror):
    port = urllib.parse.urlsplit(mirror).port
    made = FakeCloud(tmp_path_factory.mktemp("cloud"), "compute.compute.reclaim_instance_interval=3600",
                     f"image.image.import_allowed_ports={port}", "image.image.import_allowed_networks=127.0.0.0/8",
                     hosts=2).start()
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
            browser.do(f"{own}/confirm/")
        assert settled(cloud, server, "ACTIVE")["OS-EXT-SRV-ATTR:host"] == there, verb
    assert browser.open("/admin/migrations/").row("live-migration")
    assert not browser.open("/admin/migrations/?migration_type=resize").row("live-migration")
    assert browser.refused(f"{own}/evacuate/").status in (400, 409), "its host is up"
    browser.do(f"{own}/reset-state/", state="error")
    settled(cloud, server, "ERROR")
    browser.do(f"{own}/reset-state/", state="active")
    settled(cloud, server, "ACTIVE")


def test_every_instance_of_a_host_is_moved(cloud, browser):
    admin = cloud.client
    server = admin.find("compute", "servers", "first", "/servers/detail")["id"]
    here = settled(cloud, server, "ACTIVE")["OS-EXT-SRV-ATTR:host"]
    hosts = "/admin/hypervisors/"
    own = hosts + next(h["id"] for h in admin.call("compute", "GET", "/os-hypervisors/detail")["hypervisors"]
                       if h["service"]["host"] == here)
    browser.do(own + "/migrate/", how="live")
    assert "1 of 1 instances are being moved" in browser.words()
    wait_for(lambda: settled(cloud, server, "ACTIVE")["OS-EXT-SRV-ATTR:host"] != here, 20, what="it to move")
    there = next(h["id"] for h in admin.call("compute", "GET", "/os-hypervisors/detail")["hypervisors"]
                 if h["service"]["host"] != here)
    services = admin.call("compute", "GET", "/os-services?binary=nova-compute")["services"]
    service = next(s["id"] for s in services if s["host"] != here)
    browser.do(f"/admin/services/{service}/down/")
    browser.do(f"{hosts}{there}/evacuate/", host=here)
    assert "1 of 1 instances are being moved" in browser.words()
    wait_for(lambda: settled(cloud, server, "ACTIVE")["OS-EXT-SRV-ATTR:host"] == here, 30, what="the evacuation")
    browser.open("/admin/services/").press(f"/admin/services/{service}/up/")


def test_default_quotas(cloud, browser):
    where = "/admin/defaults/"
    browser.open(where).post(where, instances="7")
    assert "The default quotas were changed" in browser.words() and 'value="7"' in browser.text
    assert "Floating IPs Network" in browser.row("Floating IPs") and "Volumes Volume" in browser.row("Volumes Volume")
    found = cloud.client.call("compute", "GET", "/os-quota-class-sets/default")["quota_class_set"]
    assert found["instances"] == 7
    assert browser.post(where, instances="-5").status == 400 and "Enter a whole number" in browser.words()
    browser.open(where).post(where, instances="10")


def test_projects_that_may_use_a_volume_type(cloud, browser):
    where = "/admin/volume_types/create/"
    browser.open(where).post(where, name="secret", public="")
    own = "/admin/volume_types/" + browser.id_of("secret")
    project = cloud.client.project_id
    browser.do(own + "/access/", project=project)
    assert project in browser.row("admin")
    browser.do(f"{own}/remove-access/?target={project}")
    assert "No project was given access" in browser.words()
    browser.do(own + "/delete/")


DEFINITION = {"namespace": "OS::Test::Colours", "display_name": "Colours", "description": "of tests", "properties": {
    "colour": {"title": "Colour", "type": "string", "enum": ["red", "blue"]}}}


def test_metadata_definitions(cloud, browser):
    where, listing = "/admin/metadata_definitions/create/", "/admin/metadata_definitions/"
    assert browser.open(where).post(where, definition="[1]").status == 400 and "A namespace is an object" in browser.words()
    browser.open(where).post(where, definition=json.dumps(DEFINITION), protected="1")
    assert browser.id_of("OS::Test::Colours") == "OS::Test::Colours"
    own = listing + "OS%3A%3ATest%3A%3AColours"
    assert f"{own}/edit/" in browser.open(own + "/").text and f"{own}/delete/" not in browser.text, "it is protected"
    browser.do(own + "/edit/", display_name="Paints", protected="")
    browser.do(own + "/type/", type="OS::Glance::Image", prefix="paint_")
    assert "paint_" in browser.row("OS::Glance::Image")
    browser.do(own + "/remove-type/?target=OS%3A%3AGlance%3A%3AImage")
    assert "red blue" in browser.open(own + "/?tab=properties").row("colour")
    browser.do(own + "/delete/")
    assert not browser.open(listing).row("Colours")


def test_snapshots_of_every_project(cloud, browser):
    admin = cloud.client
    volume = new_volume(admin, "kept")
    snapshot = admin.call("volume", "POST", "/snapshots", {"snapshot": {"volume_id": volume, "name": "of-kept"}})[
        "snapshot"]["id"]
    listing = "/admin/snapshots/"
    wait_for(lambda: "available" in browser.open(listing).row("of-kept"), 10, what="the snapshot")
    browser.do(f"{listing}{snapshot}/reset/", status="error")
    assert "error" in browser.open(listing).row("of-kept")
    browser.do(f"{listing}{snapshot}/delete/")
    wait_for(lambda: not browser.open(listing).row("of-kept"), 10, what="it to go")


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


def test_an_image_is_imported_from_a_url(cloud, browser, mirror):
    where = "/project/images/create/"
    browser.open(where).post(where, name="fetched", url=mirror, disk_format="raw", properties="os_distro=alpine", protected="1")
    assert "fetched is being imported" in browser.words()
    wait_for(lambda: "active" in browser.open("/project/images/").row("fetched"), 20, what="the import")
    image = cloud.client.find("image", "images", "fetched")
    assert image["size"] == 5000 and image["os_distro"] == "alpine" and image["protected"]
    browser.do(f"/project/images/{image['id']}/edit/", protected="")
    browser.do(f"/project/images/{image['id']}/delete/")


def test_images_are_deactivated(cloud, browser):
    image = cloud.client.find("image", "images", "cirros")["id"]
    browser.do(f"/admin/images/{image}/deactivate/")
    assert "deactivated" in browser.row("cirros")
    browser.press(f"/admin/images/{image}/reactivate/")
    assert "active" in browser.row("cirros").split()
