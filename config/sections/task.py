"""Settings of tasks: limits, units, models, windows, deadlines."""

from pydantic import BaseModel, Field

from config.sections.values import SECTION


class TaskSettings(BaseModel):
    """What a task may be, how it is cut into units, how it is worked on."""

    model_config = SECTION

    default_model: str = Field(
        "sentence-transformers/all-MiniLM-L6-v2",
        min_length=1,
        description="Model of a task that names none.",
    )
    models_file: str = Field(
        "config/models.yaml",
        min_length=1,
        description="Catalog of the allowed models; relative to the checkout.",
    )
    max_items: int = Field(10_000, ge=1, le=1_000_000, description="Most items in one task.")
    max_text_bytes: int = Field(
        262_144, ge=1, le=4_194_304, description="Largest text, in JSON-encoded bytes."
    )
    max_metadata_bytes: int = Field(
        16_384, ge=0, le=1_048_576, description="Largest metadata of a task, in JSON-encoded bytes."
    )
    max_json_depth: int = Field(
        32, ge=2, le=200, description="Deepest nesting of a request's JSON."
    )
    max_batch_tasks: int = Field(
        1000, ge=1, le=10_000, description="Most tasks in one POST /tasks/batch."
    )
    unit_items: int = Field(64, ge=1, le=4096, description="Most items in one unit.")
    unit_bytes: int = Field(
        393_216,
        ge=1024,
        le=8_388_608,
        description="Largest unit, in bytes; at least task.max_text_bytes.",
    )
    max_units: int = Field(1024, ge=1, le=65_536, description="Most units in one task.")
    retention_hours: int = Field(
        168, ge=1, le=87_600, description="How long a finished task is kept before it is purged."
    )
    max_deadline_s: float = Field(
        604_800.0,
        gt=0,
        le=31_536_000,
        description="Longest deadline or other limit of time that a task may set.",
    )
    max_run_s: float = Field(
        3600.0,
        gt=0,
        le=604_800,
        description="Longest run of a unit; cancelled tasks are swept again after it.",
    )
    stalled_after_s: float = Field(
        120.0,
        gt=0,
        le=86_400,
        description="A task without an event for so long has its units sent again.",
    )
    intake_window: int = Field(
        64, ge=1, le=10_000, description="Tasks in flight in intake, per partition."
    )
    max_backlog_units: int = Field(
        2048,
        ge=1,
        le=1_000_000,
        description="Units of vectors waiting for the store above which embedding pauses.",
    )
    embed_window: int = Field(
        16, ge=1, le=10_000, description="Units in flight in embed, per lane."
    )
    store_window: int = Field(
        16, ge=1, le=10_000, description="Units in flight in store, per lane."
    )
    store_writes: int = Field(
        2, ge=1, le=1000, description="Writes to the vector store at once, urgent units first."
    )
    store_objects: int = Field(
        64,
        ge=1,
        le=1000,
        description="Most vectors in one write; an urgent unit waits for a write at most.",
    )
    deadletter_max_per_minute: int = Field(
        600, ge=1, le=1_000_000, description="Dead letters per minute above which a source pauses."
    )
    max_page_size: int = Field(1000, ge=1, le=10_000, description="Largest page_size of a list.")
    max_page_depth: int = Field(
        10_000,
        ge=1,
        le=1_000_000,
        description="Deepest row that `page` reaches; past it, use the cursor.",
    )
    search_timeout_s: float = Field(
        10.0, gt=0, le=600, description="How long a search waits for its vector and for Weaviate."
    )
    max_search_limit: int = Field(
        1000, ge=1, le=10_000, description="Most hits that one search may ask for."
    )
