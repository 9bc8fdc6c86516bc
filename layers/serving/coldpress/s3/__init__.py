"""Reads from S3: what a cold request does, without the 10 ms that obstore takes to load (30 with TLS).

Only the plain case, which is Lambda's: credentials and region in the environment, AWS itself or a server
that speaks plain HTTP, keys of letters, digits and `._-/`. obstore does all the rest, and every write.
"""

from coldpress.s3.connection import Reply
from coldpress.s3.reader import Limits, Reader, Untrusted, plain_key, reader_for

__all__ = ["Limits", "Reader", "Reply", "Untrusted", "plain_key", "reader_for"]
