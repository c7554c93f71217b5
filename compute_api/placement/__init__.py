"""The placement API: hosts as resource providers, read from the compute database, whose scheduler writes it."""
