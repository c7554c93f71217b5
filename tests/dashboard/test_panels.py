"""Every other panel by web: what is created there is found, changed and deleted there."""

import json
import re

import pytest

from common.periodic import wait_for
from dashboard.panels import PANELS
from dashboard.router import ROUTES
from tests.conftest import new_member, new_volume
from tests.dashboard.browser import Browser, Forms

# A launch without what a newcomer gets.
UNREACHED = {"key_name": "", "ssh": "", "floating": "", "step": "create"}
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdgJ5gD8fd0P0G5PkR0bFzZ2iQn2HkC2o8o2oT2pJ2b"


@pytest.fixture
def browser(window):
    return window


def made(browser, panel: str, segment: str = "create", **values) -> str:
    """Create something by its form. Returns the path of the panel's list."""
    where = f"{panel}/{segment}/"
    browser.open(where).post(where, **values)
    assert browser.path == f"{panel}/" and "toast good" in browser.text, (browser.status, browser.words()[-500:])
    return f"{panel}/"


def test_a_volume_and_its_snapshot(cloud, browser):
    volumes = made(browser, "/project/volumes", name="paged", size="1")
    wait_for(lambda: "available" in browser.open(volumes).row("paged"), 10, what="the volume")
    own = volumes + browser.id_of("paged")
    browser.do(own + "/edit/", description="for tests", metadata="k=v")
    assert "for tests" in browser.open(own + "/").words() and "k = v" in browser.words()
    browser.do(own + "/flags/", bootable="1")
    assert "Yes" in browser.open(volumes).row("paged")
    browser.do(own + "/extend/", size="2")
    wait_for(lambda: "2 GiB" in browser.open(volumes).row("paged"), 10, what="it to grow")
    assert browser.refused(own + "/extend/", size="2").status == 400 and "Enter a whole number from 3" in browser.words()
    wait_for(lambda: "available" in browser.open(volumes).row("paged"), 10, what="it to be available")
    browser.do(own + "/attach/")
    wait_for(lambda: "in-use" in browser.open(volumes).row("first"), 10, what="the attachment")
    browser.do(own + "/detach/")
    wait_for(lambda: "available" in browser.open(volumes).row("paged"), 10, what="the detachment")
    browser.do(own + "/snapshot/", name="of-paged")
    wait_for(lambda: "available" in browser.open("/project/snapshots/").row("of-paged"), 10, what="the snapshot")
    snapshot = "/project/snapshots/" + browser.id_of("of-paged")
    assert "of-paged" in browser.open(own + "/?tab=snapshots").words()
    browser.open("/project/snapshots/").press(snapshot + "/launch/")
    launch = "/project/instances/launch/"
    assert browser.path == f"{launch}?snapshot={snapshot.rsplit('/', 1)[1]}"
    browser.post(launch, name="of-snapshot", delete_volume="1", **UNREACHED)
    wait_for(lambda: "ACTIVE" in browser.open("/project/instances/").row("of-snapshot"), 20, what="the instance of the snapshot")
    browser.do(f"/project/instances/{browser.id_of('of-snapshot')}/delete/")
    wait_for(lambda: not browser.open(volumes).row("of-snapshot"), 20, what="it to go with its volume")
    browser.do(snapshot + "/volume/", name="of-snapshot")
    wait_for(lambda: "available" in browser.open(volumes).row("of-snapshot"), 20, what="the volume of the snapshot")
    browser.do(f"{volumes}{browser.id_of('of-snapshot')}/delete/", confirm_name="of-snapshot")
    browser.do(snapshot + "/edit/", name="renamed")
    assert "renamed" in browser.open("/project/snapshots/").words()
    browser.do(snapshot + "/delete/")
    wait_for(lambda: not browser.open("/project/snapshots/").row("renamed"), 10, what="the snapshot to go")
    browser.refused(own + "/delete/", confirm_name="wrong")
    assert browser.status == 400 and "This is not the name" in browser.words()
    browser.post(own + "/delete/", confirm_name="paged")
    wait_for(lambda: not browser.open(volumes).row("paged"), 10, what="the volume to go")
    browser.open(volumes + "create/").post(volumes + "create/", name="kept", size="-1")
    assert browser.status == 400 and "Enter a whole number" in browser.words() and 'value="kept"' in browser.text


