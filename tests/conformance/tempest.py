"""Run Tempest, OpenStack's own test suite, against this host's cloud, and count.

    sudo deploy/up && sudo tests/conformance/run --smoke
    sudo tests/conformance/run --regex '^tempest.api.volume'
    sudo tests/conformance/run --identity-v2
    sudo tests/conformance/run --image-v1 --http-image http://a.mirror/disk.img

or, without root, against a cloud of its own with the fake driver and everything that Tempest can test of it:

    python -m tests.conformance.tempest --fake --regex '^tempest.api.image'

Tempest lives in a virtual environment of its own (``--workdir``), at the
version in ``tempest.txt``; APIs of old are tested by an older one, ``tempest-35.txt``.
Its configuration says what this cloud has, so that tests of what the README
lists as missing are skipped, and none other.
Exit status: 0 all passed, 1 some failed.
"""

import argparse
import collections
import configparser
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from common import conf
from deploy import first, prepare
from tests.conformance.environment import ensure

HERE = pathlib.Path(__file__).resolve().parent
REMOTE = "image_remote"  # type of the service in the catalog that is a second image API
# The APIs that only the older Tempest tests, and which of its tests those are.
OLD = {"identity-v2": r"^tempest\.api\.identity(\.admin)?\.v2", "image-v1": r"^tempest\.api\.image\.v1"}
# Extensions of the network service that Tempest looks for by a name that Neutron does not use for them: {its name: the alias}.
OTHER_NAMES = {"ip-substring-filtering": "ip-substring-port-filtering", "tag": "standard-attr-tag"}
# What Tempest takes for granted and Pileus does not have yet, and the other way round.
FEATURES = {
    "service_available": {"cinder": True, "nova": True, "glance": True, "neutron": True, "swift": False, "horizon": True},
    "compute-feature-enabled": {
        "pause": True, "suspend": True, "shelve": True, "rescue": True, "snapshot": True,
        "change_password": False, "vnc_console": True,
        "config_drive": True, "console_output": True, "interface_attach": True, "metadata_service": True,
        "personality": True, "attach_encrypted_volume": False, "swap_volume": True,
        "volume_multiattach": True, "stable_rescue": True, "hostname_fqdn_sanitization": True,
        "serial_console": False,  # its only test passes text to a function of Tempest's that takes bytes, and fails everywhere
        "nova_policy_roles": "admin,manager,member,reader,service",
        "scheduler_enabled_filters": "ComputeFilter,ComputeCapabilitiesFilter,ImagePropertiesFilter,"
                                     "ServerGroupAntiAffinityFilter,ServerGroupAffinityFilter,SameHostFilter,DifferentHostFilter"},
    "enforce_scope": {"nova": True},
    "identity-feature-enabled": {"trust": True, "api_v3": True, "api_v2": True, "api_v2_admin": True,
                                 "domain_specific_drivers": True, "application_credentials": True, "access_rules": True,
                                 "project_tags": True, "security_compliance": False},
    "image-feature-enabled": {"api_v1": True, "import_image": True, "os_glance_reserved": True, "deactivate_image": True},
    "network-feature-enabled": {"ipv6": True, "floating_ips": True, "port_security": True, "ipv6_subnet_attributes": True},
    "volume-feature-enabled": {"backup": False, "snapshot": True, "clone": True, "manage_volume": False,
                               "manage_snapshot": False, "extend_attached_volume": False, "multi_backend": False},
}


def maximum(cloud: first.Cloud, service: str) -> str:
    """The highest microversion that a service says it has: tests of later ones are skipped."""
    root = cloud.url(service).split("/v")[0]
    found = json.loads(cloud.pool.request("GET", root + "/").data)["versions"]
    return found[-1]["version"]


def image_features(cloud: first.Cloud) -> dict[str, dict[str, str]]:
    """Sections of ``tempest.conf``: which stores the image service has, whether a cache, and whether a second API."""
    stores = cloud.call("image", "GET", "/info/stores/detail")["stores"]
    try:
        cloud.call("image", "GET", "/cache")
        cached = True
    except RuntimeError:  # without a cache it is 404
        cached = False
    found = {"image": {"image_caching_enabled": str(cached)}, "image-feature-enabled": {
        "http_store_enabled": str(any(s["type"] == "http" for s in stores)),
        "store_weight_enabled": str(len({s["weight"] for s in stores}) > 1)}}
    if cloud.call("identity", "GET", f"/services?type={REMOTE}")["services"]:
        found["image"]["alternate_image_endpoint"] = REMOTE
    return found


