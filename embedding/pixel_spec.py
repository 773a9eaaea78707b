"""How a model wants images, read from its own files; knows neither torch nor transformers."""

import json
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from embedding.catalog import ModelEntry, first_fault
from embedding.weights import BadWeights, config_folder
from models.images import Colour, PixelSpec, Resample, Size

#: A file of this name has it below `image_processor`, the other one, older, at the top.
PROCESSOR, IMAGE_PROCESSOR = "processor_config.json", "preprocessor_config.json"
#: By the numbers that Pillow gives them.
RESAMPLES: tuple[Resample, ...] = get_args(Resample)
#: What says nothing of the pixels, for one image that is RGB.
SILENT = frozenset(
    {"processor_class", "do_convert_rgb", "data_format", "input_data_format", "device"}
    | {"return_tensors", "disable_grouping", "_valid_processor_keys", "auto_map", "backend"}
)


class _Edge(BaseModel):
    model_config = ConfigDict(extra="forbid")
    shortest_edge: int


class _Box(BaseModel):
    model_config = ConfigDict(extra="forbid")
    height: int
    width: int


class _ClipProcessor(BaseModel):
    """CLIP's image processor with its own defaults; whatever else a file says is refused."""

    model_config = ConfigDict(extra="forbid")

    image_processor_type: Literal[
        "CLIPImageProcessor", "CLIPImageProcessorFast", "CLIPImageProcessorPil"
    ] = "CLIPImageProcessor"
    feature_extractor_type: Literal["CLIPFeatureExtractor"] = "CLIPFeatureExtractor"
    do_resize: Literal[True] = True
    do_center_crop: bool = True
    do_rescale: bool = True
    do_normalize: bool = True
    default_to_square: Literal[False] = False
    size: int | _Edge | _Box = 224
    crop_size: int | _Box = 224
    resample: Literal[0, 1, 2, 3, 4, 5] = 3
    rescale_factor: float = 1 / 255
    image_mean: Colour = (0.48145466, 0.4578275, 0.40821073)
    image_std: Colour = (0.26862954, 0.26130258, 0.27577711)

    def spec(self, tokens: int) -> PixelSpec:
        """What it does, in our words; an image costs `tokens`."""
        return PixelSpec(
            resize=self.size.shortest_edge if isinstance(self.size, _Edge) else _size(self.size),
            crop=self._crop() if self.do_center_crop else None,
            resample=RESAMPLES[self.resample],
            rescale=self.rescale_factor if self.do_rescale else 1.0,
            mean=self.image_mean if self.do_normalize else (0.0, 0.0, 0.0),
            std=self.image_std if self.do_normalize else (1.0, 1.0, 1.0),
            tokens=tokens,
        )

    def _crop(self) -> Size:
        size = _size(self.crop_size)
        return (size, size) if isinstance(size, int) else size


class _Tower(BaseModel):
    """CLIP's vision tower, with its own defaults; the rest says nothing of the input."""

    image_size: int = 224
    patch_size: int = 32

    @property
    def tokens(self) -> int:
        """Its patches, and the one token that speaks for all."""
        return (self.image_size // self.patch_size) ** 2 + 1


def pixel_spec(entry: ModelEntry) -> PixelSpec | None:
    """How the model wants images; None: it reads texts alone. Reads files: keep the answer.

    Of a hashing model it is as ViT-B/32 wants them. Raises BadWeights where the files are not the
    catalog's, or ask for what is not done here.
    """
    if not entry.reads_images:
        return None
    if entry.source is None:
        return _ClipProcessor().spec(_Tower().tokens)
    folder = config_folder(entry)
    try:
        return _spec_in(folder)
    except (OSError, ValueError) as error:
        told = first_fault(error) if isinstance(error, ValidationError) else str(error)
        reason = " ".join(told.split())
        raise BadWeights(f"model {entry.name}: images cannot be made for it: {reason}") from error


def _spec_in(folder: Path) -> PixelSpec:
    """Raises OSError, ValueError."""
    place, processor = _processor_in(folder)
    config = _json(place / "config.json")
    if config.get("model_type") != "clip":
        raise ValueError(f"config.json says {config.get('model_type')!r}, not 'clip'")
    tower = _Tower.model_validate(config.get("vision_config") or {})
    spec = _ClipProcessor.model_validate(processor).spec(tower.tokens)
    if spec.size != (tower.image_size, tower.image_size):
        raise ValueError(f"they come out as {spec.size}, the model takes {tower.image_size}")
    return spec


def _processor_in(folder: Path) -> tuple[Path, dict[str, Any]]:
    """The folder with the image processor's settings, and those that say something."""
    for name in (PROCESSOR, IMAGE_PROCESSOR):
        for path in sorted(folder.rglob(name), key=lambda path: len(path.parts)):
            found = _json(path)
            found = found if name == IMAGE_PROCESSOR else found.get("image_processor", {})
            if told := {key: value for key, value in found.items() if _tells(key, value)}:
                return path.parent, told
    raise ValueError(f"no image processor in {folder}")


def _tells(key: str, value: object) -> bool:
    return key not in SILENT and value is not None


def _json(path: Path) -> dict[str, Any]:
    found = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(found, dict):
        raise ValueError(f"{path.name} holds no object")  # noqa: TRY004  (the file's fault)
    return found


def _size(given: int | _Box) -> int | Size:
    return given if isinstance(given, int) else (given.height, given.width)
