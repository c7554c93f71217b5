"""Export by tgtd, the user-space iSCSI target: one target a volume, one CHAP account an attachment.

tgtd keeps nothing across its restart, so exports are made again from the
attachments table (``volume/exports.py``).
"""

import re
import secrets
import subprocess
import threading

from common import errors

IQN_PREFIX = "iqn.2010-10.org.openstack:volume-"


class Tgt:
    """Calls of tgtadm, serialised: a free target number is looked up and taken under one lock."""

    def __init__(self, ip: str, port: int, control_port: int):
        self.portal = f"{ip}:{port}"
        self._control = ["-C", str(control_port)] if control_port else []
        self._lock = threading.Lock()

    def _run(self, *words: str, absent_ok: bool = False) -> str:
        done = subprocess.run(["tgtadm", *self._control, "--lld", "iscsi", *words], capture_output=True, text=True,
                              timeout=20)
        if done.returncode == 0:
            return done.stdout
        if absent_ok and "can't find" in done.stderr:
            return ""
        if "can't connect" in done.stderr or "can't send" in done.stderr or "connect" in done.stderr:
            raise errors.ServiceUnavailable(part="the iSCSI target daemon", internal=done.stderr.strip())
        # The command line holds a secret; only its first words may reach a log.
        raise errors.StepFailed(reason="The iSCSI target refused the export.",
                                internal=f"{' '.join(words[:4])}: {done.stderr.strip()}")

    def targets(self) -> dict[str, dict]:
        """{volume id: {"tid", "path" (of LUN 1, or None), "accounts": [names]}} of our targets."""
        found: dict[str, dict] = {}
        current, section = None, ""
        for line in self._run("--mode", "target", "--op", "show").splitlines():
            head = re.match(r"Target (\d+): (\S+)", line)
            if head:
                current, section = None, ""
                if head[2].startswith(IQN_PREFIX):
                    current = found[head[2][len(IQN_PREFIX):]] = {"tid": head[1], "path": None, "accounts": []}
                continue
            if current is None:
                continue
            text = line.strip()
            if text.endswith("information:"):
                section = text
            elif text.startswith("Backing store path:") and not text.endswith("None"):
                current["path"] = text.split(": ", 1)[1]
            elif section.startswith("Account") and text and not text.startswith("ACL"):
                current["accounts"].append(text.split(" ")[0])
        return found

    def export(self, volume_id: str, path: str, backing: str, account: str, secret: str, initiator: str | None) -> None:
        """Make sure that exactly this account may log in to the volume's target."""
        with self._lock:
            known = self.targets().get(volume_id)
            if known and (known["path"] != path or known["accounts"] != [account]):
                self._drop(known)
                known = None
            if known:
                return
            tids = [int(t) for t in re.findall(r"^Target (\d+):", self._run("--mode", "target", "--op", "show"), re.M)]
            tid = str(max(tids, default=0) + 1)
            self._run("--mode", "account", "--op", "delete", "--user", account, absent_ok=True)
            self._run("--mode", "target", "--op", "new", "--tid", tid, "-T", IQN_PREFIX + volume_id)
            try:
                self._run("--mode", "logicalunit", "--op", "new", "--tid", tid, "--lun", "1", "-b", path,
                          "--bstype", backing)
                self._run("--mode", "account", "--op", "new", "--user", account, "--password", secret)
                self._run("--mode", "account", "--op", "bind", "--tid", tid, "--user", account)
                # An ACL by name alone would admit nobody: tgt wants an address rule beside it.
                words = ["--initiator-name", initiator] if initiator else ["-I", "ALL"]
                self._run("--mode", "target", "--op", "bind", "--tid", tid, *words)
            except errors.Error:
                self._drop({"tid": tid, "accounts": [account]})
                raise

    def _drop(self, target: dict) -> None:
        self._run("--mode", "target", "--op", "delete", "--force", "--tid", target["tid"], absent_ok=True)
        for account in target["accounts"]:
            self._run("--mode", "account", "--op", "delete", "--user", account, absent_ok=True)

    def unexport(self, volume_id: str, account: str | None = None) -> None:
        """Drop the volume's target; where ``account`` is given, only if it is the one that may log in."""
        with self._lock:
            known = self.targets().get(volume_id)
            if known and (account is None or account in known["accounts"] or not known["accounts"]):
                self._drop(known)


def credentials(attachment_id: str, known: dict) -> tuple[str, str]:
    """The CHAP account of an attachment: the same again for the same attachment, from what was stored."""
    data = known.get("data") or {}
    return attachment_id.replace("-", ""), data.get("auth_password") or secrets.token_hex(16)


def connection_info(portal: str, volume_id: str, account: str, secret: str) -> dict:
    """As Cinder's iSCSI drivers answer."""
    return {"driver_volume_type": "iscsi", "data": {
        "target_portal": portal, "target_iqn": IQN_PREFIX + volume_id, "target_lun": 1, "volume_id": volume_id,
        "target_discovered": False, "auth_method": "CHAP", "auth_username": account, "auth_password": secret,
        "access_mode": "rw", "discard": False, "encrypted": False}}
