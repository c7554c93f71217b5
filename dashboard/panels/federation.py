"""Logins through other sites: identity providers with their protocols, and the mappings of what these say to users."""

import json

from common.rest import path
from dashboard import forms
from dashboard.asks import do, get, send
from dashboard.forms import Field
from dashboard.panel import Action, Column, Create, Panel, Row, Source, Tab, Table
from dashboard.panels.domains import domain_fields
from dashboard.panels.fields import DESCRIPTION, TARGET, deletion
from dashboard.texts import Text

_EXAMPLE = '[{"local": [{"user": {"name": "{0}"}, "group": {"id": "…"}}], "remote": [{"type": "OIDC-preferred_username"}]}]'
_ID = Field("id", "ID", required=True, max_length=64, help="Part of its URLs: letters, digits and hyphens.")
_REMOTE_IDS = Field("remote_ids", "Remote IDs", "area", rows=2, max_length=8000,
                    help="One a line: how the provider calls itself in its assertions.")


def _provider(req, id: str, method: str, values: dict) -> None:
    do(req, method, "identity", path("/v3/OS-FEDERATION/identity_providers/{name}", id), {"identity_provider": values})


def _create_provider(req, values: dict) -> str:
    body = {"description": values["description"], "remote_ids": forms.lines(values["remote_ids"])}
    _provider(req, values["id"], "PUT", body | ({"domain_id": values["domain_id"]} if values["domain_id"] else {}))
    return Text("{name} was created. Add a protocol, so that users can log in.", name=values["id"])


def _edit_provider_fields(req, row: Row) -> list[Field]:
    return [Field("description", "Description", initial=row["description"] or ""),
            Field("remote_ids", _REMOTE_IDS.label, "area", rows=2, max_length=8000, help=_REMOTE_IDS.help,
                  initial="\n".join(row["remote_ids"] or ()))]


def _edit_provider(req, id, values, row):
    _provider(req, id, "PATCH", {"description": values["description"], "remote_ids": forms.lines(values["remote_ids"])})


def _mapping_field(req, **more) -> Field:
    found = send(req, get("identity", path("/v3/OS-FEDERATION/mappings"), "mappings"))
    return Field("mapping", "Mapping", "choice", True, options=forms.named(found, text="id"),
                 help="" if found else "There are no mappings yet: create one first.", **more)


def _edit_protocol_fields(req, row: Row) -> list[Field]:
    found = send(req, get("identity", path("/v3/OS-FEDERATION/identity_providers/{name}/protocols/{name}", row["id"],
                                           row["target"]), "protocol"))
    return [TARGET, _mapping_field(req, initial=found["mapping_id"])]


def _protocol(req, provider: str, protocol: str, method: str, body: dict | None = None) -> None:
    do(req, method, "identity", path("/v3/OS-FEDERATION/identity_providers/{name}/protocols/{name}", provider, protocol),
       {"protocol": body} if body else None)