def test_a_volume_of_an_image_is_launched(cloud, browser):
    image = cloud.client.find("image", "images", "cirros")["id"]
    where = f"/project/volumes/create/?image={image}"
    assert f'href="{where.replace("&", "&amp;")}"' in browser.open("/project/images/").text
    browser.open(where).post("/project/volumes/create/", name="root")
    wait_for(lambda: "available" in browser.open("/project/volumes/").row("root"), 20, what="the volume")
    volume = browser.id_of("root")
    browser.press(f"/project/volumes/{volume}/launch/")
    launch = "/project/instances/launch/"
    assert browser.path == f"{launch}?volume={volume}"
    browser.post(launch, name="of-root", **UNREACHED)
    wait_for(lambda: "ACTIVE" in browser.open("/project/instances/").row("of-root"), 20, what="the instance")
    own = "/project/instances/" + browser.id_of("of-root")
    assert volume in browser.open(own + "/?tab=volumes").text
    browser.do(own + "/delete/")
    wait_for(lambda: "available" in browser.open("/project/volumes/").row("root"), 20, what="the volume to be free")
    browser.do(f"/project/volumes/{volume}/delete/", confirm_name="root")


def test_images_are_edited(cloud, browser):
    image = cloud.client.call("image", "POST", "/images", {
        "name": "plain", "disk_format": "raw", "container_format": "bare"})["id"]
    own = f"/project/images/{image}"
    browser.do(own + "/edit/", name="changed", protected="1", tags="a\nb", min_disk="3")
    browser.do(own + "/properties/", properties="os_distro=alpine\na/b~c=1")
    words = browser.open(own + "/").words()
    assert "changed" in words and "a/b~c = 1" in words and "os_distro = alpine" in words and "3 GiB" in words and "a b" in words
    browser.do(own + "/properties/", properties="os_distro=debian")
    assert "os_distro = debian" in browser.open(own + "/").words() and "a/b~c" not in browser.words()
    assert f"{own}/delete/" not in browser.text, "it is protected"
    browser.do(own + "/edit/", protected="", visibility="shared")
    other = cloud.client.find("identity", "projects", "service")["id"]
    browser.do(own + "/share/", project=other)
    assert "service pending" in browser.open(own + "/?tab=members").words()
    browser.do(f"{own}/unshare/?target={other}")
    assert "It is shared with no project" in browser.open(own + "/?tab=members").words()
    browser.do(own + "/delete/")
    assert not browser.open("/project/images/?q=changed").row("changed")
    browser.open("/project/images/create/").post("/project/images/create/", name="far", url="file:///etc/passwd")
    assert browser.status in (400, 403) and not browser.open("/project/images/").row("far"), "nothing is left of it"


def test_key_pairs_are_imported_and_made(browser):
    keys = made(browser, "/project/key_pairs", name="pages", public_key=KEY)
    assert "ssh" in browser.row("pages")
    assert browser.open(keys + "create/").post(keys + "create/", name="pages", public_key=KEY).status == 409
    browser.open(keys + "create/").post(keys + "create/", name="new")
    assert "PRIVATE KEY" in browser.text and "attachment" in browser.headers["Content-Disposition"]
    assert browser.headers["Cache-Control"] == "no-store"
    for name in ("pages", "new"):
        browser.do(f"{keys}{name}/delete/")
    assert "There are no key pairs yet" in browser.open(keys).words()


def test_server_groups(browser):
    groups = made(browser, "/project/server_groups", name="apart", policy="anti-affinity", most="2")
    browser.do(f"{groups}{browser.id_of('apart')}/delete/")
    assert not browser.open(groups).row("apart")


