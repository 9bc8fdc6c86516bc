"""The entry point of a job."""

import os
import sys

from coldpress.errors import ColdpressError
from coldpress_build.job.attempt import attempt

if __name__ == "__main__":
    try:
        sys.exit(attempt(os.environ))
    except ColdpressError as error:
        sys.exit(f"error: {error}")
