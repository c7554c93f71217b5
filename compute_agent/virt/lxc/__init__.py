"""Containers, by libvirt's LXC driver."""
