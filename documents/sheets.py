"""XLSX, XLS and ODS, by calamine: a page a sheet, a line a row."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from io import BytesIO

from python_calamine import CalamineError, CalamineWorkbook, PasswordError, SheetTypeEnum

from documents.archive import Archive
from documents.formats import Format
from documents.office import checked_archive
from documents.pages import Opened, Page, PageWriter, Source
from documents.refusals import encrypted, too_large, unreadable
from documents.xml_walk import walk_xml
from models.documents import PageFault

_Cell = int | float | str | bool | time | date | datetime | timedelta


def opened(source: Source) -> Opened:
    """Open the workbook; its sheets are read when asked for. Raises DocumentRefused."""
    workbook = _workbook(source)
    names = [
        sheet.name for sheet in workbook.sheets_metadata if sheet.typ == SheetTypeEnum.WorkSheet
    ]
    limit = source.limits.max_pages
    if len(names) > limit:
        raise too_large(f"{len(names):,} sheets", f"{limit:,} sheets", "document.max_pages")
    return Opened(_pages(workbook, names, source), len(names), markdown=False)


def _workbook(source: Source) -> CalamineWorkbook:
    content = source.content
    if source.format is not Format.XLS:
        # It has a reader of zips of its own: it gets one that leaves no room for two readings.
        archive = checked_archive(source)
        _check_xml(archive)
        content = archive.repacked(_is_needed)
    try:
        return CalamineWorkbook.from_filelike(BytesIO(content))
    except PasswordError as error:
        raise encrypted("a workbook with a password") from error
    except CalamineError as error:
        raise unreadable("it is not a whole workbook") from error


def _check_xml(archive: Archive) -> None:
    """Parse it all once: calamine 0.9.1 reads on for ever where an element is not closed."""
    for name in filter(_is_part, archive.names()):
        walk_xml(archive.read(name))


def _is_part(name: str) -> bool:
    return name.lower().endswith((".xml", ".rels"))


def _is_needed(name: str) -> bool:
    return _is_part(name) or name == "mimetype"


def _pages(
    workbook: CalamineWorkbook, names: list[str], source: Source
) -> Iterator[Page | PageFault]:
    for number, name in enumerate(names, start=1):
        try:
            sheet = workbook.get_sheet_by_name(name)
        except CalamineError:
            message = f"Sheet {number} is broken and was left out; save the workbook again."
            yield PageFault(page=number, message=message)
            continue
        writer = PageWriter(source.room)
        for row in sheet.iter_rows():
            if any(cell != "" for cell in row):
                writer.row([_told(cell) for cell in row])
        yield writer.page(number, name)


def _told(cell: _Cell) -> str:
    """A cell as a person would write it down."""
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() else repr(cell)
    if isinstance(cell, datetime):
        return cell.isoformat(" ").removesuffix(" 00:00:00")
    if isinstance(cell, (date, time)):
        return cell.isoformat()
    return str(cell)
