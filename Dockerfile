# syntax=docker/dockerfile:1
# Stage 1 has torch and builds the bundles, stage 2 installs the service alone; the image holds neither torch nor compilers.
FROM python:3.11-slim-bookworm AS bundles
WORKDIR /app
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev make && rm -rf /var/lib/apt/lists/*
COPY pyproject.toml Makefile README.md ./
COPY nlp_service nlp_service
COPY training training
COPY models models
COPY data/build data/build
RUN make image-bundles VENV=/opt/build

FROM python:3.11-slim-bookworm AS service
WORKDIR /app
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev make && rm -rf /var/lib/apt/lists/*
COPY pyproject.toml Makefile README.md ./
COPY nlp_service nlp_service
RUN make image-runtime VENV=/opt/nlp

FROM python:3.11-slim-bookworm
ENV PATH=/opt/nlp/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    NLP_HOME=/app \
    NLP_ENVIRONMENT=production \
    NLP_HOST=0.0.0.0 \
    NLP_LOG_FORMAT=json \
    NLP_DATABASE_URL=sqlite:////data/nlp.db
RUN useradd --uid 10001 --no-log-init --no-create-home --home-dir /app nlp && install --directory --owner=nlp /app/var /data
WORKDIR /app
COPY --from=service /opt/nlp /opt/nlp
COPY --from=bundles /app/var/bundles var/bundles
COPY data/knowledge data/knowledge
USER 10001
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
    CMD ["python", "-c", "import urllib.request as u; u.build_opener(u.ProxyHandler({})).open('http://127.0.0.1:8000/readyz', timeout=2)"]
CMD ["nlp-service", "serve"]
