// SPDX-License-Identifier: Apache-2.0
#include "ctl/daemon/ladder.hpp"

#include <set>

#include "tools/test/catch.hpp"

using namespace penstock::daemon;

TEST_CASE("ladder: a name is found only whole") {
    const std::string btf("x\0bpf_one\0bpf_two_more\0", 23);
    CHECK(btf_has_name(btf, "bpf_one"));
    CHECK_FALSE(btf_has_name(btf, "bpf_two"));
    CHECK_FALSE(btf_has_name(btf, "pf_one"));
    CHECK(btf_has_name(btf, "bpf_two_more"));
}

TEST_CASE("ladder: every rung has a name of its own and a reason if it does not work") {
    std::set<std::string> names;
    for (const Rung& rung : probe_ladder()) {
        INFO(rung.name);
        CHECK(names.insert(rung.name).second);
        CHECK(rung.works == rung.detail.empty());
        CHECK_FALSE(rung.what.empty());
    }
    CHECK(names.contains("io_uring"));
    CHECK(kernel_release() != "unknown");
}
