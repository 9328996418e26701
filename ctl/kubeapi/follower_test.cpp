// SPDX-License-Identifier: Apache-2.0
#include "ctl/kubeapi/follower.hpp"

#include <condition_variable>
#include <mutex>

#include "ctl/kubeapi/test_client.hpp"
#include "tools/test/api_server.hpp"
#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::kubeapi;
using model::Kind;

namespace {

nlohmann::json object(const std::string& api_version, const std::string& kind, const std::string& name) {
    return {{"apiVersion", api_version}, {"kind", kind}, {"metadata", {{"name", name}, {"namespace", "default"}}}};
}

// What was told so far: the collections as they follow from it.
class Told {
public:
    void take(News news) {
        const std::lock_guard lock(mutex_);
        auto& names = names_[news.kind];
        if (news.batch.all) {
            names.clear();
        }
        for (const Batch::Change& change : news.batch.changes) {
            const std::string name = *change.object.find_path({"metadata", "name"})->as_string();
            change.gone ? (void)names.erase(name) : (void)names.insert(name);
        }
        states_[news.kind] = news.state;
        changed_.notify_all();
    }
    // Waits until `is` holds.
    bool until(const std::function<bool(const Told&)>& is) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, std::chrono::seconds(30), [&] { return is(*this); });
    }
    [[nodiscard]] std::string names(Kind kind) const {
        std::string out;
        for (const std::string& name : names_.contains(kind) ? names_.at(kind) : std::set<std::string>()) {
            out += name + ",";
        }
        return out;
    }
    [[nodiscard]] KindState state(Kind kind) const { return states_.contains(kind) ? states_.at(kind) : KindState{}; }
    [[nodiscard]] bool all_synced() const {
        return states_.size() == model::kKinds && std::all_of(states_.begin(), states_.end(), [](const auto& entry) { return entry.second.synced; });
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::map<Kind, std::set<std::string>> names_;
    std::map<Kind, KindState> states_;
};

struct Followed {
    test::ApiServer server;
    Told told;
    std::unique_ptr<Client> client;

    void start() {
        auto started = Client::start(access_to(server.url()));
        REQUIRE(started.ok());
        client = std::move(started).value();
        Follower::start(*client, [this](News news) { told.take(std::move(news)); });
    }
    ~Followed() { client.reset(); }
};

}  // namespace

TEST_CASE("follower: what is there is listed in pages, what comes and goes is told") {
    Followed f;
    f.server.page = 2;
    for (const char* name : {"a", "b", "c", "d", "e"}) {
        f.server.put(object("v1", "Service", name));
    }
    f.start();
    REQUIRE(f.told.until([](const Told& told) { return told.all_synced(); }));
    CHECK(f.told.names(Kind::service) == "a,b,c,d,e,");
    f.server.put(object("gateway.networking.k8s.io/v1", "HTTPRoute", "shop"));
    REQUIRE(f.told.until([](const Told& told) { return told.names(Kind::http_route) == "shop,"; }));
    f.server.remove("/api/v1/namespaces/default/services/b");
    f.server.put(object("v1", "Service", "f"));
    REQUIRE(f.told.until([](const Told& told) { return told.names(Kind::service) == "a,c,d,e,f,"; }));
}

TEST_CASE("follower: a watch that is cut, in an event or not, loses nothing") {
    for (const bool in_an_event : {false, true}) {
        Followed f;
        f.server.put(object("v1", "Service", "a"));
        f.start();
        REQUIRE(f.told.until([](const Told& told) { return told.all_synced(); }));
        f.server.cut_watches(in_an_event);
        f.server.put(object("v1", "Service", "b"));
        f.server.remove("/api/v1/namespaces/default/services/a");
        REQUIRE(f.told.until([](const Told& told) { return told.names(Kind::service) == "b,"; }));
        CHECK(f.server.requests("/api/v1/services?limit") == 1);  // no second list
    }
}

TEST_CASE("follower: events that the server forgot are made up for by a list") {
    Followed f;
    f.server.put(object("v1", "Service", "a"));
    f.start();
    REQUIRE(f.told.until([](const Told& told) { return told.all_synced(); }));
    f.server.fail("/api/v1/services?watch", 500, 1);
    f.server.cut_watches(false);
    f.server.put(object("v1", "Service", "b"));
    f.server.remove("/api/v1/namespaces/default/services/a");
    f.server.forget();
    REQUIRE(f.told.until([](const Told& told) { return told.names(Kind::service) == "b,"; }));
}

