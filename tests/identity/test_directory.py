"""Domains whose users are in LDAP, with a real slapd."""

import datetime
import ipaddress
import pathlib
import shutil
import socket
import subprocess

import ldap3
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from common.periodic import wait_for

BASE, ROOT = "dc=example,dc=org", "cn=root,dc=example,dc=org"
SLAPD = pathlib.Path("/usr/sbin/slapd")


def certificate(directory: pathlib.Path, name: str) -> pathlib.Path:
    """A certificate of 127.0.0.1 that vouches for itself; its key lies beside it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=2))
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), True).sign(key, hashes.SHA256()))
    path = directory / f"{name}.crt"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    path.with_suffix(".key").write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return path


class Slapd:
    def __init__(self, directory: pathlib.Path):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.directory, self.url = directory, f"ldap://127.0.0.1:{self.port}"
        self.certificate = certificate(directory, "server")
        (directory / "data").mkdir()
        (directory / "slapd.conf").write_text("".join(f"include /etc/ldap/schema/{s}.schema\n" for s in (
            "core", "cosine", "inetorgperson")) + f"""
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {directory}/slapd.pid
TLSCertificateFile {self.certificate}
TLSCertificateKeyFile {self.certificate.with_suffix('.key')}
database mdb
suffix "{BASE}"
rootdn "{ROOT}"
rootpw rootpw
directory {directory}/data
access to attrs=userPassword by anonymous auth by * none
access to * by users read by * none
""")
        # A copy: where AppArmor watches over Debian's, it may read its own directories only.
        self.binary = shutil.copy(SLAPD, directory / "slapd")
        self.process: subprocess.Popen | None = None

    def start(self) -> None:
        self.process = subprocess.Popen([self.binary, "-d", "0", "-f", self.directory / "slapd.conf", "-h", self.url],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(self._answers, 10, what="slapd")

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()

    def as_root(self) -> ldap3.Connection:
        return ldap3.Connection(self.url, ROOT, "rootpw", auto_bind=True, raise_exceptions=True)

    def add_user(self, uid: str, **more) -> str:
        dn = f"uid={uid},ou=Users,{BASE}"
        with self.as_root() as root:
            root.add(dn, ["inetOrgPerson"], {"cn": uid, "sn": uid, "userPassword": f"{uid}-pw", **more})
        return dn


@pytest.fixture(scope="module")
def slapd(tmp_path_factory):
    if not SLAPD.exists():
        pytest.skip("slapd is not installed (deploy/test does that)")
    made = Slapd(tmp_path_factory.mktemp("slapd"))
    made.start()
    with made.as_root() as root:
        root.add(BASE, ["dcObject", "organization"], {"o": "example"})
        for unit in ("Users", "Groups"):
            root.add(f"ou={unit},{BASE}", "organizationalUnit")
    ann = made.add_user("ann", mail="ann@example.org", description="the first")
    ben = made.add_user("ben", employeeType="FALSE")
    made.add_user("reader")
    with made.as_root() as root:
        root.add(f"cn=crew,ou=Groups,{BASE}", "groupOfNames", {"member": [ann, ben]})
    yield made
    made.stop()


@pytest.fixture
def ask(identity):
    token = identity.admin

    def inner(method, path, body=None, expect=range(200, 300)):
        response = identity.send(method, "/v3" + path, body, token=token)
        assert response.status_int in expect, response.text
        return response.json if response.body else None
    return inner


@pytest.fixture
def domain(ask, slapd):
    """A domain whose users are in the directory."""
    made = ask("POST", "/domains", {"domain": {"name": "staff"}})["domain"]["id"]
    ask("PUT", f"/domains/{made}/config", {"config": {"identity": {"driver": "ldap"}, "ldap": {
        "url": f"ldap://127.0.0.1:1, {slapd.url}", "suffix": BASE, "user": f"uid=reader,ou=Users,{BASE}", "password": "reader-pw",
        "user_id_attribute": "uid", "user_name_attribute": "uid", "user_enabled_attribute": "employeeType",
        "group_tree_dn": f"ou=Groups,{BASE}", "group_name_attribute": "cn", "page_size": 2}}})
    return made


@pytest.fixture
def login(identity):
    def inner(name, password, scope=None, domain="staff"):
        return identity.send("POST", "/v3/auth/tokens", {"auth": {"identity": {"methods": ["password"], "password": {
            "user": {"name": name, "domain": {"name": domain}, "password": password}}}, **({"scope": scope} if scope else {})}})
    return inner


def test_a_user_of_the_directory_logs_in(ask, login, domain):
    answer = login("ann", "ann-pw")
    assert answer.status_int == 201
    user = answer.json["token"]["user"]
    assert (user["name"], user["domain"]["name"]) == ("ann", "staff")
    shown = ask("GET", f"/users/{user['id']}")["user"]
    assert (shown["email"], shown["description"], shown["enabled"]) == ("ann@example.org", "the first", True)
    assert [g["name"] for g in ask("GET", f"/users/{user['id']}/groups")["groups"]] == ["crew"]
    wrong = [login(*w).text for w in (("ann", "x"), ("ann", ""), ("nobody", "x"), ("nobody", ""), ("*", "ann-pw"),
                                      ("ben", "ben-pw"), ("ann)(uid=*", "ann-pw"))]
    assert len(set(wrong)) == 1 and "name, domain or password is incorrect" in wrong[0], "nothing is to be learnt from a refusal"
    assert login("ann", "ann-pw", domain="Default").status_int == 401


def test_roles_through_the_directorys_groups(identity, ask, login, domain, slapd):
    groups = ask("GET", f"/groups?domain_id={domain}")["groups"]
    assert [g["name"] for g in groups] == ["crew"]
    project = ask("POST", "/projects", {"project": {"name": "deck", "domain_id": domain}})["project"]["id"]
    role = ask("GET", "/roles?name=member")["roles"][0]["id"]
    ask("PUT", f"/projects/{project}/groups/{groups[0]['id']}/roles/{role}")
    answer = login("ann", "ann-pw", {"project": {"id": project}})
    token = answer.headers["X-Subject-Token"]
    assert {r["name"] for r in answer.json["token"]["roles"]} == {"member", "reader"}
    assert {u["name"] for u in ask("GET", f"/groups/{groups[0]['id']}/users")["users"]} == {"ann", "ben"}
    cut = slapd.add_user("cut")
    with slapd.as_root() as root:
        root.modify(f"cn=crew,ou=Groups,{BASE}", {"member": [(ldap3.MODIFY_REPLACE, [cut])]})
    ask("GET", f"/users?domain_id={domain}")
    assert identity.send("GET", "/v3/auth/projects", token=token).status_int == 401, "what gave him the role is gone"
    assert login("ann", "ann-pw", {"project": {"id": project}}).status_int == 401
    with slapd.as_root() as root:
        root.modify(f"cn=crew,ou=Groups,{BASE}", {"member": [(ldap3.MODIFY_REPLACE, [f"uid={n},ou=Users,{BASE}" for n in (
            "ann", "ben")])]})
        root.delete(cut)


def test_users_deleted_from_the_directory_cannot_log_in(identity, ask, login, domain, slapd):
    dn = slapd.add_user("cal")
    token = login("cal", "cal-pw").headers["X-Subject-Token"]
    assert {u["name"]: u["enabled"] for u in ask("GET", f"/users?domain_id={domain}")["users"]} == {
        "ann": True, "ben": False, "cal": True, "reader": True}
    with slapd.as_root() as root:
        root.delete(dn)
    listed = {u["name"]: u for u in ask("GET", f"/users?domain_id={domain}")["users"]}
    assert listed["cal"]["enabled"] is False
    assert identity.send("GET", "/v3/auth/projects", token=token).status_int == 401 and login("cal", "cal-pw").status_int == 401
    slapd.add_user("cal", userPassword="again")
    assert login("cal", "again").json["token"]["user"]["id"] == listed["cal"]["id"], "he is the same again"
    with slapd.as_root() as root:
        root.delete(dn)


def test_the_directory_is_not_written_to(ask, login, domain):
    user = login("ann", "ann-pw").json["token"]["user"]["id"]
    (group,) = ask("GET", f"/groups?domain_id={domain}")["groups"]
    for method, path, body in (("POST", "/users", {"user": {"name": "x", "domain_id": domain}}),
                               ("PATCH", f"/users/{user}", {"user": {"name": "x"}}), ("DELETE", f"/users/{user}", None),
                               ("POST", "/groups", {"group": {"name": "x", "domain_id": domain}}),
                               ("PATCH", f"/groups/{group['id']}", {"group": {"name": "x"}}),
                               ("PUT", f"/groups/{group['id']}/users/{user}", None),
                               ("DELETE", f"/groups/{group['id']}/users/{user}", None)):
        ask(method, path, body, expect=(403,))
    assert ask("PATCH", f"/users/{user}", {"user": {"options": {"lock_password": True}}})["user"]["options"]["lock_password"]
    ask("PATCH", f"/domains/{domain}/config/identity", {"config": {"identity": {"driver": "ldap", "list_limit": 2}}})
    few = ask("GET", f"/users?domain_id={domain}")
    assert len(few["users"]) == 2 and few["truncated"] is True


def test_users_of_the_database_stay_in_it(ask, login, domain, slapd):
    ask("DELETE", f"/domains/{domain}/config")
    own = ask("POST", "/users", {"user": {"name": "ann", "password": "mine", "domain_id": domain}})["user"]["id"]
    ask("PUT", f"/domains/{domain}/config", {"config": {"identity": {"driver": "ldap"}, "ldap": {
        "url": slapd.url, "suffix": BASE, "user": f"uid=reader,ou=Users,{BASE}", "password": "reader-pw",
        "user_id_attribute": "uid", "user_name_attribute": "uid"}}})
    assert login("ann", "ann-pw").status_int == 401 and login("ann", "mine").json["token"]["user"]["id"] == own
    assert {u["name"] for u in ask("GET", f"/users?domain_id={domain}")["users"]} == {"ann", "ben", "reader"}
    assert ask("GET", f"/users/{own}")["user"]["enabled"] and login("ann", "mine").status_int == 201


def test_tls_and_unavailable_servers(ask, login, domain, slapd, tmp_path):
    path = f"/domains/{domain}/config/ldap"

    def change(**options):
        ask("PATCH", path, {"config": {"ldap": options}})
    change(url=slapd.url, use_tls=True, tls_cacertfile=str(slapd.certificate))
    assert login("ann", "ann-pw").status_int == 201
    change(tls_cacertfile=str(certificate(tmp_path, "stranger")))
    refused = login("ann", "ann-pw")
    assert refused.status_int == 503 and "directory" in refused.text and slapd.url not in refused.text
    change(tls_req_cert="never")
    assert login("ann", "ann-pw").status_int == 201
    change(url="ldap://127.0.0.1:1")
    assert login("ann", "ann-pw").status_int == 503
    assert login("admin", "secret", domain="Default").status_int == 201, "other domains do not notice"
