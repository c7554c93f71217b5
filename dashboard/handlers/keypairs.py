"""Key pairs of the user: public keys that can log in to new instances."""

from common.rest import path
from dashboard import session
from dashboard.pages import call, redirect, render


def index(req):
    return render(req, "keypairs.html", keypairs=[k["keypair"] for k in call(req, "GET", "compute", path("/v2.1/os-keypairs"))[
        "keypairs"]])


def create(req):
    fields = session.form(req)
    body = {"keypair": {"name": fields.get("name", ""), "public_key": fields.get("public_key", ""), "type": "ssh"}}
    call(req, "POST", "compute", path("/v2.1/os-keypairs"), body)
    return redirect(req, "/project/key_pairs/", "The key was imported.")


def delete(req, name):
    session.form(req)
    call(req, "DELETE", "compute", path("/v2.1/os-keypairs/{name}", name))
    return redirect(req, "/project/key_pairs/", "The key was deleted.")
