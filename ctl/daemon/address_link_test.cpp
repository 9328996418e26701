// SPDX-License-Identifier: Apache-2.0
#include "ctl/daemon/address_link.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include "ctl/daemon/address_leases.hpp"
#include "ctl/daemon/test_loop.hpp"
#include "tools/test/api_server.hpp"
#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::daemon;
using nlohmann::json;

namespace {

IpAddress ip(const std::string& text) { return *IpAddress::parse(text); }

const std::set<IpAddress> kAddresses = {ip("192.0.2.1"), ip("192.0.2.2"), ip("2001:db8::1"), ip("2001:db8::2")};
constexpr const char* kLeases = "/apis/coordination.k8s.io/v1/namespaces/penstock/leases/";

// A node: a link on a loop of its own thread.
struct Node {
    std::unique_ptr<Loop> loop = std::move(Loop::open()).value();
    std::mutex mutex;
    AddressShare share;
    std::set<std::string> live;
    int live_told = 0;
    std::set<IpAddress> asked;
    std::vector<IpAddress> asked_peers;
    std::unique_ptr<AddressLink> link;
    std::thread thread;

    Node(const test::ApiServer& server, const std::string& name, bool shares = true) {
        kubeapi::Access access;
        access.server = server.url();
        access.ns = "penstock";
        using Networks = std::vector<plan::Network>;
        auto opened = AddressLink::open(*loop, access, name, shares ? std::optional(Networks{{ip("192.0.2.100"), 24}}) : std::nullopt,
                                        {.share = [this](const AddressShare& one) {
                                             const std::lock_guard lock(mutex);
                                             share = one;
                                         },
                                         .ask = [this](const std::vector<IpAddress>& addresses, const std::vector<IpAddress>& peers) {
                                             const std::lock_guard lock(mutex);
                                             asked.insert(addresses.begin(), addresses.end());
                                             asked_peers = peers;
                                         },
                                         .trouble = [] {},
                                         .live = [this](const std::set<std::string>& nodes) {
                                             const std::lock_guard lock(mutex);
                                             live = nodes;
                                             live_told += 1;
                                         }});
        REQUIRE(opened.ok());
        link = std::move(opened).value();
        thread = std::thread([this] { loop->run(); });
    }
    ~Node() { end(); }
    void end() {
        if (thread.joinable()) {
            loop->stop();
            thread.join();
            link.reset();
        }
    }
    void on_loop(const std::function<void()>& what) { testing::on_loop(*loop, what); }
    void want(const std::set<IpAddress>& addresses) {
        on_loop([&] { link->want(addresses); });
    }
    bool expires() {
        const std::lock_guard lock(mutex);
        return share.expires;
    }
    std::set<IpAddress> held() {
        const std::lock_guard lock(mutex);
        return share.held;
    }
    std::set<std::string> others() {
        const std::lock_guard lock(mutex);
        return live;
    }
    bool knows_who_lives() {
        const std::lock_guard lock(mutex);
        return live_told > 0;
    }
    json facts() {
        return testing::on_loop(*loop, [&] { return link->facts(); });
    }
    bool knows(std::size_t nodes) { return facts()["nodes"].size() == nodes; }
};

bool until(const std::function<bool()>& is) {
    for (int i = 0; i < 3000; ++i) {
        if (is()) {
            return true;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
}

}  // namespace

TEST_CASE("address link: a node alone has what Gateways have, by one Lease each, and lets go of what they have no more") {
    test::ApiServer server;
    Node a(server, "a");
    a.want(kAddresses);
    REQUIRE(until([&] { return a.held() == kAddresses; }));
    CHECK_FALSE(a.expires());
    const json lease = server.get(std::string(kLeases) + "penstock-address-192.0.2.1");
    CHECK(lease["spec"]["holderIdentity"] == "a");
    CHECK(lease["metadata"]["labels"]["penstock.dev/lease"] == "address");
    const json node = server.get(std::string(kLeases) + "penstock-node-a");
    CHECK(node["metadata"]["annotations"]["penstock.dev/networks"] == "192.0.2.100/24");
    json told;
    a.on_loop([&] { told = a.link->facts_of(ip("192.0.2.1")); });
    CHECK(told["holder"] == "a");
    CHECK(told["since"] == lease["spec"]["acquireTime"]);

    a.want({ip("192.0.2.1")});
    REQUIRE(until([&] { return server.get(std::string(kLeases) + lease_name(ip("2001:db8::1"))).is_null(); }));
    CHECK(a.held() == std::set{ip("192.0.2.1")});
}

TEST_CASE("address link: a daemon that begins has what its Leases say, before it knows what Gateways want") {
    test::ApiServer server;
    {
        Node before(server, "a");
        before.want(kAddresses);
        REQUIRE(until([&] { return before.held() == kAddresses; }));
    }
    Node a(server, "a");
    CHECK(until([&] { return a.held() == kAddresses; }));
    CHECK(server.get(std::string(kLeases) + lease_name(ip("192.0.2.1")))["spec"]["holderIdentity"] == "a");
}

TEST_CASE("address link: two nodes share out; what the one that ends without a word had is with the other soon") {
    test::ApiServer server;
    Node a(server, "a");
    auto b = std::make_unique<Node>(server, "b");
    REQUIRE(until([&] { return a.knows(2) && b->knows(2); }));
    a.want(kAddresses);
    b->want(kAddresses);
    const auto all_are_held = [&] { return a.held().size() + b->held().size() == kAddresses.size(); };
    REQUIRE(until(all_are_held));
    for (const IpAddress& address : a.held()) {
        CHECK_FALSE(b->held().contains(address));
    }
    CHECK(until([&] { return a.expires(); }));
    CHECK_FALSE(b->held().empty());
    b.reset();
    CHECK(until([&] { return a.held() == kAddresses; }));
    CHECK(until([&] { return a.facts()["nodes"][1]["state"] == "gone"; }));
}

TEST_CASE("address link: a node that leaves hands over before it goes; one that is alone goes at once with what it has") {
    test::ApiServer server;
    Node a(server, "a");
    a.want(kAddresses);
    REQUIRE(until([&] { return a.held() == kAddresses; }));
    Node b(server, "b");
    b.want(kAddresses);
    REQUIRE(until([&] { return a.knows(2) && b.facts()["in_contact"] == true; }));
    std::atomic<bool> gone{false};
    a.on_loop([&] { a.link->leave([&] { gone = true; }); });
    REQUIRE(until([&] { return gone.load(); }));
    CHECK(a.held().empty());
    CHECK(until([&] { return b.held() == kAddresses; }));  // at once, but the one that leaves does not wait for long on a busy machine
    CHECK(b.facts()["nodes"][0]["state"] == "left");

    gone = false;
    b.on_loop([&] { b.link->leave([&] { gone = true; }); });
    CHECK(gone);
    CHECK(b.held() == kAddresses);
}

TEST_CASE("address link: a node that leaves without an address is not waited for either") {
    test::ApiServer server;
    Node a(server, "a", false);
    Node b(server, "b", false);
    REQUIRE(until([&] { return a.others() == std::set<std::string>{"b"} && b.others() == std::set<std::string>{"a"}; }));
    std::atomic<bool> gone{false};
    a.on_loop([&] { a.link->leave([&] { gone = true; }); });
    REQUIRE(until([&] { return gone.load(); }));
    CHECK(until([&] { return b.facts()["nodes"][0]["state"] == "left"; }));  // by its word, not by its silence
    CHECK(b.others().empty());
}

TEST_CASE("address link: without the API server a holder keeps what it has, but for what somebody else claims") {
    test::ApiServer server;
    Node a(server, "a");
    a.want(kAddresses);
    REQUIRE(until([&] { return a.held() == kAddresses; }));
    server.fail("/", 503, 1000000);
    server.cut_watches(false);
    REQUIRE(until([&] { return a.facts()["in_contact"] == false; }));
    CHECK(a.held() == kAddresses);
    bool troubled = false;
    a.on_loop([&] { troubled = !a.link->troubles().empty(); });
    CHECK(troubled);
    a.on_loop([&] { a.link->claimed(ip("192.0.2.1")); });
    CHECK(a.held().size() == kAddresses.size() - 1);
    CHECK(a.facts()["yielded"] == 1);
}

TEST_CASE("address link: without the API server the link is asked for what another node has, and silence is followed if the link works") {
    test::ApiServer server;
    Node a(server, "a");
    auto b = std::make_unique<Node>(server, "b");
    REQUIRE(until([&] { return a.knows(2) && b->knows(2); }));
    const std::set<IpAddress> four = {ip("192.0.2.1"), ip("192.0.2.2"), ip("192.0.2.3"), ip("192.0.2.4"), ip("192.0.2.5"), ip("192.0.2.6")};
    a.want(four);
    b->want(four);
    REQUIRE(until([&] { return a.held().size() + b->held().size() == four.size(); }));
    const std::set<IpAddress> others = b->held();
    REQUIRE_FALSE(others.empty());
    REQUIRE(until([&] { return a.facts()["in_contact"] == true; }));
    server.fail("/", 503, 1000000);
    server.cut_watches(false);
    REQUIRE(until([&] {
        const std::lock_guard lock(a.mutex);
        return a.asked == others && a.asked_peers == std::vector{ip("192.0.2.100")};
    }));
    REQUIRE(until([&] { return a.facts()["in_contact"] == false; }));
    CHECK(a.held().size() == four.size() - others.size());
    b.reset();
    CHECK(until([&] {
        a.on_loop([&] { a.link->link_works(others); });
        return a.held() == four;
    }));
    CHECK(a.facts()["stood_in"] == others.size());
}

TEST_CASE("address link: who lives is told, of nodes that share no addresses as well, and these get none") {
    test::ApiServer server;
    Node a(server, "a");
    a.want(kAddresses);
    REQUIRE(until([&] { return a.held() == kAddresses; }));
    CHECK(until([&] { return a.knows_who_lives(); }));  // that there is nobody else, too
    CHECK(a.others().empty());
    auto b = std::make_unique<Node>(server, "b", false);
    REQUIRE(until([&] { return a.others() == std::set<std::string>{"b"} && b->others() == std::set<std::string>{"a"}; }));
    CHECK_FALSE(server.get(std::string(kLeases) + "penstock-node-b")["metadata"].contains("annotations"));
    CHECK_FALSE(a.expires());  // nobody takes over
    CHECK(b->held().empty());
    b.reset();
    CHECK(until([&] { return a.others().empty(); }));
    CHECK(a.held() == kAddresses);
}

TEST_CASE("address link: the Lease of a node that is gone for good is deleted, but not while the cluster has the node or anybody renews it") {
    test::ApiServer server;
    Node a(server, "a");
    for (const char* name : {"gone", "off"}) {
        server.put({{"apiVersion", "coordination.k8s.io/v1"}, {"kind", "Lease"}, {"metadata", {{"name", std::string("penstock-node-") + name}, {"namespace", "penstock"}, {"labels", {{"penstock.dev/lease", "node"}}}}},
                    {"spec", {{"holderIdentity", name}}}});
    }
    server.put({{"apiVersion", "v1"}, {"kind", "Node"}, {"metadata", {{"name", "off"}}}});
    REQUIRE(until([&] { return a.knows(3); }));
    const auto sweep = [&](std::chrono::milliseconds silent) { a.on_loop([&] { a.link->sweep(silent); }); };
    sweep(std::chrono::hours(1));
    CHECK(server.requests("/api/v1/nodes/") == 0);
    CHECK(until([&] {
        sweep(std::chrono::milliseconds(0));  // nobody is judged while nothing is heard: again
        return server.get(std::string(kLeases) + "penstock-node-gone").is_null();
    }));
    CHECK(until([&] { return a.knows(2); }));
    CHECK(server.requests("/api/v1/nodes/a ") == 0);
    CHECK_FALSE(server.get(std::string(kLeases) + "penstock-node-off").is_null());

    server.fail("/api/v1/nodes/", 403, 1000000);  // that says nothing of the node
    server.remove("/api/v1/nodes/off");
    const unsigned before = server.requests("/api/v1/nodes/off");
    CHECK(until([&] {
        sweep(std::chrono::milliseconds(0));
        return server.requests("/api/v1/nodes/off") > before + 1;
    }));
    CHECK_FALSE(server.get(std::string(kLeases) + "penstock-node-off").is_null());
}
