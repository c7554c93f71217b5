"""A browser signs in by OpenID Connect: a provider, Apache with mod_auth_openidc in front of identity, and a dashboard's URL."""

import http.cookiejar
import json
import pathlib
import re
import socket
import subprocess
import threading
import urllib.error
import urllib.parse
import urllib.request
import wsgiref.simple_server

import pytest

from common.periodic import wait_for
from tests.conformance.environment import CACHE
from tests.identity.conftest import Caller
from tests.identity.test_client_of_old import Quiet

PROVIDER = CACHE / "oidc-provider" / "venv" / "bin" / "oidc-provider-mock"
APACHE, MODULES = pathlib.Path("/usr/sbin/apache2"), pathlib.Path("/usr/lib/apache2/modules")
SECRET, DASHBOARD = "what-the-proxy-knows", "https://dashboard.example.org/auth/websso/"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def proxy_config(directory: pathlib.Path, port: int, provider: str, identity: int) -> str:
    """What doc/federation.md shows, with this test's names."""
    modules = "".join(f"LoadModule {n}_module {MODULES}/mod_{n}.so\n" for n in (
        "mpm_event", "authn_core", "authz_core", "authz_user", "auth_openidc", "headers", "proxy", "proxy_http"))
    return f"""{modules}
ServerRoot {directory}
ServerName 127.0.0.1
PidFile {directory}/apache.pid
ErrorLog {directory}/error.log
DefaultRuntimeDir {directory}
Mutex file:{directory}
User www-data
Group www-data
Listen 127.0.0.1:{port}
OIDCProviderMetadataURL {provider}/.well-known/openid-configuration
OIDCClientID pileus
OIDCClientSecret of-the-client
OIDCRedirectURI http://127.0.0.1:{port}/v3/redirect_uri
OIDCCryptoPassphrase not-for-real-use
OIDCScope "openid email profile"
OIDCClaimPrefix "OIDC-"
OIDCClaimDelimiter ;
OIDCPassClaimsAs headers
<LocationMatch "^/v3/(auth/OS-FEDERATION/|OS-FEDERATION/identity_providers/[^/]+/protocols/[^/]+/auth|redirect_uri)">
    AuthType openid-connect
    Require valid-user
    RequestHeader set X-Federation-Secret "{SECRET}"
</LocationMatch>
ProxyPass / http://127.0.0.1:{identity}/
ProxyPreserveHost On
"""


@pytest.fixture(scope="module")
def front(tmp_path_factory):
    """The URL of the proxy."""
    missing = [str(p) for p in (PROVIDER, APACHE, MODULES / "mod_auth_openidc.so") if not p.exists()]
    if missing:
        pytest.skip(f"not installed (deploy/test does that): {', '.join(missing)}")
    state = tmp_path_factory.mktemp("oidc")
    caller = Caller(state, {"federation.proxy_secret": SECRET, "federation.trusted_dashboard": [DASHBOARD]})
    server = wsgiref.simple_server.make_server("127.0.0.1", 0, caller.app, handler_class=Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    provider_port, port = free_port(), free_port()
    user = {"sub": "ann", "email": "ann@example.org", "groups": ["crew", "cooks"]}
    provider = subprocess.Popen([PROVIDER, "-p", str(provider_port), "--user-claims", json.dumps(user), "--user", "ben"],
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    directory = tmp_path_factory.mktemp("apache")
    for each in (directory, *directory.parents[:3]):  # its workers are another user
        each.chmod(each.stat().st_mode | 0o055)
    issuer = f"http://127.0.0.1:{provider_port}"
    (directory / "apache.conf").write_text(proxy_config(directory, port, issuer, server.server_port))
    wait_for(lambda: answers(provider_port), 20, what="the provider")
    apache = subprocess.Popen([APACHE, "-f", directory / "apache.conf", "-D", "FOREGROUND"], stdout=subprocess.DEVNULL)
    try:
        wait_for(lambda: answers(port), 10, what="Apache")
        register(caller, issuer)
        yield f"http://127.0.0.1:{port}"
    finally:
        apache.terminate()
        provider.terminate()
        server.shutdown()
        server.server_close()
        caller.close()


def register(caller: Caller, issuer: str) -> None:
    token, base = caller.admin, "/v3/OS-FEDERATION"
    rules = [{"local": [{"user": {"name": "{0}", "email": "{1}"}},
                        {"projects": [{"name": "of {0}", "roles": [{"name": "member"}]}]}],
              "remote": [{"type": "HTTP_OIDC_SUB"}, {"type": "HTTP_OIDC_EMAIL"},
                         {"type": "HTTP_OIDC_GROUPS", "any_one_of": ["crew"]}]}]
    for path, body in (("mappings/m", {"mapping": {"rules": rules}}),
                       ("identity_providers/idp", {"identity_provider": {"remote_ids": [issuer]}}),
                       ("identity_providers/idp/protocols/openid", {"protocol": {"mapping_id": "m"}})):
        assert caller.send("PUT", f"{base}/{path}", body, token=token).status_int == 201


class Browser:
    """Follows redirects with its cookies."""

    def __init__(self):
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))

    def get(self, url: str, form: dict | None = None, **headers) -> tuple[int, str, str]:
        """(status, where it ended, text)"""
        body = urllib.parse.urlencode(form).encode() if form else None
        # Else the proxy takes it for a script, which it does not send to a login page.
        as_browser = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
        request = urllib.request.Request(url, body, {**as_browser, **{k.replace("_", "-"): v for k, v in headers.items()}})
        try:
            with self.opener.open(request, timeout=20) as answer:
                return answer.status, answer.url, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.url, error.read().decode()


def sign_in(front: str, who: str) -> tuple[int, str]:
    browser = Browser()
    status, url, text = browser.get(f"{front}/v3/auth/OS-FEDERATION/websso/openid?origin={urllib.parse.quote(DASHBOARD)}")
    assert status == 200 and "Authorize Client" in text, (status, url, text[:300])
    status, _, text = browser.get(url, {"sub": who})
    return status, text


def test_a_browser_signs_in(front):
    status, page = sign_in(front, "ann")
    assert status == 200 and f'action="{DASHBOARD}"' in page, page[:500]
    token = re.findall(r'name="token" value="([^"]+)"', page)[0]
    status, _, text = Browser().get(f"{front}/v3/auth/tokens", X_Auth_Token=token, X_Subject_Token=token)
    user = json.loads(text)["token"]["user"]
    assert status == 200 and user["name"] == "ann" and user["OS-FEDERATION"]["identity_provider"]["id"] == "idp"
    projects = json.loads(Browser().get(f"{front}/v3/auth/projects", X_Auth_Token=token)[2])["projects"]
    assert [p["name"] for p in projects] == ["of ann"]


def test_whom_no_rule_names_is_refused(front):
    assert sign_in(front, "ben")[0] == 401


def test_claims_that_a_client_makes_up_do_not_count(front):
    claims = {"OIDC_sub": "ann", "OIDC_email": "x@y", "OIDC_groups": "crew", "X_Federation_Secret": SECRET}
    for path in ("/v3/OS-FEDERATION/identity_providers/idp/protocols/openid/auth", "/v3/auth/OS-FEDERATION/websso/openid"):
        status, _, text = Browser().get(front + path, **claims)
        assert "X-Subject-Token" not in text and "Authorize Client" in text, "the proxy asks the provider all the same"
