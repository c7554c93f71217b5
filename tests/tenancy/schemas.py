"""The properties of all bodies that services declare, by the module that declares them. Run in a process of its own.

    python -m tests.tenancy.schemas

prints {module: [path of a property]}: it watches the schemas being compiled while the route tables are imported.
"""

import functools
import importlib
import json
import subprocess
import sys

from common import schema
from tests.tenancy.frame import properties

SERVICES = ("identity", "image", "volume", "compute_api")


def main() -> None:
    found: dict[str, set[str]] = {}
    compile_one = schema.compiled

    def watch(json_schema):
        frame = sys._getframe(1)
        while frame.f_globals["__name__"] == "common.wsgi" and frame.f_back:
            frame = frame.f_back
        found.setdefault(frame.f_globals["__name__"], set()).update(properties(json_schema))
        return compile_one(json_schema)
    schema.compiled = watch
    for service in SERVICES:
        importlib.import_module(f"{service}.router")
    print(json.dumps({name: sorted(paths) for name, paths in found.items()}))


@functools.cache
def declared() -> dict[str, set[str]]:
    done = subprocess.run([sys.executable, "-m", "tests.tenancy.schemas"], capture_output=True, text=True, check=True)
    return {name: set(paths) for name, paths in json.loads(done.stdout).items()}


def of(service: str) -> dict[str, set[str]]:
    return {name: paths for name, paths in declared().items() if name.split(".")[0] == service}


if __name__ == "__main__":
    main()