def test_a_network_with_subnets_ports_and_a_router(cloud, browser):
    networks = made(browser, "/project/networks", name="inner", subnet_name="left", cidr="10.77.0.0/24", dns="9.9.9.9",
                    pools="10.77.0.10-10.77.0.20", routes="10.9.0.0/16,10.77.0.9")
    assert "10.77.0.0/24" in browser.row("inner")
    own = networks + browser.id_of("inner")
    browser.do(own + "/edit/", name="inner", description="of tests")
    browser.do(own + "/subnet/", cidr="fd77::/64", gateway="none")
    words = browser.open(own + "/?tab=subnets").words()
    assert "fd77::/64" in words and "9.9.9.9" in words
    target = cloud.client.call("network", "GET", "/subnets?cidr=10.77.0.0/24")["subnets"][0]
    assert target["host_routes"] == [{"destination": "10.9.0.0/16", "nexthop": "10.77.0.9"}]
    browser.do(f"{own}/edit-subnet/?target={target['id']}", dns="1.1.1.1", routes="")
    changed = cloud.client.call("network", "GET", f"/subnets/{target['id']}")["subnet"]
    assert changed["dns_nameservers"] == ["1.1.1.1"] and changed["allocation_pools"] == target["allocation_pools"]
    assert browser.refused(own + "/subnet/", cidr="10.77.0.0/24").status == 400 and "overlap" in browser.words()
    browser.do(own + "/port/", name="spare", fixed_ip="10.77.0.30")
    port = "/project/ports/" + cloud.client.call("network", "GET", "/ports?name=spare")["ports"][0]["id"]
    browser.do(port + "/edit/", name="used", pairs="10.77.0.99")
    assert "10.77.0.99" in browser.open(port + "/").words() and "used" in browser.open(own + "/?tab=ports").words()
    routers = made(browser, "/project/routers", name="door")
    door = routers + browser.id_of("door")
    browser.do(door + "/gateway/")
    browser.do(door + "/interface/", subnet=target["id"])
    assert "10.77.0.1" in browser.open(door + "/?tab=interfaces").words()
    browser.do(door + "/route/", destination="10.8.0.0/16", nexthop="10.77.0.30")
    assert "10.8.0.0/16" in browser.open(door + "/?tab=routes").words()
    browser.do(f"{door}/remove-route/?target=10.8.0.0/16%2010.77.0.30")
    assert "No static routes" in browser.open(door + "/?tab=routes").words()
    inside = cloud.client.call("network", "GET", f"/ports?device_id={door.rsplit('/', 1)[1]}&network_id={own.rsplit('/', 1)[1]}")
    browser.do(f"{door}/remove-interface/?target={inside['ports'][0]['id']}")
    browser.do(door + "/clear-gateway/")
    browser.do(door + "/edit/", name="hatch")
    browser.do(door + "/delete/")
    assert not browser.open(routers).row("hatch")
    browser.do(port + "/delete/")
    browser.do(f"{own}/delete-subnet/?target={target['id']}")
    assert "10.77.0.0/24" not in browser.open(own + "/?tab=subnets").words()
    browser.do(own + "/delete/")
    assert not browser.open(networks).row("inner")
    where = networks + "create/"
    assert browser.open(where).post(where, name="half", cidr="nonsense").status == 400
    assert not browser.open(networks).row("half"), "nothing is left of it"


def test_floating_ips(cloud, browser):
    made(browser, "/project/floating_ips")
    address = re.search(r"([\d.]+) was allocated", browser.words())[1]
    own = "/project/floating_ips/" + browser.id_of(address)
    browser.do(own + "/edit/", description="of tests")
    browser.do(own + "/associate/")
    assert "Instance first" in browser.row(address) and "of tests" in browser.row(address)
    browser.do(own + "/disassociate/")
    browser.do(own + "/release/")
    assert not browser.open("/project/floating_ips/").row(address)


