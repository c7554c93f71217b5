"""Models and queries of the compute database, for conductor, compute-api and scheduler."""
