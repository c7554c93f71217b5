"""What operators ask of identity: its doctor, keys that change, a catalog from a file, a flood of logins, JSON Home."""

import json
import pathlib
import subprocess
import sys
import threading

import urllib3

from common.periodic import wait_for
from identity import catalog, doctor
from identity.cli import bootstrap
from tests.identity.conftest import Caller

TEMPLATE = """
# a comment
catalog.RegionOne.identity.publicURL = http://keystone:5000/v3
catalog.RegionOne.identity.name = Identity Service
catalog.RegionOne.volumev3.publicURL = http://cinder:8776/v3/$(project_id)s
catalog.RegionTwo.identity.publicURL = http://far:5000/v3
"""


def levels(service) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for level, text in doctor.examine(service):
        found.setdefault(level, []).append(text)
    return found


def test_the_doctor_finds_nothing_broken(identity):
    found = levels(identity.service)
    assert "error" not in found and len(found["ok"]) >= 4
    assert any("password_hash_rounds" in t for t in found["warning"])  # these tests hash cheaply


def test_the_doctor_reports_problems(identity, tmp_path):
    service = identity.service
    key = next(service.keys.directory.glob("*.pem"))
    key.chmod(0o644)
    with service.db.writer() as connection:
        connection.exec_driver_sql("UPDATE users SET enabled = 0")
    errors = levels(service)["error"]
    assert any(str(key) in t for t in errors) and any("no administrator" in t for t in errors)


def test_the_doctor_is_a_command(tmp_path):
    caller = Caller(tmp_path)
    caller.close()
    words = [sys.executable, "-c", "import sys; from identity.cli import main; sys.exit(main())", "--state", tmp_path, "doctor"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ok       the database is at revision" in done.stdout
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "identity.conf").write_text("[identity]\nadmin_token = ADMIN\n")
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 1 and "admin_token is set" in done.stdout


def test_keys_change_and_no_token_is_refused(identity):
    """Three keys are kept: tokens of the one before the last go on working."""
    tokens = [identity.admin]
    for _ in range(2):
        identity.service.keys.rotate()
        identity.service.revocations.run_once()
        tokens.append(identity.admin)
        for token in tokens:
            assert identity.send("GET", "/v3/auth/projects", token=token).status_int == 200


def test_an_operators_policy_holds_and_is_read_again(tmp_path):
    """A file with rules of his own; what he changes in it holds within two seconds, without a restart."""
    path = tmp_path / "etc" / "identity-policy.yaml"
    path.parent.mkdir()
    path.write_text('"identity:list_regions": "role:admin"\n')
    caller = Caller(tmp_path)
    try:
        user = caller.send("POST", "/v3/users", {"user": {"name": "u", "password": "pw"}}, token=caller.admin).json["user"]["id"]
        token = caller.login("u", "pw").headers["X-Subject-Token"]
        assert caller.send("GET", "/v3/regions", token=token).status_int == 403
        assert caller.send("GET", f"/v3/users/{user}", token=token).status_int == 200
        path.write_text('"identity:list_regions": ""\n"identity:get_user": "role:admin"\n')
        wait_for(lambda: caller.send("GET", "/v3/regions", token=token).status_int == 200, 5, what="the new rule")
        assert caller.send("GET", f"/v3/users/{user}", token=token).status_int == 403
    finally:
        caller.close()


def test_a_catalog_from_a_file(tmp_path):
    path = tmp_path / "catalog.templates"
    path.write_text(TEMPLATE)
    caller = Caller(tmp_path, {"catalog.driver": "templated", "catalog.template_file": str(path)})
    try:
        scope = {"project": {"name": "admin", "domain": {"id": "default"}}}
        found = caller.login("admin", "secret", scope).json["token"]
        shown = {(s["type"], e["region"]): e["url"] for s in found["catalog"] for e in s["endpoints"]}
        assert shown == {("identity", "RegionOne"): "http://keystone:5000/v3", ("identity", "RegionTwo"): "http://far:5000/v3",
                         ("volumev3", "RegionOne"): f"http://cinder:8776/v3/{found['project']['id']}"}
        assert {s["name"] for s in found["catalog"]} == {"Identity Service", "volumev3"}
        path.write_text("catalog.RegionOne.identity = x\n")
        caller.service.catalog.invalidate()
        assert [f.level for f in doctor.catalog(caller.service)] == ["error"]
    finally:
        caller.close()


