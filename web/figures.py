"""`GET /metrics`: the guide's figures over the tasks of all owners, as JSON."""

from aiohttp import web

from web.answers import raw_answer
from web.task_manager import TaskManager


def figure_routes(tasks: TaskManager) -> list[web.RouteDef]:
    """`GET /metrics`."""

    async def metrics(request: web.Request) -> web.Response:
        del request
        return raw_answer((await tasks.metrics()).model_dump_json().encode())

    return [web.get("/metrics", metrics)]
