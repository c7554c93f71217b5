"""Compute API: servers, flavors, key pairs, and the metadata that guests read."""
