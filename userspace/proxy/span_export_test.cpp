// SPDX-License-Identifier: Apache-2.0
// Spans through real sockets; every case runs on both rings.
#include "userspace/proxy/span_export.hpp"

#include <nlohmann/json.hpp>

#include "userspace/proxy/span_text.hpp"
#include "userspace/proxy/testing.hpp"

using namespace penstock;
using namespace penstock::proxy;
using namespace penstock::proxy::testing;
using nlohmann::json;

namespace {

const std::string kTrace = "0af7651916cd43dd8448eb211c80319c";
const std::string kSpan = "b7ad6b7169203331";

// Takes exports and keeps their spans.
class Collector {
public:
    explicit Collector(std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}") : backend_([this, answer](Peer& peer) {
        for (;;) {
            const Message request = peer.message();
            if (!request.whole) {
                return;
            }
            {
                const std::lock_guard lock(mutex_);
                heads_.push_back(request.head);
                bodies_.push_back(json::parse(request.body));
            }
            peer.send(answer);
        }
    }) {}
    [[nodiscard]] const Endpoint& at() const { return backend_.at(); }
    json spans() {
        json all = json::array();
        const std::lock_guard lock(mutex_);
        for (const json& body : bodies_) {
            for (const json& span : body.at("resourceSpans").at(0).at("scopeSpans").at(0).at("spans")) {
                all.push_back(span);
            }
        }
        return all;
    }
    std::string head() {
        const std::lock_guard lock(mutex_);
        return heads_.empty() ? "" : heads_.front();
    }
    json body() {
        const std::lock_guard lock(mutex_);
        return bodies_.empty() ? json() : bodies_.front();
    }

private:
    std::mutex mutex_;
    std::vector<std::string> heads_;
    std::vector<json> bodies_;
    Backend backend_;
};

Snapshot traced(const Endpoint& backend, const Endpoint& collector, std::uint32_t sample = 1'000'000) {
    Snapshot snapshot = http_snapshot({backend});
    snapshot.backends("collector", {collector});
    snapshot.root.tracing = std::make_unique<fb::TracingT>();
    snapshot.root.tracing->backends = "collector";
    snapshot.root.tracing->sample_per_million = sample;
    snapshot.root.tracing->service_name = "edge";
    return snapshot;
}

json attribute(const json& span, const std::string& key) {
    for (const json& one : span.at("attributes")) {
        if (one.at("key") == key) {
            return one.at("value").begin().value();
        }
    }
    return nullptr;
}

std::string field_of(const std::string& head, const char* name) {
    Message message;
    message.head = head;
    return message.field(name);
}

}  // namespace

TEST_CASE("span_export: a request becomes a span of the client's trace, and the backend sees ours as its parent") {
    Backend backend(echo);
    Collector collector;
    Edge edge(ring_kind(), traced(backend.at(), collector.at(), 0));
    Peer client = edge.client();
    const Message answer = client.ask("GET /a?b=c HTTP/1.1\r\nHost: shop\r\ntraceparent: 00-" + kTrace + "-" + kSpan + "-01\r\ntracestate: v=1\r\n\r\n");
    REQUIRE(answer.status() == 200);
    REQUIRE(Edge::eventually([&] { return collector.spans().size() == 1; }));
    const json span = collector.spans()[0];
    CHECK(span["traceId"] == kTrace);
    CHECK(span["parentSpanId"] == kSpan);
    CHECK(field_of(answer.body, "traceparent") == "00-" + kTrace + "-" + span["spanId"].get<std::string>() + "-01");
    CHECK(field_of(answer.body, "tracestate") == "v=1");
    CHECK(span["kind"] == 2);
    CHECK(span["name"] == "GET /");
    CHECK(attribute(span, "http.response.status_code") == "200");
    CHECK(attribute(span, "url.path") == "/a");
    CHECK(span.dump().find("b=c") == std::string::npos);
    CHECK(attribute(span, "penstock.route") == "HTTPRoute/default/route");
    CHECK(attribute(span, "penstock.endpoint") == backend.at().text());
    CHECK(std::stoull(span["startTimeUnixNano"].get<std::string>()) <= std::stoull(span["endTimeUnixNano"].get<std::string>()));
    CHECK(field_of(collector.head(), "Content-Type") == "application/json");
    CHECK(collector.head().starts_with("POST /v1/traces HTTP/1.1\r\n"));
    CHECK(attribute(collector.body().at("resourceSpans").at(0).at("resource"), "service.name") == "edge");
    REQUIRE(Edge::eventually([&] { return edge.stats().spans_exported == 1; }));
}

