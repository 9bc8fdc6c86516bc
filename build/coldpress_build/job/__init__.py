"""A training run as a job: `python -m coldpress_build.job`, in a container of AWS Batch or on this machine.

attempt   one attempt at a run, watched: its record, its log, its end
launch    how the worker is started: one process, or torchrun over GPUs and nodes
pieces    what the worker prints, into the store
work      the worker: data, training, results, publication

Two variables say everything: COLDPRESS_STORE (where) and COLDPRESS_RUN (which record). What is to be done is
in the record; what came of it goes below `runs/{id}/`.
"""
