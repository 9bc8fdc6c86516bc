"""Coldpress's serving core: what every function shares.

Importing it, or any module of it, imports nothing but the standard library.
"""

__version__ = "0.1.0"
