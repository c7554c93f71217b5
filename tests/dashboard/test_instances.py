"""Instances by web: launched, found, changed, moved through their states, deleted."""

import base64
import html
import re

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from common.periodic import wait_for
from tests.conftest import new_volume, volume_status

LIST = "/project/instances/"


@pytest.fixture
def browser(window):
    return window


def status(browser, name: str) -> str:
    return browser.open(LIST).row(name)


def until(browser, name: str, wanted: str) -> None:
    """:param wanted: as the services spell it; pages show its words"""
    words = f" {wanted.replace('_', ' ')} "
    wait_for(lambda: words in f" {status(browser, name)} ", 20, what=f"{name} to be {wanted}")


def settled(cloud, server: str, wanted: str) -> None:
    def at_rest() -> bool:
        found = cloud.client.call("compute", "GET", f"/servers/{server}")["server"]
        return found["status"] == wanted and not found["OS-EXT-STS:task_state"]
    wait_for(at_rest, 30, what=wanted)


def plain(admin, name: str) -> dict:
    """The request for a small instance."""
    return {"name": name, "flavorRef": admin.find("compute", "flavors", "m1.nano")["id"], "networks": "auto",
            "imageRef": admin.find("image", "images", "cirros")["id"]}


@pytest.fixture(scope="module", autouse=True)
def key(cloud):
    """Whoever has a key pair is no newcomer."""
    cloud.client.call("compute", "POST", "/os-keypairs", {"keypair": {"name": "of-tests"}})


@pytest.fixture(scope="module")
def server(cloud):
    """An instance that the tests share."""
    admin = cloud.client
    made = admin.call("compute", "POST", "/servers", {"server": plain(admin, "shared")})["server"]["id"]
    wait_for(lambda: admin.call("compute", "GET", f"/servers/{made}")["server"]["status"] == "ACTIVE", 20, what="the instance")
    return made


def test_an_instance_from_launch_to_delete(cloud, browser):
    name = "<b>bold & \"quoted\"</b>"
    launch = "/project/instances/launch/"
    browser.open(launch).post(launch, name=name, metadata="a=1\nb=<i>", step="review")
    assert browser.status == 200 and "openstack server create" in browser.words(), "the review sends nothing"
    assert name not in browser.open(LIST).words()
    browser.open(launch).post(launch, name=name, metadata="a=1\nb=<i>", step="create")
    assert "is being built" in browser.words() and "<b>" not in browser.text
    until(browser, name, "ACTIVE")
    own = LIST + browser.id_of(name)
    assert "b = <i>" in browser.open(own + "/").words()
    assert "create" in browser.open(own + "/?tab=actions").words() and "req-" in browser.text
    request = re.search(r"request=(req-[0-9a-f-]{36})", browser.text)[1]
    assert "Steps of create" in browser.open(f"{own}/?tab=actions&request={request}").words() and "Success" in browser.words()
    assert "Processors" in browser.open(own + "/?tab=metrics").words()
    for verb, page in (("vnc", "/vnc_auto.html?path=%3Ftoken%3D"), ("serial", "/serial.html?token=")):
        assert f"http://127.0.0.1:{6080 + cloud.offset}{page}" in browser.open(own + "/").press(f"{own}/{verb}/").text
    assert browser.open(own + "/spice/").status == 404
    browser.do(own + "/stop/")
    until(browser, name, "SHUTOFF")
    browser.press(own + "/start/")
    until(browser, name, "ACTIVE")
    browser.do(own + "/delete/")
    wait_for(lambda: name not in browser.open(LIST).words(), 20, what="it to go")
    assert browser.open(own + "/").status == 404 and "Not found" in browser.words()


# (action, status afterwards): each follows from the one before.
STATES = (("pause", "PAUSED"), ("unpause", "ACTIVE"), ("suspend", "SUSPENDED"), ("resume", "ACTIVE"), ("reboot", "ACTIVE"),
          ("hard-reboot", "ACTIVE"), ("rescue", "RESCUE"), ("unrescue", "ACTIVE"), ("shelve", "SHELVED_OFFLOADED"),
          ("unshelve", "ACTIVE"), ("lock", "ACTIVE"), ("unlock", "ACTIVE"), ("rebuild", "ACTIVE"))


