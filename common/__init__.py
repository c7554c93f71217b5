"""What every Pileus service shares. Imports no service."""
