"""The local server behind `coldpress up`: template.yaml's routes and events on one machine.

A development server and a single-box deployment. It serves what `template.yaml` declares and is
no emulator of AWS: what it does not know, it refuses by name.
"""
