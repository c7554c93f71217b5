"""Whether cloud-init would take a user data text, as far as that is known without running it."""

import difflib

import yaml

from common import native
from dashboard.texts import Text

# What cloud-init recognizes by the beginning of a text.
_BEGINNINGS = ("#!", "#cloud-config", "#include", "#part-handler", "#cloud-boothook", "Content-Type:", "MIME-Version:",
               "## template:", "{")
# The lists and dictionaries of a cloud-config that are mistyped most.
_LISTS = frozenset(("packages", "runcmd", "bootcmd", "write_files", "users", "groups", "mounts", "ssh_authorized_keys"))
_KEYS = _LISTS | frozenset((
    "allow_public_ssh_keys", "ansible", "apk_repos", "apt", "apt_pipelining", "autoinstall", "byobu_by_default", "ca_certs",
    "chef", "chpasswd", "cloud_config_modules", "cloud_final_modules", "cloud_init_modules", "create_hostname_file",
    "datasource", "device_aliases", "disable_ec2_metadata", "disable_root", "disable_root_opts", "disk_setup", "drivers", "fan",
    "final_message", "fqdn", "fs_setup", "growpart", "grub_dpkg", "hostname", "keyboard", "landscape", "locale",
    "locale_configfile", "lxd", "manage_etc_hosts", "manage_resolv_conf", "mcollective", "merge_how", "merge_type",
    "migrate", "mount_default_fields", "network", "no_ssh_fingerprints", "ntp", "output", "package_reboot_if_required",
    "package_update", "package_upgrade", "password", "phone_home", "power_state", "prefer_fqdn_over_hostname",
    "preserve_hostname", "puppet", "random_seed", "reporting", "resize_rootfs", "resolv_conf", "rh_subscription", "rsyslog",
    "salt_minion", "snap", "spacewalk", "ssh", "ssh_deletekeys", "ssh_fp_console_blacklist", "ssh_genkeytypes",
    "ssh_import_id", "ssh_key_console_blacklist", "ssh_keys", "ssh_publish_hostkeys", "ssh_pwauth", "ssh_quiet_keygen", "swap",
    "system_info", "timezone", "ubuntu_advantage", "ubuntu_pro", "updates", "user", "vendor_data", "version", "wireguard",
    "yum_repo_dir", "yum_repos", "zypper"))
_MOST_DOUBTS = 5  # to find what a key may have meant takes a millisecond


def mistake(text: str) -> str:
    """Why cloud-init would do nothing with a text, or nothing."""
    return _read(text)[1]


def _read(text: str) -> tuple[dict, str]:
    """(a cloud-config, or nothing; why cloud-init would do nothing with the text, or nothing)"""
    if not text.startswith(_BEGINNINGS):
        return {}, Text("cloud-init would ignore this: its first line must be #cloud-config, or #! and a program.")
    if text.partition("\n")[0].strip() != "#cloud-config":
        return {}, ""
    try:
        # A second for the largest texts, in which other pages are served.
        found = native.execute(yaml.load, text, Loader=_Loader)  # noqa: S506  # a SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "YAML"
        if not mark:
            return {}, Text("cloud-init cannot read this: {problem}.", problem=problem)
        return {}, Text("cloud-init cannot read this in line {line}: {problem}.", line=mark.line + 1, problem=problem)
    except (RecursionError, ValueError):
        return {}, Text("cloud-init cannot read this: {problem}.", problem="YAML")
    if found is not None and not isinstance(found, dict):
        return {}, Text("After #cloud-config come lines with key: value.")
    wrong = sorted(str(key) for key, value in (found or {}).items() if key in _LISTS and not isinstance(value, list | dict))
    return found or {}, Text("“{key}” must be a list.", key=wrong[0]) if wrong else ""


def doubts(text: str) -> list[str]:
    """What cloud-init reads but does nothing with: keys that it does not know."""
    config, wrong = _read(text)
    found: list[str] = []
    for key in [key for key in map(str, config) if key not in _KEYS and not wrong][:_MOST_DOUBTS]:
        near = difflib.get_close_matches(key[:40], _KEYS, 1, 0.75)
        found.append(Text("cloud-init does not know “{key}”. Do you mean “{near}”?", key=key[:40], near=near[0]) if near else
                     Text("cloud-init does not know “{key}”.", key=key[:40]))
    return found


class _Loader(yaml.SafeLoader):
    """Without aliases: a few lines of them can stand for gigabytes."""

    def compose_node(self, parent, index):
        if self.check_event(yaml.AliasEvent):
            raise yaml.composer.ComposerError(None, None, "aliases are not checked here", self.peek_event().start_mark)
        return super().compose_node(parent, index)
