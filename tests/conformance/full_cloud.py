"""The fake cloud with a second image API, which the catalog names as the service ``image_remote``, with two images, and with
registered limits of images.

Guests have an agent, which sets passwords.
"""

from deploy import local  # isort: skip  (patches eventlet first)

import sys

from common import service
from deploy import first
from deploy.daemons import PORTS
from image import quota
from image.service import ImageApi

ABOVE = 30  # ports above the first one's


def second_image_api(state: str, port: int) -> ImageApi:
    """It shares database and stores with the first, and has a cache of its own."""
    made = ImageApi.load(state, {"bind_port": port, "image.image_cache_dir": f"{state}/cache-of-second"})
    service.serve_wsgi(made, service.listen_all(ImageApi, made.conf))
    made.start_background()
    return made


def add_to_catalog(cloud: first.Cloud, port: int) -> None:
    if cloud.call("identity", "GET", "/services?type=image_remote")["services"]:
        return
    made = cloud.call("identity", "POST", "/services", {"service": {"type": "image_remote", "name": "second"}})["service"]
    cloud.call("identity", "POST", "/endpoints", {"endpoint": {
        "service_id": made["id"], "interface": "public", "region_id": "RegionOne", "url": f"http://{local.ADDRESS}:{port}"}})


def register_limits(cloud: first.Cloud) -> None:
    """Limits of images that no test reaches by chance: without them no project may have any."""
    known = {each["resource_name"] for each in cloud.call("identity", "GET", "/registered_limits")["registered_limits"]}
    service = cloud.call("identity", "GET", "/services?type=image")["services"][0]["id"]
    missing = [{"service_id": service, "region_id": "RegionOne", "resource_name": name, "default_limit": 10000}
               for name in quota.NAMES if name not in known]
    if missing:
        cloud.call("identity", "POST", "/registered_limits", {"registered_limits": missing})


def main() -> int:
    start, fill = local.start, first.fake_cloud

    def start_all(state: str, hosts: int) -> list:
        running = start(state, hosts)
        port = next(daemon for daemon in running if isinstance(daemon, ImageApi)).conf.bind_port + ABOVE
        return [*running, second_image_api(state, port)]

    def fill_all(found: dict, offset: int) -> None:
        cloud = first.Cloud(found["admin_password"], offset=offset)
        cloud.wait_ready(30)
        add_to_catalog(cloud, PORTS["image"] + offset + ABOVE)
        register_limits(cloud)
        for name in ("cirros", "cirros-alt"):
            first.ensure_image(cloud, name, b"\0" * 4096, "raw", {"hw_qemu_guest_agent": "yes"})
        fill(found, offset)

    local.start, first.fake_cloud = start_all, fill_all
    return local.main()


if __name__ == "__main__":
    sys.exit(main())
