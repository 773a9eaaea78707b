"""Files that LibreOffice wrote, end to end: search finds each sentence and says where it stands."""

from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from tests.harness import Client

SETTINGS = {"VECTORIZE_MASTER_TASK_DEFAULT_MODEL": "sentence-transformers/all-MiniLM-L6-v2"}
FOLDER = Path(__file__).parents[1] / "files" / "libreoffice"
#: Each with a question that only it answers.
SENTENCES = {
    "how are bees kept from the cold": "The beekeeper Zoë wraps her hives in straw",
    "when does the boat depart": "The ferry to Tromsø leaves the harbour at half past six",
    "who mends old instruments": "Łukasz repairs antique violins in a workshop",
}
Where = tuple[int | None, str | None, str | None]
#: Of each sentence: its page, its sheet, the last heading above it.
CHAPTERS: list[Where] = [
    (None, None, "Bees"), (None, None, "Ferry to Tromsø"), (None, None, "Crafts"),
]  # fmt: skip
CELLS: list[Where] = [(1, "Bees", None), (2, "Fähren 渡轮", None), (4, "Crafts", None)]
SLIDES: list[Where] = [
    (1, None, "Bees in winter"), (2, None, "Ships and ports 渡轮"), (3, None, None),
]  # fmt: skip
#: Each file with how many pages it has.
PLACES: dict[str, tuple[int | None, list[Where]]] = {
    "report.docx": (None, CHAPTERS),
    "report.odt": (None, CHAPTERS),
    "report.epub": (4, [(2, None, None), (3, None, None), (4, None, None)]),
    "talk.pptx": (3, SLIDES),
    "figures.xlsx": (4, CELLS),
    "figures.xls": (4, CELLS),
    "figures.ods": (4, CELLS),
    # A chunk of a PDF may begin above the bookmark that it goes on to: here only its page counts.
    "report.pdf": (3, [(1, None, None), (2, None, None), (3, None, None)]),
    "talk.pdf": (3, [(1, None, None), (2, None, None), (3, None, None)]),
}


async def read(client: Client, name: str, collection: str) -> dict[str, Any]:
    """Submit a file without its name and wait for its end."""
    task = {
        "task_type": "document_vectorization",
        "data": b64encode((FOLDER / name).read_bytes()).decode(),
        "collection": collection,
        "chunk_tokens": 48,
        "chunk_overlap": 0,
    }
    answer = await client.post("/tasks/submit?wait=60", task)
    assert answer.status in {200, 202}, answer.text
    ended: dict[str, Any] = await client.final(answer.json["task_id"])
    return ended


@pytest.mark.parametrize("name", PLACES)
async def test_every_sentence_of_a_file_is_found_at_its_place(
    client: Client, collection: str, name: str
) -> None:
    total, places = PLACES[name]
    task = await read(client, name, collection)
    assert (task["status"], task["error"]) == ("completed", None), task
    assert task["document"]["format"] == Path(name).suffix[1:]
    assert task["document"]["pages"] == total
    for (question, sentence), (page, sheet, heading) in zip(SENTENCES.items(), places, strict=True):
        asked = {"query": question, "collection": collection, "limit": 3}
        best = (await client.post("/search", asked)).json["hits"][0]
        assert sentence in " ".join(best["text"].split())
        place = best["place"]
        assert (place["page"], place["sheet"]) == (page, sheet)
        if not name.endswith(".pdf"):
            assert place["headings"][-1:] == ([heading] if heading else [])


async def test_an_old_word_document_fails_by_name(client: Client, collection: str) -> None:
    task = await read(client, "report.doc", collection)
    (item,) = (await client.get(f"/tasks/{task['task_id']}/result")).json["items"]
    assert (task["status"], item["error"]["code"]) == ("failed", "document_unsupported")
