"""`GET /tables/{table}/{key}`: the rows of the tables as they stand, read at their owner."""

from aiohttp import web

from models.errors import TaskNotFound
from models.ids import TASK_ID_PATTERN
from models.rows import TaskRow
from web.answers import raw_answer
from web.hop import FAILURES
from web.reading import TaskReader
from web.refusals import UnknownTable

TABLES = ("tasks", "errors")


def table_routes(reader: TaskReader) -> list[web.RouteDef]:
    """`tasks` gives a task's row, `errors` the reasons of its failed items."""

    async def owned(key: str) -> TaskRow:
        row = await reader.owned(key) if TASK_ID_PATTERN.fullmatch(key) else None
        if row is None:
            raise TaskNotFound(key[:128])
        return row

    async def get(request: web.Request) -> web.Response:
        table = request.match_info["table"]
        if table not in TABLES:
            raise UnknownTable(table, TABLES)
        row = await owned(request.match_info["key"])
        if table == "tasks":
            return raw_answer(row.model_dump_json().encode())
        return raw_answer(FAILURES.dump_json(await reader.errors(row)))

    return [web.get("/tables/{table}/{key}", get)]
