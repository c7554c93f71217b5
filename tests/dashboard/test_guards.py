"""What other people's data, other sites' links and failing services cannot do through the dashboard."""

import html
import json
import re

import pytest
import urllib3
import webob
import yaml

from common import errors
from dashboard import filters, forms, session, tables
from dashboard.panels import PANELS, fields, launch_text
from dashboard.panels.application_credentials import as_clouds_yaml
from dashboard.panels.fields import edited, pairs_field
from tests.dashboard.apis import OTHER, PROJECT, Dashboard
from tests.dashboard.browser import Forms, words
from tests.dashboard.sample import SampleDashboard

ID, FOREIGN = "0" * 31 + "1", "0" * 31 + "2"
PORT = {"id": ID, "name": "old", "description": "", "admin_state_up": True, "port_security_enabled": True, "project_id": OTHER,
        "security_groups": ["theirs"], "allowed_address_pairs": [], "fixed_ips": [], "network_id": ID, "mac_address": "m",
        "device_owner": "", "device_id": ID, "status": "ACTIVE", "created_at": "2026-01-01T00:00:00Z"}
SERVER = {"id": ID, "name": "web", "status": "ACTIVE", "tenant_id": OTHER, "OS-EXT-STS:task_state": None, "addresses": {},
          "metadata": {}, "locked": False, "security_groups": [{"name": "default"}], "image": None, "flavor": {}}
VOLUME = {"id": ID, "name": "precious", "status": "available", "size": 1, "attachments": [], "metadata": {}, "bootable": "false",
          "description": "", "volume_type": None, "availability_zone": "nova", "created_at": "2026-01-01T00:00:00"}
IMAGE = {"id": ID, "name": "image", "status": "active", "visibility": "private", "protected": False, "owner": OTHER, "size": 1,
         "disk_format": "raw", "created_at": "2026-01-01T00:00:00Z", "tags": [], "min_disk": 0, "min_ram": 0, "os_hidden": False}


def groups_of(query: dict) -> dict:
    names = {PROJECT: [("mine", "default")], OTHER: [("theirs", "default"), ("more", "web")]}
    return {"security_groups": [{"id": id, "name": name} for id, name in names.get(query.get("project_id", ""), ())]}


def typed(dashboard: Dashboard, path: str, **changed: str) -> list[tuple[str, str]]:
    """The fields of a page's form as a browser sends them, with these changed."""
    found = Forms(dashboard.send(path).text).forms[path]
    fields = {name: value for name, value in found.items() if name != "csrfmiddlewaretoken"} | changed
    return [(name, each) for name, value in fields.items() for each in (value if isinstance(value, list) else [value])]


# Groups of ports of other projects


def test_an_edit_of_another_projects_port_keeps_its_groups():
    dashboard = Dashboard({f"GET /v2.0/ports/{ID}": {"port": PORT}, "GET /v2.0/security-groups": groups_of,
                           f"PUT /v2.0/ports/{ID}": {}})
    where = f"/project/ports/{ID}/edit/"
    assert "theirs" in Forms(dashboard.send(where).text).forms[where]["groups"]
    assert dashboard.send(where, typed(dashboard, where, name="new")).status_int == 303
    assert dashboard.apis.changes()[0].body["port"] == {"name": "new", "description": "", "admin_state_up": True}
    dashboard.send(where, [*typed(dashboard, where), ("groups", "more")])
    assert dashboard.apis.changes()[1].body["port"]["security_groups"] == ["theirs", "more"]


def test_a_group_that_one_may_not_list_stays_too():
    port = {**PORT, "security_groups": ["of-a-third"], "project_id": ""}
    dashboard = Dashboard({f"GET /v2.0/ports/{ID}": {"port": port}, "GET /v2.0/security-groups": groups_of,
                           f"PUT /v2.0/ports/{ID}": {}})
    where = f"/project/ports/{ID}/edit/"
    assert dashboard.send(where, typed(dashboard, where, name="new")).status_int == 303
    assert "security_groups" not in dashboard.apis.changes()[0].body["port"]


