// SPDX-License-Identifier: Apache-2.0
// A client's connection that speaks HTTP: requests, each matched on the tables of its moment, forwarded or answered. Bodies are streamed
// both ways at once with the back-pressure of the slower side; never a whole body is held.
#pragma once

#include <memory>
#include <string>

#include "userspace/proxy/client_side.hpp"
#include "userspace/proxy/context.hpp"
#include "userspace/proxy/stream.hpp"

namespace penstock::proxy {

struct HttpClient {
    Stream stream;
    ClientFacts facts;
    fb::LimitsT limits;  // of the connection; those of a request are its listener's
};

// Serves until the connection ends. `context` outlives it. HTTP/2 by ALPN, or by the client's knowledge: it sends the preface.
ring::Task<> serve_http(Context& context, HttpClient client);
// `first`: the bytes that were received before.
ring::Task<> serve_http2(Context& context, HttpClient client, std::string first);

}  // namespace penstock::proxy
