"""Networks with their subnets, routers, and floating IPs."""

from common import errors
from common.rest import path
from dashboard import session
from dashboard.pages import call, redirect, render


def index(req):
    def found(plural: str) -> list[dict]:
        return call(req, "GET", "network", path("/v2.0/{name}", plural))[plural]
    networks, subnets = found("networks"), found("subnets")
    for network in networks:
        network["cidrs"] = [s["cidr"] for s in subnets if s["network_id"] == network["id"]]
    return render(req, "networks.html", networks=networks, routers=found("routers"), floating=found("floatingips"),
                  names={n["id"]: n["name"] for n in networks}, external=[n for n in networks if n["router:external"]])


def allocate(req):
    fields = session.form(req)
    if not fields.get("network_id"):
        raise errors.BadRequest("There is no external network to allocate an address from.")
    made = call(req, "POST", "network", path("/v2.0/floatingips"), {"floatingip": {"floating_network_id": fields["network_id"]}})
    return redirect(req, "/project/networks/", f"{made['floatingip']['floating_ip_address']} is yours.")


def release(req, id):
    session.form(req)
    call(req, "DELETE", "network", path("/v2.0/floatingips/{id}", id))
    return redirect(req, "/project/networks/", "The address was released.")
