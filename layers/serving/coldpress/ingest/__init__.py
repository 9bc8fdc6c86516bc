"""A model file put into storage becomes a checked, optimised, registered version.

events       what happened in storage           -> object keys
graph        the bytes of an ONNX file          -> what it needs, without loading it
checks       what it needs                      -> a reason to refuse it, or none
metadata     what its author wrote into it      -> labels, warm-up, notes
trial        opened, run and optimised in a process of its own
transaction  so that a crash or a repeated event loses and doubles nothing
"""
