"""What operators watch a cloud with: where /metrics is, and that the shipped alerts and dashboard ask for what is there."""

import hashlib
import hmac
import itertools
import json
import pathlib
import re
import shutil
import subprocess

import psutil
import pytest
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard
from prometheus_client import parser

from common.periodic import wait_for
from deploy.daemons import METRICS_PORT, PORTS
from deploy.prepare import ensure_secrets

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROMETHEUS = ROOT / "etc" / "prometheus"
DASHBOARD = json.loads((ROOT / "etc" / "grafana" / "pileus.json").read_text())
RULES = (PROMETHEUS / "pileus.rules.yml").read_text()
ALERTS = pathlib.Path(__file__).parent / "alerts.yml"
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]]
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}


@pytest.fixture(scope="module")
def promtool():
    found = shutil.which("promtool")
    if not found:
        pytest.skip("promtool is not installed (Debian's package prometheus has it)")
    return found


def _asks(cloud, port: int, path: str = "/metrics", **headers: str):
    return cloud.client.pool.request("GET", f"http://127.0.0.1:{port + cloud.offset}{path}", headers=headers)


@pytest.mark.parametrize("port", [*PORTS.values(), 9191])
def test_what_users_reach_serves_no_metrics(cloud, port):
    """Not to anybody, not even to an administrator."""
    for path, token in itertools.product(("/metrics", "/metrics/", "//metrics", "/v3/../metrics"), ("", cloud.client.token)):
        answer = _asks(cloud, port, path, **({"X-Auth-Token": token} if token else {}))
        assert answer.status in (300, 401, 403, 404) and b"pileus_" not in answer.data, (path, answer.status)


def test_guests_reach_no_metrics(cloud):
    """A guest's request comes to the metadata port signed by the network agent, with a path of the guest's."""
    server = cloud.client.find("compute", "servers", "first", "/servers/detail")
    signature = hmac.new(ensure_secrets(cloud.state)["metadata_secret"].encode(), server["id"].encode(), hashlib.sha256)
    signed = {"X-Instance-ID": server["id"], "X-Instance-ID-Signature": signature.hexdigest(), "X-Tenant-ID": server["tenant_id"]}
    assert _asks(cloud, 8775, "/openstack/latest/meta_data.json", **signed).status == 200
    answer = _asks(cloud, 8775, "/metrics", **signed)
    assert answer.status == 404 and b"pileus_" not in answer.data


def test_metrics_have_a_port_of_their_own_at_one_address(cloud):
    listening = {c.laddr.ip for c in psutil.Process(cloud.process.pid).net_connections("tcp")
                 if c.status == psutil.CONN_LISTEN and c.laddr.port == METRICS_PORT + cloud.offset}
    assert listening == {"127.0.0.1"}


def test_a_running_cloud_exports_its_metrics(cloud):
    def told():
        found = {(s.name, *s.labels.values()): s.value for f in parser.text_string_to_metric_families(cloud.metrics())
                 for s in f.samples}
        return found if ("pileus_bus_queue_consumers", "fake-host", "compute-agent") in found else None
    found = wait_for(told, 60, what="a look at the bus after the agents were known")
    assert found["pileus_servers", "ACTIVE"] == 1 and found["pileus_hosts", "up"] == 1
    assert found["pileus_host_servers", "fake-host"] == 1 and found["pileus_host_vcpus_used", "fake-host"] >= 1
    assert found["pileus_agent_up", "cinder-volume", "fake-host", "volume"] == 1
    assert found["pileus_bus_queue_consumers", "fake-host", "compute-agent"] == 1 and found["pileus_daemon_up", "pileus"] == 1
    assert found["pileus_sql_errors_total", "away", "compute"] == 0 == found["pileus_rpc_errors_total", "timeout", "scheduler"]


def _exported(cloud) -> set[str]:
    return {family.name + suffix for family in parser.text_string_to_metric_families(cloud.metrics())
            for suffix in SUFFIXES.get(family.type, ("",))}


@pytest.mark.parametrize("text", [pytest.param("\n".join(QUERIES), id="dashboard"), pytest.param(RULES, id="alerts")])
def test_metrics_used_by_alerts_are_exported(cloud, text):
    asked = set(re.findall(r"\bpileus_\w+", text))
    assert len(asked) > 10 and asked <= _exported(cloud)


def test_everything_exported_of_the_cloud_is_shown_or_watched(cloud):
    """What nobody looks at need not be exported."""
    seen = set(re.findall(r"\bpileus_\w+", "\n".join([*QUERIES, RULES])))
    for_reading_by_hand = {"pileus_build_info", "pileus_bus_look_timestamp_seconds", "pileus_volumes_bytes",
                           "pileus_volume_backend_promised_bytes"}
    families = {f.name: {f.name + s for s in SUFFIXES.get(f.type, ("",))} for f in parser.text_string_to_metric_families(
        cloud.metrics()) if f.name.startswith("pileus_") and not f.name.endswith("_created")}
    assert {name for name, names in families.items() if not names & seen} == for_reading_by_hand


def test_the_configuration_loads(promtool):
    done = subprocess.run([promtool, "check", "config", str(PROMETHEUS / "prometheus.yml")], capture_output=True, text=True)
    assert done.returncode == 0 and "1 rule files found" in done.stdout, done.stdout + done.stderr
    assert "127.0.0.1:9180" in (PROMETHEUS / "prometheus.yml").read_text() and METRICS_PORT == 9180


def test_alerts_fire(promtool):
    done = subprocess.run([promtool, "test", "rules", str(ALERTS)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_tested():
    named = set(re.findall(r"- alert: (\w+)", RULES))
    tested = set(re.findall(r"alertname: (\w+)", ALERTS.read_text()))
    assert named == tested


def test_queries_of_the_dashboard_are_valid(promtool, tmp_path):
    rules = [{"record": f"query{i}", "expr": expr.replace("$__rate_interval", "5m")} for i, expr in enumerate(QUERIES)]
    (tmp_path / "rules.json").write_text(json.dumps({"groups": [{"name": "g", "rules": rules}]}))  # JSON is YAML
    done = subprocess.run([promtool, "check", "rules", str(tmp_path / "rules.json")], capture_output=True, text=True)
    assert done.returncode == 0 and f"{len(rules)} rules found" in done.stdout, done.stdout + done.stderr


def test_grafana_s_own_models_read_all_of_the_dashboard():
    """A field that they do not know, or of another type, would be lost or changed on the way back."""
    plugins.register_default_plugins()
    read = dashboard.Dashboard.from_json(DASHBOARD)
    assert _holds(json.loads(json.dumps(read.to_json(), cls=JSONEncoder)), DASHBOARD)


def _holds(found, wanted) -> bool:
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(key in found and _holds(found[key], value) for key, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(found, list) and len(found) == len(wanted) and all(map(_holds, found, wanted))
    return found == wanted


def test_the_dashboard_is_valid_for_grafana():
    assert {"title", "uid", "schemaVersion", "panels", "templating", "time"} <= set(DASHBOARD)
    assert [v["name"] for v in DASHBOARD["templating"]["list"] if v["type"] == "datasource"] == ["datasource"]
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids) and len(PANELS) > 15
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = set(itertools.product(range(at["x"], at["x"] + at["w"]), range(at["y"], at["y"] + at["h"])))
        assert at["x"] + at["w"] <= 24 and not cells & taken, panel["title"]
        taken |= cells
    for panel in PANELS:
        assert panel["datasource"]["uid"] == "${datasource}" and panel["title"]
        assert [t["refId"] for t in panel["targets"]] == [chr(65 + i) for i in range(len(panel["targets"]))]
