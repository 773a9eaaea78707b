"""The limits of the HTTP door; `config` fills them from the settings named beside each."""

from dataclasses import dataclass, field

from models.splitting import TaskLimits

#: Rows of a list, items of a result and hits of a search where the caller names no number.
DEFAULT_PAGE_SIZE = 20
DEFAULT_RESULT_ITEMS = 100
DEFAULT_HITS = 10


@dataclass(frozen=True, slots=True)
class WebLimits:
    """How much a caller may send, ask for and wait."""

    task: TaskLimits = field(default_factory=TaskLimits)
    max_body_bytes: int = 8_388_608  # service.max_body_bytes
    body_timeout_s: float = 60.0  # service.body_timeout_s
    max_in_flight_bytes: int = 268_435_456  # service.max_in_flight_bytes
    max_queue_tasks: int = 100_000  # service.max_queue_tasks
    max_queue_age_s: float = 0.0  # service.max_queue_age_s; 0: however old
    max_wait_s: float = 60.0  # service.max_wait_s
    read_timeout_s: float = 1.5  # service.read_timeout_s
    verdict_timeout_s: float = 5.0  # service.verdict_timeout_s
    max_batch_tasks: int = 1000  # task.max_batch_tasks
    max_page_size: int = 1000  # task.max_page_size
    max_page_depth: int = 10_000  # task.max_page_depth
    inline_file_bytes: int = 262_144  # document.inline_bytes
    max_upload_bytes: int = 1_073_741_824  # document.max_upload_bytes
    max_search_limit: int = 1000  # task.max_search_limit
    search_timeout_s: float = 10.0  # task.search_timeout_s