def test_groups_of_an_instance_are_those_of_its_project():
    ports = [{**PORT, "security_groups": ["theirs"]}, {**PORT, "id": FOREIGN, "security_groups": ["theirs", "only-here"]}]
    dashboard = Dashboard({f"GET /v2.1/servers/{ID}": {"server": SERVER}, "GET /v2.0/security-groups": groups_of,
                           "GET /v2.0/ports": {"ports": ports}, f"PUT /v2.0/ports/{ID}": {}, f"PUT /v2.0/ports/{FOREIGN}": {}})
    where = f"/admin/instances/{ID}/groups/"
    fields = typed(dashboard, where)
    assert {value for name, value in fields if name == "groups"} == {"theirs", "only-here"}
    dashboard.send(where, fields)
    assert not dashboard.apis.changes(), "nothing was changed"
    dashboard.send(where, [*fields, ("groups", "more")])
    assert [sent.body["port"]["security_groups"] for sent in dashboard.apis.changes()] == [
        ["more", "theirs"], ["more", "only-here", "theirs"]]


# Dictionaries that are edited as lines


@pytest.mark.parametrize(("key", "value"), [("x", "1\nprotected=v"), ("x", "1\rprotected=v"), ("x", "1\r\nprotected=v"),
                                            ("a=b", "c"), ("a\nb", "c"), (" a", "b"), ("a", " b"), ("", "b"), ("a", True)])
def test_what_cannot_be_a_line_is_kept_as_it_is(key, value):
    values = {key: value, "plain": "1"}
    field = pairs_field("m", "M", values)
    assert field.initial == "plain=1" and "1 that cannot be written as a line" in field.help
    assert edited(values, "plain=2\nnew=3") == {key: value, "plain": "2", "new": "3"}


def test_what_can_be_a_line_is_changed_and_removed():
    values = {"a": "1=2", "b c": "", "é": "x y", "u": "x\u2028y"}
    field = pairs_field("m", "M", values)
    assert edited(values, field.initial) == values and "cannot" not in field.help
    assert edited(values, "a=3") == {"a": "3"}
    with pytest.raises(forms.Refused):
        edited(values, "no sign")


def test_no_property_is_made_of_the_value_of_another():
    image = {**IMAGE, "x": "1\nprotected_prop=v", "plain": "1"}
    dashboard = Dashboard({f"GET /v2/images/{ID}": image, f"PATCH /v2/images/{ID}": {}})
    where = f"/admin/images/{ID}/properties/"
    fields = dict(typed(dashboard, where))
    assert fields["properties"] == "plain=1"
    dashboard.send(where, [("properties", "plain=2")])
    assert [sent.body for sent in dashboard.apis.changes()] == [[{"op": "replace", "path": "/plain", "value": "2"}]]


def test_no_tag_becomes_two():
    image = {**IMAGE, "tags": ["a,b", "c"]}
    dashboard = Dashboard({f"GET /v2/images/{ID}": image, f"PATCH /v2/images/{ID}": {}})
    where = f"/admin/images/{ID}/edit/"
    dashboard.send(where, typed(dashboard, where, name="new"))
    assert [sent.body for sent in dashboard.apis.changes()] == [[{"op": "replace", "path": "/name", "value": "new"}]]


# Memory: the APIs have MiB, people read and type GiB


@pytest.mark.parametrize("mib", [0, 1, 5, 100, 102, 256, 511, 512, 1024, 1025, 1536, 51200, 10**8 - 1, -1])
def test_memory_is_typed_as_it_is_shown(mib):
    field = forms.Field("ram", "RAM in GiB", "memory", low=-1, initial=mib)
    assert field.read(forms.Fields([("ram", field.typed(None))])) == mib


def test_the_shortest_amount_of_memory_is_shown():
    assert [forms.gib(mib) for mib in (512, 51200, 102, 1)] == ["0.5", "50", "0.1", "0.001"]
    assert fields.memory(1536) == "1.5 GiB" and filters.gib({"language": "de"}, 1536) == "1,5 GiB"


@pytest.mark.parametrize("text", ["x", "-2", "1e3", "0x10", "1.", ".5", "nan", "9" * 10, "\u0665", "1,5", "97657"])
def test_what_is_no_amount_of_memory_is_refused(text):
    with pytest.raises(ValueError, match="Enter an amount of GiB, such as 0.5 or 16, or -1"):
        forms.Field("ram", "RAM in GiB", "memory", low=-1, high=10**8).read(forms.Fields([("ram", text)]))
    with pytest.raises(ValueError, match="from 0.5 to 2"):
        forms.Field("ram", "RAM in GiB", "memory", low=512, high=2048).read(forms.Fields([("ram", "-1")]))


