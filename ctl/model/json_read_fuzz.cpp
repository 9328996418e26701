// SPDX-License-Identifier: Apache-2.0
// Whatever the text, JSON is refused or read within bounds, and what is read comes back from its own writing.
#include "ctl/model/value_text.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace penstock::model;
    const TextLimits limits{.bytes_max = 1 << 16, .nodes_max = 20'000, .depth_max = 64};
    const auto value = parse_json({reinterpret_cast<const char*>(data), size}, limits);
    if (!value.ok()) {
        return 0;
    }
    const auto again = parse_json(to_json_text(*value));
    if (!again.ok() || !(*again == *value)) {
        __builtin_trap();
    }
    return 0;
}
