// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/ports.hpp"

#include <cerrno>

#include "userspace/proxy/backend_connect.hpp"
#include "userspace/proxy/endpoint_change.hpp"
#include "userspace/proxy/h1_body.hpp"
#include "userspace/proxy/http_proxy.hpp"
#include "userspace/proxy/metrics_page.hpp"
#include "userspace/proxy/proxy_protocol.hpp"
#include "userspace/proxy/tunnel.hpp"
#include "userspace/tls/client_hello.hpp"
#include "userspace/tls/options.hpp"

namespace penstock::proxy {

namespace {

Reason reason_of(tls::Fault fault) {
    switch (fault) {
        case tls::Fault::not_tls: return Reason::tls_not_tls;
        case tls::Fault::malformed: return Reason::tls_malformed;
        case tls::Fault::version: return Reason::tls_version;
        case tls::Fault::suite: return Reason::tls_suite;
        case tls::Fault::alert: return Reason::tls_client_alert;
        case tls::Fault::name:
        case tls::Fault::no_name: return Reason::tls_no_name;
        case tls::Fault::unready: return Reason::tls_no_certificate;
        default: return Reason::tls_handshake;
    }
}

class Connection {
public:
    Connection(Context& context, std::string socket, ring::Socket client)
        : context_(context), socket_(std::move(socket)), stream_(std::move(client)), tables_(context.tables_now()), scope_(context.loop) {}

    ring::Scope& scope() { return scope_; }

    ring::Task<> run() {
        const auto found = tables_->ports.find(socket_);
        if (found == tables_->ports.end()) {
            context_.count_reason(Reason::no_host);  // accepted while the port was being taken away
            co_return;
        }
        port_ = &found->second;
        const bool known = co_await identify();
        if (!known) {
            co_return;
        }
        switch (port_->mode) {
            case fb::PortMode::Http: co_await serve_plain_http(); break;
            case fb::PortMode::Tls: co_await serve_tls(); break;
            case fb::PortMode::Tcp: co_await serve_tcp(); break;
            case fb::PortMode::Metrics: co_await serve_metrics(context_, std::move(stream_)); break;
            case fb::PortMode::Udp: break;  // not by connections
        }
    }

private:
    // Who the client is: what the proxy before us says, where there must be one, else who connected. False: it was refused.
    ring::Task<bool> identify() {
        source_ = stream_.socket().peer();
        if (tables_->counted.sends_proxy_headers()) {
            destination_ = stream_.socket().local();
        }
        if (port_->proxy_protocol != fb::ProxyProtocol::None) {
            const bool told = co_await read_proxy_header();
            if (!told) {
                co_return false;
            }
        }
        const std::uint32_t most = port_->limits.connections_per_source_max;
        if (most != 0 && source_ && !place_.take(context_.sources, source_->address, most)) {
            co_await refuse(Reason::source_limit);
            co_return false;
        }
        co_return true;
    }

    ring::Task<bool> read_proxy_header() {
        const ring::Time deadline = context_.in_ms(port_->limits.request_header_ms);
        ProxyHeader header;
        std::string seen;
        for (ProxyProgress progress = ProxyProgress::more; progress == ProxyProgress::more;) {
            ring::Received received = co_await stream_.socket().receive(deadline);
            if (!received) {
                co_await refuse(received.error == ETIMEDOUT ? Reason::header_timeout : Reason::client_closed);
                co_return false;
            }
            const std::size_t before = seen.size();
            seen += received.buffer.view();
            progress = parse_proxy_header(seen, port_->proxy_protocol, header);
            if (progress == ProxyProgress::done && header.size < seen.size()) {
                received.buffer.remove_prefix(header.size - before);
                stream_.socket().unread(std::move(received.buffer));
            }
            if (progress == ProxyProgress::rejected) {
                co_await refuse(Reason::proxy_header);
                co_return false;
            }
        }
        if (header.source) {
            source_ = header.source;
            destination_ = header.destination;
        }
        co_return true;
    }

    [[nodiscard]] std::string client_address() const { return source_ ? source_->address.text() : ""; }

