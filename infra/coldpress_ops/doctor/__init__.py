"""Diagnoses an installation: this machine, and a deployment."""