def multiattach_type(cloud: first.Cloud) -> str:
    """The name of a volume type whose volumes several servers may use; made where there is none yet."""
    name = "multiattach"
    if all(kind["name"] != name for kind in cloud.call("volume", "GET", "/types")["volume_types"]):
        kind = {"name": name, "extra_specs": {"multiattach": "<is> True"}}
        cloud.call("volume", "POST", "/types", {"volume_type": kind})
    return name


def scenario(cloud: first.Cloud, image: dict, path: pathlib.Path) -> dict[str, str]:
    """The section of that name, with a file of the image's data, which scenarios upload."""
    with cloud.pool.request("GET", cloud.url("image") + f"/images/{image['id']}/file", headers={"X-Auth-Token": cloud.token},
                            preload_content=False) as data, open(path, "wb") as out:
        shutil.copyfileobj(data, out)
    return {"img_file": str(path), "img_disk_format": image["disk_format"]}


def configure(cloud: first.Cloud, workspace: pathlib.Path, http_image: str | None, settings: dict) -> None:
    """Write ``etc/tempest.conf``: who the admin is, which image and flavors to use, what there is.

    :param http_image: URL of a qcow2 image that the cloud takes
    :param settings: {section: {option: value}}: what no API tells
    """
    # Public images first, the small ones before the large: every flavor must be able to boot what is chosen.
    images = sorted((i for i in cloud.call("image", "GET", "/images")["images"]
                     if i["status"] == "active" and i["container_format"] == "bare"),
                    key=lambda i: (i["visibility"] != "public", i["virtual_size"] or 0))
    images = [i for i in images if i["visibility"] == images[0]["visibility"]]
    flavors = sorted(cloud.call("compute", "GET", "/flavors/detail")["flavors"], key=lambda f: (f["ram"], f["disk"]))
    hosts = [h for h in cloud.call("compute", "GET", "/os-hypervisors/detail")["hypervisors"] if h["state"] == "up"]
    extensions = [e["alias"] for e in cloud.call("network", "GET", "/extensions")["extensions"]]
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_dict(FEATURES)
    extensions += [name for name, alias in OTHER_NAMES.items() if alias in extensions]
    parser["network-feature-enabled"]["api_extensions"] = ",".join(extensions)
    parser.read_dict({
        "oslo_concurrency": {"lock_path": str(workspace / "lock")},
        "auth": {"admin_username": "admin", "admin_password": cloud.password, "admin_project_name": "admin",
                 "admin_domain_name": "Default", "use_dynamic_credentials": "true"},
        "identity": {"uri_v3": cloud.url("identity"),
                     "uri": cloud.url("identity").replace("/v3", "/v2.0"), "auth_version": "v3", "region": "RegionOne"},
        "compute": {"image_ref": images[0]["id"], "image_ref_alt": images[-1]["id"], "flavor_ref": flavors[0]["id"],
                    "flavor_ref_alt": flavors[1]["id"], "min_compute_nodes": str(len(hosts)),
                    "max_microversion": maximum(cloud, "compute"), "fixed_network_name": "private"},
        "compute-feature-enabled": {"resize": "true", **{name: str(len(hosts) > 1) for name in (
            "cold_migration", "shelve_migrate", "live_migration", "live_migrate_back_and_forth",
            "block_migration_for_live_migration", "volume_backed_live_migration")}},
        "dashboard": {"dashboard_url": f"http://{cloud.host}:{prepare.PORTS['dashboard'] + cloud.offset}/"},
        "volume": {"max_microversion": maximum(cloud, "volume"), "storage_protocol": "iSCSI",
                   "volume_type_multiattach": multiattach_type(cloud)},
        "network": {"public_network_id": cloud.find("network", "networks", "public")["id"]},
        "scenario": scenario(cloud, images[0], workspace / "guest.img"),
        "validation": {"run_validation": "true", "connect_method": "floating", "image_ssh_user": "cirros"}})
    if len(hosts) > 1:
        parser.read_dict({"compute": {"migration_source_host": hosts[0]["service"]["host"],
                                      "migration_dest_host": hosts[-1]["service"]["host"]}})
    if http_image:
        parser.read_dict({"image": {"http_image": http_image, "http_qcow2_image": http_image},
                          "image-feature-enabled": {"manage_locations": "true"}})
    parser.read_dict(image_features(cloud))
    parser.read_dict(settings)
    with open(workspace / "etc" / "tempest.conf", "w") as out:
        parser.write(out)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests/conformance/run", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--smoke", action="store_true", help="the tests that touch a little of everything")
    what.add_argument("--regex", help="the tests whose names match")
    for old in OLD:
        what.add_argument(f"--{old}", dest="old", action="store_const", const=old, help="the tests of that API")
    what.add_argument("--install-only", action="store_true", help="install Tempest, and stop")
    parser.add_argument("--fake", action="store_true", help="start a cloud with the fake driver, test it, and stop it")
    parser.add_argument("--fake-set", action="append", default=[], metavar="FILE.SECTION.OPTION=VALUE",
                        help="with --fake: an option of etc/FILE.conf")
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.OPTION=VALUE", help="an option of tempest.conf")
    parser.add_argument("--http-image", metavar="URL", help="what tests of images by URL use; etc/image.conf must allow it")
    parser.add_argument("--concurrency", default="2")
    parser.add_argument("--state", default="/var/lib/pileus")
    parser.add_argument("--workdir", type=pathlib.Path, default=HERE.parents[1] / ".cache" / "conformance")
    return parser.parse_args()


