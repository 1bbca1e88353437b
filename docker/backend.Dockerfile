# CPU:  docker build -f docker/backend.Dockerfile -t agent-forge-backend .
# CUDA: docker build -f docker/backend.Dockerfile -t agent-forge-backend:cuda \
#         --build-arg TORCH_INDEX_URL=https://download.pytorch.org/whl/cu128 .
FROM python:3.11-slim-bookworm AS build
# Wheels of one version for different devices; CUDA's bring their own libraries, so that the base image is the same.
ARG TORCH_INDEX_URL=https://download.pytorch.org/whl/cpu
WORKDIR /source
COPY docker/build-backend.sh docker/
COPY python-backend/requirements-uv.lock python-backend/requirements.lock python-backend/pyproject.toml python-backend/
COPY python-backend/agent_forge python-backend/agent_forge
RUN --mount=type=cache,target=/root/.cache sh docker/build-backend.sh /source /app

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /data forge && install -d -o forge -g forge -m 0700 /data
COPY --from=build /app /app
WORKDIR /app
# Compiled merge methods are kept below HOME, since the program's own folder is not its user's.
ENV PATH=/app/.venv/bin:$PATH HOME=/data PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
ENV AGENT_FORGE_DATA=/data AGENT_FORGE_HOST=0.0.0.0 AGENT_FORGE_PORT=8000
USER forge
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ[\"AGENT_FORGE_PORT\"]}/readyz', timeout=4)"]
# AGENT_FORGE_TOKEN must be given.
CMD ["python", "-m", "agent_forge", "serve"]
