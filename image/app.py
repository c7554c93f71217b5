"""Paste factory of the image API."""

from common.wsgi import SERVICES, Application
from image import router


def app_factory(global_conf, **local):
    return Application("image", SERVICES[global_conf["pileus_service"]], router.ROUTES)
