"""Paste factory of the compute API."""

from common.microversion import Negotiator
from common.wsgi import SERVICES, Application
from compute_api import router
from compute_api.handlers.versions import MAXIMUM, MINIMUM


def app_factory(global_conf, **local):
    negotiate = Negotiator("compute", MINIMUM, MAXIMUM, legacy="X-OpenStack-Nova-API-Version")
    return Application("compute", SERVICES[global_conf["pileus_service"]], router.ROUTES, negotiate=negotiate)
