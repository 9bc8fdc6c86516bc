"""The asynchronous client of `tritonclient[http]`, which goes through aiohttp."""

import asyncio
import gc
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tritonclient.http import aio

from .conftest import Served
from .mirror import check, inputs, outputs

pytestmark = pytest.mark.filterwarnings("ignore:Unclosed connection:ResourceWarning")


@pytest.fixture
def run(served: Served) -> Callable[[Callable[[Any], Awaitable[None]]], None]:
    def runs(ask: Callable[[Any], Awaitable[None]]) -> None:
        async def main() -> None:
            async with aio.InferenceServerClient(served.url) as client:
                await ask(client)

        asyncio.run(main())
        # The client leaves answers without a body unread; told of here, not in some later test.
        gc.collect()

    return runs


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("encoding", [None, "gzip", "deflate"])
def test_infer(run, served: Served, binary: bool, encoding: str | None) -> None:
    async def ask(client: Any) -> None:
        result = await client.infer(
            "mirror",
            inputs(binary),
            outputs=outputs(binary),
            request_id="7",
            headers=served.headers,
            request_compression_algorithm=encoding,
            response_compression_algorithm=encoding,
        )
        check(result)
        assert result.get_response()["id"] == "7"

    run(ask)


def test_everything_else(run, served: Served) -> None:
    async def ask(client: Any) -> None:
        headers = served.headers
        assert await client.is_server_live()
        assert await client.is_server_ready()
        assert await client.is_model_ready("mirror", headers=headers)
        assert not await client.is_model_ready("nothing", headers=headers)
        assert (await client.get_server_metadata(headers=headers))["name"] == "coldpress"
        assert (await client.get_model_metadata("mirror", headers=headers))["versions"] == ["1"]
        assert (await client.get_model_config("mirror", headers=headers))["name"] == "mirror"
        assert await client.get_inference_statistics("mirror", headers=headers)
        assert await client.get_model_repository_index(headers=headers)
        await client.load_model("mirror", headers=headers)
        await client.unload_model("mirror", headers=headers)

    run(ask)
