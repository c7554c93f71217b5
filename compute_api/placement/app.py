"""Paste factory of the placement API."""

from common.microversion import Negotiator
from common.wsgi import SERVICES, Application
from compute_api.placement import router, unsupported
from compute_api.placement.handlers.versions import MAXIMUM, MINIMUM


def app_factory(global_conf, **local):
    return Application("placement", SERVICES[global_conf["pileus_service"]], router.ROUTES,
                       negotiate=Negotiator("placement", MINIMUM, MAXIMUM), missing=unsupported.TABLE)
