// SPDX-License-Identifier: Apache-2.0
// One client connection that speaks HTTP/1.x: requests in order, each matched on the tables of its moment, forwarded or answered. Bodies
// are streamed both ways at once with the back-pressure of the slower side; never a whole body is held.
#pragma once

#include <memory>
#include <string>

#include "userspace/http/message.hpp"
#include "userspace/proxy/context.hpp"
#include "userspace/proxy/heads.hpp"
#include "userspace/proxy/stream.hpp"

namespace penstock::proxy {

struct HttpClient {
    Stream stream;
    std::string socket;         // name of the listening port, under which the tables have it
    ClientFacts facts;
    std::string tls_listener;   // name of the listener that the SNI chose; empty for plain HTTP
};

http::Limits http_limits(const fb::LimitsT& limits);

// Serves until the connection ends. `context` outlives it.
ring::Task<> serve_http(Context& context, HttpClient client);

}  // namespace penstock::proxy
