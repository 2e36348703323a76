# syntax=docker/dockerfile:1
# `bin/image` builds it with podman, so that two builds of a commit have the same digest. The image's Node is the one that package.json
# pins (test/packaging holds the two together), so the npm packages that carry a Node for checkouts are left out of it.
ARG NODE_IMAGE=docker.io/library/node:26.10.0-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc deploy/image/compiler-only.ts ./
# 66 MB in place of 550.
RUN node compiler-only.ts && npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY bin/compile ./bin/compile
COPY src ./src
RUN bin/compile dist && find dist -name '*.d.ts' -delete

FROM ${NODE_IMAGE} AS modules
WORKDIR /modules
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --omit=dev --omit=optional
COPY deploy/image/prune-modules ./
RUN ./prune-modules node_modules

# All files of the last stage, with modes that do not depend on the umask of whoever cloned.
FROM ${NODE_IMAGE} AS files
WORKDIR /files/opt/breakwater
COPY package.json LICENSE CHANGELOG.md ./
COPY bin/breakwater deploy/image/healthy ./bin/
COPY config ./config
COPY --from=modules /modules/node_modules ./node_modules
COPY --from=build /build/dist ./dist
RUN mkdir -p /files/usr/local/bin && ln -s /opt/breakwater/bin/breakwater /files/usr/local/bin/breakwater && \
    chmod -R u=rwX,go=rX /files

FROM ${NODE_IMAGE}
ARG NODE_IMAGE
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
ARG SOURCE=
LABEL org.opencontainers.image.title="breakwater" \
      org.opencontainers.image.description="Failover-aware edge reverse proxy for container registries" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.base.name="${NODE_IMAGE}"
ENV NODE_ENV=production \
    BREAKWATER_CONFIG=/etc/breakwater/breakwater.yaml \
    BREAKWATER_HEALTH_URL=http://127.0.0.1:9443/healthz
COPY --from=files /files/ /
WORKDIR /opt/breakwater
# By number, so that Kubernetes' runAsNonRoot can see that it is not root. It is the image's user "node".
USER 1000:1000
EXPOSE 443 9443
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 CMD ["/opt/breakwater/bin/healthy"]
# As bin/breakwater has it.
ENTRYPOINT ["node", "--max-semi-space-size=4", "--heap-growing-percent=40", "--expose-gc", "--disable-warning=ExperimentalWarning", "dist/cli/main.js"]
CMD ["serve"]
