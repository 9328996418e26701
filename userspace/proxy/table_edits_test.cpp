// SPDX-License-Identifier: Apache-2.0
// Tables that go on from those before say what tables from nothing say: the edits are random, hosts and backends come, change and go.
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <random>
#include <set>
#include <string>

#include "userspace/proxy/testing.hpp"

using namespace penstock;
using namespace penstock::proxy;
using namespace penstock::proxy::testing;

namespace {

constexpr unsigned kHosts = 12;
constexpr unsigned kSets = 8;
constexpr unsigned kEndpoints = 6;

Endpoint endpoint(unsigned number) { return {IpAddress::v4(0x0a000000 + number), 80}; }
std::string hostname(unsigned number) { return number == 0 ? "" : number % 3 == 0 ? fmt::format("*.w{}.example", number) : fmt::format("h{}.example", number); }

std::string words(const BackendSet* set) {
    std::string out = set != nullptr ? fmt::format("{}#{}", set->name, set->id) : "none";
    for (std::size_t i = 0; set != nullptr && i < set->ready.size(); ++i) {
        out += " " + set->ready[i].address.text();
    }
    return out + (set != nullptr && set->tls != nullptr ? " tls" : "");
}

std::string words(const Host& host) {
    std::string out;
    for (const Rule& rule : host.rules) {
        out += fmt::format(" {}:", rule.spec->id());
        for (const WeightedBackend& backend : rule.backends) {
            out += "(" + words(backend.set.get()) + ")";
        }
    }
    return out;
}

// All that the tables say of hosts and backends.
std::string words(const Tables& tables) {
    std::string out;
    for (const auto& listener : tables.listeners) {
        for (unsigned i = 0; i < kHosts; ++i) {
            const std::string name = hostname(i).starts_with("*") ? "a" + hostname(i).substr(1) : hostname(i);
            const auto* host = listener->hosts.find(name);
            out += fmt::format("{} {}:{}\n", listener->name, name, host != nullptr ? words(**host) : "");
        }
    }
    for (const fb::Rule* rule : tables.counted.rules()) {
        out += fmt::format("{} ", rule->id());
    }
    for (const BackendSet* set : tables.counted.sets()) {
        out += fmt::format("\n{} {}", set->name, set->id);
    }
    for (unsigned i = 0; i < kEndpoints; ++i) {
        out += tables.counted.has_place(endpoint(i), nullptr) ? "+" : "-";
    }
    out += tables.counted.sends_proxy_headers() ? " proxy\n" : "\n";
    return out;
}

// And under which names it has them.
std::string names(const Tables& tables) {
    std::string out;
    for (const auto& [path, made] : tables.made) {
        out += path + " " + fb::hex(made.digest) + " " + (tables.around.contains(path) ? *tables.around.get(path) : "") + "\n";
    }
    return out;
}

class Edits {
public:
    explicit Edits(unsigned seed) : random_(seed) {
        each([](Snapshot& to) {
            const auto first = to.listener(fb::ListenerMode::Http, "", {});
            const auto second = to.listener(fb::ListenerMode::Http, "", {});
            to.port(fb::PortMode::Http, {first}, "one", 80);
            to.port(fb::PortMode::Http, {second}, "two", 81);
        });
    }

    void edit() {
        switch (pick(7)) {
            case 0: remove_host(); break;
            case 1: remove_backends(); break;
            case 2: put_backends(); break;
            case 3: spoil(fb::PartKind::Host, fmt::format("{} {}", pick(2), hostname(pick(kHosts)))); break;
            case 4: spoil(fb::PartKind::Backends, fmt::format("s{}", pick(kSets))); break;
            default: put_host(); break;
        }
    }

