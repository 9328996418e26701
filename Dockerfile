# SPDX-License-Identifier: Apache-2.0
# docker build -t penstock . : the image that configs/deploy runs. Built with the distribution's packages, as everything here.
FROM debian:12 AS build
WORKDIR /src
COPY . .
RUN ./dev build release --target programs && cmake --install build/release --prefix /opt/penstock --strip

FROM debian:12-slim
# What the programs are linked with (`ldd` of them has the list), and whom a BackendTLSPolicy means by wellKnownCACertificates: System.
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates libbpf1 libcpp-httplib0.11 libcurl4 libfmt9 libmnl0 libnghttp2-14 libre2-9 libseccomp2 libssl3 libxxhash0 libyaml-cpp0.7 \
    && rm -rf /var/lib/apt/lists/* && useradd --system --no-create-home penstock
COPY --from=build /opt/penstock/bin/ /usr/local/bin/
ENTRYPOINT []
CMD ["penstockd", "--kubernetes"]
