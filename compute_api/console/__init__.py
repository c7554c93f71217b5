"""The console proxy: web pages for screens and serial ports of guests, and their WebSockets."""
