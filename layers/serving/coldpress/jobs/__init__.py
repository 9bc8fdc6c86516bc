"""Runs as jobs of AWS Batch.

start    an order becomes a record and a job
batch    what is asked of AWS Batch, by boto3
events   what AWS says of jobs, data sets and time, into the records
"""

RETRY_EXIT = 75
"""How a job ends that was interrupted and may go on: `EX_TEMPFAIL` of sysexits.h. It is started again."""
ATTEMPTS = 10
"""How often a job is started at most: Batch's own limit."""
RUN_VARIABLE = "COLDPRESS_RUN"
STORE_VARIABLE = "COLDPRESS_STORE"
ENTRY_POINT = "coldpress_build.job"
"""`python -m` this is a job, wherever it runs."""
