"""Settings of the encoder: where models run, how texts are packed, what is kept."""

from pydantic import BaseModel, Field

from config.sections.values import SECTION


class EncoderSettings(BaseModel):
    """How the role `embed` turns texts into vectors."""

    model_config = SECTION

    device: str = Field(
        "auto",
        pattern=r"^(auto|cpu|cuda(:\d+)?)$",
        description="Where models run: cpu, cuda, cuda:1; auto: every GPU, else the CPU.",
    )
    threads: int = Field(
        0, ge=0, le=1024, description="CPU threads of a model; 0: the backend's own choice."
    )
    warm_up: bool = Field(default=True, description="Whether the default model is loaded at start.")
    cache_dir: str = Field(
        "~/.cache/vectorize/models",
        min_length=1,
        description="Folder of converted models; processes may share it.",
    )
    convert_timeout_s: float = Field(
        600.0, gt=0, le=86_400, description="Longest conversion of a model, done once."
    )
    batch_ms: float = Field(
        20.0,
        gt=0,
        le=10_000,
        description="About how long one run of the model takes; urgent texts wait for one.",
    )
    batch_texts: int = Field(256, ge=1, le=4096, description="Most texts in one run of the model.")
    batch_tokens: int = Field(
        16_384,
        ge=16,
        le=1_048_576,
        description="Most tokens in one run of the model, padding included.",
    )
    idle_unload_s: float = Field(
        0.0, ge=0, le=604_800, description="An unused model is freed after so long; 0: never."
    )
    least_free_mb: int = Field(
        0,
        ge=0,
        le=1_048_576,
        description="Free memory below which unused models are freed; 0: never.",
    )
    call_timeout_s: float = Field(
        120.0,
        gt=0,
        le=86_400,
        description="A run of the model that takes longer ends the process; "
        "its supervisor starts a new one.",
    )
    suspect_deaths: int = Field(
        2,
        ge=1,
        le=100,
        description="A unit under way at so many deaths of a process is encoded text by text "
        "in a process of its own.",
    )
    alone_timeout_s: float = Field(
        60.0, gt=0, le=86_400, description="How long one text may take in such a process."
    )
    alone_memory_mb: int = Field(
        2048,
        ge=64,
        le=1_048_576,
        description="How much memory such a process may take beyond its model.",
    )
    cached_vectors: int = Field(
        50_000,
        ge=0,
        le=100_000_000,
        description="Vectors kept in Redis, so that equal texts are not computed again; 0: none.",
    )
    cached_hours: float = Field(
        24.0, gt=0, le=8760, description="How long a vector is kept in Redis."
    )
