"""Dashboard: the web pages, made of what the APIs answer to the user who is logged in."""
