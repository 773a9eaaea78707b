"""All servers the stack can run."""

from scripts.stack import kafka, redis, weaviate
from scripts.stack.recipe import Recipe

RECIPES: dict[str, Recipe] = {
    "kafka": kafka.RECIPE,
    "redis": redis.RECIPE,
    "weaviate": weaviate.RECIPE,
}
