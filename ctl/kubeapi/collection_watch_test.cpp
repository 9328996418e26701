// SPDX-License-Identifier: Apache-2.0
#include "ctl/kubeapi/collection_watch.hpp"

#include <vector>

#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::kubeapi;

namespace {

// A client whose time and server are the test's.
struct FakeClient final : Client {
    void send(Request request, Done done) override { asked.push_back({std::move(request), std::move(done), {}}); }
    std::uint64_t stream(Request request, OnLine line, Done done) override {
        asked.push_back({std::move(request), std::move(done), std::move(line)});
        return asked.size();
    }
    void end_stream(std::uint64_t number) override { ended.push_back(number); }
    void after(milliseconds delay, Task task) override { waits.push_back({delay, std::move(task)}); }

    [[nodiscard]] const ClientCounts& counts() const override { return counted; }

    struct Asked {
        Request request;
        Done done;
        OnLine line;  // of a stream
    };
    struct Wait {
        milliseconds delay;
        Task task;
    };
    std::vector<Asked> asked;
    std::vector<Wait> waits;
    std::vector<std::uint64_t> ended;
    ClientCounts counted;

    // What runs may ask and wait again.
    void answer(Result<Answer> with) {
        const Done done = asked.back().done;
        done(std::move(with));
    }
    void line(const std::string& text, bool last = true) {
        const OnLine line = asked.back().line;
        line(text, last);
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

std::shared_ptr<CollectionWatch> watch_over(FakeClient& client, CollectionWatch::Tell tell = [](Batch, const Reflection&) {}) {
    return CollectionWatch::start(client, "/api/v1/services", Reflection("v1", "Service", "", 1), std::move(tell));
}

Answer list_at(const std::string& version) {
    Answer out = answer(200);
    out.body = R"({"metadata":{"resourceVersion":")" + version + R"("},"items":[]})";
    return out;
}

constexpr const char* kAdded = R"({"type":"ADDED","object":{"metadata":{"name":"a","resourceVersion":"8"}}})";

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

TEST_CASE("collection watch: a watch that talks nonsense is let go, what it said before is told, and a list follows") {
    FakeClient client;
    std::size_t told = 0;
    const auto watch = watch_over(client, [&](const Batch& batch, const Reflection&) { told += batch.changes.size(); });
    client.answer(list_at("7"));
    REQUIRE(client.asked.size() == 2);
    const FakeClient::Asked first = client.asked.back();
    client.line(kAdded);
    client.line("junk");
    CHECK(told == 1);
    CHECK(client.ended == std::vector<std::uint64_t>{2});
    first.line(kAdded, true);  // on its way meanwhile
    first.done(answer(500));
    CHECK(told == 1);
    client.pass();
    REQUIRE(client.asked.size() == 3);
    CHECK(client.asked.back().request.path.find("limit=500") != std::string::npos);
}

TEST_CASE("collection watch: lines that come together are told as one batch, at once") {
    FakeClient client;
    std::vector<std::size_t> told;
    const auto watch = watch_over(client, [&](const Batch& batch, const Reflection&) { told.push_back(batch.changes.size()); });
    client.answer(list_at("7"));
    told.clear();
    const std::size_t waits = client.waits.size();
    client.line(kAdded, false);
    client.line(kAdded, false);
    CHECK(told.empty());
    client.line(kAdded);
    CHECK(told == std::vector<std::size_t>{3});
    client.line(kAdded);
    CHECK(told == std::vector<std::size_t>{3, 1});
    client.line(kAdded, false);
    watch->restart();  // what was not yet told is not lost
    CHECK(told == std::vector<std::size_t>{3, 1, 1});
    CHECK(client.waits.size() == waits);
}

TEST_CASE("collection watch: one that is begun anew lists, whatever it was doing") {
    FakeClient client;
    const auto watch = watch_over(client);
    watch->restart();
    CHECK(client.asked.size() == 1);  // it is listing
    client.answer(list_at("7"));
    watch->restart();
    CHECK(client.ended == std::vector<std::uint64_t>{2});
    REQUIRE(client.asked.size() == 3);
    CHECK(client.asked.back().request.path.find("limit=500") != std::string::npos);
    client.answer(list_at("9"));
    CHECK(client.asked.back().request.path.find("resourceVersion=9") != std::string::npos);
    client.answer(Error{.code = Errc::internal, .what = "lost"});
    watch->restart();  // waits after a failure
    CHECK(client.asked.size() == 4);
    client.pass();
    REQUIRE(client.asked.size() == 5);
    CHECK(client.asked.back().request.path.find("limit=500") != std::string::npos);
    client.answer(list_at("11"));
    watch->end();
    CHECK(client.ended == std::vector<std::uint64_t>{2, 6});
}
