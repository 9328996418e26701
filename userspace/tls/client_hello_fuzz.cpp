// SPDX-License-Identifier: Apache-2.0
// Whatever the bytes, the parser neither reads beyond them nor changes its mind: a prefix never says more than the whole.
#include <cstdlib>

#include "userspace/tls/client_hello.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace penstock::tls;
    ClientHello whole;
    ClientHello half;
    std::string fault;
    const auto result = parse_client_hello({data, size}, whole, fault);
    const auto before = parse_client_hello({data, size / 2}, half, fault);
    if (before != HelloResult::more && before != result) {
        std::abort();
    }
    if (before == HelloResult::done && half.server_name != whole.server_name) {
        std::abort();
    }
    return 0;
}
