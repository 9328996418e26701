// SPDX-License-Identifier: Apache-2.0
// Whatever stands in a Secret or ConfigMap, it is refused or taken, and what is taken is taken again in its own encoding.
#include <cstdint>

#include "ctl/check/certificate.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace penstock::check;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const std::string_view half = text.substr(0, size / 2);
    (void)check_certificate(text, text);
    (void)check_staple(half, text.substr(size / 2));
    const auto bundle = check_authorities(text);
    if (bundle.ok()) {
        const auto again = check_authorities(*bundle);
        if (!again.ok() || *again != *bundle) {
            __builtin_trap();
        }
    }
    return 0;
}
