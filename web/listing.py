"""Lists and counts: every owner gives its share, the asked master merges them."""

import asyncio
from collections.abc import Sequence

from models.errors import InvalidRequest
from models.metrics import Tally
from models.paging import Cursor, Page, PageQuery, merged_page
from models.states import TaskState
from web.hop import OwnerHop
from web.limits import WebLimits
from web.ports import Board, Owners
from web.queries import at_most


class TaskLister:
    """Lists and counts the tasks of all owners; raises OwnerUnavailable where one is away."""

    def __init__(self, board: Board, owners: Owners, *, hop: OwnerHop, limits: WebLimits) -> None:
        """Merge the shares of `board` and of the other owners."""
        self._board = board
        self._owners = owners
        self._hop = hop
        self._limits = limits

    async def page(
        self,
        state: TaskState | None,
        *,
        page: int | None,
        page_size: int,
        before: Cursor | None,
    ) -> Page:
        """List one page and, to show that there is more, one task beyond it."""
        if page is not None and before is not None:
            raise InvalidRequest(field="cursor", reason="give either page or cursor")
        skip = (page - 1) * page_size if page is not None else 0
        at_most(
            skip + page_size if skip else 0,
            self._limits.max_page_depth,
            field="page",
            what="its last row (go on with `cursor` instead)",
            setting="task.max_page_depth",
        )
        owners = self._owners.peers()
        alone = len(owners) == 1
        query = PageQuery(
            state=state,
            before=before,
            skip=skip if alone else 0,
            limit=page_size + 1 if alone else skip + page_size + 1,
        )
        pages = await asyncio.gather(*(self._page_of(url, query) for url in owners))
        return merged_page(pages, skip=0 if alone else skip, limit=page_size + 1)

    async def _page_of(self, url: str | None, query: PageQuery) -> Page:
        return self._board.page(query) if url is None else await self._hop.page(url, query)

    async def tally(self) -> Tally:
        """Add up the tasks of all owners."""
        owners: Sequence[str | None] = self._owners.peers()
        total = Tally()
        for share in await asyncio.gather(*(self._tally_of(url) for url in owners)):
            total = total.merged(share)
        return total

    async def _tally_of(self, url: str | None) -> Tally:
        return self._board.tally() if url is None else await self._hop.tally(url)
