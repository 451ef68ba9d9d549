"""The embedded broker: its process, settings and data, and clients that reach it."""
