"""A cloud with two hosts of the fake driver, and an image on the web: with all that Tempest can test of images and passwords."""

import contextlib
import pathlib
import subprocess

from tests.conftest import FakeCloud
from tests.image.test_web import Server

IMAGE = """[image]
enabled_backends = fast:file,slow:file,web:http
image_cache_dir = {state}/cache
conversion_format = raw
import_allowed_networks = 127.0.0.0/8
import_allowed_ports = 80,443,{port}
use_keystone_limits = true
[fast]
weight = 30
[slow]
filesystem_store_datadir = {state}/slow
weight = 20
"""
HOSTS = 2  # between which servers are migrated
RULES = {"lockout_failure_attempts": 3, "lockout_duration": 4, "unique_last_password_count": 3}
# Of tempest.conf: what no API tells.
TOLD = {"identity": {f"user_{option}": str(value) for option, value in RULES.items()},
        "identity-feature-enabled": {"security_compliance": "true"},
        "image-feature-enabled": {"image_conversion": "true"},
        "compute-feature-enabled": {"change_password": "true"},
        "validation": {"run_validation": "false"}}


@contextlib.contextmanager
def running(directory: pathlib.Path, *settings: str):
    """Gives (the cloud, the URL of a qcow2 image that it may fetch). ``directory`` is empty; nothing is removed from it.

    :param settings: FILE.SECTION.OPTION=VALUE, of its configuration
    """
    state, disk = directory / "state", directory / "disk.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", disk, "1M"], check=True)
    (state / "etc" / "image.conf.d").mkdir(parents=True)
    with contextlib.ExitStack() as stack:
        web = stack.enter_context(Server())
        stack.callback(web.shutdown)
        web.answers["/disk.qcow2"] = (200, {}, disk.read_bytes())
        (state / "etc" / "image.conf.d" / "stores.conf").write_text(IMAGE.format(state=state, port=web.server_port))
        rules = [f"identity.security_compliance.{option}={value}" for option, value in RULES.items()]
        cloud = FakeCloud(state, *rules, *settings, module="tests.conformance.full_cloud", hosts=HOSTS)
        stack.callback(cloud.stop)
        yield cloud.start(), web.url("/disk.qcow2")
