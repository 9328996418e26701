// SPDX-License-Identifier: Apache-2.0
// Whatever the text, YAML is refused or read within bounds, and what is read comes back from its own writing.
#include "ctl/model/value_text.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace penstock::model;
    const TextLimits limits{.bytes_max = 1 << 16, .nodes_max = 20'000, .depth_max = 64};
    for (const Document& document : parse_documents({reinterpret_cast<const char*>(data), size}, limits)) {
        if (!document.faults.empty()) {
            continue;
        }
        const std::vector<Document> again = parse_documents(to_yaml_text(document.value));
        if (again.size() != 1 || !again[0].faults.empty() || !(again[0].value == document.value)) {
            __builtin_trap();
        }
    }
    return 0;
}
