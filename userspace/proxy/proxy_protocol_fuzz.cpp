// SPDX-License-Identifier: Apache-2.0
// Whatever the bytes, the parser neither reads beyond them nor changes its mind: a prefix never says more than the whole. What it reads as
// addresses is read again as the same once we have written it.
#include <cstdlib>

#include "userspace/proxy/proxy_protocol.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace penstock::proxy;
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    for (const fb::ProxyProtocol accepted : {fb::ProxyProtocol::V1, fb::ProxyProtocol::V2, fb::ProxyProtocol::Any}) {
        ProxyHeader whole;
        ProxyHeader half;
        const auto result = parse_proxy_header(bytes, accepted, whole);
        const auto before = parse_proxy_header(bytes.substr(0, size / 2), accepted, half);
        if ((before != ProxyProgress::more && before != result) || (before == ProxyProgress::done && half.source != whole.source)) {
            std::abort();
        }
        if (result != ProxyProgress::done) {
            continue;
        }
        if (whole.size > size || whole.size > kProxyHeaderMax || whole.source.has_value() != whole.destination.has_value()) {
            std::abort();
        }
        for (const fb::ProxyProtocol version : {fb::ProxyProtocol::V1, fb::ProxyProtocol::V2}) {
            ProxyHeader again;
            if (whole.source && (parse_proxy_header(proxy_header(version, whole.source, whole.destination), version, again) != ProxyProgress::done ||
                                 again.source != whole.source || again.destination != whole.destination)) {
                std::abort();
            }
        }
    }
    return 0;
}
