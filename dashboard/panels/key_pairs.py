"""Key pairs of the user: public keys that can log in to new instances."""

import webob

from common.rest import path
from dashboard.asks import do, get
from dashboard.forms import Field
from dashboard.panel import Column, Create, Panel, Source
from dashboard.panels.fields import deletion
from dashboard.texts import Text

_CREATE = (Field("name", "Name", required=True),
           Field("public_key", "Public key", "area", max_length=16000, placeholder="ssh-ed25519 AAAA…",
                 help="The content of a file such as ~/.ssh/id_ed25519.pub. Leave empty to have a key pair made, whose private "
                      "key is downloaded once."))


def _create(req, values: dict):
    body = {"name": values["name"], "type": "ssh"} | ({"public_key": values["public_key"]} if values["public_key"] else {})
    made = do(req, "POST", "compute", path("/v2.1/os-keypairs"), {"keypair": body}, "keypair")
    if values["public_key"]:
        return Text("{name} was imported.", name=values["name"])
    response = webob.Response(made["private_key"], content_type="application/x-pem-file", charset="UTF-8")
    response.headers["Content-Disposition"] = 'attachment; filename="key.pem"'
    return response


PANEL = Panel(
    path="/project/key_pairs", title="Key pairs", noun="key pair", menu="Compute",
    source=Source("compute", lambda query: path("/v2.1/os-keypairs", query=query), "keypairs", pages=False, sort=("name", "asc"),
                  row=lambda found: found.get("keypair", found)),
    columns=(Column("Name", "name", "link", "name"), Column("Type", "type"), Column("Fingerprint", "fingerprint", "code")),
    actions=(deletion("compute", lambda id: path("/v2.1/os-keypairs/{name}", id), bulk=True,
                      ask="{name} is deleted. Instances keep the public key that they have."),),
    item=lambda req, id: get("compute", path("/v2.1/os-keypairs/{name}", id), "keypair"), id="name",
    tabs=(), create=Create("Create or import key pair", _CREATE, _create),
    empty="There are no key pairs yet. You log in to instances with one.")