TEST_CASE("span_export: who decides is the client, else our share") {
    Backend backend(echo);
    Collector collector;
    Edge edge(ring_kind(), traced(backend.at(), collector.at(), 0));
    Peer client = edge.client();
    const Message unsampled = client.ask("GET / HTTP/1.1\r\nHost: shop\r\ntraceparent: 00-" + kTrace + "-" + kSpan + "-00\r\n\r\n");
    CHECK(field_of(unsampled.body, "traceparent").ends_with("-00"));
    CHECK(field_of(unsampled.body, "traceparent").starts_with("00-" + kTrace));
    const Message fresh = client.ask("GET / HTTP/1.1\r\nHost: shop\r\ntraceparent: nonsense\r\ntracestate: v=1\r\n\r\n");
    CHECK(parse_traceparent(field_of(fresh.body, "traceparent")));
    CHECK(field_of(fresh.body, "traceparent").ends_with("-00"));
    CHECK(field_of(fresh.body, "tracestate") == "-");
    edge.on_thread([](Context& context) { CHECK_FALSE(context.spans.busy()); });
}

TEST_CASE("span_export: without tracing the fields pass through as they are") {
    Backend backend(echo);
    Edge edge(ring_kind(), http_snapshot({backend.at()}));
    const Message answer = edge.client().ask("GET / HTTP/1.1\r\nHost: a\r\ntraceparent: whatever\r\ntracestate: v=1\r\n\r\n");
    CHECK(field_of(answer.body, "traceparent") == "whatever");
    CHECK(field_of(answer.body, "tracestate") == "v=1");
}

TEST_CASE("span_export: a collector that is away stops no request; spans are kept up to a limit, then lost and counted") {
    Backend backend(always("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    Edge edge(ring_kind(), traced(backend.at(), nobody()));
    Peer client = edge.client();
    const std::string request = "GET /" + std::string(8000, 'x') + " HTTP/1.1\r\nHost: a\r\n\r\n";
    for (int i = 0; i < 400 && edge.stats().spans_lost == 0; ++i) {
        REQUIRE(client.ask(request).status() == 200);
    }
    CHECK(edge.stats().spans_lost > 0);
    CHECK(edge.stats().spans_exported == 0);
    const std::uint64_t before = edge.stats().spans_lost;
    edge.stop();  // what waits is lost, too
    CHECK(edge.stats().spans_lost > before);
}

TEST_CASE("span_export: a collector that refuses is not asked again, one that cannot now is") {
    Backend backend(echo);
    Collector refuses("HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n");
    Edge edge(ring_kind(), traced(backend.at(), refuses.at()));
    CHECK(edge.client().ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").status() == 200);
    REQUIRE(Edge::eventually([&] { return edge.stats().spans_lost == 1; }));
    Collector busy("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n");
    edge.serve(traced(backend.at(), busy.at()));
    CHECK(edge.client().ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").status() == 200);
    REQUIRE(Edge::eventually([&] { return busy.spans().size() == 2; }));
    CHECK(edge.stats().spans_lost == 1);
}

TEST_CASE("span_export: a method that nobody knows names no span") {
    Backend backend(echo);
    Collector collector;
    Edge edge(ring_kind(), traced(backend.at(), collector.at()));
    CHECK(edge.client().ask("BREW / HTTP/1.1\r\nHost: a\r\n\r\n").status() == 200);
    REQUIRE(Edge::eventually([&] { return collector.spans().size() == 1; }));
    CHECK(collector.spans()[0]["name"] == "HTTP /");
    CHECK(attribute(collector.spans()[0], "http.request.method") == "_OTHER");
    CHECK(attribute(collector.spans()[0], "http.request.method_original") == "BREW");
}
