// SPDX-License-Identifier: Apache-2.0
#include "ctl/daemon/rollout.hpp"

#include "tools/test/catch.hpp"

using namespace penstock::daemon;
using penstock::status::Phase;
using Step = Rollout::Step;

namespace {

// One whose first generation, with that root, is done.
Rollout serving(const char* root) {
    Rollout rollout;
    rollout.want(root);
    rollout.prepared();
    rollout.published();
    rollout.taken(1);
    rollout.finished();
    return rollout;
}

}  // namespace

TEST_CASE("rollout: prepare, publish, wait for the workers, finish") {
    Rollout rollout;
    CHECK(rollout.want("a") == 1);
    CHECK(rollout.step() == Step::prepare);
    rollout.prepared();
    CHECK(rollout.step() == Step::publish);
    rollout.published();
    CHECK(rollout.step() == Step::wait);
    CHECK(rollout.phase() == Phase::waiting);
    rollout.taken(1);
    CHECK(rollout.step() == Step::finish);
    CHECK(rollout.generation() == Generation{.wanted = 1, .applied = 0, .taken = 0});
    rollout.finished();
    CHECK(rollout.generation() == Generation{.wanted = 1, .applied = 1, .taken = 1});
    CHECK(rollout.phase() == Phase::taken);
}

TEST_CASE("rollout: an unchanged root is not published again") {
    Rollout rollout = serving("a");
    CHECK(rollout.want("a") == 2);  // the steering changed
    rollout.prepared();
    CHECK(rollout.step() == Step::finish);
    rollout.finished();
    CHECK(rollout.generation() == Generation{.wanted = 2, .applied = 2, .taken = 2});
}

TEST_CASE("rollout: a restarted daemon goes on and sends nothing") {
    Rollout rollout;
    rollout.restore(9, 7, "a");
    CHECK(rollout.want("a") == 10);
    rollout.prepared();
    CHECK(rollout.step() == Step::wait);  // the worker's answer to an earlier daemon is told again by the keeper
    rollout.taken(7);
    CHECK(rollout.step() == Step::finish);
    rollout.finished();
    CHECK(rollout.phase() == Phase::taken);

    Rollout lost;  // the state folder was lost, the keeper lives
    lost.restore(0, 7, "a");
    CHECK(lost.want("b") == 8);
}

TEST_CASE("rollout: a configuration that comes meanwhile starts over, an old answer does not count for it") {
    Rollout rollout;
    rollout.want("a");
    rollout.prepared();
    rollout.published();
    CHECK(rollout.want("b") == 2);
    CHECK(rollout.step() == Step::prepare);
    rollout.taken(1);
    CHECK(rollout.step() == Step::prepare);
    rollout.prepared();
    rollout.published();
    CHECK(rollout.step() == Step::wait);
    rollout.taken(1);
    CHECK(rollout.step() == Step::wait);
    rollout.taken(2);
    rollout.finished();
    CHECK(rollout.generation().taken == 2);
}

TEST_CASE("rollout: workers that do not come do not hold up the core, and are believed when they come") {
    Rollout rollout;
    rollout.want("a");
    rollout.prepared();
    rollout.published();
    rollout.give_up();
    CHECK(rollout.step() == Step::finish);
    rollout.finished();
    CHECK(rollout.generation() == Generation{.wanted = 1, .applied = 1, .taken = 0});
    CHECK(rollout.phase() == Phase::stuck);
    rollout.taken(1);
    CHECK(rollout.generation().taken == 1);
    CHECK(rollout.phase() == Phase::taken);
}

TEST_CASE("rollout: a publication that fails is tried again with the same generation") {
    Rollout rollout;
    rollout.want("a");
    rollout.prepared();
    rollout.publish_failed();
    rollout.finished();
    CHECK(rollout.generation() == Generation{.wanted = 1, .applied = 0, .taken = 0});
    CHECK(rollout.phase() == Phase::stuck);
    rollout.retry();
    rollout.prepared();
    CHECK(rollout.step() == Step::publish);
    rollout.published();
    rollout.taken(1);
    rollout.finished();
    CHECK(rollout.generation() == Generation{.wanted = 1, .applied = 1, .taken = 1});
}

TEST_CASE("rollout: going back to a root that is still published needs no worker") {
    Rollout rollout = serving("a");
    rollout.want("b");
    rollout.want("a");
    rollout.prepared();
    CHECK(rollout.step() == Step::finish);
    rollout.finished();
    CHECK(rollout.generation().taken == 3);
}
