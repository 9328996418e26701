// SPDX-License-Identifier: Apache-2.0
#include "ctl/status/writer.hpp"

#include <deque>

#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::status;
using model::Kind;
using model::ObjectKey;
using nlohmann::json;
using std::chrono::milliseconds;

namespace {

constexpr const char* kController = "penstock.dev/gateway-controller";
const ObjectKey kClass{Kind::gateway_class, "", "penstock"};
const ObjectKey kGateway{Kind::gateway, "default", "edge"};
const ObjectKey kSet{Kind::listener_set, "default", "more"};
const ObjectKey kRoute{Kind::http_route, "default", "shop"};

std::shared_ptr<const json> status_of(const std::string& value) {
    return std::make_shared<const json>(json{{"conditions", json::array({{{"type", "Accepted"}, {"status", value}, {"lastTransitionTime", "t"}}})}});
}

// A server in memory: it takes a patch if its version is the object's.
struct Server {
    struct Pending {
        ObjectKey key;
        json patch;
        Writer::Done done;
    };
    std::map<ObjectKey, Target> objects;
    std::deque<Pending> pending;
    int version = 100;
    Writer::Time now{std::chrono::hours(1)};

    Writer writer{kController, [this](const ObjectKey& key) { return objects.contains(key) ? std::optional(objects.at(key)) : std::nullopt; },
                  [this](const kubeapi::Request& request, Writer::Done done) {
                      for (const auto& [key, target] : objects) {
                          if (target.path == request.path) {
                              pending.push_back({key, json::parse(request.body), std::move(done)});
                              return;
                          }
                      }
                      pending.push_back({{}, json(), std::move(done)});
                  },
                  [this](const ObjectKey& key, std::string at, json status) { objects[key] = {objects[key].path, std::move(at), std::move(status)}; }};

