"""Images end to end: a small random CLIP stores them, and texts and images find each other."""

import io
import warnings
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from sentence_transformers import SentenceTransformer

from scripts.stack import StackState
from tests.contract.embedding.small_clip import NAME, clip_entry, pictures, save_clip
from tests.harness import Client, Service
from tests.integration.test_documents import upload

CHECKOUT = Path(__file__).resolve().parents[2]
FORMATS = ("PNG", "BMP", "TIFF", "WEBP")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model's folder."""
    folder = tmp_path_factory.mktemp("clip")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # how others make models is not what is tested
        save_clip(folder)
    return folder / "model"


@pytest.fixture(scope="module")
def service(stack: StackState, folder: Path, clip: Path) -> Iterator[Service]:
    """The service with that model in its catalog, beside the tests' own."""
    catalog = yaml.safe_load((CHECKOUT / "tests/models.yaml").read_text())
    fields = {"name", "kind", "source", "revision", "sha256", "config_sha256"}
    fields |= {"dimension", "max_tokens"}
    entry = clip_entry(clip).model_dump(mode="json", include=fields, exclude_none=True)
    catalog["models"].append(entry)
    listed = folder / "models.yaml"
    listed.write_text(yaml.safe_dump(catalog))
    settings = {
        "VECTORIZE_MASTER_TASK_MODELS_FILE": str(listed),
        "VECTORIZE_MASTER_DOCUMENT_INLINE_BYTES": "2000",
    }
    with Service(stack, folder, settings=settings) as service:
        yield service


@pytest.fixture(scope="module")
def files() -> list[bytes]:
    """Each picture as a file, of all lossless formats in turn."""
    made = []
    for at, picture in enumerate(pictures()):
        out = io.BytesIO()
        picture.save(out, FORMATS[at % len(FORMATS)], **({"lossless": True} if at % 4 == 3 else {}))
        made.append(out.getvalue())
    return made


def task_of(*contents: bytes, **more: Any) -> dict[str, Any]:
    data = [b64encode(content).decode() for content in contents]
    return {"task_type": "image_vectorization", "model_name": NAME, "data": data, **more}


async def done(client: Client, body: dict[str, Any]) -> dict[str, Any]:
    answer = await client.post("/tasks/submit?wait=60", body)
    assert answer.status in {200, 202}, answer.text
    task: dict[str, Any] = await client.final(answer.json["task_id"])
    return task


async def test_stored_vectors_are_sentence_transformers_own_and_texts_are_found_by_images(
    client: Client, collection: str, files: list[bytes], clip: Path
) -> None:
    original = SentenceTransformer(str(clip), device="cpu", local_files_only=True)
    expected = np.asarray(original.encode(pictures(), normalize_embeddings=True))
    likeness = expected @ expected.T - np.eye(len(expected))
    assert likeness.max() < 0.9, "the model must tell the images apart, else this proves nothing"
    task = await done(client, task_of(*files, collection=collection))
    assert (task["status"], task["completed_items"]) == ("completed", len(files)), task
    items = (await client.get(f"/tasks/{task['task_id']}/result")).json["items"]
    stored = np.array([item["vector"] for item in items])
    assert ((stored * expected).sum(axis=1)).min() >= 0.9999
    text = np.asarray(original.encode(["a red ball"], normalize_embeddings=True))[0]
    asked = {"query": "a red ball", "model_name": NAME, "collection": collection, "limit": 1}
    (hit,) = (await client.post("/search", asked)).json["hits"]
    nearest = int((expected @ text).argmax())
    assert hit["item"] == f"{task['task_id']}/{nearest}"


async def test_an_image_that_cannot_be_read_fails_beside_those_that_can(
    client: Client, collection: str, files: list[bytes]
) -> None:
    bad = [b"no image", files[0][:60], b"GIF89a" + b"\xff" * 40]
    task = await done(
        client, task_of(files[1], *bad, files[2], item_ids=list("abcde"), collection=collection)
    )
    assert (task["status"], task["completed_items"], task["failed_items"]) == ("completed", 2, 3)
    items = (await client.get(f"/tasks/{task['task_id']}/result?vectors=false")).json["items"]
    assert [(item["item"], item["status"]) for item in items] == [
        ("a", "stored"), ("b", "failed"), ("c", "failed"), ("d", "failed"), ("e", "stored"),
    ]  # fmt: skip
    retried = await client.post(f"/tasks/{task['task_id']}/retry")
    assert retried.json["total_items"] == 3
    assert (await client.final(retried.json["task_id"]))["status"] == "failed"


async def test_uploaded_images_are_tasks_too(
    client: Client, collection: str, files: list[bytes]
) -> None:
    tasks = await upload(
        client, ("a.png", files[0]), ("b.bmp", files[1]),
        task_type="image_vectorization", model_name=NAME, collection=collection,
    )  # fmt: skip
    assert [task["status"] for task in tasks] == ["completed"] * 2


async def test_a_model_of_texts_takes_no_images(client: Client, files: list[bytes]) -> None:
    answer = await client.post("/tasks/submit", task_of(files[0]) | {"model_name": None})
    assert (answer.status, answer.json["field"]) == (422, "model_name")
