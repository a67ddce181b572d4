# One image for every service; docker-compose.yml says which command each runs.
FROM python:3.11-slim AS plain

ENV PYTHONPATH=/app \
    PYTHONSAFEPATH=1 \
    PYTHONUNBUFFERED=1 \
    # ONNX Runtime would report what it runs to its maker.
    ORT_DISABLE_TELEMETRY=1 \
    FOOTNOTE_ENV_FILE="" \
    FOOTNOTE_HOME=/var/lib/footnote

WORKDIR /app

# Exactly what is locked, and nothing that a package would add to it.
COPY requirements/base.lock requirements/base.lock
RUN pip install --no-cache-dir --disable-pip-version-check --only-binary=:all: \
        --no-deps --require-hashes -r requirements/base.lock

RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin footnote \
    && install --directory --owner=footnote --group=footnote \
        "$FOOTNOTE_HOME" "$FOOTNOTE_HOME/models"

# .dockerignore lets through what runs, and nothing else of the repository.
COPY . .

USER footnote

# The embedding model's graph, built once here rather than at each container's start.
RUN python -c "import os, pathlib; from retrieval import minilm; minilm.build(pathlib.Path(os.environ['FOOTNOTE_HOME']) / 'cache')"

EXPOSE 8400 8401
ENTRYPOINT ["python", "-m", "cli"]
CMD ["--help"]

# With what trains language models on a graphics card: several gigabytes, for `worker-gpu` alone.
FROM plain AS train
USER root
RUN pip install --no-cache-dir --disable-pip-version-check --only-binary=:all: \
        --no-deps --require-hashes -r requirements/train.lock
# In no lock: its build depends on the card. This one is for NVIDIA's, with its libraries.
RUN pip install --no-cache-dir --disable-pip-version-check torch==2.13.0
USER footnote

FROM plain
