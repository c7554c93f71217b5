"""Server groups: policies for the hosts of their members."""

from common.rest import path
from dashboard.asks import do, get
from dashboard.forms import Field
from dashboard.panel import Column, Create, Panel, Source
from dashboard.panels.fields import deletion
from dashboard.texts import Text

_POLICIES = tuple((p, p) for p in ("soft-anti-affinity", "anti-affinity", "soft-affinity", "affinity"))
_POLICY = Field("policy", "Policy", "choice", True, options=_POLICIES, help="Affinity: all on one host. Anti-affinity: each on "
                "another. Soft: as far as there is room. Without it, an instance for which there is none is refused.")
_MOST = Field("most", "Maximum members per host", "number", low=1, high=1000, help="For anti-affinity only.")


def _create_group(req, values: dict) -> str:
    body = {"name": values["name"], "policy": values["policy"]}
    if values["most"]:
        body["rules"] = {"max_server_per_host": values["most"]}
    do(req, "POST", "compute", path("/v2.1/os-server-groups"), {"server_group": body})
    return Text("{name} was created.", name=values["name"])


PANEL = Panel(
    path="/project/server_groups", title="Server groups", noun="server group", menu="Compute",
    source=Source("compute", lambda query: path("/v2.1/os-server-groups", query=query), "server_groups", pages=False,
                  sort=("name", "asc"), cut=True),
    columns=(Column("Name", "name", "link", "name"), Column("Policy", "policy"), Column("Members", lambda r: len(r["members"])),
             Column("ID", "id", "code")),
    actions=(deletion("compute", lambda id: path("/v2.1/os-server-groups/{id}", id), bulk=True,
                      ask="{name} is deleted. Its instances stay where they are."),),
    item=lambda req, id: get("compute", path("/v2.1/os-server-groups/{id}", id), "server_group"),
    create=Create("Create server group", (Field("name", "Name", required=True),
                                          _POLICY, _MOST), _create_group),
    empty="There are no server groups yet. They keep instances together, or on different hosts.")
