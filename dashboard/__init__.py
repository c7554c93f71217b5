"""The dashboard: web pages for users of the cloud, based on its APIs."""
