"""Traits of hosts, in the names of OpenStack's library os_traits: what ``trait:...`` of flavors and images is compared with, and
what the placement API shows."""

from common import guest_needs

# What every compute host here can do, except hosts that report otherwise.
ALWAYS = frozenset(("COMPUTE_NODE", "COMPUTE_NET_ATTACH_INTERFACE", "COMPUTE_VOLUME_EXTEND", "COMPUTE_VOLUME_MULTI_ATTACH",
                    "COMPUTE_RESCUE_BFV"))
_WITHOUT = {guest_needs.VOLUMES: {"COMPUTE_VOLUME_EXTEND", "COMPUTE_VOLUME_MULTI_ATTACH", "COMPUTE_RESCUE_BFV"},
            guest_needs.RESCUE: {"COMPUTE_RESCUE_BFV"}}
_OF_FEATURES = {
    guest_needs.SECURE_BOOT: "COMPUTE_SECURITY_UEFI_SECURE_BOOT",
    **{guest_needs.tpm(version): f"COMPUTE_SECURITY_TPM_{version.replace('.', '_')}" for version in ("1.2", "2.0")},
    **{guest_needs.bus(name): f"COMPUTE_STORAGE_BUS_{name.upper()}" for name in ("virtio", "scsi", "ide", "sata", "usb")},
    **{guest_needs.video(name): f"COMPUTE_GRAPHICS_MODEL_{name.upper()}" for name in (
        "vga", "cirrus", "vmvga", "qxl", "virtio", "bochs", "none")}}
# As the kernel names CPU flags, where the trait is not that name in capitals without underscores.
_OF_FLAGS = {"aes": "AESNI", "pclmulqdq": "CLMUL", "fma": "FMA3", "bmi1": "BMI", "pni": "SSE3", "rtm": "TSX", "sha_ni": "SHA",
             "gfni": "AVX512GFNI", "vaes": "AVX512VAES", "vpclmulqdq": "AVX512VPCLMULQDQ", "pcid": "INTEL_PCID"}
_VENDORS = {"vmx": "INTEL", "svm": "AMD"}


def of(facts: dict) -> frozenset[str]:
    """:param facts: a host's, as its agent reports them"""
    arch, flags = str(facts.get("arch", "")).upper(), (facts.get("cpu_info") or {}).get("features") or ()
    cpu = {_OF_FLAGS.get(flag) or str(flag).upper().replace("_", "") for flag in flags}
    cpu |= {f"{_VENDORS[flag]}_{flag.upper()}" for flag in flags if flag in _VENDORS}
    lacking = frozenset().union(*(_WITHOUT.get(name, ()) for name in facts.get("unsupported") or ()))
    return ALWAYS - lacking | {f"HW_ARCH_{arch}", f"COMPUTE_ARCH_{arch}", *(f"HW_CPU_X86_{name}" for name in cpu)} | {
        _OF_FEATURES[name] for name in facts.get("features") or () if name in _OF_FEATURES}