# (what is chosen, the rule's protocol, ports and prefix)
RULES = (({"service": "ssh", "remote": "me"}, ("tcp", 22, 22, "127.0.0.1/32")),
         ({"service": "https", "remote": "any"}, ("tcp", 443, 443, None)),
         ({"service": "dns", "remote": "cidr", "cidr": "10.0.0.0/8"}, ("udp", 53, 53, "10.0.0.0/8")),
         ({"service": "custom", "protocol": "tcp", "first": "8000", "last": "8010"}, ("tcp", 8000, 8010, None)))


def test_rules_are_written_as_services(cloud, browser):
    groups = made(browser, "/project/security_groups", name="web", description="of tests")
    own = groups + browser.id_of("web")
    for values, wanted in RULES:
        browser.do(own + "/rule/", **values)
        rules = cloud.client.call("network", "GET", f"/security-group-rules?security_group_id={own.rsplit('/', 1)[1]}")
        assert wanted in [(r["protocol"], r["port_range_min"], r["port_range_max"], r["remote_ip_prefix"])
                          for r in rules["security_group_rules"]]
    words = browser.open(own + "/").words()
    assert "SSH IPv4 127.0.0.1/32" in words and "HTTPS IPv4 anywhere" in words and "tcp 8000–8010" in words
    assert browser.refused(own + "/rule/", service="ssh", remote="cidr").status == 400
    assert "This field is required" in browser.words()
    rule = rules["security_group_rules"][0]["id"]
    browser.do(f"{own}/delete-rule/?target={rule}")
    assert browser.path == own + "/?tab=rules"
    browser.do(own + "/edit/", name="site")
    browser.do(own + "/delete/")
    assert not browser.open(groups).row("site")


def test_hosts_and_services(cloud, browser):
    assert re.search(r"\d+ of \d+", browser.open("/admin/hypervisors/").row("fake-host"))
    host = "/admin/hypervisors/" + browser.id_of("fake-host")
    assert "instance-" in browser.open(host + "/?tab=instances").words()
    services = "/admin/services/"
    own = services + browser.open(services).id_of("nova-compute")
    browser.do(own + "/disable/", reason="for <tests>")
    assert "for <tests>" in browser.row("nova-compute") and "disabled" in browser.row("nova-compute")
    browser.press(own + "/enable/")
    assert "enabled" in browser.row("nova-compute")
    assert "cinder-volume" in browser.open("/admin/volume_services/").words()
    assert "DHCP agent" in browser.open("/admin/agents/").words()
    agent = "/admin/agents/" + browser.id_of("DHCP agent")
    browser.do(agent + "/disable/")
    assert "disabled" in browser.open("/admin/agents/").row("DHCP agent")
    browser.press(agent + "/enable/")


@pytest.fixture(scope="module")
def of_member(cloud):
    new_member(cloud)
    return Browser(f"http://127.0.0.1:{8080 + cloud.offset}").log_in("mallory", "pw")


def test_pages_of_the_operator_are_for_administrators(of_member):
    for panel in PANELS:
        answer = of_member.open(f"{panel.path}/")
        assert answer.status == (403 if panel.admin else 200), panel.path
        if panel.admin:
            assert of_member.open(f"{panel.path}/x/delete/").status == 403 or not panel.actions


# The token of a federated login is posted by the identity service's page; it counts only after a form with the secret.
@pytest.mark.parametrize("path", sorted({r.path for r in ROUTES if r.method == "POST"} - {
    "/project/images/upload", "/auth/websso"}))
