// SPDX-License-Identifier: Apache-2.0
#include "ctl/daemon/resync.hpp"

#include <set>

#include "tools/test/catch.hpp"

using namespace penstock::daemon;
using namespace std::chrono_literals;

TEST_CASE("resync: at random in 12 to 24 hours, each time anew") {
    Resync one(0ms, 1), other(0ms, 2);
    std::set<Resync::Duration> all;
    for (int i = 0; i < 1000; ++i) {
        for (Resync* resync : {&one, &other}) {
            const auto next = resync->next();
            CHECK(next >= 12h);
            CHECK(next <= 24h);
            all.insert(next);
        }
    }
    CHECK(all.size() > 1900);
    CHECK(*all.rbegin() - *all.begin() > 10h);
}

TEST_CASE("resync: at a fixed interval where one is asked for") {
    Resync resync(30s);
    CHECK(resync.next() == 30s);
    CHECK(resync.next() == 30s);
}