def test_a_quota_of_memory_is_changed_in_gib():
    quotas = {"instances": 10, "cores": 20, "ram": 51200}
    where = f"/identity/projects/{PROJECT}/quotas/"
    dashboard = Dashboard({f"GET /v3/projects/{PROJECT}": {"project": {"id": PROJECT, "name": "of-eve", "enabled": True}},
                           f"GET /v2.1/os-quota-sets/{PROJECT}": {"quota_set": quotas},
                           f"PUT /v2.1/os-quota-sets/{PROJECT}": {"quota_set": quotas},
                           f"GET /v3/os-quota-sets/{PROJECT}": {"quota_set": {}},
                           f"GET /v2.0/quotas/{PROJECT}": {"quota": {}}})
    as_it_is = typed(dashboard, where)
    assert dict(as_it_is)["compute-ram"] == "50"
    dashboard.send(where, as_it_is)
    assert not dashboard.apis.changes(), "what is not changed is not sent"
    for text, mib in (("0.5", 512), ("-1", -1), ("64", 65536)):
        dashboard.send(where, typed(dashboard, where, **{"compute-ram": text}))
        assert dashboard.apis.changes()[-1].body == {"quota_set": {"ram": mib}}


def test_a_protocol_keeps_its_mapping_unless_another_is_chosen():
    where = "/v3/OS-FEDERATION/identity_providers/company"
    dashboard = Dashboard({
        f"GET {where}": {"identity_provider": {"id": "company", "enabled": True}},
        f"GET {where}/protocols": {"protocols": [{"id": "openid", "mapping_id": "staff"}]},
        f"GET {where}/protocols/openid": {"protocol": {"id": "openid", "mapping_id": "staff"}},
        "GET /v3/OS-FEDERATION/mappings": {"mappings": [{"id": "guests"}, {"id": "staff"}]}})
    where = "/identity/providers/company/edit-protocol/"
    assert Forms(dashboard.send(f"{where}?target=openid").text).forms[where]["mapping"] == "staff"


# Links of other sites


def test_a_link_does_not_type_a_confirmation():
    dashboard = Dashboard({f"GET /v3/volumes/{ID}": {"volume": VOLUME}})
    where = f"/project/volumes/{ID}/delete/"
    text = dashboard.send(f"{where}?confirm_name=precious").text
    assert Forms(text).forms[where]["confirm_name"] == ""


def test_a_link_chooses_nothing_but_an_image_and_a_row():
    preset = {(panel.path, field.name) for panel in PANELS for fields in (
        *(action.fields for action in panel.actions), panel.create.fields if panel.create else ())
        if isinstance(fields, tuple) for field in fields if field.preset}
    assert {name for _, name in preset} == {"target"}
    project = {"id": ID, "name": "p", "enabled": True, "description": ""}
    dashboard = Dashboard({f"GET /v3/projects/{ID}": {"project": project}, "GET /v3/users": {"users": [{"id": "u", "name": "u"}]},
                           "GET /v3/groups": {"groups": []},
                           "GET /v3/roles": {"roles": [{"id": "1", "name": "admin"}, {"id": "2", "name": "member"}]}})
    where = f"/identity/projects/{ID}/member/"
    assert Forms(dashboard.send(f"{where}?role=1").text).forms[where]["role"] == "2"
    lists = {"GET /v2/images": "images", "GET /v2.1/flavors/detail": "flavors", "GET /v3/volumes/detail": "volumes",
             "GET /v3/snapshots": "snapshots", "GET /v2.0/networks": "networks", "GET /v2.0/ports": "ports",
             "GET /v2.0/security-groups": "security_groups", "GET /v2.1/os-keypairs": "keypairs",
             "GET /v2.1/os-availability-zone": "availabilityZoneInfo", "GET /v2.1/os-server-groups": "server_groups"}
    images = [{"id": id, "name": id, "container_format": "bare"} for id in (ID, FOREIGN)]
    launch_page = Dashboard({where: {key: images if key == "images" else []} for where, key in lists.items()})
    where = "/project/instances/launch/"
    fields = Forms(launch_page.send(f"{where}?image={FOREIGN}&name=x&count=100").text).forms[where]
    assert (fields["image"], fields["name"], fields["count"]) == (FOREIGN, "", "1")
    where = f"/identity/projects/{ID}/remove-member/"
    assert Forms(dashboard.send(f"{where}?target=user+u+1").text).forms[where]["target"] == "user u 1"


