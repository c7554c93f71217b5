"""Long work of the volume agent, one operation a module."""