def test_every_state_is_reached_from_its_page(cloud, browser, server):
    own = LIST + server
    for verb, wanted in STATES:
        browser.open(own + "/actions/")
        if f"{own}/{verb}/" in re.findall(r'formaction="([^"]+)"', browser.text):
            browser.press(f"{own}/{verb}/")
        else:
            browser.do(f"{own}/{verb}/")
        assert "toast good" in browser.text, (verb, browser.words()[-400:])
        settled(cloud, server, wanted)


def test_a_resize_is_confirmed_or_reverted(cloud, browser, server):
    own, flavors = LIST + server, cloud.client.call("compute", "GET", "/flavors")["flavors"]
    for verb in ("revert", "confirm"):
        browser.open(own + "/resize/")
        offered = re.findall(r'<option value="([^"]+)"', browser.text)
        assert len(offered) == len(flavors) - 1, "all but its own"
        browser.post(own + "/resize/", flavor=offered[0])
        until(browser, "shared", "VERIFY_RESIZE")
        browser.do(f"{own}/{verb}/")
        until(browser, "shared", "ACTIVE")


def test_what_belongs_to_an_instance_is_changed(cloud, browser, server):
    own, admin = LIST + server, cloud.client
    browser.do(own + "/edit/", name="shared", description="what it is for")
    browser.do(own + "/metadata/", metadata="role = web\n\nx=1=2")
    browser.do(own + "/tags/", tags="one, two")
    found = admin.call("compute", "GET", f"/servers/{server}")["server"]
    assert found["metadata"] == {"role": "web", "x": "1=2"} and "what it is for" in browser.open(own + "/").words()
    assert "one two" in browser.words()
    assert browser.refused(own + "/metadata/", metadata="no sign").status == 400 and "not of the form" in browser.words()
    assert "no sign" in browser.text, "what was typed is kept"
    volume = new_volume(admin, "of-shared")
    browser.do(own + "/attach-volume/", volume=volume)
    assert browser.path == own + "/?tab=volumes" and "toast good" in browser.text
    wait_for(lambda: volume_status(admin, volume) == "in-use", 10, what="the attachment")
    assert "/dev/vd" in browser.open(own + "/?tab=volumes").words()
    browser.do(f"{own}/detach-volume/?target={volume}")
    wait_for(lambda: "No volumes are attached" in browser.open(own + "/?tab=volumes").words(), 10, what="the detachment")
    before = len(admin.call("network", "GET", f"/ports?device_id={server}")["ports"])
    network = admin.call("network", "GET", f"/ports?device_id={server}")["ports"][0]["network_id"]
    assert browser.refused(own + "/attach-interface/").status == 400 and "either a network or a port" in browser.words()
    browser.do(own + "/attach-interface/", network=network)
    ports = admin.call("network", "GET", f"/ports?device_id={server}")["ports"]
    assert len(ports) == before + 1 and ports[0]["id"] in browser.open(own + "/?tab=interfaces").words()
    browser.do(f"{own}/detach-interface/?target={ports[-1]['id']}")
    wait_for(lambda: len(admin.call("network", "GET", f"/ports?device_id={server}")["ports"]) == before, 10, what="one port less")
    made = admin.call("network", "POST", "/security-groups", {"security_group": {"name": "of-web"}})["security_group"]["id"]
    port = ports[0]["id"]
    browser.do(f"{own}/port-groups/?target={port}", groups=[made])
    assert admin.call("network", "GET", f"/ports/{port}")["port"]["security_groups"] == [made]
    browser.do(f"{own}/port-groups/?target={port}", groups=[])
    browser.do(own + "/groups/", groups=[made])
    assert "of-web" in browser.open(own + "/?tab=groups").words()
    browser.do(own + "/groups/", groups=[])
    admin.call("network", "DELETE", f"/security-groups/{made}")


