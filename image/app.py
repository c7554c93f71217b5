"""Paste factory of the image API."""

from common.wsgi import SERVICES, Application
from image import router, unsupported


def app_factory(global_conf, **local):
    return Application("image", SERVICES[global_conf["pileus_service"]], router.ROUTES, missing=unsupported.TABLE)


def registry_factory(global_conf, **local):
    """The registry of version 1, which listens on a port of its own."""
    return Application("image-registry", SERVICES[global_conf["pileus_service"]], router.REGISTRY)
