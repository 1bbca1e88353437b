# Build: docker build -f docker/gateway.Dockerfile -t agent-forge-gateway .
FROM node:20-bookworm-slim AS build
WORKDIR /source
COPY package.json package-lock.json tsconfig.json prisma.config.ts ./
COPY docker/build-gateway.sh docker/
COPY prisma prisma
COPY openapi openapi
COPY dashboard dashboard
COPY gateway gateway
RUN --mount=type=cache,target=/root/.npm sh docker/build-gateway.sh /source /app

FROM node:20-bookworm-slim
RUN install -d -o node -g node -m 0700 /data
COPY --from=build /app /app
WORKDIR /app
ENV NODE_ENV=production HOST=0.0.0.0 PORT=4400 DATA_DIR=/data
USER node
VOLUME /data
EXPOSE 4400
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:'+process.env.PORT+'/readyz').then(r=>process.exit(r.ok?0:1),()=>process.exit(1))"]
CMD ["node", "--enable-source-maps", "gateway/dist/gateway/src/main.js"]
