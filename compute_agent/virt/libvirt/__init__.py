"""Guests on QEMU and KVM through libvirt."""
