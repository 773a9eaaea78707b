"""Files as LibreOffice writes them: told apart without a name, each sentence at its place."""

from pathlib import Path

import pytest

from documents.detection import detect
from documents.formats import Format
from documents.pages import Page
from models.documents import Chunk, ChunkOptions
from models.states import ItemErrorCode
from tests.unit.documents.reading import LIMITS, chunks, pages, refusal, text

FOLDER = Path(__file__).parents[2] / "files" / "libreoffice"
BEES = "The beekeeper Zoë wraps her hives in straw before the first frost."
FERRY = "The ferry to Tromsø leaves the harbour at half past six every morning"
VIOLINS = "Łukasz repairs antique violins in a workshop behind the cathedral."
SENTENCES = (BEES, FERRY, VIOLINS)
A_VIOLIN = "βιολί, скрипка"
SHEETS = ("Bees", "Fähren 渡轮", "Crafts")
WORKBOOKS = ("figures.xlsx", "figures.xls", "figures.ods")

Where = tuple[int | None, str | None, list[str]]
CHAPTERS: list[Where] = [
    (None, None, ["Bees"]),
    (None, None, ["Ships", "Ferry to Tromsø"]),
    (None, None, ["Crafts"]),
]
SLIDES: list[Where] = [
    (1, None, ["Bees in winter"]),
    (2, None, ["Ships and ports 渡轮"]),
    (3, None, []),
]
#: Sheet 3 is empty.
CELLS: list[Where] = [(at, name, []) for at, name in zip((1, 2, 4), SHEETS, strict=True)]
#: Its export of books knows no headings; the first chapter is the title's.
BOOK: list[Where] = [(2, None, []), (3, None, []), (4, None, [])]
PLACES: dict[str, tuple[Format, list[Where]]] = {
    "report.docx": (Format.DOCX, CHAPTERS),
    "report.odt": (Format.ODT, CHAPTERS),
    "report.epub": (Format.EPUB, BOOK),
    "talk.pptx": (Format.PPTX, SLIDES),
    "figures.xlsx": (Format.XLSX, CELLS),
    "figures.xls": (Format.XLS, CELLS),
    "figures.ods": (Format.ODS, CELLS),
}
PAPERS = {
    "report.pdf": ("Bees", "Ferry to Tromsø", "Crafts"),
    "talk.pdf": ("Slide 1", "Slide 2", "Slide 3"),
}


def content(name: str) -> bytes:
    return (FOLDER / name).read_bytes()


def words(told: str) -> str:
    """The text without its line breaks: a PDF has them where its lines end."""
    return " ".join(told.split())


def the_one_with(sentence: str, found: list[Chunk]) -> Chunk:
    [chunk] = [chunk for chunk in found if sentence in words(chunk.text)]
    return chunk


def test_every_file_of_the_folder_is_read_here() -> None:
    files = {path.name for path in FOLDER.iterdir() if path.is_file()}
    assert files == {*PLACES, *PAPERS, "report.doc", "README.md", "make.sh"}


@pytest.mark.parametrize("name", PLACES)
def test_each_sentence_stands_at_its_place(name: str) -> None:
    format_, places = PLACES[name]
    assert detect(content(name), "", LIMITS).format is format_
    found = chunks(content(name), options=ChunkOptions(tokens=24))
    told = [the_one_with(sentence, found).place for sentence in SENTENCES]
    assert [(place.page, place.sheet, place.headings) for place in told] == places


@pytest.mark.parametrize("name", PAPERS)
def test_each_sentence_of_a_pdf_stands_on_its_page_under_its_bookmark(name: str) -> None:
    assert detect(content(name), "", LIMITS).format is Format.PDF
    read = pages(content(name))
    assert [page.number for page in read] == [1, 2, 3]
    for page, sentence, bookmark in zip(read, SENTENCES, PAPERS[name], strict=True):
        assert sentence in words(page.text)
        assert page.headings[-1].title == bookmark
        assert page.headings[-1].start <= page.text.index(sentence.split()[0])


