"""The metrics of the HTTP door. Labels are route templates, never paths, so they stay few."""

from prometheus_client import CollectorRegistry, Counter, Histogram

#: The label of whatever no route matched.
UNMATCHED = "unmatched"


class WebMeters:
    """Requests counted and timed, by method, route template and status."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register the families in `registry`."""
        self._requests = Counter(
            "vectorize_http_requests",
            "HTTP requests answered.",
            ["method", "route", "status"],
            registry=registry,
        )
        self._seconds = Histogram(
            "vectorize_http_request_seconds",
            "Seconds from a request's head to its answer.",
            ["method", "route"],
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60),
            registry=registry,
        )

    def note(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)
