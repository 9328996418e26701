// SPDX-License-Identifier: Apache-2.0
// Which Gateways come to which Services, kept by edits of routes.
#include "ctl/compile/policy_statuses.hpp"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::compile;

namespace {

// Listeners 0 and 1 are of Gateway 0, 2 of Gateway 1; 3, of Gateway 1, passes bytes through.
Front front_of_two() {
    Front front;
    const auto add = [&](std::size_t gateway, fb::ListenerMode mode) {
        Listener& listener = front.listeners.emplace_back();
        listener.gateway = gateway;
        listener.mode = mode;
    };
    add(0, fb::ListenerMode::Http);
    add(0, fb::ListenerMode::Https);
    add(1, fb::ListenerMode::TlsTerminate);
    add(1, fb::ListenerMode::TlsPassthrough);
    return front;
}

CompiledRoutePtr route(const std::vector<std::size_t>& listeners, const std::vector<std::string>& services, Transport transport = Transport::tcp) {
    auto out = std::make_shared<CompiledRoute>();
    for (const std::size_t listener : listeners) {
        out->attachments.push_back({listener, {{"a.example.com", "a.example.com"}}});
    }
    for (const std::string& service : services) {
        SetUse use;
        use.key = "shop/" + service + "/80/http";
        use.ns = "shop";
        use.service = service;
        use.transport = transport;
        out->rules.sets.emplace(use.key, use);
    }
    return out;
}

// "a:0=2,1=1 b:..."
std::string text_of(const Reach& reach) {
    std::string out;
    for (const auto& [service, gateways] : reach) {
        out += (out.empty() ? "" : " ") + service + ":";
        for (const auto& [gateway, places] : gateways) {
            out += (out.back() == ':' ? "" : ",") + std::to_string(gateway) + "=" + std::to_string(places);
        }
    }
    return out;
}

}  // namespace

TEST_CASE("policy statuses: the reach of Gateways follows the edits of routes") {
    const Front front = front_of_two();
    Reach reach;
    const auto edit = [&](const std::vector<RouteEdit>& edits) { return edit_reach(front, edits, reach); };

    const CompiledRoutePtr first = route({0, 1}, {"a", "b"});
    const CompiledRoutePtr second = route({1, 2, 3}, {"b"});
    CHECK(edit({{nullptr, first}}));
    CHECK(text_of(reach) == "shop/a:0=2 shop/b:0=2");
    CHECK(edit({{nullptr, second}}));
    CHECK(text_of(reach) == "shop/a:0=2 shop/b:0=3,1=1");

    // Not a Gateway more or less.
    CHECK_FALSE(edit({}));
    CHECK_FALSE(edit({{first, first}}));
    const CompiledRoutePtr fewer = route({0}, {"a", "b"});
    CHECK_FALSE(edit({{first, fewer}}));
    CHECK(text_of(reach) == "shop/a:0=1 shop/b:0=2,1=1");
    CHECK_FALSE(edit({{nullptr, route({0, 2}, {"c"}, Transport::udp)}, {nullptr, route({3}, {"c"})}, {nullptr, route({}, {"c"})}}));
    CHECK(text_of(reach) == "shop/a:0=1 shop/b:0=2,1=1");

    // What one leaves and another takes at once has not moved.
    CHECK_FALSE(edit({{fewer, nullptr}, {nullptr, fewer}}));
    CHECK(text_of(reach) == "shop/a:0=1 shop/b:0=2,1=1");

    CHECK(edit({{fewer, nullptr}}));
    CHECK(text_of(reach) == "shop/b:0=1,1=1");
    CHECK(edit({{second, nullptr}}));
    CHECK(reach.empty());
}
