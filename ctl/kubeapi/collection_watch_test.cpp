// SPDX-License-Identifier: Apache-2.0
#include "ctl/kubeapi/collection_watch.hpp"

#include <vector>

#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::kubeapi;

namespace {

// A client whose time and server are the test's.
struct FakeClient final : Client {
    void send(Request request, Done done) override { asked.push_back({std::move(request), std::move(done)}); }
    void stream(Request request, OnLine line, Done done) override {
        (void)line;
        asked.push_back({std::move(request), std::move(done)});
    }
    void after(milliseconds delay, Task task) override { waits.push_back({delay, std::move(task)}); }

    [[nodiscard]] const ClientCounts& counts() const override { return counted; }

    struct Asked {
        Request request;
        Done done;
    };
    struct Wait {
        milliseconds delay;
        Task task;
    };
    std::vector<Asked> asked;
    std::vector<Wait> waits;
    ClientCounts counted;

    // What runs may ask and wait again.
    void answer(Result<Answer> with) {
        const Done done = asked.back().done;
        done(std::move(with));
    }
    void pass() {
        const Task task = waits.back().task;
        task();
    }
};

Answer answer(int status, std::optional<milliseconds> retry_after = {}) {
    Answer out;
    out.status = status;
    out.retry_after = retry_after;
    return out;
}

std::shared_ptr<CollectionWatch> watch_over(FakeClient& client) {
    return CollectionWatch::start(client, "/api/v1/services", Reflection("v1", "Service", "", 1), [](Batch, const Reflection&) {});
}

}  // namespace

TEST_CASE("collection watch: a wait of many failures is cut short when the server answers others, once") {
    FakeClient client;
    const auto watch = watch_over(client);
    for (int i = 0; i < 12; ++i) {
        REQUIRE(client.asked.size() == static_cast<std::size_t>(i + 1));
        client.answer(Error{.code = Errc::timeout, .what = "away"});
        if (i < 11) {
            client.pass();
        }
    }
    CHECK(client.waits.back().delay >= milliseconds(10'000));
    const FakeClient::Wait long_wait = client.waits.back();
    watch->hurry();
    CHECK(client.waits.back().delay <= milliseconds(1));
    client.pass();
    CHECK(client.asked.size() == 13);
    long_wait.task();
    CHECK(client.asked.size() == 13);
    // It runs: nothing to hurry.
    const std::size_t waits = client.waits.size();
    watch->hurry();
    CHECK(client.waits.size() == waits);
    // A server that is starting may fail once more: the next waits are short again.
    client.answer(answer(503));
    CHECK(client.waits.back().delay <= milliseconds(200));
}

TEST_CASE("collection watch: what the server asks to wait is waited") {
    FakeClient client;
    const auto watch = watch_over(client);
    client.answer(answer(429, milliseconds(20'000)));
    CHECK(client.waits.back().delay >= milliseconds(20'000));
    watch->hurry();
    CHECK(client.waits.back().delay > milliseconds(15'000));
    watch->end();
    client.pass();
    CHECK(client.asked.size() == 1);
}
