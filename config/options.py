"""From settings to the options of the parts: each part has its own small type beside its code."""

from agents.upkeep import UpkeepOptions
from config.model import Settings
from embedding.batching import BatchOptions
from embedding.isolation import IsolationOptions
from embedding.loading import LoadOptions
from embedding.pool import PoolOptions
from models.documents import ChunkOptions, ReadingLimits
from models.splitting import TaskLimits
from stores.blob_calls import BlobOptions
from stores.guarded_fetch import FetchOptions
from stores.redis_calls import RedisOptions
from stores.vector_cache import VectorCacheOptions
from stores.weaviate_options import IndexOptions, WeaviateOptions
from streams.app import KafkaOptions
from streams.topics import TopicOptions
from web.limits import WebLimits


def kafka_options(settings: Settings) -> KafkaOptions:
    """How the apps speak with Kafka."""
    kafka = settings.kafka
    return KafkaOptions(
        bootstrap_servers=kafka.bootstrap_servers,
        batch_size=kafka.batch_size,
        linger_ms=kafka.linger_ms,
        compression=kafka.compression,
        max_record_bytes=kafka.max_record_bytes,
        fetch_max_bytes=kafka.fetch_max_bytes,
        fetch_max_wait_ms=kafka.fetch_max_wait_ms,
        max_poll_records=kafka.max_poll_records,
        partitions=max(kafka.partitions, kafka.unit_partitions),
        commit_interval_s=kafka.commit_interval_s,
        request_timeout_s=kafka.request_timeout_s,
        produce_timeout_s=kafka.produce_timeout_s,
        session_timeout_s=kafka.session_timeout_s,
        heartbeat_interval_s=kafka.heartbeat_interval_s,
        rebalance_timeout_s=kafka.rebalance_timeout_s,
    )


def topic_options(settings: Settings) -> TopicOptions:
    """Which topics exist, and how."""
    kafka = settings.kafka
    return TopicOptions(
        prefix=kafka.topic_prefix,
        partitions=kafka.partitions,
        unit_partitions=kafka.unit_partitions,
        replication_factor=kafka.replication_factor,
        min_insync_replicas=kafka.min_insync_replicas,
        max_record_bytes=kafka.max_record_bytes,
        task_retention_hours=kafka.task_retention_hours,
        internal_retention_hours=kafka.internal_retention_hours,
        results_retention_hours=kafka.results_retention_hours,
        dead_retention_hours=kafka.dead_retention_hours,
        reply_retention_minutes=kafka.reply_retention_minutes,
    )


def task_limits(settings: Settings) -> TaskLimits:
    """How much one task may bring."""
    task = settings.task
    return TaskLimits(
        max_items=task.max_items,
        max_text_bytes=task.max_text_bytes,
        max_metadata_bytes=task.max_metadata_bytes,
        max_deadline_s=task.max_deadline_s,
        max_json_depth=task.max_json_depth,
        unit_items=task.unit_items,
        unit_bytes=task.unit_bytes,
        max_units=task.max_units,
        max_file_bytes=settings.document.max_file_bytes,
        max_images=settings.document.max_images,
        chunks=ChunkOptions(
            tokens=settings.document.chunk_tokens, overlap=settings.document.chunk_overlap
        ),
    )


def fetch_options(settings: Settings) -> FetchOptions:
    """How documents are fetched from URLs."""
    document = settings.document
    hosts = (host.strip() for host in document.fetch_allowed_hosts.split(","))
    return FetchOptions(
        max_bytes=document.max_file_bytes,
        timeout_s=document.fetch_timeout_s,
        allowed_hosts=tuple(host for host in hosts if host),
        ports=tuple(int(port) for port in document.fetch_ports.split(",")),
        lookups=max(4, document.readers),
    )


def blob_options(settings: Settings) -> BlobOptions:
    """Where blobs are kept; by default beside the tables."""
    folder = (settings.data_path / "blobs").resolve()
    return BlobOptions(
        url=settings.document.blob_url or folder.as_uri(),
        min_free_bytes=settings.document.blob_min_free_bytes,
    )


def reading_limits(settings: Settings) -> ReadingLimits:
    """How much one document may take while it is read."""
    document = settings.document
    names = ReadingLimits.model_fields.keys()
    return ReadingLimits(**{name: getattr(document, name) for name in names})