def test_a_console_is_made_when_its_button_is_pressed_only():
    """A link that a browser fetches ahead must not use up a token."""
    url = 'http://c/vnc_auto.html?path=?token=a&b="><script>'
    dashboard = Dashboard({f"GET /v2.1/servers/{ID}": {"server": SERVER},
                           f"POST /v2.1/servers/{ID}/remote-consoles": {"remote_console": {"url": url}}})
    where = f"/project/instances/{ID}/vnc/"
    for method in ("GET", "HEAD"):
        assert dashboard.send(where, method=method).status_int == 405
    assert dashboard.send(where, [("csrfmiddlewaretoken", "x")]).status_int == 403
    assert not dashboard.apis.changes()
    answer = dashboard.send(where, [])
    assert answer.status_int == 200 and len(dashboard.apis.changes()) == 1
    assert f'content="0; url={html.escape(url).replace("&quot;", "&#34;")}"' in answer.text and "<script" not in answer.text


def test_an_administrator_is_offered_networks_of_the_project_only():
    networks = [{"id": f"{n:032x}", "name": f"n{n}", "project_id": project, "shared": shared, "router:external": external}
                for n, (project, shared, external) in enumerate([(PROJECT, False, False), (OTHER, False, False),
                                                                 ("c" * 32, True, False), (PROJECT, True, True)])]
    lists = {"GET /v2/images": "images", "GET /v2.1/flavors/detail": "flavors", "GET /v3/volumes/detail": "volumes",
             "GET /v3/snapshots": "snapshots", "GET /v2.0/ports": "ports", "GET /v2.0/security-groups": "security_groups",
             "GET /v2.1/os-keypairs": "keypairs", "GET /v2.1/os-availability-zone": "availabilityZoneInfo",
             "GET /v2.1/os-server-groups": "server_groups"}
    subnets = [{"id": f"{n:032x}", "network_id": network["id"], "cidr": f"10.{n}.0.0/16"} for n, network in enumerate(networks)]
    router = {"id": ID, "name": "r", "project_id": PROJECT, "external_gateway_info": None}
    dashboard = Dashboard({**{where: {key: []} for where, key in lists.items()}, "GET /v2.0/networks": {"networks": networks},
                           f"GET /v2.1/servers/{ID}": {"server": SERVER}, "GET /v2.0/subnets": {"subnets": subnets},
                           f"GET /v2.0/routers/{ID}": {"router": router}})

    def offered(path: str) -> list[str]:
        return [n for n in ("n0", "n1", "n2", "n3") if n in words(dashboard.send(path).text)]
    assert offered("/project/instances/launch/") == ["n0", "n2"]
    assert offered(f"/project/routers/{ID}/interface/") == ["n0", "n2"]
    assert offered(f"/admin/instances/{ID}/attach-interface/") == ["n1", "n2"], "those of the instance's project"


def test_what_an_administrator_adds_to_a_network_is_of_its_project():
    """Not of the project that he is logged in to."""
    network = {"id": ID, "name": "net", "project_id": OTHER, "shared": False, "router:external": False}
    dashboard = Dashboard({f"GET /v2.0/networks/{ID}": {"network": network}, "POST /v2.0/subnets": {}, "POST /v2.0/ports": {},
                           "GET /v2.0/security-groups": {"security_groups": []}})
    assert dashboard.send(f"/admin/networks/{ID}/subnet/", [("cidr", "10.0.0.0/24")]).status_int == 303
    assert dashboard.send(f"/admin/networks/{ID}/port/", [("up", "1")]).status_int == 303
    assert [sent.body.popitem()[1]["project_id"] for sent in dashboard.apis.changes()] == [OTHER, OTHER]
    assert {sent.query["project_id"] for sent in dashboard.apis.sent if sent.path == "/v2.0/security-groups"} == {OTHER}


def test_what_refreshes_itself_sends_no_secret():
    busy = {**VOLUME, "status": "creating"}
    dashboard = Dashboard({"GET /v3/volumes/detail": {"volumes": [busy]}, f"GET /v3/volumes/{ID}": {"volume": busy}})
    for path in ("/project/volumes/", f"/project/volumes/{ID}/"):
        (form,) = re.findall(r"<form[^>]*data-busy[^>]*>", dashboard.send(path).text)
        assert "hx-get=" in form and 'hx-params="none"' in form, path


# Rows of other projects


@pytest.mark.parametrize(("panel", "where", "key"), [("ports", "/v2.0/ports", "ports"), ("routers", "/v2.0/routers", "routers"),
                                                     ("floating_ips", "/v2.0/floatingips", "floatingips"),
                                                     ("security_groups", "/v2.0/security-groups", "security_groups")])
