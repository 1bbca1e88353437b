# CPU:  docker build -f docker/backend.Dockerfile -t agent-forge-backend .
# CUDA: docker build -f docker/backend.Dockerfile -t agent-forge-backend:cuda \
#         --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu128 .
FROM python:3.11-slim-bookworm
# Wheels of one version for different devices; CUDA's bring their own libraries, so that the base image is the same.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app/python-backend
COPY python-backend/requirements.lock ./
RUN pip install --require-hashes -r requirements.lock \
 && pip install --index-url "$TORCH_INDEX" torch==2.13.0 \
 && useradd --system --uid 10001 --home-dir /data forge \
 && install -d -o forge -g forge -m 0700 /data
COPY python-backend/agent_forge agent_forge
ENV AGENT_FORGE_DATA=/data
USER forge
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
# AGENT_FORGE_TOKEN must be given.
CMD ["python", "-m", "agent_forge", "serve", "--host", "0.0.0.0", "--port", "8000"]
