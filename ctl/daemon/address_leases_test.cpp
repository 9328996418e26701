// SPDX-License-Identifier: Apache-2.0
#include "ctl/daemon/address_leases.hpp"

#include <cctype>
#include <map>
#include <set>

#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::daemon;

namespace {

IpAddress ip(const std::string& text) { return *IpAddress::parse(text); }

}  // namespace

TEST_CASE("address leases: the names of Leases are names, and lead back") {
    for (const char* text : {"192.0.2.1", "2001:db8::1", "::1", "fd00::"}) {
        const std::string name = lease_name(ip(text));
        CHECK(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-.") == std::string::npos);
        CHECK(std::isalnum(static_cast<unsigned char>(name.back())) != 0);
        CHECK(address_of_lease(name) == ip(text));
        CHECK_FALSE(node_of_lease({.name = name}).has_value());
    }
    for (const char* name : {"penstock-address-", "penstock-address-x", "penstock-node-a", "penstock-status", ""}) {
        CHECK_FALSE(address_of_lease(name).has_value());
    }
    CHECK(node_lease_name("a") == "penstock-node-a");
    CHECK(node_of_lease({.name = "penstock-node-a"}) == "a");
    CHECK(node_of_lease({.name = "penstock-node-a.b"}) == "a.b");
    CHECK_FALSE(node_of_lease({.name = "penstock-status"}).has_value());
}

TEST_CASE("address leases: the name of every node's Lease is short enough for one, and leads back") {
    const std::string fits(239, 'a');
    const std::string dotted = std::string(221, 'a') + "." + std::string(31, 'b');
    const std::string dashed = std::string(219, 'a') + "-.-b" + std::string(30, 'c');
    std::set<std::string> names;
    for (const std::string& node : {fits, fits + "a", fits + "b", std::string(253, 'a'), dotted, dashed}) {
        INFO(node);
        const kubeapi::Lease lease{.name = node_lease_name(node), .annotations = node_annotations(node, std::nullopt)};
        CHECK(lease.name.size() <= 253);
        CHECK(lease.name.starts_with("penstock-node-aaaa"));
        CHECK(lease.name.find("--") == std::string::npos);
        CHECK(lease.name.find(".-") == std::string::npos);
        CHECK(names.insert(lease.name).second);
        CHECK(node_of_lease(lease) == node);
        CHECK(lease.annotations.contains(kLeaseNode) == (node.size() > fits.size()));
    }
    CHECK(node_lease_name(fits) == "penstock-node-" + fits);
    const std::string name = node_lease_name(dotted);
    CHECK(node_of_lease({.name = name, .annotations = {{kLeaseNode, "another"}}}) == name.substr(14));
    CHECK(node_annotations(dotted, std::vector<plan::Network>{{ip("192.0.2.100"), 24}}) == std::map<std::string, std::string>{{kLeaseNetworks, "192.0.2.100/24"}, {kLeaseNode, dotted}});
}

TEST_CASE("address leases: networks are read as they are written, and what is no network is left out") {
    struct Row {
        const char* text;
        const char* read;  // as it would be written
    };
    const Row rows[] = {
        {"", ""},
        {"192.0.2.100/24", "192.0.2.100/24"},
        {"192.0.2.100/24,fd00::1/64", "192.0.2.100/24,fd00::1/64"},
        {"0.0.0.0/0,::/0,192.0.2.1/32,fd00::1/128", "0.0.0.0/0,::/0,192.0.2.1/32,fd00::1/128"},
        {"192.0.2.100/33,fd00::1/129", ""},
        {"192.0.2.100,192.0.2.100/,/24,192.0.2.100/x,192.0.2.100/2x,192.0.2.100/-1,192.0.2.100/ 24", ""},
        {"new words,192.0.2.100/24,,more=of them,", "192.0.2.100/24"},
    };
    for (const Row& row : rows) {
        INFO(row.text);
        CHECK(text_of(parse_networks(row.text)) == row.read);
    }
}

TEST_CASE("address leases: networks past the most are neither written nor read") {
    std::vector<plan::Network> many(kLeaseNetworksMax + 1, {ip("192.0.2.100"), 24});
    std::string text = text_of(many);
    many.pop_back();
    CHECK(text == text_of(many));
    CHECK(parse_networks(text) == many);
    CHECK(parse_networks(text + ",192.0.2.100/24") == many);
}

TEST_CASE("address leases: a node's Lease says where it announces, whether it shares, and whether it leaves") {
    kubeapi::Lease lease;
    lease.holder = "a";
    CHECK(node_seen(lease) == plan::NodeSeen{.networks = {}, .shares = false, .leaving = false});
    lease.annotations[kLeaseNetworks] = "192.0.2.100/24";
    CHECK(node_seen(lease) == plan::NodeSeen{.networks = {{ip("192.0.2.100"), 24}}, .shares = true, .leaving = false});
    lease.annotations[kLeaseNetworks] = "";
    lease.holder = "";
    CHECK(node_seen(lease) == plan::NodeSeen{.networks = {}, .shares = true, .leaving = true});
}
