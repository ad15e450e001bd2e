"""Schemas of sources that change: what differs, what a connection makes of it, and what is kept of it."""
