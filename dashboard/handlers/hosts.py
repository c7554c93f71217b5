"""Hosts and services, for the operator."""

from common.rest import path
from dashboard.pages import call, render


def index(req):
    return render(req, "hosts.html", hypervisors=call(req, "GET", "compute", path("/v2.1/os-hypervisors/detail"))["hypervisors"],
                  services=call(req, "GET", "compute", path("/v2.1/os-services"))["services"]
                  + call(req, "GET", "volume", path("/v3/os-services"))["services"],
                  agents=call(req, "GET", "network", path("/v2.0/agents"))["agents"])