def test_no_form_is_taken_without_its_secret(scriptless, path):
    where = re.sub(r"\{id\}", "0" * 32, path).replace("{verb}", "delete") + "/"
    for given in ({}, {"csrfmiddlewaretoken": "x" * 32}):
        assert scriptless.open(where, given).status == 403, path


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.path)
def test_every_page_of_a_panel_opens(scriptless, panel):
    """Also as CSV, sorted by each column, with each filter, and every dialog of the first row."""
    browser = scriptless
    browser.open(f"{panel.path}/")
    assert browser.status == 200
    first = re.search(r'data-id="([^"]+)"', browser.text)
    for column in (c for c in panel.columns if c.sort):
        for order in ("asc", "desc"):
            browser.open(f"{panel.path}/?sort={column.sort}&dir={order}")
            assert browser.status == 200, (column.sort, browser.words()[-300:])
            assert not first or f'aria-sort="{order}ending"' in browser.text
    for filter in panel.filters:
        for value, _ in () if callable(filter.options) else filter.options:
            assert browser.open(f"{panel.path}/?{filter.name}={value}").status == 200, (value, browser.words()[-300:])
    assert browser.open(f"{panel.path}/?q=%C3%A9%3C&size=50").status == 200 and "Nothing matches" in browser.words()
    assert browser.open(f"{panel.path}/?format=csv").headers["Content-Type"].startswith("text/csv")
    if panel.create:
        assert browser.open(f"{panel.path}/{panel.create.segment}/").status == 200
    if not first:
        return
    own = f"{panel.path}/{first[1]}"
    for tab in panel.tabs:
        assert browser.open(f"{own}/?tab={tab.name}").status == 200, (tab.name, browser.words()[-300:])
    for action in panel.actions:
        if not action.opens and action.verb not in ("edit-subnet", "port-groups"):
            assert browser.open(f"{own}/{action.verb}/").status == 200, (action.verb, browser.words()[-300:])
            fragment = browser.open(f"{own}/{action.verb}/", **{"HX-Request": "true", "HX-Target": "dialog-body"}).text
            assert "<html" not in fragment and f'hx-post="{own}/{action.verb}/"' in fragment


def test_who_may_what_is_managed(cloud, browser):
    projects = made(browser, "/identity/projects", name="Apollo", description="of tests")
    project = projects + browser.id_of("Apollo")
    users = made(browser, "/identity/users", name="neil", password="first-Word-1", password_again="first-Word-1",
                 project=project.rsplit("/", 1)[1])
    user = users + browser.id_of("neil")
    neil = Browser(browser.base).log_in("neil", "first-Word-1")
    assert "Apollo" in neil.words(), "he is a member of it"
    browser.open(users + "create/").post(users + "create/", name="buzz", password="a", password_again="b")
    assert browser.status == 400 and "The passwords differ" in browser.words() and 'value="buzz"' in browser.text
    groups = made(browser, "/identity/groups", name="crew")
    group = groups + browser.id_of("crew")
    browser.do(group + "/user/", user=user.rsplit("/", 1)[1])
    assert "neil" in browser.open(group + "/").words() and "crew" in browser.open(user + "/?tab=groups").words()
    roles = made(browser, "/identity/roles", name="pilot")
    role = roles + browser.id_of("pilot")
    key = f"group {group.rsplit('/', 1)[1]}"
    browser.do(project + "/member/", who=key, role=role.rsplit("/", 1)[1])
    assert "crew group" in browser.open(project + "/?tab=members").words() and "pilot" in browser.words()
    browser.do(f"{project}/remove-member/?target={key.replace(' ', '%20')}%20{role.rsplit('/', 1)[1]}")
    assert "pilot" not in browser.open(project + "/?tab=members").words()
    assert "project Apollo" in browser.open(user + "/?tab=roles").words()
    browser.do(project + "/quotas/", **{"compute-instances": "3", "volume-volumes": "4", "network-router": "5"})
    fields = Forms(browser.open(project + "/quotas/").text).forms[project + "/quotas/"]
    assert (fields["compute-instances"], fields["volume-volumes"], fields["network-router"]) == ("3", "4", "5")
    neil = Browser(browser.base).log_in("neil", "first-Word-1")
    assert "0 of 3" in neil.open("/project/").words(), "and he sees them"
    browser.do(user + "/password/", password="second-Word-2", password_again="second-Word-2")
    assert "Overview" in Browser(browser.base).log_in("neil", "second-Word-2").words()
    browser.do(user + "/disable/")
    assert Browser(browser.base).log_in("neil", "second-Word-2").status == 401
    browser.open(users).press(user + "/enable/")
    browser.do(user + "/edit/", description="changed")
    browser.do(project + "/edit/", name="Gemini")
    browser.do(group + "/edit/", name="team")
    browser.do(role + "/edit/", name="captain")
    browser.do(f"{group}/remove-user/?target={user.rsplit('/', 1)[1]}")
    assert "This group has no users" in browser.open(group + "/").words()
    browser.do(user + "/delete/")
    browser.do(group + "/delete/")
    browser.do(role + "/delete/", confirm_name="captain")
    browser.do(project + "/disable/")
    browser.open(projects).press(project + "/enable/")
    browser.do(project + "/delete/", confirm_name="Gemini")
    for panel, name in ((users, "neil"), (groups, "team"), (roles, "captain"), (projects, "Gemini")):
        assert not browser.open(panel).row(name), name


