// SPDX-License-Identifier: Apache-2.0
// Every reason of schema/reasons.hpp is produced here through real sockets, on both rings; a new one without a scene fails this file.
#include "userspace/http/test_h2.hpp"
#include "userspace/proxy/test_tls.hpp"

using namespace penstock;
using namespace penstock::proxy;
using namespace penstock::proxy::testing;

namespace {

const std::string kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

// What is served, and what a client does so that the reason is counted once.
struct Scene {
    Snapshot snapshot;
    std::function<void(Edge&)> act;
    ring::Options options = {};
};

// A refusal that the client can read: its status, and the reason in the answer.
std::function<void(Edge&)> answered(Reason reason, std::string request) {
    return [reason, request = std::move(request)](Edge& edge) {
        Peer client = edge.client();
        const Message answer = client.ask(request);
        CHECK(answer.status() == info(reason).status);
        CHECK(answer.field("X-Penstock-Reason") == info(reason).name);
        CHECK(answer.body.find(info(reason).name) != std::string::npos);
        CHECK(answer.field("X-Request-Id").size() == 24);
        CHECK(answer.body.find(answer.field("X-Request-Id")) != std::string::npos);
    };
}

Snapshot limited(const std::function<void(fb::LimitsT&)>& change, const std::vector<Endpoint>& ready = {}, fb::RuleT rule = {}) {
    RuleSpec spec;
    spec.rule = std::move(rule);
    Snapshot snapshot = http_snapshot(ready, {spec});
    change(*snapshot.root.limits);
    return snapshot;
}

// Datagrams from a socket of its own each.
void datagrams(Edge& edge, int clients, int each) {
    for (int c = 0; c < clients; ++c) {
        const Fd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        sockaddr_storage name{};
        const socklen_t size = edge.at().to_sockaddr(name);
        for (int i = 0; i < each; ++i) {
            ::sendto(fd.get(), "x", 1, 0, reinterpret_cast<sockaddr*>(&name), size);
        }
    }
}

Snapshot udp_snapshot(const Endpoint& backend) {
    Snapshot snapshot;
    snapshot.backends("web", {backend});
    snapshot.host("all", {RuleSpec{}});
    snapshot.port(fb::PortMode::Udp, {snapshot.listener(fb::ListenerMode::Udp, "", {{"", "all"}})});
    return snapshot;
}

// A rule with a mirror, asked with a body of five bytes.
Scene mirrored(Reason reason, std::vector<Endpoint> ready, const Endpoint& mirror) {
    RuleSpec rule;
    rule.rule.filters = std::make_unique<fb::FiltersT>();
    rule.rule.filters->mirrors.push_back(std::make_unique<fb::MirrorT>());
    rule.rule.filters->mirrors[0]->backends = "mirror";
    Snapshot snapshot = http_snapshot(ready, {rule});
    snapshot.backends("mirror", {mirror});
    snapshot.root.limits->retry_body_bytes_max = reason == Reason::mirror_body ? 4 : 65536;
    return {std::move(snapshot), [reason](Edge& edge) {
                if (reason == Reason::mirror_limit) {
                    edge.on_thread([](Context& context) { context.mirrors.copies = 1U << 20; });
                }
                Peer client = edge.client();
                CHECK(client.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcde").status() == 200);
            }};
}

// ---- the scenes ----------------------------------------------------------------------------------------------------------------
Scene refused_request(Reason reason) {
    switch (reason) {
        case Reason::bad_request: return {http_snapshot({}), answered(reason, "GET / HTTP/1.1\r\nHost : a\r\n\r\n")};
        case Reason::header_timeout:
            return {limited([](auto& limits) { limits.request_header_ms = 300; }), answered(reason, "GET / HTTP/1.1\r\nHo")};
        case Reason::header_too_large:
            return {limited([](auto& limits) { limits.header_bytes_max = 1000; }), answered(reason, "GET / HTTP/1.1\r\nHost: a\r\nX: " + pattern(1000) + "\r\n\r\n")};
        case Reason::body_too_large:
            return {limited([](auto& limits) { limits.body_bytes_max = 4; }), answered(reason, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcde")};
        case Reason::unsupported_version: return {http_snapshot({}), answered(reason, "GET / HTTP/2.0\r\nHost: a\r\n\r\n")};
        case Reason::expectation_failed: return {http_snapshot({}), answered(reason, "GET / HTTP/1.1\r\nHost: a\r\nExpect: magic\r\n\r\n")};
        case Reason::no_host: {
            Snapshot snapshot = http_snapshot({});
            snapshot.root.listeners[0]->hostname = "b.example";
            return {std::move(snapshot), answered(reason, kGet)};
        }
        case Reason::no_route: {
            RuleSpec rule;
            rule.path = "/only";
            return {http_snapshot({}, {rule}), answered(reason, kGet)};
        }
        case Reason::unresolved_backend: {
            RuleSpec rule;
            rule.backends = {{"missing", 1}};
            return {http_snapshot({}, {rule}), answered(reason, kGet)};
        }
        case Reason::no_backend: return {http_snapshot({}), answered(reason, kGet)};
        case Reason::cors_origin: {
            RuleSpec rule;
            rule.rule.filters = std::make_unique<fb::FiltersT>();
            rule.rule.filters->cors = std::make_unique<fb::CorsT>();
            return {http_snapshot({}, {rule}), answered(reason, "OPTIONS / HTTP/1.1\r\nHost: a\r\nOrigin: https://b\r\nAccess-Control-Request-Method: PUT\r\n\r\n")};
        }
        default: return {http_snapshot({nobody()}), answered(Reason::backend_connect, kGet)};
    }
}

Scene failed_exchange(Reason reason, std::optional<Backend>& backend) {
    const auto with = [&](Backend::Script script) {
        backend.emplace(std::move(script));
        return std::vector<Endpoint>{backend->at()};
    };
    switch (reason) {
        case Reason::backend_closed: return {http_snapshot(with([](Peer& peer) { peer.message(); })), answered(reason, kGet)};
        case Reason::backend_invalid: return {http_snapshot(with(always("HTTP/1.1 nonsense\r\n\r\n"))), answered(reason, kGet)};
        case Reason::backend_timeout: {
            fb::RuleT rule;
            rule.backend_request_ms = 50;
            return {limited([](auto&) {}, with([](Peer& peer) { peer.rest(); }), rule), answered(reason, kGet)};
        }
        case Reason::request_timeout: {
            fb::RuleT rule;
            rule.request_ms = 50;
            return {limited([](auto&) {}, with([](Peer& peer) { peer.rest(); }), rule), answered(reason, kGet)};
        }
        case Reason::client_closed:
            return {http_snapshot(with([](Peer& peer) { peer.rest(); })), [](Edge& edge) {
                        Peer client = edge.client();
                        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
                    }};
        case Reason::mirror_body:
        case Reason::mirror_limit:
        case Reason::mirror_failed: return mirrored(reason, with(echo), nobody());
        default:  // idle_timeout: half a body, then nothing
            return {limited([](auto& limits) { limits.body_stall_ms = 50; }, with([](Peer& peer) { peer.rest(); })), [](Edge& edge) {
                        Peer client = edge.client();
                        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
                        CHECK(client.ended());
                    }};
    }
}

Scene full_backend(std::optional<Backend>& backend) {
    backend.emplace([](Peer& peer) { peer.rest(); });
    Snapshot snapshot = http_snapshot({});
    snapshot.backends("web", {backend->at()}, fb::BackendProtocol::Http1, [](fb::BackendSetT& set) { set.connections_max = 1; });
    return {std::move(snapshot), [&backend](Edge& edge) {
                Peer first = edge.client();
                first.send(kGet);
                CHECK(Edge::eventually([&] { return backend->connections() == 1; }));
                answered(Reason::backend_full, kGet)(edge);
            }};
}

// A byte just before every gap would be one.
Scene slow_body(std::optional<Backend>& backend) {
    backend.emplace([](Peer& peer) { peer.rest(); });
    return {limited([](auto& limits) { limits.body_stall_ms = 300; }, {backend->at()}), [](Edge& edge) {
                Peer client = edge.client();
                client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n");
                for (int i = 0; i < 12 && edge.reasons(Reason::body_too_slow) == 0; ++i) {
                    std::this_thread::sleep_for(50ms);
                    client.send("x");
                }
                const Message answer = client.message();
                CHECK(answer.status() == 408);
                CHECK(answer.field("X-Penstock-Reason") == "body_too_slow");
            }};
}

// A client's hello that the listener's policy, or nobody, can serve.
std::function<void(Edge&)> hello_of(const std::function<void(SSL*)>& change) {
    return [change](Edge& edge) { CHECK_FALSE(TlsClient(edge.at(), "a.example", 0, change).connected); };
}

Scene refused_handshake(Reason reason) {
    switch (reason) {
        case Reason::tls_handshake:
            return {tls_snapshot(fb::ListenerMode::Https), [](Edge& edge) {
                        // Half a handshake.
                        Peer client = edge.client();
                        client.send(tls::testing::first_hello("a.example"));
                        client.end_sending();
                        client.rest();
                    }};
        case Reason::tls_malformed:
            return {tls_snapshot(fb::ListenerMode::Https), [](Edge& edge) {
                        Peer client = edge.client();
                        client.send(std::string("\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", 10));
                        CHECK(client.rest() == std::string("\x15\x03\x03\x00\x02\x02\x32", 7));  // decode_error
                    }};
        case Reason::tls_version:
            return {tls_snapshot(fb::ListenerMode::Https), hello_of([](SSL* ssl) {
                        SSL_set_security_level(ssl, 0);
                        SSL_set_min_proto_version(ssl, TLS1_VERSION);
                        SSL_set_max_proto_version(ssl, TLS1_1_VERSION);
                    })};
        case Reason::tls_suite: return {tls_snapshot(fb::ListenerMode::Https), hello_of([](SSL* ssl) { SSL_set1_groups_list(ssl, "P-521"); })};
        case Reason::tls_client_alert:
            return {tls_snapshot(fb::ListenerMode::Https), hello_of([](SSL* ssl) { SSL_set_verify(ssl, SSL_VERIFY_PEER, nullptr); })};
        case Reason::tls_not_tls:
            return {tls_snapshot(fb::ListenerMode::Https), [](Edge& edge) {
                        Peer client = edge.client();
                        client.send(kGet);
                        CHECK(client.ended());
                    }};
        case Reason::tls_no_name:
            return {tls_snapshot(fb::ListenerMode::Https), [](Edge& edge) {
                        Peer client = edge.client();
                        client.send(tls::testing::first_hello("c.example"));
                        CHECK(client.rest() == std::string("\x15\x03\x03\x00\x02\x02\x70", 7));  // unrecognized_name
                    }};
        default:
            return {tls_snapshot(fb::ListenerMode::Https, {}, false), [](Edge& edge) {
                        Peer client = edge.client();
                        client.send(tls::testing::first_hello("a.example"));
                        CHECK(client.rest() == std::string("\x15\x03\x03\x00\x02\x02\x50", 7));  // internal_error
                    }};
    }
}

Scene broken_http2(const std::string& frames) {
    return {http_snapshot({}), [frames](Edge& edge) {
                Peer client = edge.client();
                client.send(http::testing::preface() + frames);
                client.rest();
            }};
}

std::string repeated(const std::string& text, int times) {
    std::string all;
    while (times-- > 0) {
        all += text;
    }
    return all;
}

Scene refused_connection(Reason reason) {
    switch (reason) {
        case Reason::h2_protocol: return broken_http2(http::testing::frame(http::testing::kData, 0, 0, "x"));
        case Reason::h2_flood: return broken_http2(repeated(http::testing::frame(http::testing::kPing, 0, 0, "12345678"), 1000));
        case Reason::misdirected:
            return {tls_snapshot(fb::ListenerMode::Https), [](Edge& edge) {
                        TlsClient client(edge.at(), "a.example");
                        CHECK(client.ask("GET / HTTP/1.1\r\nHost: b.example\r\n\r\n").status() == 421);
                    }};
        default:
            return {limited([reason](auto& limits) { (reason == Reason::source_limit ? limits.connections_per_source_max : limits.connections_max) = 1; }), [](Edge& edge) {
                        Peer first = edge.client();
                        CHECK(first.ask(kGet).status() == 503);
                        Peer second = edge.client();
                        CHECK(second.ended());
                        first.close();
                        CHECK(Edge::eventually([&] { return edge.client().ask(kGet).status() == 503; }));
                    }};
    }
}

Scene refused_datagrams(Reason reason, const Endpoint& sink) {
    Scene scene{udp_snapshot(sink), {}};
    if (reason == Reason::udp_flows_limit) {
        scene.act = [](Edge& edge) {
            edge.on_thread([](Context& context) { context.udp_flows_max = 2; });
            datagrams(edge, 3, 1);
        };
    } else {
        scene.options.datagrams_max = 0;
        scene.act = [](Edge& edge) { datagrams(edge, 1, 1); };
    }
    return scene;
}

}  // namespace

TEST_CASE("reasons: each is produced, counted once, and told where that is possible") {
    const ring::Kind kind = ring_kind();
    for (std::size_t i = 0; i < kReasonCount; ++i) {
        const auto reason = static_cast<Reason>(i);
        INFO(info(reason).name);
        std::optional<Backend> backend;
        const Fd sink = bound(SOCK_DGRAM);
        std::optional<Scene> scene;
        switch (reason) {
            case Reason::bad_request:
            case Reason::header_timeout:
            case Reason::header_too_large:
            case Reason::body_too_large:
            case Reason::unsupported_version:
            case Reason::expectation_failed:
            case Reason::no_host:
            case Reason::no_route:
            case Reason::unresolved_backend:
            case Reason::no_backend:
            case Reason::cors_origin:
            case Reason::backend_connect: scene = refused_request(reason); break;
            case Reason::backend_closed:
            case Reason::backend_invalid:
            case Reason::backend_timeout:
            case Reason::request_timeout:
            case Reason::client_closed:
            case Reason::mirror_body:
            case Reason::mirror_limit:
            case Reason::mirror_failed:
            case Reason::idle_timeout: scene = failed_exchange(reason, backend); break;
            case Reason::tls_handshake:
            case Reason::tls_not_tls:
            case Reason::tls_no_name:
            case Reason::tls_no_certificate:
            case Reason::tls_malformed:
            case Reason::tls_version:
            case Reason::tls_suite:
            case Reason::tls_client_alert: scene = refused_handshake(reason); break;
            case Reason::backend_tls: {
                backend.emplace([](Peer& peer) { peer.send("this is no TLS\r\n"); });
                Snapshot snapshot = http_snapshot({});
                fb::BackendSetT set;
                set.object = object("Service", "web");
                auto endpoint = std::make_unique<fb::BackendEndpointT>();
                endpoint->address = address(backend->at().address);
                endpoint->port = backend->at().port;
                set.endpoints.push_back(std::move(endpoint));
                set.tls = std::make_unique<fb::BackendTlsT>();
                set.tls->server_name = "shop.example";
                set.tls->trust = "ca";
                snapshot.part(fb::PartKind::Backends, "web", set);
                fb::TrustBundleT trust;
                trust.pem = tls::testing::make_certificate("ca").chain;
                snapshot.part(fb::PartKind::Trust, "ca", trust);
                scene = Scene{std::move(snapshot), answered(reason, kGet)};
                break;
            }
            case Reason::backend_full: scene = full_backend(backend); break;
            case Reason::body_too_slow: scene = slow_body(backend); break;
            case Reason::proxy_header: {
                Snapshot snapshot = http_snapshot({});
                snapshot.root.listeners[0]->client_address = std::make_unique<fb::ClientAddressT>();
                snapshot.root.listeners[0]->client_address->proxy_protocol = fb::ProxyProtocol::Any;
                scene = Scene{std::move(snapshot), [](Edge& served) {
                                  Peer client = served.client();
                                  client.send(kGet);
                                  CHECK(client.ended());
                              }};
                break;
            }
            case Reason::misdirected:
            case Reason::h2_protocol:
            case Reason::h2_flood:
            case Reason::source_limit:
            case Reason::connections_limit: scene = refused_connection(reason); break;
            case Reason::udp_flows_limit:
            case Reason::out_of_buffers: scene = refused_datagrams(reason, local_of(sink.get())); break;
            case Reason::draining: continue;  // the worker's: worker_test.cpp
        }
        REQUIRE(scene);
        Edge edge(kind, scene->snapshot, scene->options);
        scene->act(edge);
        CHECK(edge.counted(reason));
        edge.stop();
    }
}
