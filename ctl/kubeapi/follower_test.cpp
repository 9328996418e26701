// SPDX-License-Identifier: Apache-2.0
#include "ctl/kubeapi/follower.hpp"

#include <condition_variable>
#include <mutex>

#include "tools/test/api_server.hpp"
#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::kubeapi;
using model::Kind;

namespace {

Access access_to(const test::ApiServer& server) {
    Access access;
    access.server = server.url();
    return access;
}

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
        auto started = Client::start(access_to(server));
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
