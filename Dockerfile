# One file, three images: build with --target gateway, worker or belfry.
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

FROM base AS gateway
COPY --from=build /src/bin/gateway /gateway
EXPOSE 8051
STOPSIGNAL SIGTERM
ENTRYPOINT ["/gateway"]
