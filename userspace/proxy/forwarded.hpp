// SPDX-License-Identifier: Apache-2.0
// What is believed of a request's way to us. Proxies of ours before us write X-Forwarded-*; anybody else may write them, too. A listener
// knows how many of ours there are (trusted_hops): a request is believed if X-Forwarded-For has at least as many entries, each of these an
// address. Then the client is the first of them, from the right; otherwise it is who connected, and what it claims is replaced. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "userspace/http/headers.hpp"
#include "userspace/proxy/client_side.hpp"

namespace penstock::proxy {

struct Forwarded {
    bool believed = false;
    std::string client;       // the address of who asked first, as far as we know
    std::string chain;        // X-Forwarded-For as we pass it on
    std::string_view scheme;  // "http" or "https", as the client sees it; of a believed request what its proxy says
    std::string_view host;    // likewise; X-Forwarded-Host
    std::string elements;     // Forwarded (RFC 7239) as we pass it on; empty: not at all
};

// Views are of the head and of `host`, which is the request's. The connection's own address and scheme are in `client`.
Forwarded forwarded_of(const http::Headers& headers, std::string_view host, const ClientFacts& client, std::uint32_t trusted_hops);

}  // namespace penstock::proxy