def test_lists_of_the_project_are_of_the_project(panel, where, key):
    dashboard = Dashboard({f"GET {where}": {key: []}, "GET /v2.0/networks": {"networks": []}})
    for query in ("", "?q=x", "?format=csv"):
        assert dashboard.send(f"/project/{panel}/{query}").status_int == 200
        assert [sent.query.get("project_id") for sent in dashboard.apis.sent if sent.path == where] == [PROJECT]
        dashboard.apis.sent.clear()
    assert dashboard.send(f"/admin/{panel}/").status_int == 200
    assert [sent.query.get("project_id") for sent in dashboard.apis.sent if sent.path == where] == [None]


def test_what_others_own_is_shown_without_actions():
    foreign = {**IMAGE, "id": FOREIGN, "visibility": "public"}
    dashboard = Dashboard({"GET /v2/images": {"images": [{**IMAGE, "owner": PROJECT}, foreign]},
                           f"GET /v2/images/{FOREIGN}": foreign})
    text = dashboard.send("/project/images/").text
    assert re.findall(r'name="id" value="([0-9a-f]+) ', text) == [ID]
    assert f"{ID}/delete/" in text and f"{FOREIGN}/delete/" not in text and f'data-id="{FOREIGN}"' in text
    assert "/delete/" not in dashboard.send(f"/project/images/{FOREIGN}/").text
    text = dashboard.send("/admin/images/").text
    assert f"{ID}/delete/" in text and f"{FOREIGN}/delete/" in text


# Sessions and cookies


def test_a_request_that_was_refused_does_not_end_a_newer_session():
    dashboard = Dashboard({"GET /v2.0/ports": errors.Unauthorized(), "GET /v3/auth/projects": {"projects": []}})
    answer = dashboard.send("/project/ports/", **{"HX-Request": "true"})
    assert answer.status_int == 204 and answer.headers["HX-Redirect"] == "/auth/login/?next=/project/ports/"
    assert not any(c.startswith(session.COOKIE) for c in answer.headers.getall("Set-Cookie"))
    answer = dashboard.send("/auth/login/")
    assert answer.status_int == 200 and not any(c.startswith(session.COOKIE) for c in answer.headers.getall("Set-Cookie"))
    dashboard.apis.answers["GET /v3/auth/projects"] = errors.Unauthorized()
    answer = dashboard.send("/auth/login/")
    assert answer.status_int == 200 and "of-eve" not in answer.text
    assert any(c.startswith(f"{session.COOKIE}=;") for c in answer.headers.getall("Set-Cookie")), "it has ended"


def test_a_long_notice_fits_into_a_cookie():
    name = "\U0001f4a3" * 255
    chosen = [("verb", "delete"), ("confirmed", "4")] + [("id", f"{n:032x} {name}") for n in range(4)]
    dashboard = Dashboard({})
    answer = dashboard.send("/project/volumes/", chosen)
    assert all(len(c) < 4096 for c in answer.headers.getall("Set-Cookie"))
    assert dashboard.notice(answer).startswith("Delete: 0 of 4 accepted. \U0001f4a3")


# Failures half-way


def test_several_at_once_are_counted_whatever_fails():
    ids = [f"{n:032x}" for n in range(3)]
    answers = {f"DELETE /v2.0/ports/{ids[0]}": {}, f"DELETE /v2.0/ports/{ids[1]}": errors.ServiceUnavailable(part="a service"),
               f"DELETE /v2.0/ports/{ids[2]}": {}}
    dashboard = Dashboard(answers)
    fields = [("verb", "delete"), ("confirmed", "1"), *(("id", f"{id} p{n}") for n, id in enumerate(ids))]
    answer = dashboard.send("/project/ports/", fields)
    assert answer.status_int == 303 and dashboard.notice(answer).startswith("Delete: 2 of 3 accepted. p1: A service that")
    answers[f"DELETE /v2.0/ports/{ids[0]}"] = errors.Unauthorized()
    dashboard = Dashboard(answers)
    assert dashboard.send("/project/ports/", fields).location.endswith("/auth/login/?next=/project/ports/")


CREDENTIALS = f"/v3/users/{'e' * 32}/application_credentials"


