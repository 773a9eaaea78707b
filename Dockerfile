# One image for every role; VECTORIZE_ROLE picks one, unset means all of them in one container.
#
# CPU and GPU: the locked torch carries CUDA and runs on the CPU where there is no GPU, so one
# image serves both; the CUDA libraries are most of its size (about 6 GB). A GPU is used as soon
# as the container is given one: `docker run --gpus all`, or `gpus: all` in docker-compose.yml.
#
# The base is pinned by its full version. To pin the very bytes, add the digest that
# `docker buildx imagetools inspect python:3.11.14-slim-bookworm` prints.
FROM python:3.11.14-slim-bookworm AS build
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
RUN pip install --no-cache-dir uv==0.13.9
WORKDIR /app
# The dependencies alone first: this layer lives until the lock changes.
COPY pyproject.toml uv.lock ./
RUN uv sync --frozen --no-dev --no-default-groups --no-cache


FROM python:3.11.14-slim-bookworm
LABEL org.opencontainers.image.title="vectorize" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN useradd --system --uid 10001 --user-group --home-dir /data --no-create-home vectorize \
    && install --directory --owner vectorize --group vectorize /data /blobs
WORKDIR /app
COPY --from=build /app/.venv ./.venv
COPY . .
# /data holds Faust's tables and downloaded models; one volume for each container.
ENV PATH="/app/.venv/bin:$PATH" \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HF_HOME=/data/huggingface \
    HF_HUB_DISABLE_TELEMETRY=1 \
    VECTORIZE_MASTER_SERVICE_DATA_DIR=/data
USER 10001:10001
VOLUME /data
EXPOSE 8000 9090
STOPSIGNAL SIGTERM
# The port of a master; a container of another role is asked on its worker port (docker-compose.yml).
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=6 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/livez', timeout=4)"]
CMD ["python", "scripts/start_master.py"]
