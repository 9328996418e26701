// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/ports.hpp"

#include <cerrno>

#include "userspace/proxy/backend_connect.hpp"
#include "userspace/proxy/h1_body.hpp"
#include "userspace/proxy/http_proxy.hpp"
#include "userspace/proxy/tunnel.hpp"
#include "userspace/tls/client_hello.hpp"

namespace penstock::proxy {

namespace {

Reason reason_of(tls::Fault fault) {
    switch (fault) {
        case tls::Fault::not_tls: return Reason::tls_not_tls;
        case tls::Fault::malformed: return Reason::tls_malformed;
        case tls::Fault::version: return Reason::tls_version;
        case tls::Fault::suite: return Reason::tls_suite;
        case tls::Fault::alert: return Reason::tls_client_alert;
        default: return Reason::tls_handshake;
    }
}

class Connection {
public:
    Connection(Context& context, std::string socket, ring::Socket client)
        : context_(context), socket_(std::move(socket)), stream_(std::move(client)), tables_(context.tables), scope_(context.loop) {}

    ring::Scope& scope() { return scope_; }

    ring::Task<> run() {
        const auto found = tables_->ports.find(socket_);
        if (found == tables_->ports.end()) {
            context_.count_reason(Reason::no_host);  // accepted while the port was being taken away
            co_return;
        }
        port_ = &found->second;
        switch (port_->mode) {
            case fb::PortMode::Http: co_await serve_plain_http(); break;
            case fb::PortMode::Tls: co_await serve_tls(); break;
            case fb::PortMode::Tcp: co_await serve_tcp(); break;
            case fb::PortMode::Metrics: break;
            case fb::PortMode::Udp: break;  // not by connections
        }
    }

private:
    ring::Task<> serve_plain_http() {
        const Listener* const* listener = port_->listeners.find("");
        count_connection(listener != nullptr ? (*listener)->id : 0, listener != nullptr);
        co_await serve_http(context_, http_client({}));
    }

    HttpClient http_client(std::string tls_listener) {
        HttpClient client;
        const auto peer = stream_.socket().peer();
        client.facts.address = peer ? peer->address.text() : "";
        client.facts.port = port_->number;
        client.facts.tls = !tls_listener.empty();
        client.facts.tls_listener = std::move(tls_listener);
        client.facts.socket = socket_;
        client.stream = std::move(stream_);
        return client;
    }

    void count_connection(std::uint32_t listener, bool known) {
        count(context_.stats.connections_total);
        if (known) {
            count(context_.listener(listener).connections);
        }
    }

    // ---- TLS ----------------------------------------------------------------------------------------------------------
    ring::Task<bool> read_hello(tls::ClientHello& hello, std::string& first) {
        const ring::Time deadline = context_.in_ms(tables_->limits.request_header_ms);
        for (;;) {
            const ring::Received received = co_await stream_.socket().receive(deadline);
            if (!received) {
                co_await refuse(received.error == ETIMEDOUT ? Reason::header_timeout : Reason::client_closed);
                co_return false;
            }
            first += received.buffer.view();
            std::string fault;
            const auto bytes = std::span(reinterpret_cast<const std::uint8_t*>(first.data()), first.size());
            switch (tls::parse_client_hello(bytes, hello, fault)) {
                case tls::HelloResult::more: continue;
                case tls::HelloResult::done: co_return true;
                case tls::HelloResult::not_tls: co_await refuse(Reason::tls_not_tls); co_return false;
                case tls::HelloResult::malformed: co_await refuse_hello(tls::Fault::malformed); co_return false;
            }
        }
    }

    // An alert instead of a session.
    ring::Task<> refuse_hello(tls::Fault fault) {
        context_.count_reason(reason_of(fault));
        const auto alert = tls::alert_of(fault);
        co_await stream_.socket().send(std::span(alert), context_.in_ms(1000));
        stream_.socket().shutdown_send();  // no reset: it could overtake the alert
    }