TEST_CASE("follower: a kind without a CRD is told, does not hold up the others, and is followed when it comes") {
    Followed f;
    f.server.hide("tlsroutes", true);
    f.start();
    REQUIRE(f.told.until([](const Told& told) { return told.all_synced(); }));
    CHECK(f.told.state(Kind::tls_route).missing);
    CHECK(f.told.state(Kind::tls_route).trouble.find("CRD") != std::string::npos);
    f.server.put(object("gateway.networking.k8s.io/v1", "TLSRoute", "late"));
    f.server.hide("tlsroutes", false);
    REQUIRE(f.told.until([](const Told& told) { return told.names(Kind::tls_route) == "late,"; }));
    CHECK_FALSE(f.told.state(Kind::tls_route).missing);
}

TEST_CASE("follower: refusals are trouble, and what was known stays") {
    Followed f;
    f.server.put(object("v1", "Service", "a"));
    f.server.fail("/api/v1/secrets", 403, 1000);
    f.server.fail("/apis/gateway.networking.k8s.io/v1/httproutes?limit", 429, 1, "1");
    f.start();
    REQUIRE(f.told.until([](const Told& told) { return !told.state(Kind::secret).trouble.empty() && told.state(Kind::http_route).synced; }));
    CHECK_FALSE(f.told.state(Kind::secret).synced);
    REQUIRE(f.told.until([](const Told& told) { return told.state(Kind::service).synced; }));
    f.server.fail("/api/v1/services", 500, 3);
    f.server.cut_watches(false);
    REQUIRE(f.told.until([](const Told& told) { return !told.state(Kind::service).trouble.empty(); }));
    CHECK(f.told.names(Kind::service) == "a,");
    f.server.put(object("v1", "Service", "b"));  // after the cut, or the watch before might bring it
    REQUIRE(f.told.until([](const Told& told) { return told.names(Kind::service) == "a,b,"; }));
    REQUIRE(f.told.until([](const Told& told) { return told.state(Kind::service).trouble.empty(); }));
}

// ---- discovery, with the time in our hands ----------------------------------------------------------------------------
namespace {

constexpr const char* kGroup = "/apis/gateway.networking.k8s.io";
constexpr const char* kVersion = "/apis/gateway.networking.k8s.io/v1";
constexpr auto kHour = milliseconds(3'600'000);

Answer answered(long status, std::string body = "{}") { return {.status = status, .body = std::move(body), .retry_after = {}}; }

std::string api_group() { return R"({"kind":"APIGroup","name":"gateway.networking.k8s.io","versions":[{"version":"v1"}]})"; }

std::string api_resources(const std::set<std::string>& without = {}) {
    std::string list;
    for (const std::string kind : {"GatewayClass", "Gateway", "ListenerSet", "HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute", "ReferenceGrant", "BackendTLSPolicy"}) {
        list += without.contains(kind) ? "" : (list.empty() ? "" : ",") + (R"({"kind":")" + kind + R"(","namespaced":true,"name":")" + kind + R"("})");
    }
    return R"({"kind":"APIResourceList","groupVersion":"gateway.networking.k8s.io/v1","resources":[)" + list + "]}";
}

// A cluster with one object of each kind that it has. What is named by `answers` has that answer instead.
struct Cluster {
    std::map<std::string, Result<Answer>> answers;
    Told told;
    TestClient client{[this](const std::string& target) { return answer(target.substr(0, target.find('?'))); }};
    std::shared_ptr<Follower> follower = Follower::start(client, [this](News news) { told.take(std::move(news)); });

    Result<Answer> answer(const std::string& path) const {
        if (const auto given = answers.find(path); given != answers.end()) {
            return given->second;
        }
        if (path.find("x-k8s") != std::string::npos) {
            return answered(404);
        }
        return answered(200, path == kGroup ? api_group() : path == kVersion ? api_resources() : R"({"metadata":{"resourceVersion":"7"},"items":[{"metadata":{"name":"a"}}]})");
    }
};

}  // namespace

