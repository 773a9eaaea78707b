"""Settings of documents: what a file may be, how it is read and cut."""

from pydantic import BaseModel, Field

from config.sections.values import SECTION


class DocumentSettings(BaseModel):
    """How the role `extract` reads files."""

    model_config = SECTION

    max_file_bytes: int = Field(
        104_857_600,
        ge=1,
        le=1_073_741_824,
        description="Largest file; in base64 it must also fit into service.max_body_bytes.",
    )
    inline_bytes: int = Field(
        262_144,
        ge=0,
        le=8_388_608,
        description="Files up to this travel in their task's record, larger ones as blobs.",
    )
    max_upload_bytes: int = Field(
        1_073_741_824,
        ge=1,
        le=68_719_476_736,
        description="Most bytes of one POST /tasks/upload, all files together.",
    )
    blob_url: str = Field(
        "",
        max_length=2048,
        description="Where blobs are kept: file:///folder, s3://, gs://, az://; empty: a folder "
        "in service.data_dir. Masters and extract workers need the same.",
    )
    blob_extra_hours: int = Field(
        24,
        ge=1,
        le=87_600,
        description="A blob goes so long after task.retention_hours since it was last sent.",
    )
    blob_min_free_bytes: int = Field(
        1_073_741_824,
        ge=0,
        le=1_125_899_906_842_624,
        description="No blob is written where its folder's disk has less left (0: until full).",
    )
    fetch_timeout_s: float = Field(
        60.0, gt=0, le=3600, description="Longest fetch of a document from its URL."
    )
    fetch_allowed_hosts: str = Field(
        "",
        max_length=4096,
        description="Hosts that may be fetched from although private: names, host:port, "
        "addresses, CIDR, with commas between.",
    )
    fetch_ports: str = Field(
        "80,443",
        pattern=r"^\d{1,5}(,\d{1,5})*$",
        description="Ports that may be fetched from, with commas between.",
    )
    chunk_tokens: int = Field(
        256,
        ge=8,
        le=32_768,
        description="Most tokens of a chunk, if the task names no number; at most the model's.",
    )
    chunk_overlap: int = Field(
        32, ge=0, le=16_384, description="Tokens that a chunk repeats of the one before it."
    )
    readers: int = Field(
        2, ge=1, le=256, description="Child processes of a worker that read documents at once."
    )
    window: int = Field(
        16, ge=1, le=10_000, description="Documents in flight in extract, per lane."
    )
    held_bytes: int = Field(
        268_435_456,
        ge=1,
        le=1_099_511_627_776,
        description="Blobs and fetched files that a worker holds in memory at once; a larger one "
        "waits until it is alone.",
    )
    timeout_s: float = Field(
        120.0, gt=0, le=86_400, description="Longest time that a document may take to be read."
    )
    memory_mb: int = Field(
        768, ge=64, le=1_048_576, description="Memory that reading a document may take."
    )
    max_pages: int = Field(
        5000, ge=1, le=1_000_000, description="Most pages, slides or sheets of a document."
    )
    max_images: int = Field(
        256, ge=1, le=10_000, description="Most images of a task; they are in memory together."
    )
    max_image_pixels: int = Field(
        40_000_000, ge=1, le=1_000_000_000, description="Most points of an image."
    )
    max_chars: int = Field(
        50_000_000, ge=1, le=1_000_000_000, description="Most characters of a document's text."
    )
    max_chunks: int = Field(
        10_000, ge=1, le=1_000_000, description="Most chunks that a document makes."
    )
    max_unpacked_bytes: int = Field(
        268_435_456,
        ge=1,
        le=68_719_476_736,
        description="Most bytes that a packed file (DOCX, XLSX, EPUB …) unfolds to.",
    )
    max_ratio: int = Field(
        200, ge=2, le=100_000, description="How much larger a packed file may unfold."
    )
    max_entries: int = Field(10_000, ge=1, le=1_000_000, description="Most files in a packed one.")
