#!/bin/sh
# Lays what the backend needs to run into TARGET: a virtual environment without test tools, and the package.
# PYTHON makes the environment (default: python3); TORCH_INDEX_URL chooses torch's build for a device.
# Usage: docker/build-backend.sh SOURCE TARGET
set -eu
[ $# -eq 2 ] || { echo "usage: $0 SOURCE TARGET" >&2; exit 2; }
mkdir -p "$2"
source=$(cd "$1" && pwd)
target=$(cd "$2" && pwd)
python=$target/.venv/bin/python

"${PYTHON:-python3}" -m venv "$target/.venv"
pip() {
  "$python" -m pip --disable-pip-version-check --no-input "$@"
}
pip install --progress-bar off --require-hashes -r "$source/python-backend/requirements-uv.lock"
# A mirror of the registry that pip is told of by the environment is uv's too.
[ -z "${PIP_INDEX_URL:-}" ] || export UV_DEFAULT_INDEX="$PIP_INDEX_URL"
"$target/.venv/bin/uv" pip install --link-mode copy --python "$python" --require-hashes -r "$source/python-backend/requirements.lock"
# Not in the lock: its CPU and CUDA builds share a version, which the project's own list of dependencies tells.
torch=$(sed -n 's/^ *"\(torch==[^"]*\)",\{0,1\}$/\1/p' "$source/python-backend/pyproject.toml")
pip install --progress-bar off ${TORCH_INDEX_URL:+--index-url "$TORCH_INDEX_URL"} "${torch:?is not in pyproject.toml}"
pip uninstall --yes uv pip
rm -f "$target/.venv/.lock" # uv's, which anyone might write to

cp -R "$source/python-backend/agent_forge" "$target/agent_forge"
# Whoever runs it cannot write here. By content: a copy into another layer may change times.
"$python" -m compileall -q --invalidation-mode unchecked-hash "$target/agent_forge"
