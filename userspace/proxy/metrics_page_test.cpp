// SPDX-License-Identifier: Apache-2.0
// /metrics: its text, and the port that serves it, on both rings.
#include "userspace/proxy/metrics_page.hpp"

#include "userspace/proxy/metrics_text.hpp"
#include "userspace/proxy/test_metrics.hpp"
#include "userspace/proxy/testing.hpp"
#include "userspace/base/zeroed.hpp"

using namespace penstock;
using namespace penstock::proxy;
using namespace penstock::proxy::testing;

namespace {

Zeroed<StatsPage> make_page(std::uint32_t slots) {
    auto page = zeroed<StatsPage>();
    REQUIRE(page.ok());
    (*page)->slots = slots;
    return std::move(*page);
}

std::string text_of(const StatsPage& page, std::shared_ptr<const Tables> tables) {
    MetricsText text(page, std::move(tables));
    std::string all;
    for (bool more = true; more;) {
        std::string piece;
        more = text.next(piece);
        CHECK(piece.size() < MetricsText::kPiece + 8192);
        all += piece;
    }
    return all;
}

std::shared_ptr<const Tables> tables_of(const Snapshot& snapshot) {
    auto built = snapshot.build();
    REQUIRE(built.ok());
    return built->tables;
}

Snapshot metrics_snapshot() {
    Snapshot snapshot = http_snapshot({});
    snapshot.root.ports[0]->socket = "other";
    snapshot.port(fb::PortMode::Metrics, {}, "edge", 9650);
    std::swap(snapshot.root.ports[0], snapshot.root.ports[1]);
    return snapshot;
}

}  // namespace

TEST_CASE("metrics_page: the text is what Prometheus reads, sums threads and names things") {
    const auto page = make_page(2);
    count(page->slot[0].rules[0].status_class[2], 3);
    count(page->slot[1].rules[0].status_class[2], 4);
    count(page->slot[1].rules[0].durations, 100);      // us
    count(page->slot[1].rules[0].durations, 2'000'000);
    count(page->slot[1].rules[0].durations, 100'000'000);
    count(page->slot[0].sets[0].connect_failures, 5);
    count(page->slot[0].listeners[0].tls_resumed, 6);
    count(page->slot[0].reasons[static_cast<std::size_t>(Reason::no_route)], 7);
    count(page->daemon.verdicts[0], 8);
    count(page->daemon.reconciles_event, 14);
    count(page->daemon.reconciles_resync, 15);
    count(page->daemon.resync_repairs, 16);
    count(page->slot[0].tls_openssl_total, 9);
    count(page->slot[1].tls_own_total, 13);
    count(page->slot[0].ktls_write_total, 12);
    count(page->slot[0].ktls_read_total, 10);
    count(page->slot[1].ktls_read_total, 1);
    count(page->slot[1].spliced_bytes_total, 1 << 20);
    page->slot[0].generation = 4;
    page->slot[1].generation = 3;
    Snapshot snapshot = http_snapshot({});
    snapshot.root.generation = 4;
    const MetricsReading reading(text_of(*page, tables_of(snapshot)));
    CHECK(reading.types.size() == kMetrics.size());
    CHECK(reading.samples.at(R"(penstock_route_requests_total{route="HTTPRoute/default/route",rule="0",code="2xx"})") == 7);
    const std::string durations = R"(penstock_route_request_duration_seconds_bucket{route="HTTPRoute/default/route",rule="0",le=)";
    CHECK(reading.samples.at(durations + R"("0.000256"})") == 1);
    CHECK(reading.samples.at(durations + R"("1.048576"})") == 1);
    CHECK(reading.samples.at(durations + R"("4.194304"})") == 2);
    CHECK(reading.samples.at(durations + R"("67.108864"})") == 2);
    CHECK(reading.samples.at(durations + R"("+Inf"})") == 3);
    CHECK(reading.samples.at(R"(penstock_route_request_duration_seconds_sum{route="HTTPRoute/default/route",rule="0"})") == 102.0001);
    CHECK(reading.samples.at(R"(penstock_service_connect_failures_total{service="Service default/web:80"})") == 5);
    CHECK(reading.samples.at(R"(penstock_listener_tls_handshakes_total{listener="Gateway/default/edge/0",result="resumed"})") == 6);
    CHECK(reading.samples.at(R"(penstock_refused_total{reason="no_route"})") == 7);
    CHECK(reading.samples.at(R"(penstock_packets_total{verdict="PASS_NOT_READY",class="PASS"})") == 8);
    CHECK(reading.samples.at(R"(penstock_tls_connections_total{records="openssl"})") == 9);
    CHECK(reading.samples.at(R"(penstock_tls_connections_total{records="own"})") == 13);
    CHECK(reading.samples.at(R"(penstock_ktls_connections_total{direction="write"})") == 12);
    CHECK(reading.samples.at(R"(penstock_ktls_connections_total{direction="read"})") == 11);
    CHECK(reading.samples.at("penstock_spliced_bytes_total") == 1 << 20);
    CHECK(reading.samples.at(R"(penstock_reconciles_total{cause="event"})") == 14);
    CHECK(reading.samples.at(R"(penstock_reconciles_total{cause="resync"})") == 15);
    CHECK(reading.samples.at("penstock_resync_repairs_total") == 16);
    CHECK(reading.samples.at("penstock_generation") == 3);
    CHECK(reading.samples.at("penstock_worker_threads") == 2);
}

