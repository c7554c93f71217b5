"""Who may import whom: read from the source, so a violation fails here and not in production."""

import ast
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
SERVICES = ("identity", "image", "network", "volume", "compute_api", "scheduler", "conductor", "compute_agent",
            "dashboard")
AGENTS = ("compute_agent", "network/agent")
# The compute database's keeper is conductor; these two use its queries.
SHARED = {("compute_api", "conductor.db"), ("scheduler", "conductor.db"), ("compute_api", "conductor.conf"),
          ("scheduler", "conductor.conf")}


def modules():
    for package in (*SERVICES, "common", "deploy"):
        for path in (ROOT / package).rglob("*.py"):
            if "migrations" not in path.parts:
                yield path


def imports(path: pathlib.Path, *, top_level_only: bool = False) -> set[str]:
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_level_only else ast.walk(tree)
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{a.name}" for a in node.names}
    return found


def test_common_imports_no_service():
    for path in (ROOT / "common").rglob("*.py"):
        bad = {i for i in imports(path) if i.split(".")[0] in (*SERVICES, "deploy")}
        assert not bad, f"{path}: {bad}"


def test_services_meet_only_through_rpcapi():
    for path in modules():
        own = path.relative_to(ROOT).parts[0]
        if own in ("common", "deploy"):
            continue
        for name in imports(path):
            other = name.split(".")[0]
            if other in SERVICES and other != own and ".".join(name.split(".")[:2]) not in (
                    f"{other}.rpcapi", f"{other}.messages"):
                allowed = any(own == who and name.startswith(what) for who, what in SHARED)
                assert allowed or name in ("conductor.conf",), f"{path} imports {name}"


def test_agents_import_no_database():
    for folder in AGENTS:
        for path in (ROOT / folder).rglob("*.py"):
            bad = {i for i in imports(path) if i.split(".")[0] in ("sqlalchemy", "alembic")
                   or i.split(".")[1:2] == ["db"]}
            assert not bad, f"{path}: {bad}"


def test_handlers_touch_no_bus_topic():
    for path in modules():
        if "handlers" in path.parts:
            assert not {i for i in imports(path) if i.startswith("oslo_messaging")}, path


def test_eventlet_only_in_entry_modules():
    allowed = {"deploy/zygote.py", "deploy/local.py", "common/protocol.py"}
    for path in modules():
        if any(i.split(".")[0] == "eventlet" for i in imports(path)):
            assert str(path.relative_to(ROOT)) in allowed, path
        # A process that has it has eventlet's http.server too, whose servers block its other threads.
        assert not any(i.startswith("common.protocol") for i in imports(path, top_level_only=True)), path


def test_no_import_cycles():
    names = {str(p.relative_to(ROOT).with_suffix("")).replace("/", ".").removesuffix(".__init__"): p for p in modules()}
    graph = {}
    for name, path in names.items():
        targets = set()
        # Those within functions too, except in commands, which import what they need when they need it.
        for target in imports(path, top_level_only=name.endswith(".cli") or name.startswith("deploy.")):
            while target and target not in names:
                target = target.rpartition(".")[0]
            # ``from package import module`` needs the module, not the package's other names.
            if target and target != name and not name.startswith(target + "."):
                targets.add(target)
        graph[name] = targets
    done: set[str] = set()

    def visit(name: str, trail: tuple) -> None:
        assert name not in trail, " -> ".join((*trail[trail.index(name):], name))
        if name not in done:
            for target in graph.get(name, ()):
                visit(target, (*trail, name))
            done.add(name)
    for name in graph:
        visit(name, ())
