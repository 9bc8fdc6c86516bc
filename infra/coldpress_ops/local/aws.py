"""What a function is told about the account and the region it runs in."""

import sys
from pathlib import Path

REGION = "us-east-1"
ACCOUNT = "123456789012"
"""As `sam local` does: some number."""


def lambda_variables(name: str, handler: str, folder: Path, memory_mb: int, address: str) -> dict[str, str]:
    """The environment variables that Lambda sets for every function.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
    """
    return {
        "_HANDLER": handler,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info.major}.{sys.version_info.minor}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(memory_mb),
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": "local",
        "AWS_LAMBDA_RUNTIME_API": address,
        "AWS_REGION": REGION,
        "LAMBDA_TASK_ROOT": str(folder),
        "TZ": ":UTC",
    }


def function_arn(name: str) -> str:
    """The name AWS gives a function, with this machine's stand-in account."""
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"
