from tests.harness import Client

async def test_first(client: Client) -> None:
    print(await client.done("hello"))