def web_limits(settings: Settings) -> WebLimits:
    """How much a caller of the HTTP API may send, ask for and wait."""
    task, service = settings.task, settings.service
    return WebLimits(
        task=task_limits(settings),
        max_body_bytes=service.max_body_bytes,
        body_timeout_s=service.body_timeout_s,
        max_in_flight_bytes=service.max_in_flight_bytes,
        max_queue_tasks=service.max_queue_tasks,
        max_queue_age_s=service.max_queue_age_s,
        max_wait_s=service.max_wait_s,
        read_timeout_s=service.read_timeout_s,
        verdict_timeout_s=service.verdict_timeout_s,
        max_batch_tasks=task.max_batch_tasks,
        max_page_size=task.max_page_size,
        max_page_depth=task.max_page_depth,
        inline_file_bytes=settings.document.inline_bytes,
        max_upload_bytes=settings.document.max_upload_bytes,
        max_search_limit=task.max_search_limit,
        search_timeout_s=task.search_timeout_s,
    )


def api_key(settings: Settings) -> str | None:
    """The key that guards the API, if one is set."""
    key = settings.service.api_key
    return key.get_secret_value() if key else None


def upkeep_options(settings: Settings) -> UpkeepOptions:
    """When rows are due for something."""
    task = settings.task
    return UpkeepOptions(
        limits=task_limits(settings),
        retention_hours=task.retention_hours,
        stalled_after_s=task.stalled_after_s,
    )


def batch_options(settings: Settings) -> BatchOptions:
    """How texts are packed for the model."""
    encoder = settings.encoder
    return BatchOptions(
        batch_ms=encoder.batch_ms,
        batch_texts=encoder.batch_texts,
        most_tokens=encoder.batch_tokens,
    )


def load_options(settings: Settings) -> LoadOptions:
    """How models are loaded."""
    encoder = settings.encoder
    return LoadOptions(
        cache_dir=settings.converted_path,
        device=encoder.device,
        threads=encoder.threads or None,
        convert_timeout_s=encoder.convert_timeout_s,
    )


def isolation_options(settings: Settings) -> IsolationOptions:
    """What a process may take that encodes suspects."""
    encoder = settings.encoder
    return IsolationOptions(
        load=load_options(settings),
        text_timeout_s=encoder.alone_timeout_s,
        memory_mb=encoder.alone_memory_mb,
    )


def pool_options(settings: Settings) -> PoolOptions:
    """How long models stay in memory."""
    encoder = settings.encoder
    return PoolOptions(
        idle_s=encoder.idle_unload_s, least_free_bytes=encoder.least_free_mb * 1_000_000
    )


def vector_cache_options(settings: Settings) -> VectorCacheOptions | None:
    """How many computed vectors are kept in Redis; None: none, or there is no Redis."""
    encoder = settings.encoder
    if not encoder.cached_vectors or not settings.database.redis_url:
        return None
    return VectorCacheOptions(
        encoder.cached_vectors, ttl_s=max(1, int(encoder.cached_hours * 3600))
    )


def redis_options(settings: Settings) -> RedisOptions:
    """How to reach Redis; the topics' prefix keeps two services on one Redis apart."""
    database = settings.database
    return RedisOptions(
        url=database.redis_url,
        prefix=f"{settings.kafka.topic_prefix}:",
        max_connections=database.redis_max_connections,
        timeout_ms=database.redis_timeout_ms,
    )


def weaviate_options(settings: Settings) -> WeaviateOptions:
    """How to reach Weaviate and what its indexes are like."""
    database = settings.database
    key = database.weaviate_api_key
    return WeaviateOptions(
        url=str(database.weaviate_url),
        grpc_url=database.weaviate_grpc_url or "",
        api_key=key.get_secret_value() if key else "",
        query_timeout_s=min(10.0, database.weaviate_timeout_s),
        write_timeout_s=database.weaviate_timeout_s,
        schema_timeout_s=database.weaviate_timeout_s,
        index=IndexOptions(
            ef_construction=database.hnsw_ef_construction,
            max_connections=database.hnsw_max_connections,
            ef=database.hnsw_ef,
            most_spaces=database.max_spaces,
        ),
    )
