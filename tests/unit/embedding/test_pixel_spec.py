"""How a model wants images, as its files say it: what is not understood is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from embedding.catalog import ModelEntry
from embedding.pixel_spec import pixel_spec
from embedding.weights import BadWeights
from models.images import PixelSpec
from tests.unit.embedding.fakes import hashing_entry

#: `clip-ViT-B-32`, as OpenAI's converted files have it.
OLD = {
    "crop_size": 224,
    "do_center_crop": True,
    "do_normalize": True,
    "do_resize": True,
    "feature_extractor_type": "CLIPFeatureExtractor",
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
    "resample": 3,
    "size": 224,
}
B32 = PixelSpec(
    resize=224,
    crop=(224, 224),
    rescale=1 / 255,
    mean=(0.48145466, 0.4578275, 0.40821073),
    std=(0.26862954, 0.26130258, 0.27577711),
    tokens=50,
)
VISION = {"image_size": 224, "patch_size": 32}


def saved(folder: Path, processor: dict[str, Any], *, nested: bool, **config: Any) -> ModelEntry:
    inner = folder / "0_CLIPModel"
    inner.mkdir()
    name, content = ("processor_config.json", {"image_processor": processor}) if nested else (
        "preprocessor_config.json", processor)  # fmt: skip
    (inner / name).write_text(json.dumps(content))
    facts = {"model_type": "clip", "vision_config": VISION, **config}
    (inner / "config.json").write_text(json.dumps(facts))
    files = {"source": {"folder": str(folder)}, "sha256": "0" * 64}
    return hashing_entry("test/clip", kind="clip", **{**files, "backend": "torch"})


def test_a_model_of_texts_wants_none() -> None:
    assert pixel_spec(hashing_entry()) is None


def test_a_hashing_model_wants_them_as_the_smallest_clip() -> None:
    assert pixel_spec(hashing_entry(kind="clip")) == B32


def test_the_files_of_clip_vit_b_32_are_understood(tmp_path: Path) -> None:
    assert pixel_spec(saved(tmp_path, OLD, nested=False)) == B32


NEW = {
    **{key: value for key, value in OLD.items() if key != "feature_extractor_type"},
    "image_processor_type": "CLIPImageProcessor",
    "crop_size": {"height": 224, "width": 224},
    "size": {"shortest_edge": 224},
    "do_convert_rgb": True,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "data_format": "channels_first",
    "do_pad": None,
}


@pytest.mark.parametrize("nested", [True, False])
def test_so_are_those_that_transformers_writes_today(tmp_path: Path, nested: bool) -> None:
    assert pixel_spec(saved(tmp_path, NEW, nested=nested)) == B32


def test_other_sizes_cost_other_tokens(tmp_path: Path) -> None:
    sized = {**NEW, "size": {"height": 336, "width": 336}, "do_center_crop": False}
    vision = {"image_size": 336, "patch_size": 14}
    found = pixel_spec(saved(tmp_path, sized, nested=True, vision_config=vision))
    assert found is not None
    assert (found.resize, found.crop, found.size) == ((336, 336), None, (336, 336))
    assert found.tokens == 24 * 24 + 1


def test_what_is_not_done_is_not_wanted(tmp_path: Path) -> None:
    plain = {**NEW, "do_rescale": False, "do_normalize": False}
    found = pixel_spec(saved(tmp_path, plain, nested=True))
    assert found is not None
    assert (found.rescale, found.mean, found.std) == (1.0, (0.0,) * 3, (1.0,) * 3)


@pytest.mark.parametrize(
    "change, config, reason",
    [
        ({"image_processor_type": "SiglipImageProcessor"}, {}, "image_processor_type"),
        ({"use_square_size": True}, {}, "use_square_size"),
        ({"default_to_square": True}, {}, "default_to_square"),
        ({"do_resize": False}, {}, "do_resize"),
        ({"do_pad": True}, {}, "do_pad"),
        ({"resample": 9}, {}, "resample"),
        ({"size": {"shortest_edge": 224, "longest_edge": 300}}, {}, "size"),
        ({"size": {"shortest_edge": 200}}, {}, "cannot be cut out of"),
        ({"do_center_crop": False}, {}, "needs a crop"),
        ({}, {"model_type": "siglip"}, "config.json says 'siglip', not 'clip'"),
        ({}, {"vision_config": {"image_size": 336}}, "the model takes 336"),
    ],
)
def test_what_is_not_understood_is_refused(
    tmp_path: Path, change: dict[str, Any], config: dict[str, Any], reason: str
) -> None:
    entry = saved(tmp_path, {**NEW, **change}, nested=True, **config)
    with pytest.raises(BadWeights, match=f"images cannot be made for it: .*{reason}"):
        pixel_spec(entry)


def test_a_folder_without_an_image_processor_is_refused(tmp_path: Path) -> None:
    entry = saved(tmp_path, {}, nested=True)
    with pytest.raises(BadWeights, match="no image processor in"):
        pixel_spec(entry)