    ring::Task<> serve_plain_http() {
        const Listener* const* listener = port_->listeners.find("");
        count_connection(listener != nullptr ? (*listener)->id : 0, listener != nullptr);
        co_await serve_http(context_, http_client(nullptr));
    }

    // `listener`: by SNI; null for plain HTTP.
    HttpClient http_client(const Listener* listener) {
        HttpClient client;
        client.facts.address = client_address();
        client.facts.port = port_->number;
        client.facts.tls = listener != nullptr;
        client.facts.tls_listener = listener != nullptr ? listener->name : "";
        client.facts.socket = socket_;
        client.facts.source = source_;
        client.facts.destination = destination_;
        client.limits = listener != nullptr ? listener->limits : port_->limits;
        client.stream = std::move(stream_);
        return client;
    }

    HttpClient https_client(const Listener& listener, std::string server_name) {
        HttpClient client = http_client(&listener);
        const tls::Facts& facts = client.stream.tls()->facts();
        client.facts.server_name = std::move(server_name);
        client.facts.tls_version = facts.version == tls::kTls13 ? "TLSv1.3" : "TLSv1.2";
        client.facts.tls_cipher = facts.cipher;
        client.facts.tls_resumed = facts.resumed;
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
        const ring::Time deadline = context_.in_ms(port_->limits.request_header_ms);
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

    // Nobody is here by that name. Where TLS passes through it is not ours to speak TLS, and a connection is reset, as the Gateway API's suite
    // asks for (TLSRouteHostnameIntersection).
    ring::Task<> refuse_name(const std::string& name) {
        if (port_->passes_through) {
            co_return co_await refuse(Reason::tls_no_name);
        }
        co_return co_await refuse_hello(name.empty() ? tls::Fault::no_name : tls::Fault::name);
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
            co_return co_await refuse_name(hello.server_name);
        }
        const Listener& listener = **found;
        count_connection(listener.id, true);
        if (listener.mode == fb::ListenerMode::TlsPassthrough) {
            co_await serve_raw(listener, hello.server_name, std::move(first));
            co_return;
        }
        if (listener.certificates == nullptr) {
            count(context_.listener(listener.id).tls_failed);
            co_return co_await refuse_hello(tls::Fault::unready);
        }
        if (const tls::Fault fault = listener.certificates->refusal(hello); fault != tls::Fault::none) {
            count(context_.listener(listener.id).tls_failed);
            co_return co_await refuse_hello(fault);
        }
        stream_.climb(context_.ladder);
        const int shaken = co_await stream_.handshake(listener.certificates->choose(hello), std::move(first), context_.in_ms(listener.limits.request_header_ms));
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
            co_await serve_http(context_, https_client(listener, hello.server_name));
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
        std::shared_ptr<const BackendSet> set = choice.backend->set;
        Wish wish = wish_of(*set, client_address());
        wish.fresh = true;
        wish.source = source_;
        wish.destination = destination_;
        BackendConnection connection = co_await connect_backend(context_, set, wish, ring::kNever);
        for (bool moved = false; connection.fault == Reason::backend_connect && !wish.failed.empty() && (!moved || connection.error == kEndpointLeft);) {
            auto next = co_await changed_set(context_, *set, wish, false, ring::kNever);
            if (next == nullptr) {
                break;
            }
            moved = moved || connection.error != kEndpointLeft;
            wish.move_to(*next);
            connection = BackendConnection();  // its claim is on the set that goes
            set = std::move(next);
            connection = co_await connect_backend(context_, set, wish, ring::kNever);
        }
        if (!connection.open()) {
            co_return co_await refuse(*connection.fault);
        }
        connection.claim.succeeded();
        Stream backend = std::move(connection.stream);
        const int sent = co_await backend.send(first, context_.in_ms(listener.limits.body_stall_ms));  // nothing if it is empty
        if (sent != 0) {
            co_return co_await refuse(Reason::backend_closed);
        }
        RawSide client_side(stream_);
        RawSide backend_side(backend);
        const TunnelBytes bytes = co_await tunnel(context_, {client_side.in, client_side.out}, {backend_side.in, backend_side.out}, scope_, listener.limits);
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
    std::optional<Endpoint> source_, destination_;  // of the client's connection; of one that a proxy before us has passed on
    SourcePlace place_;
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
