"""Smaller candidates of a model, measured in the serving runtime; the smallest that passes the gate wins."""
