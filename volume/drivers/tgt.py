"""Exports by tgtd, the user-space iSCSI target: one target per volume, one CHAP account per attachment.

tgtd forgets everything when it is restarted, so exports and missing accounts are recreated from the attachments table
(``volume.exports``).

An account's password is sent to tgtd through its socket, because all users of the host can read the command line of tgtadm.
"""

import collections.abc
import os
import re
import secrets
import socket
import struct
import subprocess
import threading
import uuid

from common import errors

IQN_PREFIX = "iqn.2010-10.org.openstack:volume-"
# A request to tgtd and its answer. Source: usr/tgtadm.h of tgt (struct tgtadm_req: mode, op, lld, len, tid, sid, lun, cid,
# host_no, device_type, ac_dir, pack, force; struct tgtadm_rsp: err, len).
_REQUEST, _ANSWER = struct.Struct("@II64sIiQQIIIIII"), struct.Struct("@II")
_MODE_ACCOUNT, _OP_NEW = 7, 0


class Tgt:
    """Calls of tgtadm, serialised by a lock, under which free target numbers are chosen."""

    def __init__(self, ip: str, port: int, control_port: int):
        self.portal = f"{ip}:{port}"
        self._socket = f"{os.environ.get('TGT_IPC_SOCKET', '/var/run/tgtd/socket')}.{control_port}"
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
        raise errors.StepFailed(reason="The iSCSI target refused the export.",
                                internal=f"{' '.join(words[:4])}: {done.stderr.strip()}")

    def _add_account(self, account: str, secret: str) -> None:
        """Equivalent to ``tgtadm --mode account --op new``."""
        text = f"user={account},password={secret}".encode() + b"\0"
        header = _REQUEST.pack(_MODE_ACCOUNT, _OP_NEW, b"iscsi", _REQUEST.size + len(text), -1, 0, 0, 0, 0, 0, 0, 0, 0)
        try:
            with socket.socket(socket.AF_UNIX) as daemon:
                daemon.settimeout(20)
                daemon.connect(self._socket)
                daemon.sendall(header + text)
                answer = b""
                while len(answer) < _ANSWER.size and (more := daemon.recv(_ANSWER.size - len(answer))):
                    answer += more
        except OSError as error:
            raise errors.ServiceUnavailable(part="the iSCSI target daemon", internal=str(error)) from error
        if len(answer) < _ANSWER.size or _ANSWER.unpack(answer)[0]:
            raise errors.StepFailed(reason="The iSCSI target refused the export.", internal=f"new account: {answer.hex()}")

    def targets(self) -> dict[str, dict]:
        """{volume id: {"tid", "path" (of LUN 1, or None), "accounts": [names], "initiators": [names that may log in],
        "sessions": {number: (initiator, [numbers of its connections])}}} of this cloud's targets.
        """
        found: dict[str, dict] = {}
        current, section, session = None, "", ""
        for line in self._run("--mode", "target", "--op", "show").splitlines():
            head = re.match(r"Target (\d+): (\S+)", line)
            if head:
                current, section = None, ""
                if head[2].startswith(IQN_PREFIX):
                    current = found[head[2][len(IQN_PREFIX):]] = {"tid": head[1], "path": None, "accounts": [],
                                                                           "initiators": [], "sessions": {}}
                continue
            if current is None:
                continue
            text = line.strip()
            if text.endswith("information:"):
                section = text
            elif text.startswith("Backing store path:") and not text.endswith("None"):
                current["path"] = text.split(": ", 1)[1]
            elif text.startswith("I_T nexus:"):
                session = text.split(": ")[1]
                current["sessions"][session] = ("", [])
            elif text.startswith("Initiator:") and session in current["sessions"]:
                current["sessions"][session] = (text.split(" ")[1], [])
            elif text.startswith("Connection:") and session in current["sessions"]:
                current["sessions"][session][1].append(text.split(" ")[1])
            elif section.startswith("Account") and text:
                current["accounts"].append(text.split(" ")[0])
            elif section.startswith("ACL") and text:
                current["initiators"].append(text)
        return found

    def export(self, volume_id: str, path: str, backing: str, account: str, secret: str, initiator: str | None, *,
               io_paused: bool = False) -> None:
        """Ensure that the account may log in to the volume's target, and that the target has the volume's size.

        :param io_paused: logged-in initiators do no I/O now. Otherwise the size of a target in use is not updated.
        """
        with self._lock:
            known = self.targets().get(volume_id)
            if known and known["path"] != path:
                self._drop(known)
                known = None
            if known:
                if io_paused or not known["sessions"]:
                    self._reopen(known["tid"], path)
                self._admit(known["tid"], known, account, secret, initiator)
                return
            tids = [int(t) for t in re.findall(r"^Target (\d+):", self._run("--mode", "target", "--op", "show"), re.M)]
            tid = str(max(tids, default=0) + 1)
            self._run("--mode", "target", "--op", "new", "--tid", tid, "-T", IQN_PREFIX + volume_id)
            try:
                self._run("--mode", "logicalunit", "--op", "new", "--tid", tid, "--lun", "1", "-b", path,
                          "--bstype", backing)
                self._admit(tid, {"accounts": [], "initiators": []}, account, secret, initiator)
            except errors.Error:
                self._drop({"tid": tid, "accounts": [account]})
                raise

    def _admit(self, tid: str, known: dict, account: str, secret: str, initiator: str | None) -> None:
        """Allow an account to log in to a target, in addition to others."""
        if account not in known["accounts"]:
            self._run("--mode", "account", "--op", "delete", "--user", account, absent_ok=True)
            self._add_account(account, secret)
            self._run("--mode", "account", "--op", "bind", "--tid", tid, "--user", account)
        # tgt's ACL needs an address rule besides the name.
        if (initiator or "ALL") not in known["initiators"]:
            words = ["--initiator-name", initiator] if initiator else ["-I", "ALL"]
            self._run("--mode", "target", "--op", "bind", "--tid", tid, *words)

    def _expel(self, known: dict, account: str, initiator: str | None, others: list[str]) -> None:
        """Remove an account from a target with other accounts, and end its sessions.

        All other accounts are unbound and bound again, so that the list has no gap: tgtd 1.0.85 crashes when it lists one. If
        interrupted, some may stay unbound: their sessions continue, and they are bound again when this is repeated, or by
        ``Exports``.
        """
        tid, bound = known["tid"], known["accounts"]
        if set(bound) != set(others):
            for name in reversed(bound):  # the last one first, so that an interruption leaves no gap either
                self._run("--mode", "account", "--op", "unbind", "--tid", tid, "--user", name)
            for name in others:
                self._run("--mode", "account", "--op", "bind", "--tid", tid, "--user", name, absent_ok=True)
        if initiator in known["initiators"]:
            self._run("--mode", "target", "--op", "unbind", "--tid", tid, "--initiator-name", str(initiator))
        self._run("--mode", "account", "--op", "delete", "--user", account, absent_ok=True)
        for sid, (name, connections) in known["sessions"].items():
            for cid in connections if name == initiator else ():
                self._run("--mode", "conn", "--op", "delete", "--tid", tid, "--sid", sid, "--cid", cid, absent_ok=True)

    def _reopen(self, tid: str, path: str) -> None:
        """Have tgtd reopen the backing store, since it reads the size only then, and only while the unit is offline.

        Sent as one request, between two commands of the initiator. Concurrent I/O may fail.
        """
        self._run("--mode", "logicalunit", "--op", "update", "--tid", tid, "--lun", "1", "--params", f"online=0,path={path}")

    def _drop(self, target: dict) -> None:
        self._run("--mode", "target", "--op", "delete", "--force", "--tid", target["tid"], absent_ok=True)
        for account in target["accounts"]:
            self._run("--mode", "account", "--op", "delete", "--user", account, absent_ok=True)

    def unexport(self, volume_id: str, account: str | None = None, initiator: str | None = None,
                 others: collections.abc.Collection[str] = ()) -> None:
        """Delete the volume's target; with ``account``, only if no other account may log in, else only that account.

        :param initiator: the account's, unless others use it too
        :param others: the accounts to keep, whether or not they are bound now
        """
        with self._lock:
            known = self.targets().get(volume_id)
            if not known:
                return
            stay = [*others, *(a for a in known["accounts"] if a != account and a not in others)]
            if account is None or not stay:
                self._drop(known)
            else:
                self._expel(known, account, initiator, stay)


def account_of(attachment_id: str) -> str:
    """The name of an attachment's CHAP account."""
    return attachment_id.replace("-", "")


def attachment_of(account: str) -> str:
    try:
        return str(uuid.UUID(hex=account))
    except ValueError:  # not one of this cloud
        return account


def credentials(attachment_id: str, known: dict) -> tuple[str, str]:
    """The CHAP account of an attachment; the stored one, if there is one."""
    data = known.get("data") or {}
    return account_of(attachment_id), data.get("auth_password") or secrets.token_hex(16)


def connection_info(portal: str, volume_id: str, account: str, secret: str) -> dict:
    """As Cinder's iSCSI drivers return it."""
    return {"driver_volume_type": "iscsi", "data": {
        "target_portal": portal, "target_iqn": IQN_PREFIX + volume_id, "target_lun": 1, "volume_id": volume_id,
        "target_discovered": False, "auth_method": "CHAP", "auth_username": account, "auth_password": secret,
        "access_mode": "rw", "discard": False, "encrypted": False}}
