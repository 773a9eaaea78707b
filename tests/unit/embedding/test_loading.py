"""Which backend serves: the order, and where `auto` runs."""

from pathlib import Path

import pytest

from embedding.loading import (
    Choice,
    LoadOptions,
    backends_in_line,
    device_for,
    load_encoder,
    load_encoders,
)
from tests.unit.embedding.fakes import hashing_entry

OPENVINO, TORCH = Choice("openvino", "cpu"), Choice("torch", "cpu")
GPU = Choice("torch", "cuda:1")


@pytest.mark.parametrize(
    "wanted,device,line",
    [
        ("auto", "cpu", [OPENVINO, TORCH]),
        ("auto", "cuda:1", [GPU, OPENVINO, TORCH]),
        ("openvino", "cpu", [OPENVINO, TORCH]),
        ("openvino", "cuda:1", [OPENVINO, TORCH]),
        ("torch", "cpu", [TORCH]),
        ("torch", "cuda:1", [GPU]),
        ("hashing", "cuda:1", [Choice("hashing", "cpu")]),
    ],
)
def test_the_fastest_is_first_and_one_that_is_named_comes_before_all(
    wanted: str, device: str, line: list[Choice]
) -> None:
    assert backends_in_line(wanted, device) == line


@pytest.mark.parametrize(
    "files,device",
    [
        ([], "cpu"),
        (["nvidiactl", "nvidia-uvm"], "cpu"),
        (["nvidia0"], "cuda"),
        (["nvidia3", "nvidiactl"], "cuda"),
        (["dxg"], "cuda"),
    ],
)
def test_auto_is_the_gpu_where_its_device_file_is(
    tmp_path: Path, files: list[str], device: str
) -> None:
    for name in files:
        (tmp_path / name).touch()
    assert device_for("auto", devices=tmp_path) == device


def test_a_device_that_is_named_is_taken(tmp_path: Path) -> None:
    (tmp_path / "nvidia0").touch()
    assert device_for("cpu", devices=tmp_path) == "cpu"
    assert device_for("cuda:3", devices=tmp_path) == "cuda:3"


def test_a_hashing_model_needs_no_files_and_no_device(tmp_path: Path) -> None:
    options = LoadOptions(cache_dir=tmp_path)
    assert load_encoder(hashing_entry(), options).backend == "hashing"
    assert [each.device for each in load_encoders(hashing_entry(), options)] == ["cpu"]
    assert list(tmp_path.iterdir()) == []
