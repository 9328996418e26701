// SPDX-License-Identifier: Apache-2.0
// Whatever the text, manifests are refused or decoded within bounds.
#include "ctl/model/decode.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace penstock::model;
    const TextLimits limits{.bytes_max = 1 << 16, .nodes_max = 20'000, .depth_max = 64};
    const ParseResult result = parse_manifests({reinterpret_cast<const char*>(data), size}, "fuzz.yaml", limits);
    for (const Diagnostic& diagnostic : result.diagnostics) {
        if (diagnostic.text().empty()) {
            __builtin_trap();
        }
    }
    return 0;
}
