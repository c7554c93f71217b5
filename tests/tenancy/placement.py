"""The placement API: hosts are the operators', and a project's users see only what their own project uses of them."""

from compute_api.placement import router
from tests.tenancy import compute
from tests.tenancy.frame import Asker, Ids, Service


def make(who: Asker, mark: str) -> Ids:
    server = compute.new_server(who, mark + "placed", networks="none")
    return {"uuid": compute.NOWHERE, "resource_class": "VCPU", "consumer_uuid": server, "resource_classes/name": "VCPU",
            "traits/name": "COMPUTE_NODE", "server": server}


SERVICE = Service("placement", router.ROUTES, make, {}, dict, {}, {}, version="1.39", filters=(("name", "server"),))