def run(args: argparse.Namespace, cloud: first.Cloud, http_image: str | None, told: dict) -> int:
    """Configure and run Tempest, and print what failed, and why what was skipped was skipped."""
    if args.old:
        args.workdir, args.regex = args.workdir.with_name("tempest-35"), OLD[args.old]
    tools = ensure(args.workdir, "tempest-35" if args.old else "tempest")
    workspace = args.workdir / ("workspace-fake" if args.fake else "workspace")
    if not (workspace / ".stestr.conf").exists():
        subprocess.run([tools / "tempest", "init", "--workspace-path", args.workdir / "workspaces.yaml", workspace],
                       check=True, stdout=subprocess.DEVNULL)
    settings = {section: dict(values) for section, values in told.items()}
    for item in args.set:
        name, _, value = item.partition("=")
        section, _, option = name.rpartition(".")
        settings.setdefault(section, {})[option] = value
    configure(cloud, workspace, http_image, settings)
    done = subprocess.run([tools / "tempest", "run", "--concurrency", args.concurrency,
                           *(["--smoke"] if args.smoke else ["--regex", args.regex])],
                          cwd=workspace, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    (workspace / "last-run.log").write_text(done.stdout)
    for name in re.findall(r"^\{\d+\} (.*?) \[[\d.]+s\] \.\.\. FAILED", done.stdout, re.M):
        print("FAILED", name)
    skipped = collections.Counter(re.findall(r"^\{\d+\} .*? \.\.\. SKIPPED: (.*)", done.stdout, re.M))
    for reason, count in skipped.most_common():
        print(f"SKIPPED {count}: {reason}")
    counts = {word: next(iter(re.findall(rf" - {word}: (\d+)", done.stdout)), "?") for word in ("Passed", "Failed", "Skipped")}
    print(f"{counts['Passed']} passed, {counts['Failed']} failed, {counts['Skipped']} skipped; all of it: "
          f"{workspace / 'last-run.log'}")
    return done.returncode


def main() -> int:
    args = parse()
    args.workdir = args.workdir.absolute()  # Tempest runs in the workspace
    if args.install_only:
        ensure(args.workdir, "tempest")
        return 0
    if args.fake:
        from tests.conformance import fake  # needs what the tests need, not only what the cloud needs
        with tempfile.TemporaryDirectory(prefix="pileus-tempest-") as directory:
            with fake.running(pathlib.Path(directory), *args.fake_set) as (made, image):
                return run(args, made.client, args.http_image or image, fake.TOLD)
    cloud = first.Cloud(prepare.ensure_secrets(args.state)["admin_password"], conf.load("pileus", {}, args.state).my_ip)
    cloud.login()
    return run(args, cloud, args.http_image, {})


if __name__ == "__main__":
    sys.exit(main())
