"""What the bodies of compute's requests may have in OpenStack, and the properties of images that it knows, read from its package.

    python -m tests.policies.bodies PACKAGES

prints {"bodies": {"<module>.<request>": [path of a property]}, "image_properties": [name]}. A request's paths are those of all
microversions together.
"""

import ast
import functools
import importlib
import importlib.abc
import importlib.machinery
import json
import pathlib
import pkgutil
import re
import subprocess
import sys
import types
from unittest import mock

from tests.policies.reference import PLACE, ensure
from tests.tenancy.frame import properties

_SCHEMAS = "nova.api.openstack.compute.schemas"


_REAL = ("nova.api", "nova.db.constants")  # the modules of schemas, and what these take values from


class _Others(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Stands for the rest of the service, and for the packages that it needs and that are not installed beside it."""

    def __init__(self, packages: pathlib.Path):
        self.packages = packages

    def find_spec(self, fullname, path=None, target=None):
        if fullname.partition(".")[0] not in ("nova", "oslo_db") or fullname.startswith(_REAL):
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec):
        return mock.MagicMock(name=spec.name, __path__=[str(self.packages / spec.name.replace(".", "/"))], __spec__=spec)

    def exec_module(self, module):
        """Nothing is to be done."""


def _bodies(packages: pathlib.Path) -> dict[str, list[str]]:
    sys.path.append(str(packages))
    sys.meta_path.insert(0, _Others(packages))
    for name in ("nova.api", "nova.api.openstack", "nova.api.openstack.compute", "nova.api.validation"):
        bare = types.ModuleType(name)  # without what its __init__ does
        bare.__path__ = [str(packages / name.replace(".", "/"))]
        sys.modules[name] = bare
    found: dict[str, set[str]] = {}
    for module in pkgutil.iter_modules([str(packages / _SCHEMAS.replace(".", "/"))]):
        for name, body in vars(importlib.import_module(f"{_SCHEMAS}.{module.name}")).items():
            if isinstance(body, dict) and not re.match("_|.*(response|query)", name):
                found.setdefault(f"{module.name}.{re.sub('_v[0-9]+$', '', name)}", set()).update(properties(body))
    return {name: sorted(paths) for name, paths in found.items()}


def _image_properties(packages: pathlib.Path) -> list[str]:
    """The keys of two dicts of the class, which cannot be imported without the rest of the service."""
    tree = ast.parse((packages / "nova/objects/image_meta.py").read_text())
    known = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "ImageMetaProps")
    tables = [node.value for node in known.body if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
              and node.targets[0].id in ("fields", "_legacy_property_map") and isinstance(node.value, ast.Dict)]
    return sorted(key.value for table in tables for key in table.keys if isinstance(key, ast.Constant))


@functools.cache
def reference() -> dict:
    ensure()
    done = subprocess.run([sys.executable, "-W", "ignore", "-m", "tests.policies.bodies", PLACE / "packages"],
                          capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


if __name__ == "__main__":
    where = pathlib.Path(sys.argv[1])
    print(json.dumps({"bodies": _bodies(where), "image_properties": _image_properties(where)}))
