"""The policy defaults of OpenStack itself, read from its released packages.

    python -m tests.policies.reference

installs them into ``.cache/reference`` without what they depend on, and writes their rules to a file beside them.
"""

import functools
import hashlib
import importlib
import json
import os
import pathlib
import subprocess
import sys
import types

PACKAGES = {"identity": ("keystone", "keystone.common.policies"), "compute": ("nova", "nova.policies"),
            "image": ("glance", "glance.policies"), "volume": ("cinder", "cinder.policies"),
            "network": ("neutron", "neutron.conf.policies"), "placement": ("placement", "placement.policies")}
VERSIONS = ("keystone==30.0.0", "nova==34.0.0", "glance==33.0.0", "cinder==29.0.0", "neutron==29.0.0", "neutron-lib==5.0.1",
            "openstack-placement==16.0.0")
PLACE = pathlib.Path(__file__).resolve().parents[2] / ".cache" / "reference"


def ensure() -> pathlib.Path:
    """The file of rules, made when it is not there or of other versions."""
    # Named by the versions: checkouts of several releases may share the cache.
    rules = PLACE / f"rules-{hashlib.sha256(' '.join(VERSIONS).encode()).hexdigest()[:12]}.json"
    if not rules.exists():
        subprocess.run([sys.executable, "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--no-deps", "--upgrade",
                        "--target", PLACE / "packages", *VERSIONS], check=True)
        # In a process of its own: importing these packages changes much of the one that does it.
        partial = rules.with_suffix(f".{os.getpid()}")
        subprocess.run([sys.executable, "-W", "ignore", "-m", "tests.policies.reference", "--write", partial], check=True)
        partial.replace(rules)
    return rules


@functools.cache
def rules(service: str) -> dict[str, dict]:
    """name -> {"check": str, "scopes": [str] or None, "operations": ["GET /path", ...]} of one service of OpenStack."""
    return json.loads(ensure().read_text())[service]


def _write(path: str) -> None:
    sys.path.append(str(PLACE / "packages"))
    found: dict[str, dict] = {}
    for package in ("neutron_lib", *(package for package, _ in PACKAGES.values())):
        # Without what the package's own __init__ does, which is to start its service's machinery.
        bare = types.ModuleType(package)
        bare.__path__ = [str(PLACE / "packages" / package)]
        sys.modules[package] = bare
    for service, (_, module) in PACKAGES.items():
        found[service] = {}
        for rule in importlib.import_module(module).list_rules():
            asked = [(method, operation["path"]) for operation in getattr(rule, "operations", None) or []
                     for method in ([operation["method"]] if isinstance(operation["method"], str) else operation["method"])]
            found[service][rule.name] = {"check": rule.check_str, "scopes": rule.scope_types,
                                         "operations": [f"{method} {where}" for method, where in asked]}
    pathlib.Path(path).write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    if "--write" in sys.argv:
        _write(sys.argv[-1])
    else:
        print(ensure())
