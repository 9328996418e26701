// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "bpf/test/runner.hpp"

#include <array>

#include "tools/test/catch.hpp"

namespace penstock::bpf_test {

void check_row(const Row& row, Tables& tables, const Run& run, std::set<int>& seen) {
    INFO(row.name);
    build_world(tables);
    for (std::size_t i = 0; i < row.steps.size(); i++) {
        const Step& step = row.steps[i];
        INFO("step " << i + 1);
        if (step.before) { step.before(tables); }
        const Bytes in = build(step.in);
        const Outcome got = run(step.hook, kUplink, in);
        seen.insert(got.verdict);
        REQUIRE(verdict_name(got.verdict) == verdict_name(step.verdict));
        if (got.verdict == PST_DROP_RACE) { continue; }
        CHECK(hex(got.bytes) == hex(step.out ? build(*step.out) : in));
        if (step.out && got.ifindex != 0) { CHECK(got.ifindex == step.out_ifindex); }
    }
}

void check_coverage(const std::set<int>& seen, const std::set<int>& exempt) {
    for (int verdict = 0; verdict < PST_VERDICT_COUNT; verdict++) {
        INFO("no row produces " << verdict_name(verdict));
        CHECK((seen.contains(verdict) || exempt.contains(verdict)));
    }
}

}  // namespace penstock::bpf_test
