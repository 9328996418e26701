// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/passive_health.hpp"

#include <memory>

#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::proxy;
using namespace std::chrono_literals;

namespace {

struct Ward {
    explicit Ward(std::uint32_t endpoints) {
        for (std::uint32_t i = 1; i <= endpoints; ++i) {
            set.ready.push_back({{IpAddress::v4(i), 80}, i});
        }
        set.health.failures = 3;
        set.health.eject_ms = 1000;
    }
    void fail(std::size_t index, int times = 1) {
        while (times-- > 0) {
            note_failure(*shared, set, set.ready[index], now);
        }
    }
    void succeed(std::size_t index) { note_success(*shared, set.ready[index], now); }
    bool out(std::size_t index) { return is_ejected(shared->endpoint(set.ready[index].id), now); }
    std::size_t count_out() {
        std::size_t count = 0;
        for (std::size_t i = 0; i < set.ready.size(); ++i) {
            count += out(i) ? 1 : 0;
        }
        return count;
    }

    std::unique_ptr<SharedPage> shared = std::make_unique<SharedPage>();
    BackendSet set;
    ring::Time now = ring::Time() + 1h;
};

}  // namespace

TEST_CASE("health: failures in a row eject, and a success between them starts the count anew") {
    Ward ward(4);
    ward.fail(0, 2);
    ward.succeed(0);
    ward.fail(0, 2);
    CHECK_FALSE(ward.out(0));
    ward.fail(0);
    CHECK(ward.out(0));
    CHECK(ward.count_out() == 1);
    ward.now += 1000ms;
    CHECK_FALSE(ward.out(0));
}

TEST_CASE("health: each further time is twice as long, up to ten times; a success forgets that") {
    Ward ward(4);
    ward.fail(0, 3);
    for (const auto length : {1000ms, 2000ms, 4000ms, 8000ms, 10000ms, 10000ms}) {
        INFO(length.count());
        ward.now += length - 1ms;
        CHECK(ward.out(0));
        ward.now += 1ms;
        CHECK_FALSE(ward.out(0));
        ward.fail(0);  // once more is enough
    }
    ward.now += 10000ms;
    ward.succeed(0);
    ward.fail(0, 2);
    CHECK_FALSE(ward.out(0));
    ward.fail(0);
    ward.now += 1000ms;
    CHECK_FALSE(ward.out(0));
}

TEST_CASE("health: what began before the ejection neither lengthens nor ends it") {
    Ward ward(4);
    ward.fail(0, 3);
    ward.fail(0, 10);
    ward.succeed(0);
    CHECK(ward.out(0));
    ward.now += 1000ms;
    CHECK_FALSE(ward.out(0));
    ward.fail(0);
    ward.now += 1999ms;
    CHECK(ward.out(0));
}

TEST_CASE("health: at most the set's share is out, never the last, one of two at any share") {
    struct Case {
        std::uint32_t endpoints, percent, out;
    };
    for (const Case& one : {Case{10, 50, 5}, Case{10, 30, 3}, Case{10, 5, 1}, Case{10, 100, 9}, Case{3, 50, 1}, Case{2, 50, 1}, Case{2, 100, 1}, Case{1, 100, 0}, Case{10, 0, 0}}) {
        Ward ward(one.endpoints);
        ward.set.health.eject_percent_max = one.percent;
        for (std::size_t i = 0; i < one.endpoints; ++i) {
            ward.fail(i, 5);
        }
        INFO(one.endpoints << " endpoints, " << one.percent << " %");
        CHECK(ward.count_out() == one.out);
    }
}

TEST_CASE("health: a place that becomes free is taken by the next failure") {
    Ward ward(2);
    ward.fail(0, 3);
    ward.fail(1, 9);
    CHECK_FALSE(ward.out(1));
    ward.now += 1000ms;
    ward.fail(1);
    CHECK(ward.out(1));
}

TEST_CASE("health: zero failures is off") {
    Ward ward(4);
    ward.set.health.failures = 0;
    ward.fail(0, 100);
    CHECK(ward.count_out() == 0);
}

TEST_CASE("health: since when an endpoint fails is known until it does well") {
    Ward ward(2);
    const auto since = [&](std::size_t index) { return failing_since(*ward.shared, ward.set.ready[index], ward.now); };
    CHECK(since(0) == ward.now);
    const ring::Time first = ward.now;
    ward.fail(0);
    ward.now += 500ms;
    ward.fail(0);
    CHECK(since(0) == first);
    CHECK(since(1) == ward.now);
    ward.succeed(0);
    CHECK(since(0) == ward.now);
    ward.set.health.failures = 0;  // nobody is left out, and it is known all the same
    ward.fail(1);
    ward.now += 500ms;
    CHECK(since(1) == ward.now - 500ms);
}