def test_no_secret_is_made_that_cannot_be_shown():
    dashboard = Dashboard({"GET /v3/auth/catalog": errors.ServiceUnavailable(part="identity"),
                           f"POST {CREDENTIALS}": {"application_credential": {"id": "i", "secret": "s"}}})
    assert dashboard.send("/identity/application_credentials/create/", [("name", "robot")]).status_int == 503
    assert not dashboard.apis.changes()


IMPORT = [("name", "i"), ("url", "http://u/"), ("disk_format", "raw"), ("visibility", "private"), ("protected", "1")]


def test_a_failed_import_leaves_no_protected_image_and_says_why():
    answers = {"POST /v2/images": {"id": ID}, f"POST /v2/images/{ID}/import": errors.BadRequest("No such host."),
               f"DELETE /v2/images/{ID}": errors.ServiceUnavailable(part="image"), f"PATCH /v2/images/{ID}": {}}
    dashboard = Dashboard(answers)
    answer = dashboard.send("/project/images/create/", IMPORT)
    assert answer.status_int == 400 and "No such host." in answer.text
    assert [s.method for s in dashboard.apis.changes()] == ["POST", "POST", "DELETE"]
    assert not dashboard.apis.sent[0].body.get("protected")
    answers[f"POST /v2/images/{ID}/import"] = None
    dashboard = Dashboard(answers)
    assert dashboard.send("/project/images/create/", IMPORT).status_int == 303
    assert dashboard.apis.sent[-1].body == [{"op": "replace", "path": "/protected", "value": True}]
    answers[f"PATCH /v2/images/{ID}"] = errors.Conflict("Busy.")
    dashboard = Dashboard(answers)
    assert "It could not be protected: Busy." in dashboard.notice(dashboard.send("/project/images/create/", IMPORT))


def test_a_failed_upload_leaves_no_protected_image_and_says_why():
    answers = {"POST /v2/images": {"id": ID}, f"PUT /v2/images/{ID}/file": errors.TooLarge("No space."),
               f"DELETE /v2/images/{ID}": errors.Forbidden("It is protected."), f"PATCH /v2/images/{ID}": {}}

    def upload() -> tuple[Dashboard, webob.Response]:
        dashboard = Dashboard(answers)
        fields = {"csrfmiddlewaretoken": dashboard.active.csrf, **dict(IMPORT), "file": ("disk.raw", b"x", "text/plain")}
        body, kind = urllib3.encode_multipart_formdata(fields)
        return dashboard, dashboard.send("/project/images/upload/", body=body, **{"Content-Type": kind})
    dashboard, answer = upload()
    assert answer.status_int == 413 and "No space." in answer.text and "It is protected." not in answer.text
    assert [s.method for s in dashboard.apis.changes()] == ["POST", "PUT", "DELETE"]
    assert not dashboard.apis.sent[0].body.get("protected")
    answers[f"PUT /v2/images/{ID}/file"] = None
    dashboard, answer = upload()
    assert answer.status_int == 303 and dashboard.notice(answer) == "i was uploaded."
    assert dashboard.apis.sent[-1].body == [{"op": "replace", "path": "/protected", "value": True}]


@pytest.mark.parametrize("failing", ["POST /v2/images", f"PUT /v2/images/{ID}/file"])
@pytest.mark.parametrize("error", [errors.ServiceUnavailable(part="image"), errors.Error()])
def test_an_upload_that_a_service_fails_keeps_what_was_typed(failing, error):
    dashboard = Dashboard({"POST /v2/images": {"id": ID}, f"PUT /v2/images/{ID}/file": {}, f"DELETE /v2/images/{ID}": {},
                           failing: error})
    fields = {"csrfmiddlewaretoken": dashboard.active.csrf, **dict(IMPORT), "properties": "os_distro=mine", "min_ram": "17",
              "file": ("disk.raw", b"x" * 100_000, "text/plain")}
    body, kind = urllib3.encode_multipart_formdata(fields)
    answer = dashboard.send("/project/images/upload/", body=body, **{"Content-Type": kind})
    kept = Forms(answer.text).forms["/project/images/upload/"]
    assert answer.status_int == error.status and str(error) in words(answer.text) and "pileus trace" in answer.text
    assert (kept["name"], kept["properties"], kept["min_ram"], kept["disk_format"]) == ("i", "os_distro=mine", "17", "raw")


