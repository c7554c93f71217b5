"""The compute agent runs the servers of one host. It has no database; it reads and reports through the conductor."""