TEST_CASE("follower: an API server that seems to have no Gateway API as we begin is asked again before that is believed") {
    const Result<Answer> odd[] = {answered(404), answered(200, R"({"kind":"APIGroup","name":"gateway.networking.k8s.io","versions":[]})"), answered(200), answered(500), Error{.what = "x"}};
    for (const auto& answer : odd) {
        Cluster cluster;
        cluster.answers.emplace(kGroup, answer);
        cluster.client.pass(milliseconds(2'000));
        CHECK_FALSE(cluster.told.all_synced());
        CHECK_FALSE(cluster.told.state(Kind::gateway).missing);
        cluster.answers.clear();
        cluster.client.pass(milliseconds(10'000));
        CHECK(cluster.told.all_synced());
        CHECK(cluster.told.names(Kind::gateway) == "a,");
    }
}

TEST_CASE("follower: a cluster without the Gateway API, or a kind of it, is believed soon, and seen when it gets it") {
    Cluster none;
    none.answers.emplace(kGroup, answered(404));
    none.client.pass(milliseconds(10'000));
    CHECK(none.told.all_synced());
    CHECK(none.told.state(Kind::gateway).missing);
    CHECK(none.told.names(Kind::service) == "a,");
    none.client.pass(kHour);
    none.answers.clear();
    none.client.pass(milliseconds(6'000));
    CHECK(none.told.names(Kind::gateway) == "a,");

    Cluster some;
    some.answers.emplace(kVersion, answered(200, api_resources({"TCPRoute", "UDPRoute"})));
    some.client.pass(milliseconds(1'000));
    CHECK(some.told.all_synced());
    CHECK(some.told.state(Kind::tcp_route).missing);
    CHECK(some.told.names(Kind::gateway) == "a,");
    some.client.pass(kHour);
    CHECK(some.client.asked(kVersion) < 150);
    some.answers.clear();
    some.client.pass(milliseconds(61'000));
    CHECK(some.told.names(Kind::tcp_route) == "a,");
}

TEST_CASE("follower: no answer to discovery takes away what is being followed") {
    const std::pair<const char*, Result<Answer>> rows[] = {
        {kGroup, answered(404)},
        {kGroup, answered(200)},
        {kGroup, answered(200, "<html>")},
        {kGroup, answered(200, R"({"kind":"APIGroup","name":"gateway.networking.k8s.io","versions":[]})")},
        {kVersion, answered(404)},
        {kVersion, answered(200)},
        {kVersion, answered(200, R"({"kind":"APIResourceList","groupVersion":"gateway.networking.k8s.io/v1","resources":null})")},
        {kVersion, answered(200, R"({"kind":"APIResourceList","groupVersion":"gateway.networking.k8s.io/v1","resources":[]})")},
        {kVersion, answered(200, api_resources({"HTTPRoute"}))},
        {kVersion, answered(503)},
    };
    for (const auto& [path, answer] : rows) {
        INFO(path);
        Cluster cluster;
        cluster.client.pass(milliseconds(1'000));
        REQUIRE(cluster.told.all_synced());
        cluster.answers.emplace(path, answer);
        cluster.client.pass(kHour);
        CHECK(cluster.told.all_synced());
        for (const Kind kind : {Kind::gateway, Kind::http_route}) {
            CHECK(cluster.told.names(kind) == "a,");
            CHECK_FALSE(cluster.told.state(kind).missing);
        }
        // Nor does one that its collection is not there.
        cluster.answers.clear();
        cluster.answers.emplace(std::string(kVersion) + "/HTTPRoute", answered(404));
        cluster.client.end_watches();
        cluster.client.pass(kHour);
        CHECK(cluster.told.names(Kind::http_route) == "a,");
    }
}

TEST_CASE("follower: a CRD that was removed is noticed") {
    Cluster cluster;
    cluster.client.pass(milliseconds(1'000));
    cluster.answers.emplace(kVersion, answered(200, api_resources({"HTTPRoute"})));
    cluster.answers.emplace(std::string(kVersion) + "/HTTPRoute", answered(404));
    cluster.client.end_watches();
    cluster.client.pass(milliseconds(2'000));
    CHECK(cluster.told.names(Kind::http_route) == "a,");
    cluster.client.pass(milliseconds(28'000));
    CHECK(cluster.told.state(Kind::http_route).missing);
    CHECK(cluster.told.names(Kind::http_route).empty());
    CHECK(cluster.told.names(Kind::gateway) == "a,");
}

TEST_CASE("follower: discovery that fails is tried again with growing waits, as long as the server asks, and at once when it answers others") {
    Cluster cluster;
    cluster.answers.emplace(kGroup, answered(500));
    cluster.client.pass(kHour);
    const unsigned asked = cluster.client.asked(kGroup);
    CHECK(asked > 100);
    CHECK(asked < 300);
    cluster.answers.clear();
    cluster.follower->hurry();
    cluster.client.pass(milliseconds(10));
    CHECK(cluster.told.all_synced());

    Cluster busy;
    Answer later = answered(429);
    later.retry_after = milliseconds(300'000);
    busy.answers.emplace(kGroup, later);
    busy.client.pass(kHour);
    CHECK(busy.client.asked(kGroup) < 15);
}

TEST_CASE("follower: who does not trust events has every collection listed again") {
    Cluster cluster;
    cluster.client.pass(milliseconds(1'000));
    CHECK(cluster.client.asked("/api/v1/services") == 1);
    cluster.follower->relist();
    cluster.client.pass(milliseconds(1'000));
    CHECK(cluster.client.asked("/api/v1/services") == 1);
    CHECK(cluster.client.asked(std::string(kVersion) + "/Gateway") == 2);
    CHECK(cluster.told.names(Kind::service) == "a,");
}
