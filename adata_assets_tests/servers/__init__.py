"""Servers on loopback ports that tests start: of files, and of objects."""