def test_an_old_word_document_is_refused_by_name() -> None:
    refused = refusal(content("report.doc"))
    assert refused.code is ItemErrorCode.DOCUMENT_UNSUPPORTED
    assert "DOC" in refused.message


LIST = "- sugar syrup\n  - two parts sugar\n  - one part water\n- a guard against mice\n\n"
SHIPS = (
    f"# Ships\n\n## Ferry to Tromsø\n\n{FERRY}; see the timetable.\n\n"
    "Port | Departure | Fare\nÅlesund | 06:30 | 45 €\nGdańsk | not in winter\n\n"
)
CRAFTS = (
    f"# Crafts\n\n{VIOLINS}\n\n"
    "Greek and Russian for a violin: βιολί, скрипка.\nA second line.\tAfter a tab.\n\n"
)


def test_a_word_document_reads_as_it_was_written() -> None:
    assert text(content("report.docx")) == (
        f"# Winter on the coast\n\n# Bees\n\n{BEES} Neighbours help her for a jar of honey.\n\n"
        f"{LIST}{SHIPS}{CRAFTS}"
        "top | spruce or cedar\nback | maple: flamed plain as there is\n\n"
        "Strings are made of gut.\n\nVarnish dries for nine days.\nfirst coat\namber\n\n"
        "Rye straw keeps dry for longest.\n\nOf cold forests."
    )


def test_an_open_document_reads_alike_and_what_hangs_on_a_paragraph_follows_it() -> None:
    assert text(content("report.odt")) == (
        f"# Winter on the coast\n\n# Bees\n\n{BEES} Neighbours help her for a jar of honey.\n\n"
        "Rye straw keeps dry for longest.\n\n"
        f"{LIST}{SHIPS}{CRAFTS}"
        "top | spruce Of cold forests. or cedar\nback | maple: flamed plain as there is\n\n"
        "Strings are made of gut.\n\nVarnish dries for nine days.\n\nfirst coat | amber"
    )


@pytest.mark.parametrize("name", WORKBOOKS)
def test_a_workbook_reads_the_same_in_all_three_formats(name: str) -> None:
    read = pages(content(name))
    assert [(page.number, page.sheet) for page in read] == [
        (1, "Bees"), (2, "Fähren 渡轮"), (3, "Blank"), (4, "Crafts"),
    ]  # fmt: skip
    bees, ferries, blank, crafts = (page.text for page in read)
    assert bees == (
        "Hive | Honey in kg | Opened on | Alive\nKönigin | 12.5 | 2024-05-01 | TRUE\n"
        f"Zwei Zeilen | 30 | 06:30:00 | 0.25\nSum | 42.5\n{BEES}"
    )
    assert (ferries, blank, crafts) == (f" | {FERRY}.\n東京 | βιολί | βιολί", "", VIOLINS)


def test_a_presentation_reads_as_it_was_written() -> None:
    bees, ships, crafts = (page.text for page in pages(content("talk.pptx")))
    assert bees == (
        f"# Bees in winter\n\n- {BEES}\n  - Rye straw keeps dry for longest.\n"
        "- Königin und Biene\n\nNotes: Show the empty hive now."
    )
    assert ships == (
        "# Ships and ports 渡轮\n\nPort | Departure\nÅlesund | 06:30 not on Sundays\n"
        f"Gdańsk: not in winter\n\n{FERRY}.\n\nTickets on board."
    )
    assert crafts == f"{VIOLINS}\n\n{A_VIOLIN}"


def test_a_table_of_a_pdf_and_its_letters_are_text() -> None:
    _, ships, crafts = pages(content("report.pdf"))
    assert "Port Departure Fare\nÅlesund 06:30 45 €\nGdańsk not in winter" in ships.text
    assert A_VIOLIN in crafts.text
    assert "ports 渡轮" in pages(content("talk.pdf"))[1].text


def test_a_book_keeps_its_tables_and_letters() -> None:
    book: list[Page] = pages(content("report.epub"))
    assert [page.number for page in book] == [1, 2, 3, 4]
    assert "Ålesund | 06:30 | 45 €\nGdańsk | not in winter" in book[2].text
    assert A_VIOLIN in book[3].text
