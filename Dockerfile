# One file, four images: build with --target gateway, worker, belfry, or tower (the
# example application).
# The binaries are static; the images hold nothing else but the certificates
# that a TLS link to the broker or an application is verified with, and a wget
# (busybox, static) for the health check.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY . .
ARG VERSION=unknown
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    make build VERSION="$VERSION"

FROM scratch AS base
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=busybox:1.37-musl /bin/busybox /wget
# nobody: no name is looked up in an image without /etc/passwd.
USER 65534:65534

FROM base AS worker
COPY --from=build /src/bin/worker /worker
STOPSIGNAL SIGTERM
ENTRYPOINT ["/worker"]

FROM base AS belfry
COPY --from=build /src/bin/belfry /belfry
ENTRYPOINT ["/belfry"]

# The example application runs real commands, so it needs a system around it.
FROM debian:bookworm-slim AS tower
RUN apt-get update && apt-get install -y --no-install-recommends wget && rm -rf /var/lib/apt/lists/*
COPY --from=build /src/bin/tower /usr/bin/belfry-tower
USER 65534:65534
EXPOSE 8050
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/bin/belfry-tower"]
CMD ["serve"]

FROM base AS gateway
COPY --from=build /src/bin/gateway /gateway
EXPOSE 8051
STOPSIGNAL SIGTERM
ENTRYPOINT ["/gateway"]