def test_domains(browser):
    domains = made(browser, "/identity/domains", name="moon")
    own = domains + browser.id_of("moon")
    browser.do(own + "/edit/", name="mars")
    browser.do(own + "/disable/", confirm_name="mars")
    browser.press(own + "/enable/")
    browser.do(own + "/disable/", confirm_name="mars")
    browser.do(own + "/delete/", confirm_name="mars")
    assert not browser.open(domains).row("mars")


def test_programs_log_in_with_files_from_here(cloud, browser):
    where = "/identity/application_credentials/create/"
    browser.open(where).post(where, name="robot", expires_at="2099-01-01T00:00:00")
    auth = json.loads(browser.text)["clouds"]["pileus"]["auth"]
    assert "clouds.yaml" in browser.headers["Content-Disposition"] and browser.headers["Cache-Control"] == "no-store"
    answer = cloud.client.pool.request("POST", auth["auth_url"] + "/auth/tokens", json={"auth": {"identity": {
        "methods": ["application_credential"], "application_credential": {
            "id": auth["application_credential_id"], "secret": auth["application_credential_secret"]}}}})
    assert answer.status == 201
    credentials = "/identity/application_credentials/"
    browser.do(f"{credentials}{browser.open(credentials).id_of('robot')}/delete/")
    assert "There are no application credentials yet" in browser.words()
    assert "volumev3" in browser.open("/project/api_access/").words()
    own = json.loads(browser.open("/project/api_access/clouds.yaml/").text)["clouds"]["pileus"]["auth"]
    assert own["username"] == "admin" and own["auth_url"] == auth["auth_url"] and "password" not in own
    assert "export OS_USERNAME=admin\n" in browser.open("/project/api_access/openrc.sh/").text
    assert browser.open("/project/api_access/secrets.ini/").status == 404


def test_what_the_operator_manages(cloud, browser):
    aggregates = made(browser, "/admin/aggregates", name="far", zone="zone-1")
    own = aggregates + browser.id_of("far")
    browser.do(own + "/edit/", zone="zone-2")
    assert "zone-2" in browser.open(aggregates).row("far")
    assert browser.refused(own + "/edit/", zone="").status == 400 and "not taken away" in browser.words()
    browser.do(own + "/delete/")
    made(browser, "/admin/aggregates", name="fast")
    own = aggregates + browser.id_of("fast")
    browser.do(own + "/metadata/", metadata="ssd=true\npinned=1")
    browser.do(own + "/metadata/", metadata="ssd=true")
    assert "ssd = true" in browser.open(aggregates).row("fast") and "pinned" not in browser.row("fast")
    browser.do(own + "/host/", host="fake-host")
    assert "fake-host" in browser.open(own + "/").words()
    browser.do(f"{own}/remove-host/?target=fake-host")
    browser.do(own + "/delete/")
    assert not browser.open(aggregates).row("fast")
    flavors = "/admin/flavors/"
    where = flavors + "create/"
    browser.open(where).post(where, public="", name="secret.one", ram="0.25", id="x 1")
    assert "0.25 GiB" in browser.row("secret.one"), browser.words()[-300:]
    own = flavors + "x%201"
    browser.do(own + "/specs/", specs="hw:cpu_policy=shared\nhw:mem_page_size=small")
    browser.do(own + "/specs/", specs="hw:cpu_policy=shared")
    assert "hw:cpu_policy = shared" in browser.open(own + "/").words() and "page_size" not in browser.words()
    project = cloud.client.project_id
    browser.do(own + "/access/", project=project)
    assert project in browser.open(own + "/?tab=access").words()
    browser.do(f"{own}/remove-access/?target={project}")
    browser.do(own + "/edit/", description="for tests")
    browser.do(own + "/delete/")
    assert not browser.open(flavors).row("secret.one")
    types = made(browser, "/admin/volume_types", name="gold", description="the best", specs="a=1")
    own = types + browser.id_of("gold")
    browser.do(own + "/specs/", specs="b=2")
    browser.do(own + "/edit/", name="golden")
    assert "b = 2" in browser.open(types).row("golden") and "a = 1" not in browser.row("golden")
    browser.do(own + "/delete/")
    assert not browser.open(types).row("golden")
    assert browser.open("/admin/migrations/").status == 200


