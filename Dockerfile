# Two images of one build: `docker build --target churn-model .` and `docker build --target tenant-manager .`
#
# The tag takes patches of Node 24 and Debian with each build; a digest can be given: --build-arg NODE=node@sha256:…
ARG NODE=node:24-bookworm-slim

# Made on the machine's own platform: what comes out is JavaScript.
FROM --platform=$BUILDPLATFORM ${NODE} AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY build.js tsconfig.json ./
COPY model/model.json model/
COPY src src
COPY web web
RUN node build.js

# Packages that are not inside the bundle: of the platform of the image.
FROM ${NODE} AS packages
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund && npm cache clean --force

# The model server, in SageMaker's protocol: it is started with the word `serve`, and asked at /ping and /invocations.
# It needs no package beside its bundle.
FROM ${NODE} AS churn-model
ENV NODE_ENV=production CHURN_MODEL_HOST=0.0.0.0 LOG_FORMAT=json
WORKDIR /app
COPY package.json ./
COPY bin/tenant-analytics.js bin/
COPY --from=build /app/dist/cli.js dist/
COPY --from=build /app/dist/chunks dist/chunks
USER node
EXPOSE 8080
ENTRYPOINT ["node", "/app/bin/tenant-analytics.js", "churn-scoring"]
CMD ["serve"]

# TenantManager: TENANT_MANAGER_TOKEN, DATABASE_URL and, without it in the URL, DATABASE_PASSWORD must be given.
FROM ${NODE} AS tenant-manager
ENV NODE_ENV=production TENANT_MANAGER_HOST=0.0.0.0 LOG_FORMAT=json
WORKDIR /app
# Whose certificates RDS and Aurora show; from AWS, at each build anew.
ADD --chmod=444 https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem /etc/ssl/rds/global-bundle.pem
COPY package.json ./
COPY bin/tenant-analytics.js bin/
COPY --from=packages /app/node_modules node_modules
COPY src/services/tenant-manager/migrations src/services/tenant-manager/migrations
COPY --from=build /app/dist/cli.js dist/
COPY --from=build /app/dist/chunks dist/chunks
USER node
EXPOSE 8081
ENTRYPOINT ["node", "/app/bin/tenant-analytics.js", "tenant-manager"]
# No made-up tenants.
CMD ["--tenants", "0"]
