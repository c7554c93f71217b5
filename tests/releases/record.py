"""Record the messages of a release, with its own code: ``python -m tests.releases.record COMMIT VERSION``.

The commit is unpacked, and its own tests boot, use and delete servers and volumes on its fake cloud, where every call, cast and
journal record is written down. Of each method and each step of a task some are kept in ``VERSION.jsonl``, one a line: {"topic",
"method", "kind", "arguments", "result"} or {"journal": record}. ``test_release_before.py`` reads them.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TESTS = {"tests/functional/test_stories.py": "test_server or volume or valid_host", "tests/functional/test_snapshots.py": "",
         "tests/functional/test_server_states.py": "", "tests/functional/test_routers.py": "",
         "tests/functional/test_tasks.py": "fail and (network or connect or unplug)"}
# What is added to the release's own modules.
RPC = '''
def _note(found, _lock=threading.Lock()):
    import json, os
    with _lock, open(os.environ["RECORD"], "a") as out:
        print(json.dumps(found), file=out)
def _record(cls):
    import copy
    def call(self, ctx, method, *, _call=cls.call, **arguments):
        sent = copy.deepcopy(arguments)
        result = _call(self, ctx, method, **arguments)
        _note({"topic": self.target.topic, "method": method, "kind": "call", "arguments": sent, "result": result})
        return result
    def cast(self, ctx, method, *, _cast=cls.cast, **arguments):
        _note({"topic": self.target.topic, "method": method, "kind": "cast", "arguments": arguments, "result": None})
        return _cast(self, ctx, method, **arguments)
    cls.call, cls.cast = call, cast
from oslo_messaging.rpc import client as _client
_record(_client._BaseCallContext)
'''
JOURNAL = '''
def _write(self, record, _write=Journal.write):
    from common import rpc
    rpc._note({"journal": record})
    return _write(self, record)
Journal.write = _write
'''


def form(value):
    """What a value consists of, without the values."""
    if isinstance(value, dict):
        return tuple(sorted((k, form(v)) for k, v in value.items()))
    if isinstance(value, list):
        return tuple(sorted({repr(form(v)) for v in value}))
    return type(value).__name__


def distinct(found: list[dict], most: int, name) -> list[dict]:
    """Of each name, so many of different forms; those with most in them first."""
    kept: dict = {}
    for one in sorted(found, key=lambda x: -len(json.dumps(x))):
        kept.setdefault(name(one), {}).setdefault(form(one), one)
    return [one for key in sorted(kept) for one in list(kept[key].values())[:most]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("commit")
    parser.add_argument("version")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        tree = pathlib.Path(directory)
        packed = subprocess.run(["git", "archive", args.commit], capture_output=True, check=True, cwd=ROOT).stdout
        subprocess.run(["tar", "-x", "-C", directory], input=packed, check=True)
        for module, more in (("rpc", RPC), ("tasks", JOURNAL)):
            with open(tree / "common" / f"{module}.py", "a") as out:
                out.write(more)
        record = tree / "record.jsonl"
        record.touch()
        for tests, selected in TESTS.items():
            subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tests, "-k", selected], cwd=tree,
                           env={**os.environ, "RECORD": str(record), "PYTHONPATH": directory})
        found = [json.loads(line) for line in record.read_text().splitlines()]
    messages = distinct([m for m in found if "topic" in m], 2, lambda m: (m["topic"], m["method"]))
    journals = distinct([m["journal"] for m in found if "journal" in m], 1, lambda r: (r["task"], r["step"]))
    with open(HERE / f"{args.version}.jsonl", "w") as out:
        for one in [*messages, *({"journal": record} for record in journals)]:
            print(json.dumps(one), file=out)
    print(f"{len(messages)} messages of {len({(m['topic'], m['method']) for m in messages})} methods, {len(journals)} journals")
    return 0


if __name__ == "__main__":
    sys.exit(main())