def test_the_catalog_is_read_again_after_a_write(identity):
    token = identity.admin
    service = identity.send("POST", "/v3/services", {"service": {"type": "tea"}}, token=token).json["service"]["id"]
    body = {"endpoint": {"service_id": service, "interface": "public", "url": "http://tea"}}
    identity.send("POST", "/v3/endpoints", body, token=token)
    assert "tea" in [s["type"] for s in identity.send("GET", "/v3/auth/catalog", token=token).json["catalog"]]
    identity.send("DELETE", f"/v3/services/{service}", token=token)
    assert "tea" not in [s["type"] for s in identity.send("GET", "/v3/auth/catalog", token=token).json["catalog"]]
    assert catalog.CACHE_S <= 1, "another worker's writes are seen within a second"


def test_json_home(identity):
    for path, prefix in (("/", "/v3"), ("/v3", "")):
        answer = identity.send("GET", path, Accept="application/json-home")
        found = json.loads(answer.body)["resources"]
        assert answer.content_type == "application/json-home"
        rel = "https://docs.openstack.org/api/openstack-identity/3/rel/"
        assert found[rel + "users"]["href"] == f"{prefix}/users" and found[rel + "auth_tokens"]["href"] == f"{prefix}/auth/tokens"
        assert found[rel + "user"]["href-template"] == f"{prefix}/users/{{user_id}}"
        for entry in found.values():
            template = "/v3" + (entry.get("href") or entry["href-template"]).removeprefix("/v3")
            shape = template.split("{")[0].rstrip("/")
            assert identity.send("GET", shape, token=identity.admin).status_int in (200, 404), template


def test_a_flood_of_logins_does_not_starve_validation(cloud):
    """Hashing is off the event loop: while eight wrong logins at a time are checked, tokens are validated all the same."""
    client, stop = cloud.client, threading.Event()
    url, done = client.url("identity") + "/auth/tokens", []
    body = json.dumps({"auth": {"identity": {"methods": ["password"], "password": {
        "user": {"name": "admin", "domain": {"id": "default"}, "password": "wrong"}}}}})

    def flood():
        own = urllib3.PoolManager()
        while not stop.is_set():
            answer = own.request("POST", url, body=body, headers={"Content-Type": "application/json"})
            done.append(answer.status)
    threads = [threading.Thread(target=flood) for _ in range(8)]
    for thread in threads:
        thread.start()
    validated = 0
    headers = {"X-Auth-Token": client.token, "X-Subject-Token": client.token}
    while len(done) < 300:
        assert client.pool.request("GET", url, headers=headers).status == 200
        validated += 1
    stop.set()
    for thread in threads:
        thread.join()
    assert set(done) == {401} and validated > 30, (validated, len(done))


def test_no_secret_is_in_a_world_readable_file(identity):
    state = pathlib.Path(identity.service.conf.state_path) / "identity"
    assert not [p for p in state.rglob("*") if p.is_file() and p.stat().st_mode & 0o077]


def test_bootstrap_grants_nothing_to_a_later_user_with_the_name_admin(identity):
    """``deploy/up`` repeats it; where the first administrator was renamed, a domain's manager may have made another "admin"."""
    token = identity.admin

    def ask(method, path, body=None):
        response = identity.send(method, "/v3" + path, body, token=token)
        assert response.status_int < 300, response.text
        return response.json if response.body else {}
    first = ask("GET", "/users?name=admin")["users"][0]["id"]
    ask("PATCH", f"/users/{first}", {"user": {"name": "root"}})
    later = ask("POST", "/users", {"user": {"name": "admin", "password": "pw"}})["user"]["id"]
    again = {"nova": "service-secret"}
    bootstrap(identity.service, "secret", again, "127.0.0.1", "RegionOne")
    assert ask("GET", f"/role_assignments?user.id={later}")["role_assignments"] == []
    assert len(ask("GET", f"/role_assignments?user.id={first}")["role_assignments"]) == 3
    ask("PATCH", f"/users/{later}", {"user": {"name": "other"}})
    ask("PATCH", f"/users/{first}", {"user": {"name": "admin"}})
    bootstrap(identity.service, "secret", again, "127.0.0.1", "RegionOne")
    assert len(ask("GET", f"/role_assignments?user.id={first}")["role_assignments"]) == 3
