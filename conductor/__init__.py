"""The conductor owns the compute database. Agents have no database; they read and report through the conductor."""
