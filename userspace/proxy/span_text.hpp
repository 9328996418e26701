// SPDX-License-Identifier: Apache-2.0
// Spans in OTLP's JSON, with the names of OpenTelemetry's semantic conventions for HTTP. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "userspace/proxy/record.hpp"

namespace penstock::proxy {

// One span of kind SERVER; only of a record that has a trace. `unix_ns`: when the request was over.
void write_span(std::string& out, const Record& record, std::int64_t unix_ns);

// A body of POST /v1/traces: spans that are separated by commas, of one service.
std::string export_request(std::string_view service_name, std::string_view spans);

}  // namespace penstock::proxy