PROVIDERS = Panel(
    path="/identity/providers", title="Identity providers", noun="identity provider", menu="Identity", admin=True,
    source=Source("identity", lambda query: path("/v3/OS-FEDERATION/identity_providers", query=query), "identity_providers",
                  pages=False, sort=("id", "asc")),
    columns=(Column("ID", "id", "link", "id"), Column("Description", "description"), Column("Domain", "domain_id", "domain"),
             Column("Enabled", "enabled", "yes"), Column("Remote IDs", "remote_ids", "lines")),
    name="id", item=lambda req, id: get("identity", path("/v3/OS-FEDERATION/identity_providers/{name}", id), "identity_provider"),
    actions=(
        Action("edit", "Edit", _edit_provider, _edit_provider_fields, done="{name} was changed."),
        Action("protocol", "Add protocol", lambda req, id, values, row: _protocol(
            req, id, values["protocol"], "PUT", {"mapping_id": values["mapping"]}), lambda req, row: [
                Field("protocol", "Protocol", required=True, initial="openid", max_length=64), _mapping_field(req)],
            tab="protocols", done="The protocol was added."),
        Action("edit-protocol", "Edit", lambda req, id, values, row: _protocol(
            req, id, values["target"], "PATCH", {"mapping_id": values["mapping"]}),
            _edit_protocol_fields, title="Edit protocol",
            hidden=True, tab="protocols", done="The protocol was changed."),
        Action("delete-protocol", "Delete", lambda req, id, values, row: _protocol(req, id, values["target"], "DELETE"),
               (TARGET,), title="Delete protocol",
               hidden=True, danger="danger", tab="protocols", ask="Users can no longer log in through it.",
               done="The protocol was deleted."),
        Action("disable", "Disable", lambda req, id, values, row: _provider(req, id, "PATCH", {"enabled": False}),
               when=lambda row: row["enabled"], danger="danger", ask="Users can no longer log in through {name}.",
               done="{name} is disabled."),
        Action("enable", "Enable", lambda req, id, values, row: _provider(req, id, "PATCH", {"enabled": True}),
               when=lambda row: not row["enabled"], done="{name} is enabled."),
        deletion("identity", lambda id: path("/v3/OS-FEDERATION/identity_providers/{name}", id), danger="name",
                 ask="{name} is deleted with its protocols. Its users can no longer log in.")),
    tabs=(Tab("overview", "Overview", facts=(("Identity provider", (
        Column("ID", "id", "code"), Column("Description", "description"), Column("Domain", "domain_id", "domain"),
        Column("Enabled", "enabled", "yes"), Column("Remote IDs", "remote_ids", "lines"))),)),
        Tab("protocols", "Protocols", lambda req, id: {"protocols": get("identity", path(
            "/v3/OS-FEDERATION/identity_providers/{name}/protocols", id), "protocols")}, tables=(Table(
                "Protocols", lambda found, row: found["protocols"], (
                    Column("Protocol", "id", "code"), Column("Mapping", lambda p: [
                        (f"/identity/mappings/{p['mapping_id']}/", p["mapping_id"])], "links")),
                "No protocols: nobody can log in through this provider. Add one, with the mapping of its users.",
                actions=("edit-protocol", "delete-protocol"), add=("protocol",)),))),
    create=Create("Create identity provider", lambda req: [_ID, DESCRIPTION, _REMOTE_IDS, *domain_fields(req)], _create_provider),
    empty="There are no identity providers yet. Through one, people log in with accounts that they have elsewhere.")


def _rules(text: str) -> list:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise forms.Refused({"rules": Text("This is not JSON: {error}.", error=error)}) from None
    if not isinstance(found, list):
        raise forms.Refused({"rules": Text("The rules are a list.")})
    return found


def _mapping(req, id: str, method: str, text: str) -> None:
    do(req, method, "identity", path("/v3/OS-FEDERATION/mappings/{name}", id), {"mapping": {"rules": _rules(text)}})


def _create_mapping(req, values: dict) -> str:
    _mapping(req, values["id"], "PUT", values["rules"])
    return Text("{name} was created.", name=values["id"])


def _shown(row: Row) -> str:
    return json.dumps(row["rules"], indent=2, ensure_ascii=False)


_RULES = Field("rules", "Rules", "area", True, rows=12, max_length=60000, placeholder=_EXAMPLE,
               help="A list in JSON: which users, groups and projects (local) what the provider says (remote) stands for.")

MAPPINGS = Panel(
    path="/identity/mappings", title="Mappings", noun="mapping", menu="Identity", admin=True,
    source=Source("identity", lambda query: path("/v3/OS-FEDERATION/mappings", query=query), "mappings", pages=False,
                  sort=("id", "asc")),
    columns=(Column("ID", "id", "link", "id"), Column("Rules", lambda r: len(r["rules"]))),
    name="id", item=lambda req, id: get("identity", path("/v3/OS-FEDERATION/mappings/{name}", id), "mapping"),
    actions=(
        Action("edit", "Edit", lambda req, id, values, row: _mapping(req, id, "PATCH", values["rules"]), lambda req, row: [
            Field("rules", "Rules", "area", True, rows=12, max_length=60000, initial=_shown(row), help=_RULES.help)],
            done="{name} was changed."),
        deletion("identity", lambda id: path("/v3/OS-FEDERATION/mappings/{name}", id), bulk=True,
                 ask="{name} is deleted. No protocol may use it.")),
    tabs=(Tab("overview", "Overview", facts=(("Mapping", (
        Column("ID", "id", "code"),)),), template="rules.html"),),
    create=Create("Create mapping", (_ID, _RULES), _create_mapping),
    empty="There are no mappings yet. A mapping says which users and groups the logins of an identity provider are.")
