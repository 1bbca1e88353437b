#!/bin/sh
# Lays what the gateway needs to run into TARGET: compiled sources, pages, migrations, the specification, and packages
# without those of tests and build. SOURCE gets node_modules and build products.
# Usage: docker/build-gateway.sh SOURCE TARGET
set -eu
[ $# -eq 2 ] || { echo "usage: $0 SOURCE TARGET" >&2; exit 2; }
mkdir -p "$2"
source=$(cd "$1" && pwd)
target=$(cd "$2" && pwd)

cd "$source"
npm ci --ignore-scripts
# The client generator needs no schema engine, which Prisma would download.
PRISMA_SCHEMA_ENGINE_BINARY=/bin/false CHECKPOINT_DISABLE=1 npx --no-install prisma generate
npx --no-install tsc -p gateway/tsconfig.json
NODE_ENV=production npx --no-install vite build dashboard

# The lock file also marks the root of the checkout for the program, and npm compares it with every workspace.
for file in package.json package-lock.json gateway/package.json openapi/package.json dashboard/package.json \
  openapi/gateway.yaml openapi/backend.json; do
  mkdir -p "$target/$(dirname "$file")"
  cp "$file" "$target/$file"
done
for folder in gateway/dist dashboard/dist prisma/migrations; do
  mkdir -p "$target/$folder"
  cp -R "$folder/." "$target/$folder/"
done
rm -f "$target/gateway/dist/.tsbuildinfo"

# Peers are Prisma's command line and extensions of the embedded database: nothing that runs asks for them.
cd "$target"
npm ci --ignore-scripts --omit=dev --omit=optional --omit=peer
# Compilers of queries for other databases, of 60 MB.
find node_modules/@prisma/client/runtime -name 'query_compiler_*' ! -name '*.postgresql.*' -delete
