"""The parts of a guest's definition that ``common.guest_hardware`` decides."""

from common.guest_hardware import Hardware
from compute_agent.virt.libvirt.elements import element

ROOT_PORTS = 16  # for devices that are attached to a running q35 guest
HIDDEN_VENDOR = "1234567890ab"


def _spelled(cpus) -> str:
    return ",".join(map(str, sorted(cpus)))


def processors(top, hardware: Hardware, host) -> None:
    """CPUs, memory, features of the platform and clocks. :param host: an ``xml.Host``"""
    _memory(top, hardware, host)
    _tuning(top, hardware, host)
    _cpu(top, hardware, host)
    features = element(top, "features")
    element(features, "acpi")
    element(features, "apic")
    if hardware.secure_boot:
        element(features, "smm", state="on")
    if hardware.pmu is not None:
        element(features, "pmu", state="on" if hardware.pmu else "off")
    windows = hardware.os_type == "windows" and host.virt_type == "kvm"
    if windows:
        _enlightenments(features, hardware)
    if hardware.hide_hypervisor and host.virt_type == "kvm":
        element(element(features, "kvm"), "hidden", state="on")
    clock = element(top, "clock", offset="localtime" if hardware.os_type == "windows" else "utc")
    element(clock, "timer", name="hpet", present="yes" if hardware.hpet else "no")
    if host.virt_type == "kvm":
        element(clock, "timer", name="pit", tickpolicy="delay")
        element(clock, "timer", name="rtc", tickpolicy="catchup")
    if windows:
        element(clock, "timer", name="hypervclock", present="yes")


def _enlightenments(features, hardware: Hardware) -> None:
    """What Windows takes from its hypervisor instead of emulated hardware."""
    hyperv = element(features, "hyperv")
    for name in ("relaxed", "vapic", "vpindex", "runtime", "synic", "reset", "frequencies"):
        element(hyperv, name, state="on")
    element(hyperv, "spinlocks", state="on", retries="8191")
    if hardware.hide_hypervisor:
        element(hyperv, "vendor_id", state="on", value=HIDDEN_VENDOR)


def _memory(top, hardware: Hardware, host) -> None:
    large = hardware.large_pages
    if large or hardware.locked_memory:
        backing = element(top, "memoryBacking")
        if large:
            pages = element(backing, "hugepages")
            if isinstance(hardware.page_size, int):
                element(pages, "page", size=hardware.page_size, unit="KiB")
        if hardware.real_time:
            element(backing, "nosharepages")
        if hardware.locked_memory:
            element(backing, "locked")
    if host.placement["cells"]:
        tune = element(top, "numatune")
        element(tune, "memory", mode="strict", nodeset=_spelled(host.placement["cells"]))
        for number, cell in enumerate(host.placement["cells"]):
            element(tune, "memnode", cellid=number, mode="strict", nodeset=cell)


def _tuning(top, hardware: Hardware, host) -> None:
    cpus = host.placement["cpus"]
    if not (hardware.tuning or cpus):
        return
    tune = element(top, "cputune")
    for name in ("shares", "period", "quota"):
        if name in hardware.tuning:
            element(tune, name, str(hardware.tuning[name]))
    for vcpu, cpu in sorted(cpus.items()):
        element(tune, "vcpupin", vcpu=vcpu, cpuset=cpu)
    if cpus:
        emulator = host.placement["emulator"]
        # Not where they would delay the CPUs that must not be.
        usual = [cpu for vcpu, cpu in cpus.items() if vcpu not in hardware.real_time] or list(cpus.values())
        element(tune, "emulatorpin", cpuset=_spelled(usual) if emulator is None else emulator)
    if hardware.real_time:
        element(tune, "vcpusched", vcpus=_spelled(hardware.real_time), scheduler="fifo", priority="1")


def _cpu(top, hardware: Hardware, host) -> None:
    mode, models, features = host.cpu
    mode = mode or ("host-model" if host.virt_type == "kvm" else "maximum")
    made = element(top, "cpu") if mode == "none" else element(top, "cpu", mode=mode, match="exact" if mode == "custom" else None)
    if mode == "custom":
        element(made, "model", models[0], fallback="forbid")
    for feature in features:
        policy = {"-": "disable", "+": "require"}.get(feature[:1])
        element(made, "feature", name=feature.lstrip("+-"), policy=policy or "require")
    if hardware.hide_hypervisor:
        element(made, "feature", name="hypervisor", policy="disable")
    topology = hardware.topology or ((hardware.vcpus, 1, 1) if hardware.numa else None)
    if topology:
        sockets, cores, threads = topology
        element(made, "topology", sockets=sockets, cores=cores, threads=threads)
    if hardware.numa:
        numa = element(made, "numa")
        for number, node in enumerate(hardware.numa):
            element(numa, "cell", id=number, cpus=_spelled(node.cpus), memory=node.memory_mb, unit="MiB")


def controllers(devices, hardware: Hardware, buses: set[str]) -> None:
    """:param buses: of the disks that the guest has now"""
    if hardware.is_q35:
        element(devices, "controller", type_="pci", model="pcie-root")
        for _ in range(ROOT_PORTS):
            element(devices, "controller", type_="pci", model="pcie-root-port")
    if "scsi" in {hardware.disk_bus, hardware.cdrom_bus, *buses}:
        element(devices, "controller", type_="scsi", index=0, model=hardware.scsi_model or "virtio-scsi")


def devices(parent, hardware: Hardware, directory: str, tpm_socket: str) -> None:
    """
    :param directory: of the guest's files; the log of its first serial port is there
    :param tpm_socket: of its TPM, if it has one
    """
    for number in range(hardware.serial_ports):
        serial = element(parent, "serial", type_="pty")
        if number == 0:
            element(serial, "log", file=f"{directory}/console.log", append="off")
        element(serial, "target", port=number)
    if hardware.guest_agent:
        channel = element(parent, "channel", type_="unix")
        element(channel, "target", type_="virtio", name="org.qemu.guest_agent.0")
    element(parent, "input", type_="tablet", bus=hardware.input_bus)
    # No port: everybody who reached it would see the screen. The agent passes sockets to QEMU instead.
    element(element(parent, "graphics", type_="vnc"), "listen", type_="none")
    ram = hardware.video_ram_mb
    element(element(parent, "video"), "model", type_=hardware.video_model,
            vram=ram * 1024 if ram and hardware.video_model not in ("virtio", "none") else None)
    if hardware.watchdog:
        element(parent, "watchdog", model="i6300esb", action=hardware.watchdog)
    if hardware.rng:
        rng = element(parent, "rng", model="virtio")
        if hardware.rng_rate:
            element(rng, "rate", bytes=hardware.rng_rate[0], period=hardware.rng_rate[1])
        element(rng, "backend", "/dev/urandom", model="random")
    if hardware.tpm:
        backend = element(element(parent, "tpm", model=hardware.tpm[1]), "backend", type_="external")
        element(backend, "source", type_="unix", mode="connect", path=tpm_socket)
    element(element(parent, "memballoon", model="virtio"), "stats", period="10")
