// SPDX-License-Identifier: Apache-2.0
// What a plan costs: Maglev tables, a whole plan and one after an edit, for many small services and for a large one. No kernel: the maps
// are plain memory.
#include <algorithm>
#include <string>
#include <vector>

#include "bench/native/report.hpp"
#include "bench/native/sample.hpp"
#include "ctl/plan/maglev.hpp"
#include "ctl/plan/steering_plan.hpp"

using namespace penstock;
using namespace penstock::plan;

namespace {

struct Tables {
    pst_filter filter = {};
    std::map<VipKey, pst_vip> vips;
    std::vector<pst_service_word_t> services = std::vector<pst_service_word_t>(16385);
    std::vector<std::uint32_t> slots = std::vector<std::uint32_t>(PST_SLOT_LINES_MAX * PST_SLOTS_PER_LINE);
    std::vector<pst_backend> backends = std::vector<pst_backend>(65537);

    [[nodiscard]] Observed observed() const {
        return {.filter = &filter, .vips = &vips, .vips_max = 16384, .services = services, .slots = slots, .backends = backends};
    }
    void operator()(const PutFilter& s) { filter.slot[s.slot] = s.value; }
    void operator()(const PutVip& s) { vips[s.key] = s.vip; }
    void operator()(const EraseVip& s) { vips.erase(s.key); }
    void operator()(const PutSlots& s) { std::copy(s.slots->begin(), s.slots->end(), slots.begin() + s.offset); }
    void operator()(const PutService& s) { services[s.service] = s.word; }
    void operator()(const PutBackend& s) { backends[s.id] = s.backend; }
    template <class Other>
    void operator()(const Other&) {}
};

compile::Steering steering_of(std::uint32_t services, std::uint32_t backends_each, ReachTable& reach) {
    compile::Steering out;
    std::uint32_t id = 0;
    for (std::uint32_t s = 1; s <= services; ++s) {
        compile::Service service{.id = static_cast<std::uint16_t>(s), .name = "TCPRoute/default/r" + std::to_string(s) + "/0/v4"};
        for (std::uint32_t b = 0; b < backends_each; ++b) {
            const Endpoint endpoint{IpAddress::v4(0x0a000000U + ++id), 8080};
            service.backends.push_back({.backend = id, .weight = 1});
            out.backends.push_back({.id = id, .service = service.id, .endpoint = endpoint});
            reach[endpoint.address] = {.exit = Reach::Exit::neigh, .ifindex = 2, .source = IpAddress::v4(0x0b000001U), .next_hop = endpoint.address};
        }
        out.services.push_back(std::move(service));
        out.vips.push_back({.address = {IpAddress::v4(0xc6336400U + s / 60000), static_cast<std::uint16_t>(s % 60000 + 1)},
                            .target = compile::Vip::Target::service,
                            .service = static_cast<std::uint16_t>(s),
                            .listener = s});
    }
    return out;
}

std::size_t plan_and_write(const compile::Steering& steering, const ReachTable& reach, Tables& tables, State& state, std::int64_t now_ms) {
    const Desired desired = bench::must(desire(steering, reach, tables.observed(), state, now_ms));
    const auto steps = diff(tables.observed(), desired);
    for (const Step& step : steps) {
        std::visit(tables, step.what);
    }
    return steps.size();
}

void measure_plan(const std::string& name, std::uint32_t services, std::uint32_t backends_each, bench::Table& table) {
    ReachTable reach;
    compile::Steering steering = steering_of(services, backends_each, reach);
    Tables tables;
    State state;
    std::int64_t now_ms = 0;
    std::size_t steps = 0;
    const auto row = [&](const char* what, int times, const auto& before) {
        const double ms = bench::best(bench::milliseconds(times, [&] {
            before();
            steps = plan_and_write(steering, reach, tables, state, now_ms += 2000);
        }));
        table.add(name + ": " + what, {ms, static_cast<double>(steps)});
    };
    row("first plan, all written", 1, [] {});
    row("the same again", 20, [] {});
    row("one weight edited", 20, [&] {
        auto& backend = steering.services[services / 2].backends[0];
        backend.weight = 3 - backend.weight;
    });
    row("the same after a restart", 5, [&] { state = {}; });
}

void measure_maglev(bench::Table& table) {
    for (const std::size_t count : {3U, 100U, 1000U}) {
        std::vector<MaglevMember> members;
        for (std::size_t i = 0; i < count; ++i) {
            members.push_back({"10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250) + ":8080", 1});
        }
        std::size_t slots = 0;
        const double ms = bench::best(bench::milliseconds(20, [&] { slots = maglev_table(members).size(); }));
        table.add(std::to_string(count) + " backends", {ms, static_cast<double>(slots)});
    }
}

}  // namespace

int main() {
    bench::Report report;
    measure_maglev(report.table("Maglev table", {{"CPU ms, best", 3}, {"slots"}}));
    bench::Table& plans = report.table("plan", {{"CPU ms, best", 3}, {"steps"}});
    measure_plan("5,000 services x 3 backends", 5000, 3, plans);
    measure_plan("1 service x 1,000 backends", 1, 1000, plans);
    report.print();
    return 0;
}
