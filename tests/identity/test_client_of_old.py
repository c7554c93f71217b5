"""The first steps of the guides of 2013, by their own client: an empty identity, its admin token, then a login.

What the client prints is compared with what the guides show.
"""

import os
import re
import subprocess
import threading
import wsgiref.simple_server

import pytest

from tests.conformance.environment import CACHE
from tests.identity.conftest import Caller

CLIENT = CACHE / "keystoneclient" / "venv" / "bin" / "python"


class Quiet(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def urls(tmp_path_factory):
    """(URL of the port for all, URL of the administrators')"""
    if not CLIENT.exists():
        pytest.skip("the client of old is not installed (deploy/test does that)")
    caller = Caller(tmp_path_factory.mktemp("empty"), {"identity.admin_token": "ADMIN"}, empty=True)
    servers = [wsgiref.simple_server.make_server("127.0.0.1", 0, app, handler_class=Quiet)
               for app in (caller.app, caller.admin_app)]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    yield [f"http://127.0.0.1:{s.server_port}/v2.0" for s in servers]
    for server in servers:
        server.shutdown()
        server.server_close()
    caller.close()


def keystone(environment: dict, *words: str) -> list[list[str]]:
    """The cells of the table that the command prints, by row, its head among them."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("OS_")}
    done = subprocess.run([CLIENT, "-c", "import sys; from keystoneclient.shell import main; sys.exit(main())", *words],
                          env={**clean, **environment, "PYTHONWARNINGS": "ignore"}, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr
    return [[c.strip() for c in line.strip().strip("|").split("|")] for line in done.stdout.splitlines() if line.startswith("|")]


def properties(environment: dict, *words: str) -> dict:
    return dict(keystone(environment, *words)[1:])


def test_the_guide_from_an_empty_database(urls):
    public, admin_url = urls
    by_token = {"OS_SERVICE_TOKEN": "ADMIN", "OS_SERVICE_ENDPOINT": admin_url}

    tenants = {name: properties(by_token, "tenant-create", f"--name={name}") for name in ("admin", "service")}
    assert set(tenants["admin"]) == {"description", "enabled", "id", "name"}
    assert {k: tenants["admin"][k] for k in ("description", "enabled", "name")} == {"description": "", "enabled": "True",
                                                                                   "name": "admin"}
    assert re.fullmatch("[0-9a-f]{32}", tenants["admin"]["id"])

    user = properties(by_token, "user-create", "--name=admin", "--pass=keystoneAdmin")
    assert {k: user[k] for k in ("email", "enabled", "name", "tenantId")} == {"email": "", "enabled": "True", "name": "admin",
                                                                             "tenantId": ""}
    for role in ("admin", "KeystoneAdmin", "KeystoneServiceAdmin", "Member"):
        made = properties(by_token, "role-create", f"--name={role}")
        assert set(made) == {"id", "name"} and made["name"] == role
        if role != "Member":
            keystone(by_token, "user-role-add", "--user", "admin", "--role", role, "--tenant", "admin")

    service = properties(by_token, "service-create", "--name", "keystone", "--type", "identity", "--description",
                         "Keystone Identity Service")
    assert {k: service[k] for k in ("description", "name", "type")} == {"description": "Keystone Identity Service",
                                                                        "name": "keystone", "type": "identity"}
    endpoint = properties(by_token, "endpoint-create", "--region", "RegionOne", "--publicurl", public, "--adminurl", admin_url,
                          "--internalurl", public, "--service-id", service["id"])
    assert endpoint == {"adminurl": admin_url, "internalurl": public, "publicurl": public, "region": "RegionOne",
                        "id": endpoint["id"], "service_id": service["id"]}
    assert keystone(by_token, "service-list") == [["id", "name", "type", "description"],
                                                  [service["id"], "keystone", "identity", "Keystone Identity Service"]]
    assert keystone(by_token, "endpoint-list") == [["id", "region", "publicurl", "internalurl", "adminurl", "service_id"],
                                                   [endpoint["id"], "RegionOne", public, public, admin_url, service["id"]]]

    # From now on by the user; then a service's user, as for each service in the guides.
    login = {"OS_USERNAME": "admin", "OS_PASSWORD": "keystoneAdmin", "OS_TENANT_NAME": "admin", "OS_AUTH_URL": public}
    assert properties(login, "tenant-get", "service") == tenants["service"]
    glance = properties(login, "user-create", "--name=glance", "--pass=glanceServ", "--tenant-id", tenants["service"]["id"])
    assert glance["tenantId"] == tenants["service"]["id"]
    keystone(login, "user-role-add", "--tenant", "service", "--user", "glance", "--role", "admin")
    roles = keystone(login, "user-role-list", "--user", "glance", "--tenant", "service")
    assert {r[1] for r in roles[1:]} == {"admin", "member"}
    assert [r[1] for r in keystone(login, "user-list")[1:]] and len(keystone(login, "tenant-list")) == 3

    # Each of the other commands once.
    token = properties(login, "token-get")
    assert token["tenant_id"] == tenants["admin"]["id"] and token["user_id"] == user["id"]
    key = properties(login, "ec2-credentials-create")
    assert properties(login, "ec2-credentials-get", "--access", key["access"])["secret"] == key["secret"]
    assert len(keystone(login, "ec2-credentials-list")) == 2
    keystone(login, "ec2-credentials-delete", "--access", key["access"])
    assert properties(login, "endpoint-get", "--service", "identity") == {"identity.publicURL": public}
    keystone(login, "tenant-update", "--description", "of services", "service")
    assert properties(login, "tenant-get", "service")["description"] == "of services"
    keystone(login, "user-update", "--email", "g@example.org", "--enabled", "false", "glance")
    assert properties(login, "user-get", "glance")["email"] == "g@example.org"
    keystone(login, "user-role-remove", "--tenant", "service", "--user", "glance", "--role", "admin")
    keystone(login, "user-password-update", "--pass", "another", "glance")
    for what, name in (("user", "glance"), ("role", "Member"), ("tenant", "service"), ("endpoint", endpoint["id"]),
                       ("service", service["id"])):
        keystone(login if what != "service" else by_token, f"{what}-delete", name)
    keystone(by_token, "discover")
