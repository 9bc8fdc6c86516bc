"""boto3, for those who installed it, with time limits."""

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
        self.formation: Any = self._client("cloudformation")

    def _client(self, service: str) -> Any:
        return self._session.client(service, config=self._config)

    def identity(self) -> dict[str, str]:
        """`Account` and `Arn` of the credentials. Raises `Broken` when there are none that are good."""
        from botocore.exceptions import (  # type: ignore[import-untyped, unused-ignore]
            BotoCoreError,
            ClientError,
        )

        fix = "aws configure, aws sso login, or set AWS_PROFILE; aws sts get-caller-identity must answer"
        try:
            found: dict[str, str] = self._client("sts").get_caller_identity()
        except (BotoCoreError, ClientError) as error:
            raise Broken(str(error), fix) from None
        return found

    def has_bucket(self, name: str) -> bool:
        """Whether the account has a bucket of that name that it may look at."""
        from botocore.exceptions import ClientError  # type: ignore[import-untyped, unused-ignore]

        try:
            self._client("s3").head_bucket(Bucket=name)
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
