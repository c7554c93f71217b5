"""keystonemiddleware, unmodified, in front of a sample application: it takes identity's tokens as it takes Keystone's."""

import subprocess
import sys
import threading
import wsgiref.simple_server

import pytest
import urllib3

from common.periodic import wait_for
from tests.conformance.environment import CACHE
from tests.identity.conftest import Caller
from tests.identity.test_client_of_old import Quiet
from tests.identity.test_oidc import answers, free_port

PYTHON = CACHE / "keystonemiddleware" / "venv" / "bin" / "python"
APPLICATION = """
import sys, wsgiref.simple_server
from keystonemiddleware import auth_token
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return ["|".join(environ.get(f"HTTP_X_{n}", "") for n in ("USER_NAME", "PROJECT_NAME", "ROLES")).encode()]
url, port = sys.argv[1:]
guarded = auth_token.AuthProtocol(app, {
    "www_authenticate_uri": url, "auth_url": url, "auth_type": "password", "username": "nova", "password": "service-secret",
    "project_name": "service", "user_domain_name": "Default", "project_domain_name": "Default", "token_cache_time": -1,
    "service_token_roles_required": True})
wsgiref.simple_server.make_server("127.0.0.1", int(port), guarded).serve_forever()
"""


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """(identity, function that asks the application with a token: (status, text))"""
    if not PYTHON.exists():
        pytest.skip("keystonemiddleware is not installed (deploy/test does that)")
    caller = Caller(tmp_path_factory.mktemp("middleware"))
    server = wsgiref.simple_server.make_server("127.0.0.1", 0, caller.app, handler_class=Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    # The middleware finds identity in the catalog.
    for endpoint in caller.send("GET", "/v3/endpoints", token=caller.admin).json["endpoints"]:
        if endpoint["url"].endswith("/v3"):
            caller.send("PATCH", f"/v3/endpoints/{endpoint['id']}", {"endpoint": {
                "url": f"http://127.0.0.1:{server.server_port}/v3"}}, token=caller.admin)
    port = free_port()
    child = subprocess.Popen([PYTHON, "-W", "ignore", "-c", APPLICATION, f"http://127.0.0.1:{server.server_port}/v3", str(port)],
                             stderr=subprocess.DEVNULL if not sys.flags.debug else None)

    def ask(token: str) -> tuple[int, str]:
        answer = urllib3.request("GET", f"http://127.0.0.1:{port}/", headers={"X-Auth-Token": token} if token else {})
        return answer.status, answer.data.decode()
    try:
        wait_for(lambda: answers(port), 30, what="the application")
        yield caller, ask
    finally:
        child.kill()
        server.shutdown()
        server.server_close()
        caller.close()


def test_tokens_are_taken_and_refused(guarded):
    caller, ask = guarded
    token = caller.admin
    assert ask(token) == (200, "admin|admin|admin,manager,member,reader")
    assert ask("")[0] == ask("junk")[0] == 401
    caller.send("DELETE", "/v3/auth/tokens", token=caller.admin, X_Subject_Token=token)
    assert ask(token)[0] == 401


def test_the_token_of_an_application_credential_is_limited_to_its_rules(guarded):
    caller, ask = guarded
    token = caller.admin
    me = caller.send("GET", "/v3/users?name=admin", token=token).json["users"][0]["id"]
    made = caller.send("POST", f"/v3/users/{me}/application_credentials", {"application_credential": {
        "name": "robot", "roles": [{"name": "reader"}]}}, token=token).json["application_credential"]
    answer = caller.send("POST", "/v3/auth/tokens", {"auth": {"identity": {
        "methods": ["application_credential"], "application_credential": {"id": made["id"], "secret": made["secret"]}}}})
    assert ask(answer.headers["X-Subject-Token"]) == (200, "admin|admin|reader")
