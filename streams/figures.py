"""All metric names of the pipeline, in one place; every family exists at zero from the start."""

from prometheus_client import Counter, Gauge, Histogram

_STAGES = ("intake", "track", "embed", "store")

DELIVERED = Counter("vectorize_records_delivered", "Records handed to a stage.", ["stage"])
REPEATED = Counter("vectorize_records_repeated", "Records Faust brought a second time.", ["stage"])
HOLES_DELIVERED = Counter(
    "vectorize_holes_delivered",
    "Records the delivery layer fetched itself: Faust skipped them, or was slower.",
    ["stage"],
)
HOLES_PASSED = Counter(
    "vectorize_holes_passed", "Offsets shown to hold no record (transaction markers).", ["stage"]
)
FAILED_ATTEMPTS = Counter(
    "vectorize_failed_attempts", "Handling a record raised.", ["stage", "error"]
)
DEAD_LETTERS = Counter("vectorize_dead_letters", "Records sent to the dead letters.", ["reason"])
DEAD_LETTERS_HELD = Gauge(
    "vectorize_dead_letters_held", "1 while dead letters come too fast and their source waits."
)
SOURCES_TOO_OLD = Counter(
    "vectorize_sources_too_old", "Task records older than the task retention, ignored."
)
TASKS_ACCEPTED = Counter("vectorize_tasks_accepted", "Tasks taken by intake.", ["task_type"])
TASKS_FINISHED = Counter("vectorize_tasks_finished", "Tasks that reached a final state.", ["state"])
TASK_SECONDS = Histogram(
    "vectorize_task_seconds",
    "Seconds from submit to the final state.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800),
)
ITEMS_ENCODED = Counter("vectorize_items_encoded", "Texts that got a vector.", ["lane"])
ITEMS_FAILED = Counter("vectorize_items_failed", "Texts that got none.", ["code"])
ITEMS_STORED = Counter("vectorize_items_stored", "Vectors written to the store.")
QUEUE_SECONDS = Histogram(
    "vectorize_unit_queue_seconds",
    "Seconds a unit waited for its model.",
    ["lane"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 120, 600),
)
EXTRACT_SECONDS = Histogram(
    "vectorize_document_extract_seconds",
    "Seconds a document took to be read and cut.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 120),
)
PAGES_READ = Counter(
    "vectorize_document_pages", "Pages of documents that were read; one where a format has none."
)
ENCODE_SECONDS = Histogram(
    "vectorize_unit_encode_seconds",
    "Seconds a unit spent at its model.",
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30),
)
STORE_SECONDS = Histogram(
    "vectorize_unit_store_seconds",
    "Seconds one write to the vector store took.",
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30),
)
QUEUED_TASKS = Gauge("vectorize_queued_tasks", "Tasks that wait or are worked on, about.")
OLDEST_TASK_SECONDS = Gauge(
    "vectorize_oldest_task_seconds", "How long the oldest pending task waits."
)
REDRIVEN = Counter(
    "vectorize_dead_letters_redriven", "Dead letters sent back to their source.", ["reason"]
)
TABLE_BUFFERS = Gauge(
    "vectorize_table_buffers_bytes",
    "What a table's buffers hold in memory, until it is put into files.",
    ["table"],
)
ROWS = Gauge("vectorize_rows", "Task rows this master owns.")
ROWS_ASSERTED = Counter(
    "vectorize_rows_asserted", "Rows written once more, over those of a master that was woken."
)
VECTORS_BACKLOG = Gauge("vectorize_vectors_backlog", "Vector records not stored yet.")

for _stage in _STAGES:
    for _family in (DELIVERED, REPEATED, HOLES_DELIVERED, HOLES_PASSED):
        _family.labels(_stage)
