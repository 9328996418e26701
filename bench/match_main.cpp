// SPDX-License-Identifier: Apache-2.0
// What it costs to find the rule of a request, from the Host field and the path as they came: with ten routes and with 5,000, told apart in
// each way that there is. With a case's name and a count it asks that often and does nothing else, so that callgrind can count.
#include <malloc.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "bench/native/report.hpp"
#include "bench/native/sample.hpp"
#include "schema/packed.hpp"
#include "userspace/match/host_index.hpp"
#include "userspace/match/path.hpp"
#include "userspace/match/route_table.hpp"

using namespace penstock;
using namespace penstock::match;

namespace {

// One route, and a request that it takes.
struct RouteSpec {
    std::string host = {};  // "": all
    fb::MatchT match = {};
    std::string asked_host = "shop.example.com:8443", asked_path = {}, asked_query = {}, tenant = {};
};

fb::NamedMatchT exactly(std::string name, std::string value) {
    fb::NamedMatchT named;
    named.name = std::move(name);
    named.value = std::move(value);
    return named;
}

RouteSpec by_path(fb::PathMatch kind, std::string path, std::string asked) {
    RouteSpec route;
    route.match.path_match = kind;
    route.match.path = std::move(path);
    route.asked_path = std::move(asked);
    return route;
}

RouteSpec by_host(std::string host, std::string asked) {
    RouteSpec route = by_path(fb::PathMatch::Prefix, "/", "/api/v1/items");
    route.host = std::move(host);
    route.asked_host = std::move(asked);
    return route;
}

struct Kind {
    const char* name;
    RouteSpec (*make)(const std::string& number);
};

const Kind kKinds[] = {
    {"host", [](const std::string& n) { return by_host("shop-" + n + ".example.com", "Shop-" + n + ".Example.com:8443"); }},
    {"wildcard", [](const std::string& n) { return by_host("*.shop-" + n + ".example.com", "www.eu.shop-" + n + ".example.com"); }},
    {"exact", [](const std::string& n) { return by_path(fb::PathMatch::Exact, "/api/v1/items/" + n, "/api/v1/items/" + n); }},
    {"prefix", [](const std::string& n) { return by_path(fb::PathMatch::Prefix, "/team-" + n + "/app", "/team-" + n + "/app/assets/main.3f9c1d2e.js"); }},
    {"expression", [](const std::string& n) { return by_path(fb::PathMatch::Regex, "/api/v[0-9]+/team-" + n + "/.*", "/api/v12/team-" + n + "/items"); }},
    {"header", [](const std::string& n) {
         RouteSpec route = by_path(fb::PathMatch::Prefix, "/api", "/api/v1/items");
         route.match.headers.push_back(std::make_unique<fb::NamedMatchT>(exactly("x-tenant", "tenant-" + n)));
         route.tenant = "tenant-" + n;
         return route;
     }},
    {"query", [](const std::string& n) {
         RouteSpec route = by_path(fb::PathMatch::Prefix, "/api", "/api/v1/items");
         route.match.query.push_back(std::make_unique<fb::NamedMatchT>(exactly("tenant", "tenant-" + n)));
         route.asked_query = "page=2&tenant=tenant-" + n;
         return route;
     }},
};

class Tenant final : public Fields {
public:
    explicit Tenant(const std::string& value) : value_(value) {}
    std::optional<std::string_view> value(std::string_view name, std::string&) const override {
        return name == "x-tenant" ? std::optional<std::string_view>(value_) : std::nullopt;
    }

private:
    const std::string& value_;
};

std::shared_ptr<const RouteTable> table_of(const std::vector<const RouteSpec*>& routes) {
    fb::HostRoutesT part;
    for (const RouteSpec* route : routes) {
        auto match = std::make_unique<fb::MatchT>(route->match);
        match->rule = static_cast<std::uint32_t>(part.rules.size());
        part.matches.push_back(std::move(match));
        part.rules.push_back(std::make_unique<fb::RuleT>());
        part.rules.back()->object = std::make_unique<fb::ObjectRefT>();
    }
    return *RouteTable::build(fb::Packed(part).bytes());
}

std::size_t bytes_in_use() {
    const auto info = ::mallinfo2();
    return info.uordblks + info.hblkhd;
}

// The routes of one kind, and requests to them in no order.
class World {
public:
    World(const Kind& kind, std::size_t count) {
        std::vector<RouteSpec> routes;
        for (std::size_t i = 0; i < count; ++i) {
            routes.push_back(kind.make(std::to_string(i)));
        }
        const std::size_t before = bytes_in_use();
        if (routes[0].host.empty()) {
            std::vector<const RouteSpec*> all;
            for (const RouteSpec& route : routes) {
                all.push_back(&route);
            }
            hosts_.add("", table_of(all));
        }
        for (const RouteSpec& route : routes) {
            if (!route.host.empty()) {
                hosts_.add(route.host, table_of({&route}));
            }
        }
        bytes_ = bytes_in_use() - before;
        std::mt19937 random(1);
        for (int i = 0; i < 1000; ++i) {
            asked_.push_back(routes[random() % count]);
        }
    }

    void ask(long times) const {
        std::string room;
        for (long i = 0; i < times; ++i) {
            const RouteSpec& asked = asked_[static_cast<std::size_t>(i) % asked_.size()];
            const HostName host(asked.asked_host);
            const Tenant fields(asked.tenant);
            const Request request{"GET", *normal_path(asked.asked_path, room), asked.asked_query, fields};
            if (!hosts_.visit(host.name(), [&](const auto& table) { return table->find(request).has_value(); })) {
                std::fprintf(stderr, "no route for %s%s\n", asked.asked_host.c_str(), asked.asked_path.c_str());
                std::exit(1);
            }
        }
    }
    [[nodiscard]] std::size_t bytes() const { return bytes_; }

private:
    HostIndex<std::shared_ptr<const RouteTable>> hosts_;
    std::vector<RouteSpec> asked_;
    std::size_t bytes_ = 0;
};

constexpr std::size_t kCounts[] = {10, 5000};

std::string name_of(const Kind& kind, std::size_t count) { return std::string(kind.name) + "-" + std::to_string(count); }

}  // namespace

int main(int argc, char** argv) {
    if (argc != 1 && argc != 3) {
        std::fprintf(stderr, "usage: bench_match [CASE TIMES]\n");
        return 2;
    }
    bench::Report report;
    bench::Table& table = report.table("routes", {{"CPU ns, best", 1}, {"CPU ns, median", 1}, {"bytes a route"}});
    for (const Kind& kind : kKinds) {
        for (const std::size_t count : kCounts) {
            if (argc == 3 && name_of(kind, count) != argv[1]) {
                continue;
            }
            const World world(kind, count);
            if (argc == 3) {
                world.ask(std::atol(argv[2]));
                return 0;
            }
            constexpr long kTimes = 20000;
            const std::vector<double> ms = bench::milliseconds(15, [&] { world.ask(kTimes); });
            table.add(name_of(kind, count), {bench::best(ms) * 1e6 / kTimes, bench::median(ms) * 1e6 / kTimes, static_cast<double>(world.bytes()) / static_cast<double>(count)});
        }
    }
    report.print();
    return 0;
}
