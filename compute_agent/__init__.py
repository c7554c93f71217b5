"""Compute agent: builds servers on one host. It has no database; it asks and reports through the conductor."""
