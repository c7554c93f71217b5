"""Conductor: keeper of the compute database. Agents have none; they report and ask here."""