def test_the_password_of_an_instance(cloud, browser, server):
    """It is set through the guest's agent, and kept for the owner of the key."""
    admin, key = cloud.client, rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()
    admin.call("compute", "POST", "/os-keypairs", {"keypair": {"name": "sealing", "public_key": public}})
    image = admin.call("image", "POST", "/images", {"name": "with-agent", "disk_format": "raw", "container_format": "bare",
                                                    "hw_qemu_guest_agent": "yes"})["id"]
    admin.call("image", "PUT", f"/images/{image}/file", raw=b"disk", content_type="application/octet-stream")
    made = admin.call("compute", "POST", "/servers", {"server": {**plain(admin, "sealed"), "imageRef": image,
                                                                 "key_name": "sealing"}})["server"]["id"]
    settled(cloud, made, "ACTIVE")
    own = LIST + made
    assert "has sent no password" in browser.open(own + "/?tab=password").words()
    assert browser.refused(own + "/password/", password="a", password_again="b").status == 400
    assert "The passwords differ" in browser.words()
    browser.do(own + "/password/", password="new-Word-1", password_again="new-Word-1")
    sealed = re.search(r"[A-Za-z0-9+/]{300,}=*", browser.open(own + "/?tab=password").words())[0]
    assert key.decrypt(base64.b64decode(sealed), padding.PKCS1v15()) == b"new-Word-1"
    browser.do(own + "/forget-password/")
    assert "has sent no password" in browser.words()
    assert browser.refused(f"{LIST}{server}/password/", password="a", password_again="a").status == 409, "it has no agent"
    browser.do(own + "/delete/")


def test_a_snapshot_becomes_an_image(cloud, browser, server):
    browser.do(f"{LIST}{server}/snapshot/", name="of-shared")
    wait_for(lambda: "active" in browser.open("/project/images/").row("of-shared"), 20, what="the image")
    browser.do(f"/project/images/{browser.id_of('of-shared')}/delete/")
    assert not browser.open("/project/images/").row("of-shared")


def test_a_floating_ip_is_associated_with_an_instance(cloud, browser, server):
    browser.open("/project/floating_ips/create/").post("/project/floating_ips/create/")
    address = re.search(r"([\d.]+) was allocated", browser.words())[1]
    browser.do(f"{LIST}{server}/associate/")
    assert address in browser.open(f"{LIST}{server}/?tab=interfaces").words()
    wait_for(lambda: f"{LIST}{server}/disassociate/" in browser.open(f"{LIST}{server}/").text, 10, what="compute to know it")
    browser.do(f"{LIST}{server}/disassociate/")
    assert address not in browser.open(f"{LIST}{server}/?tab=interfaces").words()
    browser.do(f"/project/floating_ips/{browser.open('/project/floating_ips/').id_of(address)}/release/")


def test_refused_forms_keep_what_was_typed(scriptless):
    browser, launch = scriptless, "/project/instances/launch/"
    browser.open(launch).post(launch, name="typed", flavor="no-such-flavor", user_data="echo 1", metadata="k=v", step="create")
    assert browser.status == 400 and 'role="alert"' in browser.text and 'value="typed"' in browser.text
    assert "echo 1" in browser.text and "Choose from the list" in browser.words()
    browser.open(launch).post(launch, name="typed", user_data="echo 1", step="create")
    assert browser.status == 400 and "cloud-init would ignore this" in browser.words()
    browser.open(launch).post(launch, name="typed", source="new-volume", volume_gb="", step="create")
    assert browser.status == 400 and "The new volume needs a size" in browser.words()


def test_an_instance_boots_from_a_new_volume(cloud, browser):
    launch = "/project/instances/launch/"
    browser.open(launch).post(launch, name="from-volume", source="new-volume", volume_gb="1", delete_volume="1", step="create")
    until(browser, "from-volume", "ACTIVE")
    own = LIST + browser.id_of("from-volume")
    assert "Yes" in browser.open(own + "/?tab=volumes").row("/dev/vda")
    browser.do(own + "/delete/")


