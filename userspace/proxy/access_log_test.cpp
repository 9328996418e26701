// SPDX-License-Identifier: Apache-2.0
// The access log through real sockets; every case runs on both rings.
#include "userspace/proxy/access_log.hpp"

#include <nlohmann/json.hpp>
#include <sstream>

#include "userspace/proxy/test_tls.hpp"

using namespace penstock;
using namespace penstock::proxy;
using namespace penstock::proxy::testing;
using nlohmann::json;

namespace {

// An edge whose log can be read here.
class LoggedEdge {
public:
    explicit LoggedEdge(Snapshot& snapshot, fb::LogFormat format = fb::LogFormat::Json, std::uint32_t sample = 1'000'000) {
        snapshot.root.access_log = std::make_unique<fb::AccessLogT>();
        snapshot.root.access_log->format = format;
        snapshot.root.access_log->sample_per_million = sample;
        std::array<int, 2> fds{};
        REQUIRE(::pipe2(fds.data(), O_CLOEXEC) == 0);
        read_ = Fd(fds[0]);
        Fd write(fds[1]);
        writer_ = std::make_unique<LineWriter>(std::move(write));
        edge = std::make_unique<Edge>(ring_kind(), snapshot);
        edge->on_thread([this](Context& context) { context.access_log.write_to(writer_.get()); });
    }
    // Ends the edge; all that it wrote.
    std::vector<std::string> lines() {
        edge->stop();
        writer_.reset();
        std::string all;
        char bytes[65536];
        for (ssize_t got = 0; (got = ::read(read_.get(), bytes, sizeof bytes)) > 0;) {
            all.append(bytes, static_cast<std::size_t>(got));
        }
        std::vector<std::string> list;
        std::istringstream stream(all);
        for (std::string line; std::getline(stream, line);) {
            list.push_back(line);
        }
        return list;
    }
    std::unique_ptr<Edge> edge;

private:
    Fd read_;
    std::unique_ptr<LineWriter> writer_;
};

}  // namespace

TEST_CASE("access_log: each request has a line, with its reason where it was refused") {
    Backend backend(echo);
    Snapshot snapshot = http_snapshot({backend.at()}, {{.path = "/a"}});
    LoggedEdge logged(snapshot);
    Peer client = logged.edge->client();
    CHECK(client.ask("POST /a?x=1 HTTP/1.1\r\nHost: shop\r\nUser-Agent: me\r\nX-Request-ID: id-7\r\nContent-Length: 3\r\n\r\nabc").status() == 200);
    CHECK(client.ask("GET /none HTTP/1.1\r\nHost: shop\r\n\r\n").status() == 404);
    const std::string bad = "GET / HTTP/1.1\r\n\r\n";
    const Message refused = client.ask(bad);
    CHECK(refused.status() == 400);
    const auto lines = logged.lines();
    REQUIRE(lines.size() == 3);
    const json served = json::parse(lines[0]);
    CHECK(served["method"] == "POST");
    CHECK(served["target"] == "/a?");
    CHECK(served["host"] == "shop");
    CHECK(served["status"] == 200);
    CHECK(served["route"] == "HTTPRoute/default/route");
    CHECK(served["service"] == "Service default/web:80");
    CHECK(served["endpoint"] == backend.at().text());
    CHECK(served["request_id"] == "id-7");
    CHECK(served["user_agent"] == "me");
    CHECK(served["client"] == "127.0.0.1");
    CHECK(served["bytes_in"].get<int>() > 3);
    CHECK(served["bytes_out"].get<int>() > 3);
    CHECK(served["first_byte_us"].get<int>() <= served["duration_us"].get<int>());
    CHECK_FALSE(served.contains("reason"));
    const json unknown = json::parse(lines[1]);
    CHECK(unknown["reason"] == "no_route");
    CHECK(unknown["request_id"].get<std::string>().size() == 24);
    CHECK_FALSE(unknown.contains("route"));
    const json unread = json::parse(lines[2]);
    CHECK(unread["reason"] == "bad_request");
    CHECK(unread["listener"] == served["listener"]);
    CHECK(unread["bytes_in"] == bad.size());
    CHECK(unread["bytes_out"] == refused.head.size() + refused.body.size());
    CHECK(unread["request_id"] == refused.field("X-Request-Id"));
    CHECK(refused.field("X-Request-Id").size() == 24);
    CHECK(refused.body.find(refused.field("X-Request-Id")) != std::string::npos);
}

TEST_CASE("access_log: what TLS came to is on the line") {
    Backend backend(echo);
    Snapshot snapshot = tls_snapshot(fb::ListenerMode::Https, {backend.at()});
    LoggedEdge logged(snapshot, fb::LogFormat::Text);
    {
        TlsClient client(logged.edge->at(), "a.example");
        REQUIRE(client.connected);
        CHECK(client.ask("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n").status() == 200);
    }
    CHECK(Edge::eventually([&] { return logged.edge->stats().listeners[0].tls_full == 1; }));
    const auto lines = logged.lines();
    REQUIRE(lines.size() == 1);
    CHECK(lines[0].find(" tls=\"TLSv1.3\" cipher=\"TLS_") != std::string::npos);
    CHECK(lines[0].find(" sni=\"a.example\" resumed=0") != std::string::npos);
}

TEST_CASE("access_log: a sample leaves errors in") {
    Backend backend(echo);
    Snapshot snapshot = http_snapshot({backend.at()}, {{.path = "/a"}});
    LoggedEdge logged(snapshot, fb::LogFormat::Json, 0);
    Peer client = logged.edge->client();
    for (int i = 0; i < 5; ++i) {
        CHECK(client.ask("GET /a HTTP/1.1\r\nHost: shop\r\n\r\n").status() == 200);
    }
    CHECK(client.ask("GET /none HTTP/1.1\r\nHost: shop\r\n\r\n").status() == 404);
    CHECK(logged.lines().size() == 1);
    CHECK(logged.edge->stats().log_lines == 1);
    CHECK(logged.edge->stats().log_lines_lost == 0);
}

TEST_CASE("access_log: a reader that is stuck stops no request, and what it misses is counted") {
    Backend backend(always("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    Snapshot snapshot = http_snapshot({backend.at()});
    LoggedEdge logged(snapshot);
    Peer client = logged.edge->client();
    const std::string request = "GET /" + std::string(8000, 'x') + " HTTP/1.1\r\nHost: a\r\n\r\n";
    for (int i = 0; i < 800 && logged.edge->stats().log_lines_lost == 0; ++i) {
        REQUIRE(client.ask(request).status() == 200);
    }
    CHECK(logged.edge->stats().log_lines_lost > 0);
}