TEST_CASE("metrics_page: names are escaped") {
    Snapshot snapshot = http_snapshot({});
    snapshot.root.listeners[0]->name = "a\"b\\c\nd";
    const auto page = make_page(1);
    const MetricsReading reading(text_of(*page, tables_of(snapshot)));
    CHECK(reading.samples.contains(R"(penstock_listener_connections_total{listener="a\"b\\c\nd"})"));
}

TEST_CASE("metrics_page: more rules and services than have rows are summed, so that the answer stays bounded") {
    std::vector<RuleSpec> rules(kMetricsRowsMax + 200);
    for (std::size_t i = 0; i < rules.size(); ++i) {
        rules[i].path = "/" + std::to_string(i);
        rules[i].rule.index = static_cast<std::uint32_t>(i);
    }
    const Snapshot snapshot = http_snapshot({}, rules);
    const auto page = make_page(1);
    for (std::size_t id = 0; id < rules.size(); ++id) {
        count(page->slot[0].rules[id].status_class[5]);
    }
    const MetricsReading reading(text_of(*page, tables_of(snapshot)));
    // Rule 0 has the number that is shared, and comes last.
    CHECK(reading.samples.at(R"(penstock_route_requests_total{route="_other",rule="",code="5xx"})") == 200);
    CHECK(reading.samples.at(R"(penstock_route_requests_total{route="HTTPRoute/default/route",rule="1000",code="5xx"})") == 1);
    CHECK_FALSE(reading.samples.contains(R"(penstock_route_requests_total{route="HTTPRoute/default/route",rule="1001",code="5xx"})"));
}

TEST_CASE("metrics_page: the port serves /metrics and /healthz on one connection, and nothing else") {
    const auto page = make_page(1);
    Edge edge(ring_kind(), metrics_snapshot());
    edge.on_thread([&](Context& context) { context.stats_page = page.get(); });
    Peer client = edge.client();
    for (int i = 0; i < 2; ++i) {
        const Message metrics = client.ask("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
        CHECK(metrics.status() == 200);
        CHECK(metrics.whole);
        CHECK(metrics.field("Content-Type") == "text/plain; version=0.0.4; charset=utf-8");
        const MetricsReading reading(metrics.body);
        CHECK(reading.samples.contains("penstock_worker_threads"));
    }
    CHECK(client.ask("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").body == "ok\n");
    CHECK(client.ask("HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n", "HEAD").status() == 200);
    CHECK(client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").status() == 404);
    CHECK(client.ask("DELETE /metrics HTTP/1.1\r\nHost: a\r\n\r\n").status() == 405);
    CHECK(client.ask("GET /metrics HTTP/1.0\r\n\r\n").body.find("penstock_worker_threads 1\n") != std::string::npos);
    CHECK(edge.client().ask("POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc").status() == 413);
    CHECK(edge.client().ask("GET /metrics HTTP/1.1\r\nHost : a\r\n\r\n").status() == 400);
    CHECK(edge.client().ask("GET /" + std::string(9000, 'x') + " HTTP/1.1\r\n\r\n").status() >= 400);
}

TEST_CASE("metrics_page: a drain ends connections that wait") {
    Edge edge(ring_kind(), metrics_snapshot());
    Peer client = edge.client();
    CHECK(client.ask("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").status() == 200);
    edge.on_thread([](Context& context) {
        context.drain();
        context.end_waiting();
    });
    CHECK(client.ended());
}
