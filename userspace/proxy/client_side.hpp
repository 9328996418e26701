// SPDX-License-Identifier: Apache-2.0
// The client's half of one exchange, whatever version of HTTP it speaks: the request's body comes in, the response goes out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "userspace/base/ip.hpp"
#include "userspace/http/message.hpp"
#include "userspace/proxy/body.hpp"

namespace penstock::proxy {

enum class HttpVersion : std::uint8_t { http10, http11, http2 };

// Of a client's connection.
struct ClientFacts {
    std::string address;          // without port
    bool tls = false;
    std::uint16_t port = 0;       // of the listener
    std::string socket = {};      // name of the listening port, under which the tables have it
    std::string tls_listener = {};  // name of the listener that the SNI chose; empty for plain HTTP
    std::optional<Endpoint> source = {};       // the client, by its connection or the PROXY protocol
    std::optional<Endpoint> destination = {};  // what it connected to; only where a backend is told
    // Whose connections to backends are its own, where backends are told of clients.
    [[nodiscard]] std::optional<Endpoint> own() const { return destination ? source : std::nullopt; }
    std::string server_name = {};   // of the ClientHello
    std::string_view tls_version = {};  // "TLSv1.3"; literals
    std::string_view tls_cipher = {};   // "TLS_AES_128_GCM_SHA256"
    bool tls_resumed = false;
};

class ClientSide : public BodySink {
public:
    [[nodiscard]] virtual const ClientFacts& facts() const = 0;
    [[nodiscard]] virtual HttpVersion version() const = 0;
    virtual BodySource& body() = 0;

    // Queues the head of the response. `head.framing` says what follows: nothing, `content_length` bytes, or a body of unknown length
    // (chunked and until_close alike). `last`: the connection shall not serve another request. Fields of one connection are its own
    // business: `head.headers` has none.
    virtual void start(const http::ResponseHead& head, bool last) = 0;
    // Queues an interim head. Nothing for a client that knows none.
    virtual void interim(const http::ResponseHead& head) = 0;
    // Queues the answer to a switch of protocols; from then on body() and the sink are bytes both ways. `head` is the backend's 101.
    virtual void start_tunnel(const http::ResponseHead& head) = 0;
    // Half an answer was sent and there is no more: only a broken connection (or stream) tells the client so.
    virtual void abort() = 0;
    // Gives up what the request's body still has; nobody reads it.
    virtual void leave_body() = 0;
    [[nodiscard]] virtual std::uint64_t head_bytes() const = 0;  // of the request, as they came
    [[nodiscard]] virtual std::uint64_t bytes_sent() const = 0;  // of the response

protected:
    ~ClientSide() = default;
};

}  // namespace penstock::proxy
