// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/h2_upstream.hpp"

namespace penstock::proxy {

namespace {

http::H2Settings upstream_settings(const fb::LimitsT& limits) {
    http::H2Settings settings;
    settings.connect_protocol = false;
    settings.limits.head_bytes_max = limits.header_bytes_max;
    settings.limits.headers_max = limits.headers_max;
    return settings;
}

}  // namespace

H2Upstream::H2Upstream(Context& context, Stream stream)
    : settings_(upstream_settings(context.tables->limits)),
      link_(context, std::move(stream), http::H2Role::client, settings_, *this,
            {.idle_ms = context.tables->limits.backend_idle_ms, .head_ms = context.tables->limits.request_header_ms, .send_ms = context.tables->limits.body_stall_ms}) {}

}  // namespace penstock::proxy