    Snapshot snapshot;
    Snapshot good;  // with the last good version of what is junk in the other
    std::set<std::string> spoiled;
    std::set<std::string> changed;  // since the last build

private:
    void each(const std::function<void(Snapshot&)>& change) {
        change(snapshot);
        change(good);
    }
    // Junk in place of what was built.
    void spoil(fb::PartKind kind, const std::string& key) {
        if (snapshot.has(kind, key) && !changed.contains(fb::part_path(kind, key))) {
            snapshot.bytes_part(kind, key, fmt::format("junk {}", pick(3)));
            spoiled.insert(fb::part_path(kind, key));
        }
    }
    void is_good(fb::PartKind kind, const std::string& key) {
        spoiled.erase(fb::part_path(kind, key));
        changed.insert(fb::part_path(kind, key));
    }
    void remove_backends() {
        const std::string key = fmt::format("s{}", pick(kSets));
        each([&](Snapshot& to) { to.remove(fb::PartKind::Backends, key); });
        is_good(fb::PartKind::Backends, key);
    }
    void put_host() {
        const auto listener = pick(2);
        const std::string name = hostname(pick(kHosts));
        std::vector<RuleSpec> rules(1 + pick(3));
        for (RuleSpec& rule : rules) {
            rule.backends = {{fmt::format("s{}", pick(kSets)), 1}, {pick(2) == 0 ? "" : fmt::format("s{}", pick(kSets)), 1}};
        }
        const std::string key = fmt::format("{} {}", listener, name);
        each([&](Snapshot& to) {
            to.detach(key);
            to.host(key, rules);
            to.attach(listener, name, key);
        });
        is_good(fb::PartKind::Host, key);
    }
    void remove_host() {
        const std::string key = fmt::format("{} {}", pick(2), hostname(pick(kHosts)));
        each([&](Snapshot& to) {
            to.detach(key);
            to.remove(fb::PartKind::Host, key);
        });
        is_good(fb::PartKind::Host, key);
    }
    void put_backends() {
        const unsigned number = pick(kSets);
        std::vector<Endpoint> ready;
        for (unsigned i = pick(3); i != 0; --i) {
            ready.push_back(endpoint(pick(kEndpoints)));
        }
        const auto protocol = pick(9) == 0 ? fb::ProxyProtocol::V1 : fb::ProxyProtocol::None;
        const std::string key = fmt::format("s{}", number);
        each([&](Snapshot& to) {
            to.backends(key, ready, fb::BackendProtocol::Http1, [&](fb::BackendSetT& set) {
                set.object = object("Service", fmt::format("service{}", number / 2));  // two sets are one service
                set.id = number + 1;
                set.proxy_protocol = protocol;
            });
        });
        is_good(fb::PartKind::Backends, key);
    }

    unsigned pick(unsigned below) { return static_cast<unsigned>(random_() % below); }

    std::mt19937 random_;
};

}  // namespace

TEST_CASE("tables: many random edits give what a build from nothing gives") {
    const unsigned seed = std::random_device()();
    CAPTURE(seed);
    Edits edits(seed);
    std::shared_ptr<const Tables> tables;
    for (int round = 0; round < 400; ++round) {
        CAPTURE(round);
        for (int i = 0; i < (round % 20 == 0 ? 10 : 1); ++i) {
            edits.edit();
        }
        const auto edited = edits.snapshot.build(tables.get());
        const auto fresh = edits.good.build();
        REQUIRE(edited.ok());
        REQUIRE(fresh.ok());
        REQUIRE(words(*edited->tables) == words(*fresh->tables));
        REQUIRE(edited->failed.empty() == edits.spoiled.empty());
        if (edits.spoiled.empty()) {
            REQUIRE(names(*edited->tables) == names(*fresh->tables));
        }
        tables = edited->tables;
        edits.changed.clear();
    }
}

TEST_CASE("tables: a list that was not sent, or that is in no order, refuses the root") {
    Snapshot snapshot = http_snapshot({endpoint(1)});
    const auto good = snapshot.build();
    REQUIRE(good.ok());
    snapshot.backends("more", {endpoint(2)});
    const std::string root = snapshot.root_bytes();
    const auto build = [&](const std::string& bytes) { return build_tables({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, snapshot.storage(), good->tables.get()); };
    CHECK(build(root).ok());
    const auto lists = std::exchange(snapshot.lists, {});
    CHECK_FALSE(build(root).ok());
    snapshot.lists = lists;
    fb::RootT named;
    fb::GetRoot(root.data())->UnPackTo(&named);
    named.lists.push_back(std::make_unique<fb::ListRefT>(*named.lists.front()));
    flatbuffers::FlatBufferBuilder builder;
    builder.Finish(fb::CreateRoot(builder, &named));
    const auto twice = build({reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize()});
    REQUIRE_FALSE(twice.ok());
    CHECK(twice.error().message().find("in no order") != std::string::npos);
}
