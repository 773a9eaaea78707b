"""What becomes of models that are altered, spoiled, or come out wrong on a backend."""

import io
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from structlog.testing import capture_logs
from transformers import AutoModel

from embedding.catalog import ModelEntry
from embedding.conversion import EXIT_BAD_WEIGHTS, Converted, conversion_key
from embedding.convert import main
from embedding.encoder import Encoder
from embedding.loading import LoadOptions, load_encoder
from embedding.parity import BackendRefused
from embedding.weights import BadWeights, checked_folder
from models.encoding import Truncate
from tests.contract.embedding.conftest import load_on
from tests.contract.embedding.small_models import RECIPES, entry_of

BERT, *_ = RECIPES
TEXTS = ["a good text", "a bad [MASK] text", "another good text"]


@pytest.fixture
def bert(entries: dict[str, ModelEntry], tmp_path: Path) -> ModelEntry:
    """A copy that a test may spoil; its hashes are those of the good files."""
    folder = tmp_path / "model"
    shutil.copytree(checked_folder(entries[BERT.name]), folder)
    return entry_of(BERT, folder)


def _folder(entry: ModelEntry) -> Path:
    assert entry.source is not None
    return Path(entry.source.folder)


def _spoil_weights(entry: ModelEntry) -> None:
    path = _folder(entry) / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def _spoil_tokenizer(entry: ModelEntry) -> None:
    path = _folder(entry) / "tokenizer.json"
    path.write_text(path.read_text(encoding="utf-8").replace("river", "rover"), encoding="utf-8")


@pytest.mark.parametrize("named", ["auto", "torch", "openvino"])
@pytest.mark.parametrize("spoil", [_spoil_weights, _spoil_tokenizer])
def test_a_model_whose_files_were_altered_is_refused_by_every_backend(
    bert: ModelEntry, options: LoadOptions, named: str, spoil: Callable[[ModelEntry], None]
) -> None:
    spoil(bert)
    with pytest.raises(BadWeights, match="the catalog says"):
        load_encoder(bert.model_copy(update={"backend": named}), options)


def _with_nan(entry: ModelEntry) -> ModelEntry:
    """The same model, but for one word: `[MASK]` is not a number."""
    model = AutoModel.from_pretrained(_folder(entry), local_files_only=True)
    with torch.no_grad():
        model.get_input_embeddings().weight[4] = torch.nan
    model.save_pretrained(_folder(entry))
    return entry_of(BERT, _folder(entry))


def _assert_only_the_bad_text_is_nan(encoder: Encoder) -> None:
    ready = encoder.tokenize(TEXTS, prompt="", truncate=Truncate.END)
    found = encoder.forward(ready)
    assert np.isfinite(found).all(axis=1).tolist() == [True, False, True]
    assert not np.isfinite(encoder.forward_exact(ready[1])).all()


def test_a_model_that_yields_nan_raises_nothing_and_spares_the_neighbours(
    bert: ModelEntry, options: LoadOptions
) -> None:
    _assert_only_the_bad_text_is_nan(load_on("torch", _with_nan(bert), options))


def test_a_child_process_converts_a_model_for_all_who_come_later(
    bert: ModelEntry, options: LoadOptions, tmp_path: Path
) -> None:
    """The one test that starts the real child; the model is one that yields NaN."""
    entry = _with_nan(bert)
    with capture_logs() as logs:
        _assert_only_the_bad_text_is_nan(
            load_on("openvino", entry, replace(options, cache_dir=tmp_path / "cache"))
        )
        load_on("openvino", entry, replace(options, cache_dir=tmp_path / "cache"))
    assert [line["event"] for line in logs].count("model_converted") == 1
    kept = [path.name for path in (tmp_path / "cache").iterdir() if path.is_dir()]
    assert kept == [conversion_key(entry, _folder(entry))]


def _fallen_back(entry: ModelEntry, options: LoadOptions) -> str:
    """Load with a choice of backends; the reason of the one warning that it costs."""
    with capture_logs() as logs:
        encoder = load_encoder(entry, options)
    assert encoder.backend == "torch fp32"
    [warning] = [line for line in logs if line["event"] == "backend_refused"]
    assert (warning["log_level"], warning["backend"]) == ("warning", "openvino")
    reason: str = warning["reason"]
    return reason


@pytest.mark.parametrize("named", ["auto", "openvino"])
def test_a_model_that_comes_out_wrong_is_refused_and_torch_serves(
    entries: dict[str, ModelEntry], options: LoadOptions, tmp_path: Path, named: str
) -> None:
    entry = entries[BERT.name].model_copy(update={"backend": named})
    kept = options.cache_dir / conversion_key(entry, checked_folder(entry))
    copied = Converted(shutil.copytree(kept, tmp_path / kept.name))
    reference = copied.read_reference()
    reference[3] = np.roll(reference[3], 1)
    np.save(copied.reference, reference)
    reason = _fallen_back(entry, replace(options, cache_dir=tmp_path))
    assert "openvino f32: cosine" in reason


def test_a_conversion_that_takes_too_long_is_given_up_and_torch_serves(
    bert: ModelEntry, options: LoadOptions, tmp_path: Path
) -> None:
    hasty = replace(options, cache_dir=tmp_path / "cache", convert_timeout_s=0.01)
    assert "took longer than 0.01 s" in _fallen_back(bert, hasty)
    assert list((tmp_path / "cache").iterdir()) == []


def test_where_nothing_can_be_kept_torch_serves(
    entries: dict[str, ModelEntry], options: LoadOptions, tmp_path: Path
) -> None:
    (tmp_path / "cache").write_text("a file where a folder should be")
    blocked = replace(options, cache_dir=tmp_path / "cache")
    assert "File exists" in _fallen_back(entries[BERT.name], blocked)


def test_the_child_says_in_one_line_what_the_catalog_has_wrong(
    bert: ModelEntry,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    wrong = bert.model_copy(update={"dimension": 512})
    monkeypatch.setattr(sys, "stdin", io.StringIO(wrong.model_dump_json()))
    assert main([str(_folder(bert)), str(tmp_path)]) == EXIT_BAD_WEIGHTS
    assert capsys.readouterr().err.splitlines() == [
        "model test/bert-mean: makes vectors of 64 values, the catalog says 512"
    ]


def test_a_gpu_that_is_not_there_is_refused(bert: ModelEntry, options: LoadOptions) -> None:
    named = bert.model_copy(update={"backend": "torch"})
    with pytest.raises(BackendRefused, match="torch finds no cuda:7 here"):
        load_encoder(named, replace(options, device="cuda:7"))


def test_a_catalog_that_does_not_fit_the_files_is_refused(
    bert: ModelEntry, options: LoadOptions
) -> None:
    for change, reason in (
        ({"dimension": 512}, "makes vectors of 64 values, the catalog says 512"),
        ({"max_tokens": 512}, "takes 48 tokens, the catalog says 512"),
    ):
        named = bert.model_copy(update={**change, "backend": "torch"})
        with pytest.raises(BadWeights, match=reason):
            load_encoder(named, options)
