"""Runs from the command line: ordered, followed and stopped, on this machine or in a deployment.

datasets  data of this machine -> `datasets/…` in the store, by its contents
local     a run as a process of this machine, with the record and the rules of a batch job
backend   the runs of a state folder, or of a deployment: the same four questions
"""