def test_a_failed_network_says_why():
    dashboard = Dashboard({"POST /v2.0/networks": {"network": {"id": ID, "project_id": PROJECT}},
                           "POST /v2.0/subnets": errors.BadRequest("Overlaps."),
                           f"DELETE /v2.0/networks/{ID}": errors.Conflict("In use.")})
    answer = dashboard.send("/project/networks/create/", [("name", "n"), ("cidr", "10.0.0.0/8")])
    assert answer.status_int == 400 and "Overlaps." in answer.text and "In use." not in answer.text
    assert dashboard.apis.sent[-1].method == "DELETE"


def user(roles: list[dict], **more) -> tuple[Dashboard, object]:
    dashboard = Dashboard({"GET /v3/projects": {"projects": [{"id": ID, "name": "p"}]}, "GET /v3/domains": {"domains": []},
                           "GET /v3/roles": {"roles": roles}, "POST /v3/users": {"user": {"id": FOREIGN}}, **more})
    return dashboard, dashboard.send("/identity/users/create/", [("name", "neil"), ("password", "x"), ("password_again", "x"),
                                                                 ("project", ID)])


def test_a_user_is_not_made_without_the_role_that_was_promised():
    dashboard, answer = user([])
    assert answer.status_int == 400 and "There is no role “member”" in answer.text and not dashboard.apis.changes()
    dashboard, answer = user([{"id": "m", "name": "member"}], **{
        f"PUT /v3/projects/{ID}/users/{FOREIGN}/roles/m": errors.Forbidden("Not you.")})
    assert dashboard.notice(answer) == "neil was created, but is not a member of the project: Not you."


@pytest.mark.parametrize("path", ["/admin/flavors/detail/", "/admin/flavors/detail/edit/"])
def test_a_name_of_the_api_is_no_resource(path):
    dashboard = Dashboard({"GET /v2.1/flavors/detail": {"flavors": []}})
    assert dashboard.send(path).status_int == 404


# Lists and files


def test_a_csv_has_what_the_list_has():
    networks = [{"id": f"{n:032x}", "name": name, "subnets": [], "shared": False, "router:external": False, "status": "ACTIVE",
                 "admin_state_up": True, "project_id": PROJECT} for n, name in enumerate(("left", "right"))]
    keys = [{"keypair": {"name": name, "type": "ssh", "fingerprint": "f"}} for name in ("b", "c", "a")]
    dashboard = Dashboard({"GET /v2.0/networks": {"networks": networks}, "GET /v2.0/subnets": {"subnets": []},
                           "GET /v2.1/os-keypairs": {"keypairs": keys}})
    text = dashboard.send("/project/networks/?q=righ&format=csv").text
    assert "right" in text and "left" not in text
    rows = dashboard.send("/project/key_pairs/?sort=name&dir=desc&format=csv").text.split("\r\n")
    assert [row.split(",")[0] for row in rows] == ["ID", "c", "b", "a", ""]


def test_lists_without_pages_are_read_to_their_end():
    def keys(query: dict) -> dict:
        at = int(query.get("marker", "0"))
        links = [{"rel": "next", "href": f"http://c/os-keypairs?marker={at + 1}"}] if at < 2 else []
        return {"keypairs": [{"keypair": {"name": f"k{at}", "type": "ssh"}}], **({"keypairs_links": links} if links else {})}
    dashboard = Dashboard({"GET /v2.1/os-keypairs": keys})
    assert "3 found" in words(dashboard.send("/project/key_pairs/").text)
    assert dashboard.send("/project/key_pairs/?format=csv").text.count("ssh") == 3


def test_a_list_that_was_cut_says_so():
    groups = [{"id": f"{n:032x}", "name": f"g{n}", "policy": "affinity", "members": []} for n in range(tables.BATCH)]
    users = [{"id": "u", "name": "u", "domain_id": "default", "enabled": True}]
    dashboard = Dashboard({"GET /v2.1/os-server-groups": {"server_groups": groups}, "GET /v3/users": {"users": users,
                                                                                                 "truncated": True}})
    for path in ("/project/server_groups/", "/identity/users/"):
        assert "the first of more" in dashboard.send(path).text
        assert dashboard.send(f"{path}?format=csv").status_int == 400
    dashboard.apis.answers["GET /v3/users"] = {"users": users}
    assert dashboard.send("/identity/users/?format=csv").status_int == 200


@pytest.mark.parametrize(("text", "cell"), [
    ("=1", "'=1"), ("\t=1", "'\t'=1"), ("\uff1d1", "'\uff1d1"), ("a;=1", "a;'=1"), ("a; \uff0d1", "a;' \uff0d1"),
    ("a-b=c", "a-b=c"), ("a\n@x", "a\n'@x"), ("plain; text", "plain; text"), ("\rx", "'\rx")])
