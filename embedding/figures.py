"""All metric names of the encoder, in one place; every family exists at zero from the start.

Tokens a second are `rate(vectorize_encoder_tokens_total)`; padding waste is one minus its quotient
by `vectorize_encoder_padded_tokens_total`.
"""

from prometheus_client import Counter, Gauge, Histogram

from embedding.memory import device_bytes, resident_bytes
from models.states import Lane

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 5, 30)

WAIT_SECONDS = Histogram(
    "vectorize_encoder_wait_seconds",
    "Seconds a request's texts waited for the model and ran there.",
    ["lane"],
    buckets=_SECONDS,
)
TOKENIZE_SECONDS = Histogram(
    "vectorize_encoder_tokenize_seconds", "Seconds to tokenize a request.", buckets=_SECONDS
)
FORWARD_SECONDS = Histogram(
    "vectorize_encoder_forward_seconds", "Seconds a batch was in the model.", buckets=_SECONDS
)
HAND_OVER_SECONDS = Histogram(
    "vectorize_encoder_hand_over_seconds",
    "Seconds from a batch's end in the model until its vectors were with their callers.",
    buckets=_SECONDS,
)
BATCH_TOKENS = Histogram(
    "vectorize_encoder_batch_tokens",
    "Tokens of a batch, without padding.",
    buckets=(32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768),
)
BATCH_TEXTS = Histogram(
    "vectorize_encoder_batch_texts",
    "Texts of a batch.",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512),
)
TOKENS = Counter("vectorize_encoder_tokens", "Tokens computed, without padding.", ["lane"])
PADDED_TOKENS = Counter("vectorize_encoder_padded_tokens", "Tokens computed, padding included.")
DEDUPLICATED = Counter(
    "vectorize_encoder_deduplicated", "Texts that shared the work of an equal one."
)
CACHE_HITS = Counter("vectorize_encoder_cache_hits", "Texts whose vector was in the cache.")
CACHE_MISSES = Counter(
    "vectorize_encoder_cache_misses", "Texts whose vector was not in the cache, or not in time."
)
FAILED_CALLS = Counter("vectorize_encoder_failed_calls", "Batches that raised.", ["error"])
OUT_OF_MEMORY = Counter("vectorize_encoder_out_of_memory", "Batches that ran out of memory.")
RECOMPUTED = Counter(
    "vectorize_encoder_recomputed",
    "Vectors that failed the quality gate and were computed again in full precision.",
    ["outcome"],
)
MODEL_LOADS = Counter("vectorize_encoder_model_loads", "Models loaded.", ["outcome"])
MODEL_UNLOADS = Counter("vectorize_encoder_model_unloads", "Models freed.", ["reason"])
MODELS = Gauge("vectorize_encoder_models", "Models held in memory.")
MEMORY_BYTES = Gauge("vectorize_encoder_memory_bytes", "Memory in use.", ["of"])

ISOLATED = Counter(
    "vectorize_encoder_isolated",
    "Texts encoded in a process of their own: their unit was under way when processes died.",
    ["lane"],
)
POISON = Counter("vectorize_encoder_poison", "Texts that ended the process that encoded them.")

for _lane in Lane:
    ISOLATED.labels(_lane)
    WAIT_SECONDS.labels(_lane)
    TOKENS.labels(_lane)
for _outcome in ("mended", "failed"):
    RECOMPUTED.labels(_outcome)
for _outcome in ("loaded", "failed"):
    MODEL_LOADS.labels(_outcome)
for _reason in ("idle", "memory", "stop"):
    MODEL_UNLOADS.labels(_reason)
MEMORY_BYTES.labels("process").set_function(resident_bytes)
MEMORY_BYTES.labels("device").set_function(device_bytes)
