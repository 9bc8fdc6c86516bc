"""boto3, for those who installed it, with time limits."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from coldpress.errors import InvalidRequest, Unavailable, Unsupported
from coldpress_ops.doctor.findings import Broken

MISSING = "boto3 is not installed; pip install 'coldpress[deploy]'"


class Cloud:
    """One account and region.

    Raises:
        Unsupported: no boto3.
        InvalidRequest: no region, or a profile that is not there.
    """

    def __init__(self, region: str | None = None) -> None:
        try:
            import boto3  # type: ignore[import-untyped, unused-ignore]
            from botocore.config import Config  # type: ignore[import-untyped, unused-ignore]
            from botocore.exceptions import BotoCoreError  # type: ignore[import-untyped, unused-ignore]
        except ModuleNotFoundError:
            raise Unsupported(MISSING) from None
        try:
            session = boto3.Session(region_name=region)
        except BotoCoreError as error:
            raise InvalidRequest(str(error)) from None
        if not session.region_name:
            raise InvalidRequest("no region: give --region, such as eu-west-1, or set AWS_REGION")
        self.region: str = session.region_name
        config = Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard", "max_attempts": 5})
        self._session, self._config = session, config
        self.formation: Any = self.client("cloudformation")

    def client(self, service: str) -> Any:
        """A client of one of AWS's services."""
        return self._session.client(service, config=self._config)

    def lend_credentials(self) -> None:
        """Lets this process's stores use the profile's credentials: they read variables, not profiles."""
        found = self._session.get_credentials()
        if found is None:
            raise InvalidRequest("no AWS credentials: aws configure, aws sso login, or set AWS_PROFILE")
        key = found.get_frozen_credentials()
        os.environ |= {"AWS_ACCESS_KEY_ID": key.access_key, "AWS_SECRET_ACCESS_KEY": key.secret_key}
        os.environ |= {"AWS_REGION": self.region} | ({"AWS_SESSION_TOKEN": key.token} if key.token else {})

    def identity(self) -> dict[str, str]:
        """`Account` and `Arn` of the credentials. Raises `Broken` when there are none that are good."""
        from botocore.exceptions import (  # type: ignore[import-untyped, unused-ignore]
            BotoCoreError,
            ClientError,
        )

        fix = "aws configure, aws sso login, or set AWS_PROFILE; aws sts get-caller-identity must answer"
        try:
            found: dict[str, str] = self.client("sts").get_caller_identity()
        except (BotoCoreError, ClientError) as error:
            raise Broken(str(error), fix) from None
        return found

    def has_bucket(self, name: str) -> bool:
        """Whether the account has a bucket of that name that it may look at."""
        from botocore.exceptions import ClientError  # type: ignore[import-untyped, unused-ignore]

        try:
            self.client("s3").head_bucket(Bucket=name)
        except ClientError:
            return False
        return True


@contextmanager
def in_words() -> Iterator[None]:
    """Turns botocore's errors into `Unavailable`, in one line of AWS's own words."""
    from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped, unused-ignore]

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise Unavailable(f"AWS: {error}") from error