    ring::Task<> serve_tls() {
        tls::ClientHello hello;
        std::string first;
        if (!co_await read_hello(hello, first)) {
            co_return;
        }
        const Listener* const* found = port_->listeners.find(hello.server_name);
        if (found == nullptr) {
            count_connection(0, false);
            co_return co_await refuse(Reason::tls_no_name);
        }
        const Listener& listener = **found;
        count_connection(listener.id, true);
        if (listener.mode == fb::ListenerMode::TlsPassthrough) {
            co_await serve_raw(listener, hello.server_name, std::move(first));
            co_return;
        }
        if (listener.certificates == nullptr) {
            co_return co_await refuse(Reason::tls_no_certificate);
        }
        if (const tls::Fault fault = listener.certificates->refusal(hello); fault != tls::Fault::none) {
            count(context_.listener(listener.id).tls_failed);
            co_return co_await refuse_hello(fault);
        }
        const int shaken = co_await stream_.handshake(listener.certificates->choose(hello), std::move(first), context_.in_ms(tables_->limits.request_header_ms));
        if (shaken != 0) {
            context_.count_reason(shaken == EPROTO ? reason_of(stream_.tls()->fault()) : Reason::tls_handshake);
            count(context_.listener(listener.id).tls_failed);
            stream_.socket().shutdown_send();  // no reset: it could overtake the alert
            co_return;
        }
        count(context_.stats.tls_handshakes_total);
        count(stream_.tls()->resumed() ? context_.listener(listener.id).tls_resumed : context_.listener(listener.id).tls_full);
        if (listener.mode == fb::ListenerMode::TlsTerminate) {
            co_await serve_raw(listener, hello.server_name, {});
        } else {
            co_await serve_http(context_, http_client(listener.name));
        }
    }

    // ---- bytes as they are --------------------------------------------------------------------------------------------
    ring::Task<> serve_tcp() {
        const Listener* const* listener = port_->listeners.find("");
        if (listener == nullptr) {
            co_return;
        }
        count_connection((*listener)->id, true);
        co_await serve_raw(**listener, "", {});
    }

    ring::Task<> refuse(Reason reason) {
        context_.count_reason(reason);
        stream_.abort();  // the client sees a reset: nobody answers here
        co_return;
    }

    // `first`: bytes that were received to choose the listener, and go to the backend before all others.
    ring::Task<> serve_raw(const Listener& listener, const std::string& name, std::string first) {
        const std::shared_ptr<const Host>* host = listener.hosts.find(name);
        if (host == nullptr || (*host)->rules.empty()) {
            co_return co_await refuse(name.empty() ? Reason::no_route : Reason::tls_no_name);
        }
        const Choice choice = choose_backend(context_, (*host)->rules.front());
        if (choice.refusal) {
            co_return co_await refuse(*choice.refusal);
        }
        const std::shared_ptr<const BackendSet>& set = choice.backend->set;
        const auto peer = stream_.socket().peer();
        Wish wish = wish_of(*set, peer ? peer->address.text() : "");
        wish.fresh = true;
        BackendConnection connection = co_await connect_backend(context_, set, wish, ring::kNever);
        if (!connection.open()) {
            co_return co_await refuse(*connection.fault);
        }
        connection.claim.succeeded();
        Stream backend = std::move(connection.stream);
        const int sent = co_await backend.send(first, context_.in_ms(tables_->limits.body_stall_ms));  // nothing if it is empty
        if (sent != 0) {
            co_return co_await refuse(Reason::backend_closed);
        }
        RawSide client_side(stream_);
        RawSide backend_side(backend);
        const TunnelBytes bytes = co_await tunnel(context_, {client_side.in, client_side.out}, {backend_side.in, backend_side.out}, scope_, tables_->limits);
        if (bytes.broken) {
            stream_.close();
        }
        count(context_.listener(listener.id).bytes_in, bytes.from_client + first.size());
        count(context_.listener(listener.id).bytes_out, bytes.to_client);
    }

    Context& context_;
    std::string socket_;
    Stream stream_;
    std::shared_ptr<const Tables> tables_;  // of the moment it was accepted
    ring::Scope scope_;
    const Port* port_ = nullptr;
};

}  // namespace

ring::Task<> serve_connection(Context& context, std::string socket, ring::Socket client) {
    if (context.connections >= context.tables->limits.connections_max) {
        context.count_reason(Reason::connections_limit);
        client.abort();
        co_return;
    }
    context.count_connections(1);
    {
        Connection connection(context, std::move(socket), std::move(client));
        co_await connection.run().in(connection.scope());
    }
    context.count_connections(-1);
}

}  // namespace penstock::proxy
