// SPDX-License-Identifier: Apache-2.0
// Whatever a traceparent says: what is read lies inside it and is an id, and what we write in its place is read as the same trace with us as
// the parent. A line of the log that holds it has one end and no quote of its own.
#include <cstdlib>

#include "userspace/proxy/access_line.hpp"
#include "userspace/proxy/trace_context.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace penstock;
    using namespace penstock::proxy;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto parent = parse_traceparent(text);
    if (parent && (parent->trace_id.data() < text.data() || parent->parent_id.data() + 16 > text.data() + size || parent->trace_id.size() != 32 || parent->parent_id.size() != 16)) {
        std::abort();
    }
    Trace trace;
    trace.begin(parent, [n = std::uint64_t{0}]() mutable { return n++; }, [] { return false; });
    http::Headers headers;
    headers.add("traceparent", text);
    trace.put(headers);
    const auto ours = traceparent_of(headers);
    if (!ours || ours->parent_id != trace.span_id() || (parent && (ours->trace_id != parent->trace_id || ours->sampled != parent->sampled))) {
        std::abort();
    }
    for (const auto append : {append_json, append_text}) {
        std::string out;
        append(out, text);
        for (std::size_t i = 0; i < out.size(); ++i) {
            i += out[i] == '\\' ? 1 : 0;
            if (i >= out.size() || static_cast<unsigned char>(out[i]) < 0x20 || (out[i] == '"' && out[i - 1] != '\\')) {
                std::abort();
            }
        }
    }
    return 0;
}
