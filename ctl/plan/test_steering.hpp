// SPDX-License-Identifier: Apache-2.0
// For tests of the plan: maps as the kernel would hold them, steering from a few words, and a planner between the two.
#pragma once

#include <algorithm>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "bpf/core/pst_hash.h"
#include "bpf/core/pst_service.h"
#include "ctl/plan/steering_plan.hpp"
#include "tools/test/catch.hpp"

namespace penstock::plan::testing {

inline constexpr std::size_t kServices = 64;
inline constexpr std::size_t kBackends = 256;

// The maps as the kernel would hold them, and the checker of what packets may meet.
struct Tables {
    pst_filter filter = {};
    std::map<VipKey, pst_vip> vips;
    std::vector<pst_service_word_t> services = std::vector<pst_service_word_t>(kServices);
    std::vector<std::uint32_t> slots;
    std::vector<pst_backend> backends = std::vector<pst_backend>(kBackends);
    std::size_t vips_max = 128;

    explicit Tables(std::size_t slots_max = 65536) : slots(slots_max) {}

    [[nodiscard]] Observed observed() const {
        return {.filter = &filter, .vips = &vips, .vips_max = vips_max, .services = services, .slots = slots, .backends = backends};
    }

    void operator()(const PutFilter& s) { filter.slot[s.slot] = s.value; }
    void operator()(const PutVip& s) { vips[s.key] = s.vip; }
    void operator()(const EraseVip& s) { REQUIRE(vips.erase(s.key) == 1); }
    void operator()(const PutSlots& s) {
        for (const pst_service_word_t word : services) {
            const bool apart = pst_service_offset(word) + pst_service_size(word) <= s.offset ||
                               s.offset + s.slots->size() <= pst_service_offset(word);
            REQUIRE((pst_service_size(word) == 0 || apart));
        }
        std::copy(s.slots->begin(), s.slots->end(), slots.begin() + s.offset);
    }
    void operator()(const PutService& s) { services[s.service] = s.word; }
    void operator()(const PutBackend& s) { backends[s.id] = s.backend; }
    template <class Other>
    void operator()(const Other&) {
        FAIL("not a step of steering");
    }

    void write(const Step& step) { std::visit(*this, step.what); }

    [[nodiscard]] bool passes_filter(const IpAddress& address, std::uint8_t bit) const {
        pst_addr abi{};
        std::memcpy(abi.byte, address.bytes.data(), 16);
        return (filter.slot[pst_filter_slot(&abi)] & bit) != 0;
    }

    // What holds at every moment.
    void check(bool may_park = false) const {
        for (const auto& [key, vip] : vips) {
            if (vip.kind != PST_VIP_SERVICE) {
                continue;
            }
            const pst_service_word_t word = services.at(vip.service);
            if (word == 0) {
                INFO(key.text() << " leads to service " << vip.service);
                REQUIRE(may_park);
                continue;
            }
            const auto begin = slots.begin() + pst_service_offset(word);
            for (const std::uint32_t id : std::set<std::uint32_t>(begin, begin + pst_service_size(word))) {
                const pst_backend& backend = backends.at(id);
                REQUIRE((backend.flags & PST_BACKEND_READY) != 0);
                REQUIRE(backend.service == vip.service);
                REQUIRE((backend.exit == PST_EXIT_NONE || passes_filter(address_from_abi(backend.nat_addr), PST_FILTER_NAT)));
            }
        }
    }
};

inline IpAddress ip(const std::string& text) { return *IpAddress::parse(text); }

inline ReachTable reach_of(const compile::Steering& steering) {
    ReachTable table;
    for (const auto& backend : steering.backends) {
        const bool six = backend.endpoint.address.family == Family::v6;
        table[backend.endpoint.address] = {.exit = Reach::Exit::neigh,
                                           .ifindex = 7,
                                           .source = ip(six ? "fd00::1" : "10.0.0.1"),
                                           .next_hop = backend.endpoint.address};
    }
    return table;
}

struct Builder {
    compile::Steering steering;

    void service(std::uint16_t id, const std::vector<std::pair<std::uint32_t, std::string>>& backends) {
        compile::Service made{.id = id, .name = "TCPRoute/default/r" + std::to_string(id) + "/0/v4"};
        for (const auto& [backend, endpoint] : backends) {
            made.backends.push_back({.backend = backend, .weight = 1});
            steering.backends.push_back({.id = backend, .service = id, .endpoint = *Endpoint::parse(endpoint)});
        }
        steering.services.push_back(std::move(made));
    }
    void vip(const std::string& endpoint, std::uint16_t service, std::uint32_t listener = 1) {
        steering.vips.push_back({.address = *Endpoint::parse(endpoint),
                                 .target = service != 0 ? compile::Vip::Target::service : compile::Vip::Target::ours,
                                 .service = service,
                                 .listener = listener,
                                 .listener_name = "Gateway/default/edge/l" + std::to_string(listener)});
    }
    static Builder quickstart() {
        Builder b;
        b.service(1, {{1, "10.1.0.1:80"}, {2, "10.1.0.2:80"}});
        b.service(2, {{3, "[fd01::1]:53"}});
        b.vip("192.0.2.1:80", 1);
        b.vip("[2001:db8::1]:53", 2, 2);
        b.vip("192.0.2.1:443", 0, 3);
        return b;
    }
};

struct World {
    Tables tables;
    State state;
    std::int64_t now_ms = 0;

    std::vector<Step> plan(const compile::Steering& steering, const ReachTable& reach) {
        now_ms += 10;
        auto desired = desire(steering, reach, tables.observed(), state, now_ms);
        REQUIRE(desired.ok());
        return diff(tables.observed(), *desired);
    }
    std::vector<Step> plan(const compile::Steering& steering) { return plan(steering, reach_of(steering)); }

    std::vector<std::string> go(const compile::Steering& steering, bool may_park = false) {
        std::vector<std::string> texts;
        for (const Step& step : plan(steering)) {
            tables.write(step);
            tables.check(may_park);
            texts.push_back(step.text());
        }
        return texts;
    }
};

inline std::set<std::uint32_t> ids_of(const Tables& tables, std::uint16_t service) {
    const pst_service_word_t word = tables.services.at(service);
    const auto begin = tables.slots.begin() + pst_service_offset(word);
    return {begin, begin + pst_service_size(word)};
}

}  // namespace penstock::plan::testing
