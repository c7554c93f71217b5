"""Dashboard: the web pages. None is built yet; the README says what is."""
