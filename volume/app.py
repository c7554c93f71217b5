"""Paste factory of the volume API."""

from common.microversion import Negotiator
from common.wsgi import SERVICES, Application
from volume import router, unsupported
from volume.handlers.versions import MAXIMUM, MINIMUM


def app_factory(global_conf, **local):
    negotiate = Negotiator("volume", MINIMUM, MAXIMUM)
    return Application("volume", SERVICES[global_conf["pileus_service"]], router.ROUTES, negotiate=negotiate,
                       missing=unsupported.TABLE, exact_paths=True)
