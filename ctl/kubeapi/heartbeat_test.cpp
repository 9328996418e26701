// SPDX-License-Identifier: Apache-2.0
#include "ctl/kubeapi/heartbeat.hpp"

#include <future>
#include <string>

#include "tools/test/api_server.hpp"
#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::kubeapi;

namespace {

constexpr const char* kLease = "/apis/coordination.k8s.io/v1/namespaces/edge/leases/node-a";

// With a Lease that it holds. It is not renewed while a test lasts.
struct Beating {
    test::ApiServer server;
    std::unique_ptr<Client> client;
    std::shared_ptr<Heartbeat> heartbeat;

    Beating() {
        Access access;
        access.server = server.url();
        client = Client::start(std::move(access)).value();
        heartbeat = Heartbeat::start(*client, Election("edge", "node-a", "a", {.pause = milliseconds(600'000), .again = milliseconds(100), .again_max = milliseconds(100)}), [](const std::optional<Error>&) {});
        const auto end = Clock::now() + std::chrono::seconds(30);
        while (holder() != "a" && Clock::now() < end) {
            std::this_thread::sleep_for(milliseconds(1));
        }
        REQUIRE(holder() == "a");
        REQUIRE(client->call({.path = kLease}).ok());  // the heartbeat has heard, too
    }
    std::string holder() {
        const nlohmann::json lease = server.get(kLease);
        return lease.is_null() ? "nobody" : lease["spec"]["holderIdentity"].get<std::string>();
    }
    [[nodiscard]] bool release() const {
        std::promise<bool> done;
        heartbeat->release([&](bool given_up) { done.set_value(given_up); });
        return done.get_future().get();
    }
};

}  // namespace

TEST_CASE("heartbeat: a Lease is given up though the server fails at first") {
    Beating beating;
    beating.server.fail(std::string("PUT ") + kLease, 503, 2);
    CHECK(beating.release());
    CHECK(beating.holder().empty());
}

TEST_CASE("heartbeat: a server that wants to be left alone for a while is") {
    Beating beating;
    beating.server.fail("/leases/", 429, 1, "1");  // of the Lease, whatever is asked
    const auto begun = Clock::now();
    CHECK(beating.release());
    CHECK(Clock::now() - begun >= milliseconds(1'000));
    CHECK(beating.holder().empty());
}

TEST_CASE("heartbeat: a Lease is given up though somebody else wrote to it") {
    Beating beating;
    nlohmann::json lease = beating.server.get(kLease);
    lease["metadata"]["annotations"]["somebody"] = "else";
    beating.server.put(lease);
    CHECK(beating.release());
    CHECK(beating.holder().empty());
}

TEST_CASE("heartbeat: a server that fails for long is not waited for, and what another holds is left to it") {
    Beating beating;
    beating.server.fail(std::string("PUT ") + kLease, 503, 1000);
    CHECK_FALSE(beating.release());
    CHECK(beating.holder() == "a");
    CHECK(beating.server.requests(std::string("PUT ") + kLease) == 5);

    Beating other;
    nlohmann::json lease = other.server.get(kLease);
    lease["spec"]["holderIdentity"] = "b";
    other.server.put(lease);
    CHECK(other.release());
    CHECK(other.holder() == "b");
}