def test_no_cell_is_a_formula(text, cell):
    assert tables._cell(text) == cell


def test_a_command_takes_no_value_for_an_option():
    values = {"source": "image", "image": ID, "volume_gb": None, "count": 1, "user_data": "", "networks": [], "ports": [],
              "flavor": "f", "name": "--help", "description": "-d", "zone": "", "key_name": "", "groups": [], "metadata": "-k=v",
              "config_drive": False, "hints": "", "server_group": "", "delete_volume": False}
    command = launch_text.command(values)
    assert command.endswith("-- --help") and "--description=-d" in command and "--property=-k=v" in command


def test_a_file_for_clients_has_the_names_as_they_are():
    name = "\U0001f4a3 \x85\u2028\ufeff\"'\\ é"
    text = as_clouds_yaml({"auth": {"username": name}}).text
    assert yaml.safe_load(text)["clouds"]["pileus"]["auth"]["username"] == name
    assert json.loads(text)["clouds"]["pileus"]["auth"]["username"] == name


def test_an_empty_image_is_not_asked_for_for_ever():
    dashboard = Dashboard({"GET /v2/images": {"images": [{**IMAGE, "status": "queued"}]}})
    assert "data-busy" not in dashboard.send("/project/images/").text
    dashboard = Dashboard({"GET /v2/images": {"images": [{**IMAGE, "status": "saving"}]}})
    assert "data-busy" in html.unescape(dashboard.send("/project/images/").text)


def test_names_with_numbers_are_sorted_as_people_do():
    names = ["node10", "node2", "Node1", "", "2", "10", "a"]
    assert sorted(names, key=tables.natural) == ["", "2", "10", "a", "Node1", "node2", "node10"]


def test_lists_show_names_of_what_belongs_to_rows():
    port = {"id": ID, "name": "", "network_id": "n1", "project_id": PROJECT, "fixed_ips": [], "status": "ACTIVE",
            "mac_address": "fa:16:3e:00:00:01", "device_owner": "", "device_id": "", "created_at": "2026-01-01T00:00:00Z"}
    gone = {**port, "id": "other", "network_id": "n2"}
    dashboard = Dashboard({"GET /v2.0/ports": {"ports": [port, gone]},
                           "GET /v2.0/networks": {"networks": [{"id": "n1", "name": "office"}]}})
    page = dashboard.send("/project/ports/").text
    assert '<a href="/project/networks/n1/" class="beside">office</a>' in page
    assert '<a href="/project/networks/n2/" class="beside">n2</a>' in page, "of what is gone, the id"
    assert len(dashboard.apis.sent) == 2


def test_a_list_says_which_rows_it_shows():
    """Of how many, too, as soon as that is known."""
    def shown(path: str, rows: int) -> str:
        dashboard = SampleDashboard(rows=rows)
        page = dashboard.send(path).text
        if following := re.search(r'rel="next" href="([^"]+)"', page):
            return f"{words(page)} {words(dashboard.send(path.partition('?')[0] + html.unescape(following[1])).text)}"
        return words(page)
    text = shown("/project/networks/", 10_000)
    assert "1–20, more follow" in text and "21–40, more follow" in text
    assert "7 found" in shown("/project/networks/", 7)
    text = shown("/identity/roles/", 10_000)
    assert "1–20 of 10,000" in text and "21–40 of 10,000" in text
    assert "21–25 of 25" in shown("/identity/roles/", 25)
    assert "9 found" in shown("/identity/roles/", 9)


def test_the_version_of_a_hypervisor_is_written_with_points():
    host = {"id": ID, "hypervisor_hostname": "node1", "state": "up", "status": "enabled", "host_ip": "192.0.2.1",
            "hypervisor_type": "QEMU", "service": {"host": "node1", "disabled_reason": None}, **dict.fromkeys((
                "vcpus", "vcpus_used", "memory_mb", "memory_mb_used", "local_gb", "local_gb_used", "running_vms"), 1)}
    for number, text in ((7002013, "Version 7.2.13 Status"), (0, "Version – Status")):  # 0: nobody knows
        dashboard = Dashboard({f"GET /v2.1/os-hypervisors/{ID}": {"hypervisor": host | {"hypervisor_version": number}}})
        assert text in words(dashboard.send(f"/admin/hypervisors/{ID}/").text)
