"""Traffic counters of routers' gateways, by label.

A label has two chains in the filter table of a router's namespace: one with its rules, and an empty one whose only rule, without
a target, counts. Rules jump there by ``-g``, so that no packet counts twice; an excluding rule returns before. Counters are read
before a change of rules resets them.
"""

import logging
import re
import time

from common import errors
from network.agent.filters import run

LOG = logging.getLogger(__name__)
_RUN = {4: ("iptables-restore", "iptables-save"), 6: ("ip6tables-restore", "ip6tables-save")}


def _chain(label_id: str, kind: str) -> str:
    return f"meter-{kind}-{label_id[:11]}"


def _version(rule: dict) -> int:
    return 6 if ":" in (rule["source_ip_prefix"] or rule["destination_ip_prefix"] or "") else 4


def table(gateway: str, labels: list[dict], version: int = 4) -> str:
    """iptables-restore or ip6tables-restore input for these labels. ``gateway``: the external device."""
    lines = ["*filter", ":INPUT ACCEPT [0:0]", ":FORWARD ACCEPT [0:0]", ":OUTPUT ACCEPT [0:0]"]
    lines += [f":{_chain(x['id'], kind)} - [0:0]" for x in labels for kind in ("r", "c")]
    for label in labels:
        rules, count = _chain(label["id"], "r"), _chain(label["id"], "c")
        lines.append(f"-A FORWARD -j {rules}")
        for rule in (r for r in label["rules"] if _version(r) == version):
            ends = "".join(f" {flag} {rule[name]}" for flag, name in (("-s", "source_ip_prefix"), ("-d", "destination_ip_prefix"))
                           if rule[name])
            way = "-i" if rule["direction"] == "ingress" else "-o"
            lines.append(f"-A {rules} {way} {gateway}{ends} " + ("-j RETURN" if rule["excluded"] else f"-g {count}"))
        lines.append(f"-A {count}")
    return "\n".join([*lines, "COMMIT", ""])


def _tables(gateway: str | None, labels: list[dict]) -> dict[int, str]:
    """{IP version: input to load}; "" if there is nothing to count. Without IPv6 rules, that version is skipped."""
    there = {4: bool(labels), 6: any(_version(rule) == 6 for label in labels for rule in label["rules"])}
    return {version: table(gateway, labels, version) if gateway and there[version] else "" for version in _RUN}


def counted(saved: str) -> dict[str, tuple[int, int]]:
    """{first eleven characters of a label's id: (packets, bytes)} from ``iptables-save -c``."""
    return {m[3]: (int(m[1]), int(m[2])) for m in re.finditer(r"^\[(\d+):(\d+)\] -A meter-c-(\S+)$", saved, re.M)}


class Meters:
    """The meters of all routers of this host. Not thread-safe."""

    def __init__(self):
        # By namespace and IP version: the loaded input, and the last counters.
        self._tables: dict[tuple[str, int], str] = {}
        self._seen: dict[tuple[str, int], dict[str, tuple[int, int]]] = {}
        self._labels: dict[str, list[dict]] = {}
        self._sums: dict[str, list[int]] = {}
        self._owners: dict[str, str] = {}
        self._since = time.time()

    def ensure(self, namespace: str, gateway: str | None, labels: list[dict]) -> None:
        """Count for these labels in a router's namespace. Repeatable; without a gateway or labels nothing is counted."""
        changed = {version: text for version, text in _tables(gateway, labels).items()
                   if self._tables.get((namespace, version), "") != text}
        if not changed:
            return
        self._read(namespace)
        for version, text in changed.items():
            run("ip", "netns", "exec", namespace, _RUN[version][0], "-w", "10", stdin=text or table("lo", []))
            self._seen.pop((namespace, version), None)
            self._tables[namespace, version] = text
        self._labels[namespace] = labels
        self._owners.update({x["id"]: x["project_id"] for x in labels})

    def remove(self, namespace: str) -> None:
        """Read the final counters of a router that is about to be removed. Errors are logged."""
        self._try(namespace)
        self._labels.pop(namespace, None)
        for version in _RUN:
            self._tables.pop((namespace, version), None)
            self._seen.pop((namespace, version), None)

    def _try(self, namespace: str) -> None:
        try:
            self._read(namespace)
        except errors.StepFailed as error:
            LOG.warning("the meters of %s could not be read: %s %s", namespace, error, error.internal)

    def _read(self, namespace: str) -> None:
        """Add what was counted since the last time, if anything."""
        for version, (_, save) in _RUN.items():
            if not self._tables.get((namespace, version)):
                continue
            now = counted(run("ip", "netns", "exec", namespace, save, "-c", "-t", "filter"))
            before = self._seen.get((namespace, version), {})
            for label in self._labels.get(namespace, []):
                short = label["id"][:11]
                packets, size = (a - b for a, b in zip(now.get(short, (0, 0)), before.get(short, (0, 0))))
                total = self._sums.setdefault(label["id"], [0, 0])
                total[0], total[1] = total[0] + packets, total[1] + size
            self._seen[namespace, version] = now

    def take(self, host: str) -> list[dict]:
        """What was counted since the last call: payloads of ``l3.meter``, one per label. Times are seconds since 1970."""
        for namespace in sorted({name for (name, _), text in self._tables.items() if text}):
            self._try(namespace)
        until, owners = time.time(), self._owners
        left = {x["id"]: x["project_id"] for labels in self._labels.values() for x in labels}
        found = [{"label_id": label_id, "tenant_id": owners[label_id], "project_id": owners[label_id],
                  "pkts": packets, "bytes": size, "time": round(until - self._since), "first_update": int(self._since),
                  "last_update": int(until), "host": host} for label_id, (packets, size) in sorted(self._sums.items())]
        self._sums, self._owners = {label_id: [0, 0] for label_id in left}, left
        self._since = until
        return found