def test_several_volumes_are_deleted_when_their_number_is_typed(cloud, browser):
    for name in ("several-1", "several-2"):
        new_volume(cloud.client, name)
    browser.open("/project/volumes/?q=several-")
    chosen = re.findall(r'name="id" value="([^"]+)"', browser.text)
    assert len(chosen) == 2, "the search is the API's"
    volumes = "/project/volumes/"
    assert "2 chosen" in browser.choose("delete").words()
    assert "This is not the number of items" in browser.post(volumes, confirmed="1").words()
    assert "2 of 2 accepted" in browser.post(volumes, confirmed="2").words()
    wait_for(lambda: "Nothing matches" in browser.open("/project/volumes/?q=several-").words(), 10, what="them to go")


def test_the_topology_shows_who_is_where(cloud, browser):
    words = browser.open("/project/network_topology/").words()
    server = cloud.client.find("compute", "servers", "first", "/servers/detail")
    address = next(a["addr"] for found in server["addresses"].values() for a in found)
    assert f"private: {address}" in browser.row("first") and "router1" in words and "public" in words
    assert f'<a href="/project/instances/{server["id"]}/">first</a>' in browser.text
    assert 'calls;desc="7"' in browser.headers["Server-Timing"], "whatever the number of networks"


def test_changes_in_the_picture_of_the_topology(cloud, browser):
    admin, picture = cloud.client, "/project/network_topology/"
    network = admin.call("network", "POST", "/networks", {"network": {"name": "drawn"}})["network"]["id"]
    own = f"{picture}networks/{network}/"
    assert f'<a href="{own}" data-dialog' in browser.open(picture).text
    assert f"/project/instances/launch/?network={network}" in browser.open(own).text
    subnet = f"/project/networks/{network}/subnet/?back=topology"
    assert subnet in browser.text
    browser.do(subnet, cidr="10.78.0.0/24")
    assert browser.path == picture and "10.78.0.0/24" in browser.words()
    launch = "/project/instances/launch/"
    browser.open(f"{launch}?network={network}").post(launch, name="drawn-one", **UNREACHED)
    wait_for(lambda: "ACTIVE" in browser.open("/project/instances/").row("drawn-one"), 20, what="the instance")
    server = browser.id_of("drawn-one")
    attached = admin.call("compute", "GET", f"/servers/{server}/os-interface")["interfaceAttachments"]
    assert [a["net_id"] for a in attached] == [network]
    own = f"{picture}instances/{server}/"
    stop = f"/project/instances/{server}/stop/?back=topology"
    assert stop in browser.open(own).text
    browser.do(stop)
    assert browser.path == picture and "is being shut off" in browser.words()
    browser.do(f"/project/instances/{server}/delete/?back=topology")
    wait_for(lambda: not browser.open(picture).row("drawn-one"), 20, what="the instance to go")
    browser.do(f"/project/networks/{network}/delete/?back=topology")
    assert browser.path == picture and "drawn" not in browser.row("drawn")
    assert browser.open(own).status == 404 and browser.open(picture + "planets/1/").status == 404
