"""What worker and client of the Celery contender agree on."""

#: Environment variables: where the servers are, and which model runs.
REDIS = "BENCH_REDIS_URL"
WEAVIATE = "BENCH_WEAVIATE_URL"
GRPC = "BENCH_WEAVIATE_GRPC"
FOLDER = "BENCH_MODEL_FOLDER"
MAX_TOKENS = "BENCH_MAX_TOKENS"
TASK = "encode_and_store"