def test_a_launch_with_everything_that_the_form_has(cloud, browser):
    admin, launch = cloud.client, "/project/instances/launch/"
    volume = new_volume(admin, "bootable", imageRef=admin.find("image", "images", "cirros")["id"])
    network = admin.find("network", "networks", "private")["id"]
    port = admin.call("network", "POST", "/ports", {"port": {"network_id": network}})["port"]["id"]
    group = admin.call("compute", "POST", "/os-server-groups", {"server_group": {
        "name": "together", "policies": ["affinity"]}})["server_group"]["id"]
    browser.open(launch).post(
        launch, name="placed", description="d", source="volume", volume=volume, networks=[], ports=[port], server_group=group,
        hints="own=1", zone="nova", config_drive="1", user_data="#cloud-config\n{}", step="review")
    for words in (f"--hint group={group}", "--hint own=1", f"--port {port}", "--use-config-drive", "--user-data user-data",
                  f"source_type=volume,uuid={volume}", "--availability-zone nova"):
        assert words in browser.words(), words
    browser.post(launch, step="create")
    until(browser, "placed", "ACTIVE")
    found = admin.call("compute", "GET", f"/servers/{browser.id_of('placed')}")["server"]
    assert found["config_drive"] == "True"
    assert admin.call("compute", "GET", f"/os-server-groups/{group}")["server_group"]["members"] == [found["id"]]
    assert [v["id"] for v in found["os-extended-volumes:volumes_attached"]] == [volume]
    assert admin.call("network", "GET", f"/ports/{port}")["port"]["device_id"] == found["id"]
    browser.do(f"{LIST}{found['id']}/delete/")


def test_lists_are_searched_filtered_sorted_and_paged(cloud, browser):
    admin = cloud.client
    names = [f"page.{n:02}" for n in range(25)]
    admin.call("compute", "PUT", f"/os-quota-sets/{admin.project_id}", {"quota_set": {
        "instances": 100, "cores": 200, "ram": 500000}})
    admin.call("compute", "POST", "/servers", {"server": {**plain(admin, "page"), "min_count": 25, "max_count": 25}})
    made = admin.call("compute", "GET", "/servers?name=page-")["servers"]
    assert len(made) == 25
    for server, name in zip(made, names):
        admin.call("compute", "PUT", f"/servers/{server['id']}", {"server": {"name": name}})
    seen: list[str] = []
    browser.open(f"{LIST}?q=page.&sort=display_name&dir=asc")
    while True:
        seen += re.findall(r"Choose (page\.\d\d)<", browser.text)
        following = re.search(r'rel="next" href="([^"]+)"', browser.text)
        if not following:
            break
        browser.open(LIST + html.unescape(following[1]))
    assert seen == names, "every row once, in order"
    assert "rel=\"prev\"" in browser.text
    browser.open(LIST + html.unescape(re.search(r'rel="prev" href="([^"]+)"', browser.text)[1]))
    assert re.findall(r"Choose (page\.\d\d)<", browser.text) == names[:20]
    assert "Choose page.24" in browser.open(f"{LIST}?q=page.&sort=display_name&dir=desc").words()
    assert "Choose page.07" in browser.open(f"{LIST}?q=e.07").words() and "page.08" not in browser.words()
    assert "Nothing matches" in browser.open(f"{LIST}?q=page%5B").words(), "what was typed is no regular expression"
    assert "Nothing matches" in browser.open(f"{LIST}?q=page.&status=PAUSED").words()
    assert browser.open(f"{LIST}?q=page.&after=00000000-0000-0000-0000-000000000000").status == 404
    table = browser.open(f"{LIST}?q=page.&format=csv")
    assert table.headers["Content-Type"].startswith("text/csv") and len(table.text.splitlines()) == 26
    # Several at once
    browser.open(f"{LIST}?q=page.&size=50")
    chosen = re.findall(r'name="id" value="([^"]+)"', browser.text)
    assert len(chosen) == 25
    browser.choose("delete")
    assert browser.status == 200 and "25 chosen" in browser.words() and "page.03" in browser.words(), "it asks first"
    browser.post(LIST)
    assert "25 of 25 accepted" in browser.words()
    wait_for(lambda: "Nothing matches" in browser.open(f"{LIST}?q=page.").words(), 30, what="them to go")
    browser.open(LIST).choose("delete", [])
    assert "Choose at least one row" in browser.words()


def test_the_number_of_calls_does_not_depend_on_the_rows(browser):
    few = re.search(r'calls;desc="(\d+)"', browser.open(f"{LIST}?q=first").headers["Server-Timing"])[1]
    all_of_them = re.search(r'calls;desc="(\d+)"', browser.open(LIST).headers["Server-Timing"])[1]
    assert few == all_of_them == "2"