    void put(const ObjectKey& key, json status = nullptr) {
        objects[key] = {"/" + key.text(), std::to_string(++version), std::move(status)};
        writer.seen(key);
    }
    void want(const ObjectKey& key, const std::string& value) { writer.want(key, std::make_shared<const std::string>(status_of(value)->dump())); }
    std::optional<Writer::Time> pump() { return writer.pump(now, 1'800'000'000); }
    // Which objects are being written.
    [[nodiscard]] std::string flying() const {
        std::string out;
        for (const Pending& one : pending) {
            out += one.key.text() + ",";
        }
        return out;
    }
    void answer(long code = 0, std::string body = "{}") {
        Pending one = std::move(pending.front());
        pending.pop_front();
        if (code == 0) {
            Target& target = objects.at(one.key);
            if (one.patch["metadata"]["resourceVersion"] != target.version) {
                code = 409;
            } else {
                code = 200;
                json status = target.status.is_object() ? target.status : json::object();
                status.merge_patch(one.patch["status"]);
                body = json{{"metadata", {{"resourceVersion", std::to_string(++version)}}}, {"status", status}}.dump();
            }
        }
        one.done(kubeapi::Answer{.status = code, .body = body, .retry_after = {}});
    }
};

}  // namespace

TEST_CASE("writer: what differs is written once, and what is right is not") {
    Server server;
    server.put(kRoute);
    server.want(kRoute, "True");
    server.pump();
    REQUIRE(server.flying() == "HTTPRoute default/shop,");
    server.answer();
    CHECK(server.objects[kRoute].status["conditions"][0]["status"] == "True");
    server.writer.seen(kRoute);
    server.pump();
    CHECK(server.flying().empty());
    CHECK(server.writer.written() == 1);
    server.put(kRoute, *status_of("True"));
    server.pump();
    CHECK(server.flying().empty());
}

TEST_CASE("writer: a look at all finds what no event told of, and writes nothing else") {
    Server server;
    for (const ObjectKey& key : {kClass, kRoute}) {
        server.put(key);
        server.want(key, "True");
        server.pump();
        server.answer();
    }
    server.writer.look_again();
    server.pump();
    CHECK(server.flying().empty());
    server.objects[kRoute].status = *status_of("False");  // and nobody said so
    server.objects[kRoute].version = "7777";
    server.pump();
    CHECK(server.flying().empty());
    server.now += std::chrono::minutes(1);
    server.writer.look_again();
    server.pump();
    CHECK(server.flying() == "HTTPRoute default/shop,");
}

TEST_CASE("writer: a form that the server makes of ours is not written again and again") {
    Server server;
    server.put(kRoute);
    server.want(kRoute, "True");
    server.pump();
    const std::string version = std::to_string(++server.version);
    server.answer(200, json{{"metadata", {{"resourceVersion", version}}}, {"status", {{"conditions", json::array()}}}}.dump());
    server.writer.seen(kRoute);
    server.pump();
    CHECK(server.flying().empty());
    server.objects[kRoute].version = "999";  // but somebody else's change is
    server.writer.seen(kRoute);
    server.pump();
    CHECK_FALSE(server.flying().empty());
}

TEST_CASE("writer: classes first, ListenerSets before Gateways") {
    Server server;
    for (const ObjectKey& key : {kRoute, kGateway, kSet, kClass}) {
        server.put(key);
        server.want(key, "True");
    }
    server.pump();
    CHECK(server.flying() == "GatewayClass penstock,ListenerSet default/more,HTTPRoute default/shop,");
    server.answer();
    server.pump();
    CHECK(server.flying() == "ListenerSet default/more,HTTPRoute default/shop,");
    server.answer();
    server.pump();
    CHECK(server.flying() == "HTTPRoute default/shop,Gateway default/edge,");
    server.answer();
    server.answer();
    server.put(kSet, *status_of("True"));  // nothing to write: a Gateway need not wait
    server.want(kGateway, "False");
    server.pump();
    CHECK(server.flying() == "Gateway default/edge,");
}

TEST_CASE("writer: a ListenerSet that cannot be written, or changes all the time, holds up no Gateway") {
    struct Case {
        const char* name;
        int code;      // of what the server says to the set
        bool changes;
    };
    for (const Case& one : {Case{"refused", 422, false}, Case{"refused and changing", 422, true}, Case{"changing", 0, true}}) {
        INFO(one.name);
        Server server;
        server.put(kGateway);
        server.put(kSet);
        server.want(kSet, "True");
        int gateways = 0;
        for (int i = 0; i < 100; ++i) {
            server.now += milliseconds(100);
            if (one.changes) {
                server.want(kSet, std::to_string(i));
            }
            if (i % 10 == 0) {
                server.want(kGateway, std::to_string(i));
            }
            server.pump();
            while (!server.pending.empty()) {
                const bool set = server.pending[0].key == kSet;
                gateways += set ? 0 : 1;
                server.answer(set ? one.code : 0);
            }
        }
        CHECK(gateways == 10);
    }
}

TEST_CASE("writer: a server that does not know an object that it has is asked again") {
    Server server;
    server.put(kRoute);
    server.want(kRoute, "True");
    server.pump();
    server.answer(404);
    const auto again = server.pump();
    REQUIRE(again.has_value());
    server.now = *again;
    server.pump();
    CHECK(server.flying() == "HTTPRoute default/shop,");
    CHECK(server.writer.troubles().empty());
}

TEST_CASE("writer: the words for a deleted object are not said of the next of its name") {
    Server server;
    const auto of_generation = [](int generation) {
        return std::make_shared<const std::string>(json{{"conditions", json::array({{{"type", "Accepted"}, {"status", "True"}, {"observedGeneration", generation}, {"lastTransitionTime", "t"}}})}}.dump());
    };
    server.put(kRoute);
    server.objects[kRoute].generation = 1;
    server.writer.want(kRoute, of_generation(5));
    server.pump();
    CHECK(server.flying().empty());
    server.writer.want(kRoute, of_generation(1));
    server.pump();
    CHECK(server.flying() == "HTTPRoute default/shop,");
}

TEST_CASE("writer: a last word is said once, and not against somebody else's") {
    const std::string last = R"({"conditions":[{"type":"Accepted","status":"Unknown","lastTransitionTime":"t"}]})";
    for (const bool conflict : {false, true}) {
        Server server;
        server.put(kGateway, *status_of("True"));
        server.want(kGateway, "True");
        server.pump();
        server.writer.part(kGateway, last);
        server.pump();
        REQUIRE(server.flying() == "Gateway default/edge,");
        if (conflict) {
            server.put(kGateway, *status_of("Theirs"));
        }
        server.answer();
        server.put(kGateway, *status_of("Theirs"));
        server.now += milliseconds(5000);
        server.pump();
        CHECK(server.flying().empty());
        CHECK(server.objects[kGateway].status == *status_of("Theirs"));
    }
    Server failing;  // a server that fails is asked again, one that has another version of the same words, too
    failing.put(kGateway, *status_of("True"));
    failing.want(kGateway, "True");
    failing.pump();
    failing.writer.part(kGateway, last);
    failing.pump();
    failing.answer(503);
    failing.now += milliseconds(5000);
    failing.pump();
    failing.put(kGateway, *status_of("True"));
    failing.answer();
    failing.now += milliseconds(5000);
    failing.pump();
    failing.answer();
    CHECK(failing.objects[kGateway].status["conditions"][0]["status"] == "Unknown");
    CHECK(failing.writer.troubles().empty());

    Server led;  // who does not write any more says no last words later
    led.put(kGateway, *status_of("True"));
    led.want(kGateway, "True");
    led.pump();
    led.writer.part(kGateway, last);
    led.writer.enable(false);
    led.writer.enable(true);
    led.pump();
    CHECK(led.flying().empty());

    Server late;  // what was said before it is still on its way
    late.put(kGateway);
    late.want(kGateway, "True");
    late.pump();
    late.writer.part(kGateway, last);
    late.answer();
    late.pump();
    late.answer();
    CHECK(late.objects[kGateway].status["conditions"][0]["status"] == "Unknown");

    Server other;
    other.put(kGateway, *status_of("True"));
    other.writer.enable(false);
    other.writer.part(kGateway, last);
    other.writer.enable(true);
    other.pump();
    CHECK(other.flying().empty());  // who wrote then has said it
}

TEST_CASE("writer: an odd answer ends nothing") {
    for (const std::string body : {R"({"metadata":{"resourceVersion":7},"status":{}})", R"({"metadata":[1],"status":1})", "[]", "x", R"({"metadata":{"resourceVersion":"7"},"status":5})"}) {
        Server server;
        server.put(kRoute);
        server.want(kRoute, "True");
        server.pump();
        server.answer(200, body);
        server.pump();
        CHECK(server.writer.written() == 1);
    }
}

TEST_CASE("writer: one at a time per object, and the newest wish goes next") {
    Server server;
    server.put(kRoute);
    server.want(kRoute, "True");
    server.pump();
    server.want(kRoute, "False");
    server.want(kRoute, "Unknown");
    server.pump();
    CHECK(server.pending.size() == 1);
    server.answer();
    server.pump();
    REQUIRE(server.pending.size() == 1);
    CHECK(server.pending[0].patch["status"]["conditions"][0]["status"] == "Unknown");
}

TEST_CASE("writer: an object that changes all the time is written at a pace, and its last word is") {
    Server server;
    server.put(kGateway);
    int written = 0;
    std::optional<Writer::Time> again;
    for (int i = 0; i < 500; ++i) {
        server.now += milliseconds(10);
        server.want(kGateway, std::to_string(i));
        again = server.pump();
        if (!server.pending.empty()) {
            server.answer();
            ++written;
        }
    }
    CHECK(written <= 8);  // three, then one a second
    CHECK(written >= 7);
    REQUIRE(again.has_value());
    CHECK(*again <= server.now + milliseconds(150));  // quiet now: the last word does not wait for its second
    server.now = *again;
    server.pump();
    server.answer();
    CHECK(server.objects[kGateway].status["conditions"][0]["status"] == "499");
}

TEST_CASE("writer: one that falls quiet between its changes is not written more often for it") {
    Server server;
    server.put(kGateway);
    int written = 0;
    for (int i = 0; i < 100; ++i) {
        server.want(kGateway, std::to_string(i));
        for (int step = 0; step < 20; ++step) {  // a change each 200 ms
            server.now += milliseconds(10);
            server.pump();
            if (!server.pending.empty()) {
                server.answer();
                ++written;
            }
        }
    }
    CHECK(written <= 26);  // five, then one a second for 20 s
    CHECK(written >= 20);
}

TEST_CASE("writer: a conflict is no trouble, and the newer object is written") {
    Server server;
    server.put(kRoute);
    server.want(kRoute, "True");
    server.pump();
    server.put(kRoute, json{{"parents", json::array({{{"controllerName", "example.com/other"}}})}});
    server.answer();
    CHECK(server.writer.conflicts() == 1);
    CHECK(server.writer.troubles().empty());
    server.now += milliseconds(300);
    server.pump();
    REQUIRE(server.pending.size() == 1);
    server.answer();
    CHECK(server.objects[kRoute].status["parents"].size() == 1);
    CHECK(server.objects[kRoute].status["conditions"].size() == 1);
}

TEST_CASE("writer: what the server refuses is told and tried again, later and later") {
    Server server;
    server.put(kRoute);
    server.want(kRoute, "True");
    milliseconds last(0);
    for (int i = 0; i < 5; ++i) {
        const auto again = server.pump();
        CHECK_FALSE(again.has_value());
        REQUIRE(server.pending.size() == 1);
        server.answer(i % 2 == 0 ? 403 : 500, R"({"message":"no"})");
        REQUIRE(server.writer.troubles().size() == 1);
        CHECK(server.writer.troubles().begin()->second.message().find("no") != std::string::npos);
        const auto when = server.pump();
        REQUIRE(when.has_value());
        CHECK(*when - server.now > last);
        last = std::chrono::duration_cast<milliseconds>(*when - server.now);
        server.now = *when;
    }
    server.pump();
    server.answer();
    CHECK(server.writer.troubles().empty());
}

TEST_CASE("writer: an object that is not published loses ours, and one that was deleted is forgotten") {
    Server server;
    server.put(kRoute, json{{"parents", json::array({{{"controllerName", kController}}, {{"controllerName", "example.com/other"}}})}});
    server.pump();
    REQUIRE(server.pending.size() == 1);
    server.answer();
    CHECK(server.objects[kRoute].status["parents"].size() == 1);
    server.put(kGateway);
    server.want(kGateway, "True");
    server.pump();
    server.objects.erase(kGateway);
    server.answer(404);
    server.writer.want(kGateway, nullptr);
    server.pump();
    CHECK(server.flying().empty());
    CHECK(server.writer.waiting() == 0);
}

TEST_CASE("writer: while others write, what was deleted is not kept") {
    Server server;
    server.writer.enable(false);
    server.put(kRoute);
    server.want(kRoute, "True");
    server.put(kGateway);
    CHECK(server.writer.waiting() == 2);
    server.objects.clear();
    server.writer.want(kRoute, nullptr);
    server.writer.seen(kGateway);
    CHECK(server.writer.waiting() == 0);
    server.want(kRoute, "True");  // published, and the server is about to have it
    CHECK(server.writer.waiting() == 1);
}

TEST_CASE("writer: many objects go out a few at a time") {
    Server server;
    for (int i = 0; i < 100; ++i) {
        const ObjectKey key{Kind::http_route, "default", "r" + std::to_string(i)};
        server.put(key);
        server.want(key, "True");
    }
    server.pump();
    CHECK(server.pending.size() == 32);
    while (!server.pending.empty()) {
        server.answer();
        server.pump();
    }
    CHECK(server.writer.written() == 100);
}
