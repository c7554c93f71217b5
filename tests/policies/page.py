"""The reference pages of the policies: every rule with its default, and what differs from OpenStack's on purpose; and the page
of what OpenStack's APIs have and these do not.

    python -m tests.policies.page

writes doc/policies.md, doc/policies/<service>.md and doc/unsupported.md anew. A test fails when they are not what this would
write.
"""

import importlib
import pathlib

from tests.policies.compare import OURS, declared
from tests.policies.meant import MEANT, NOT_ASKED

DOC = pathlib.Path(__file__).resolve().parents[2] / "doc"
_INTRODUCTION = """# Policies

Who may do what is decided by rules with OpenStack's names, defaults and scopes. Each service's rules stand in the modules
`<service>/policies/<noun>.py`; these pages are made from them by `python -m tests.policies.page`.

{services}

A token has the scope of a project, of a domain or of the system. A rule with scopes refuses a token of any other scope,
whatever its roles are. Who may not know of a thing is answered 404, else 403 with the rule's name.

An operator changes rules in `<state directory>/etc/<service>-policy.yaml` (`/var/lib/pileus/etc/compute-policy.yaml`), where
`<service>` is `identity`, `compute`, `image`, `volume` or `network`:

    "os_compute_api:os-console-output": "rule:project_reader_or_admin"

The file is read again within a second after a change, or after an older copy was put back. While it cannot be read, its last
rules stay in force, and the service's log says why; a service does not start with one that it cannot read. A rule that is not
text (nothing, `false`) or that refers to itself makes it such a file. To allow something to everybody write `"@"`, to nobody
`"!"`. `oslopolicy-sample-generator --namespace compute` prints a file with every rule of a service, commented out.

## What differs from OpenStack

These differ on purpose. A test compares everything else with OpenStack's own policies, persona by persona, and fails when a
line of this table is not true any more.

{meant}
"""
_UNSUPPORTED = """# What is not supported

What OpenStack's APIs have and these do not. Who asks for it is told so by name: "This cloud does not support ...", with the
status of an OpenStack without that part (404), of an action that there is not (400), or of what OpenStack has removed (410); a
mistyped path is a plain 404. Lists of extensions name nothing of it. Made by `python -m tests.policies.page` from the modules
`<service>/unsupported.py`.

"""
_DIFFERS, _ABSENT = "another default", "not asked"


def _table(head: list[str], lines: list[list[str]]) -> str:
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows)


def _differences() -> str:
    lines = [[service, f"`{rule}`", kind, reason] for kind, table in ((_DIFFERS, MEANT), (_ABSENT, NOT_ASKED))
             for service, rules in table.items() for rule, reason in rules.items()]
    return _table(["service", "rule", "how", "why"], sorted(lines)) if lines else "Nothing."


def _check(text: str) -> str:
    return {"": "everybody", "@": "everybody", "!": "nobody"}.get(text, f"`{text}`")


def _service(service: str) -> str:
    lines = []
    for rule in declared(service):
        asked = [f"`{o['method']} {o['path']}`" for o in getattr(rule, "operations", None) or []]
        lines.append([f"`{rule.name}`", rule.description or "", _check(rule.check_str), ", ".join(rule.scope_types or ["any"]),
                      "<br>".join(asked) or "by other rules"])
    title = f"# Policies of the {service} service"
    made = "Made by `python -m tests.policies.page`; [what they are](../policies.md)."
    return f"{title}\n\n{made}\n\n" + _table(["rule", "what it allows", "default", "scopes", "asked by"], lines) + "\n"


def _unsupported() -> str:
    lines = []
    for service, package in OURS.items():
        module = importlib.import_module(f"{package}.unsupported")
        for part in module.TABLE.parts:
            verbs = f"{', '.join(part.methods)} " if part.methods else ""
            lines.append([service, f"`{verbs}{module.TABLE.prefix}{part.path}`", part.feature, "410" if part.removed else "404"])
        lines += [[service, f"`{action}`", feature, "400"] for action, feature in getattr(module, "ACTIONS", {}).items()]
    return _UNSUPPORTED + _table(["service", "path, or action", "what is not supported", "status"], lines) + "\n"


def pages() -> dict[pathlib.Path, str]:
    links = "\n".join(f"- [{service}](policies/{service}.md): {len(declared(service))} rules" for service in OURS)
    return {DOC / "policies.md": _INTRODUCTION.format(services=links, meant=_differences()),
            DOC / "unsupported.md": _unsupported(), **{DOC / "policies" / f"{service}.md": _service(service) for service in OURS}}


def main() -> None:
    (DOC / "policies").mkdir(exist_ok=True)
    for path, text in pages().items():
        path.write_text(text)


if __name__ == "__main__":
    main()
