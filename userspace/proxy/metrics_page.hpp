// SPDX-License-Identifier: Apache-2.0
// A port of mode Metrics: /metrics for Prometheus and /healthz, over HTTP/1.x, for whoever can reach the port. It reads requests as strictly
// as any port, takes no body and answers nothing else.
#pragma once

#include "userspace/proxy/context.hpp"
#include "userspace/proxy/stream.hpp"

namespace penstock::proxy {

// Serves until the connection ends. `context` outlives it.
ring::Task<> serve_metrics(Context& context, Stream stream);

}  // namespace penstock::proxy
