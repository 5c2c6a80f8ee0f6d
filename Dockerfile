# Keyward as an image: one static binary, certificate authorities, and nothing else. No shell, no libc, no root.
#
#   docker build -t keyward .
#   docker build -t keyward-user-service --target user-service .
#
# How to run it, and what the build arguments are for: docs/deploy.md.

# Any glibc system with this Rust, compilers of C and C++, and make does.
ARG BUILDER=docker.io/library/rust:1.95.0-bookworm

FROM ${BUILDER} AS source
# Links glibc in. The builds name their target, or scripts and macros that run at build time would get it too, and cannot.
ENV RUSTFLAGS="-C target-feature=+crt-static"
WORKDIR /src
COPY . .

FROM source AS build
# Besides the default ones. kafka-tls takes OpenSSL in, for TLS and SCRAM to Kafka: minutes more.
ARG FEATURES=
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/src/target,sharing=locked \
    host="$(rustc --print host-tuple)" \
    && cargo build --locked --release --target "$host" \
        --package keyward --bin keyward --features "$FEATURES" \
    && install -D "target/$host/release/keyward" /out/usr/local/bin/keyward

FROM source AS build-user-service
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/src/target,sharing=locked \
    host="$(rustc --print host-tuple)" \
    && cargo build --locked --release --target "$host" \
        --package user-service --bin user-service \
    && install -D "target/$host/release/user-service" /out/usr/local/bin/user-service

# What the program does not bring itself. 65532 is the "nonroot" of other images without a shell.
FROM source AS files
RUN install -d -m 0700 -o 65532 -g 65532 /out/data \
    && install -D -m 0644 /etc/ssl/certs/ca-certificates.crt /out/etc/ssl/certs/ca-certificates.crt \
    && install -D -m 0644 -t /out/licenses LICENSE-APACHE LICENSE-MIT \
    && echo 'nonroot:x:65532:65532:nonroot:/data:/sbin/nologin' >/out/etc/passwd \
    && echo 'nonroot:x:65532:' >/out/etc/group

FROM scratch AS user-service
COPY --from=files /out /
COPY --from=build-user-service /out /
USER 65532:65532
WORKDIR /data
ENV LISTEN=0.0.0.0:7310 DATABASE_PATH=/data/profiles.db
EXPOSE 7310
VOLUME /data
ENTRYPOINT ["/usr/local/bin/user-service"]

FROM scratch AS keyward
COPY --from=files /out /
COPY --from=build /out /
USER 65532:65532
# SQLite puts large sorts into the working directory where there is no /tmp.
WORKDIR /data
# PORT, because KEYWARD_LISTEN here would hide the PORT that a platform sets. PATH for `docker exec … keyward users …`.
ENV PATH=/usr/local/bin PORT=7300 KEYWARD_MANAGEMENT_LISTEN=0.0.0.0:7301 KEYWARD_DATA_DIR=/data
EXPOSE 7300 7301
# The embedded database and its master.key; empty with PostgreSQL.
VOLUME /data
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s --retries=3 CMD ["/usr/local/bin/keyward", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/keyward"]
# Nothing that changes from one build of a commit to the next: who builds twice gets the same image.
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Keyward" \
    org.opencontainers.image.description="Auth service: sign-up, login, JWTs, rotating refresh tokens, events that are never lost" \
    org.opencontainers.image.licenses="MIT OR Apache-2.0" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}"
