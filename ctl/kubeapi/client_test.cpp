// SPDX-License-Identifier: Apache-2.0
#include "ctl/kubeapi/client.hpp"

#include <atomic>
#include <future>
#include <random>
#include <thread>

#include "ctl/kubeapi/test_client.hpp"
#include "ctl/kubeapi/transfer.hpp"
#include "tools/test/api_server.hpp"
#include "tools/test/catch.hpp"
#include "tools/test/mute_server.hpp"

using namespace penstock;
using namespace penstock::kubeapi;

namespace {

nlohmann::json service(const std::string& name) { return {{"apiVersion", "v1"}, {"kind", "Service"}, {"metadata", {{"name", name}, {"namespace", "default"}}}}; }

std::unique_ptr<Client> client_of(Access access, ClientLimits limits = {}) {
    auto client = Client::start(std::move(access), limits);
    REQUIRE(client.ok());
    return std::move(client).value();
}

}  // namespace

TEST_CASE("client: an answer comes whole, whatever its status, and a refusal has the server's words") {
    test::ApiServer server;
    server.put(service("a"));
    const auto client = client_of(access_to(server.url()));
    const auto list = client->call({.path = "/api/v1/services?limit=500"});
    REQUIRE(list.ok());
    CHECK(list->status == 200);
    CHECK(nlohmann::json::parse(list->body)["items"].size() == 1);
    server.fail("/api/v1/services", 429, 1, "7");
    const auto refused = client->call({.path = "/api/v1/services"});
    REQUIRE(refused.ok());
    CHECK(refused->status == 429);
    CHECK(refused->retry_after == milliseconds(7000));
    CHECK(refused->failure("list").message() == "list: made to fail");
    CHECK(client->counts().throttled == 1);
}

TEST_CASE("client: a server that is not there is an error with its reason, in time") {
    std::string gone;
    {
        const test::ApiServer server;
        gone = server.url();
    }
    const auto client = client_of(access_to(gone));
    const auto answer = client->call({.path = "/api/v1/services?secret=1"});
    REQUIRE_FALSE(answer.ok());
    CHECK(answer.error().message().find("GET /api/v1/services: ") == 0);
    CHECK(answer.error().message().find("secret") == std::string::npos);
    CHECK(client->counts().failed == 1);
}

TEST_CASE("client: a patch carries its body and type") {
    test::ApiServer server;
    server.put(service("a"));
    const auto client = client_of(access_to(server.url()));
    const std::string version = server.get("/api/v1/namespaces/default/services/a")["metadata"]["resourceVersion"];
    const std::string path = "/api/v1/namespaces/default/services/a/status";
    const Request patch{.method = "PATCH", .path = path, .body = R"({"metadata":{"resourceVersion":")" + version + R"("},"status":{"x":1}})",
                        .content_type = "application/merge-patch+json"};
    CHECK(client->call(patch)->status == 200);
    CHECK(server.get("/api/v1/namespaces/default/services/a")["status"]["x"] == 1);
    CHECK(client->call(patch)->status == 409);
}

TEST_CASE("client: answers may come compressed, unless that is not wanted") {
    test::ApiServer server;
    server.put(service("a"));
    Access access = access_to(server.url());
    CHECK(client_of(access)->call({.path = "/api/v1/services"})->status == 200);
    CHECK(server.encodings() == std::set<std::string>{"gzip"});
    access.disable_compression = true;
    CHECK(client_of(access)->call({.path = "/api/v1/services"})->status == 200);
    CHECK(server.encodings() == std::set<std::string>{"", "gzip"});
}

TEST_CASE("client: no more requests at once than allowed, and all are answered") {
    test::ApiServer server;
    const auto client = client_of(access_to(server.url()), {.in_flight = 2, .per_second = 1000, .burst = 5});
    std::atomic<int> done{0};
    std::promise<void> all;
    for (int i = 0; i < 50; ++i) {
        client->send({.path = "/api/v1/services"}, [&](const Result<Answer>& answer) {
            CHECK(answer.ok());
            if (++done == 50) {
                all.set_value();
            }
        });
    }
    REQUIRE(all.get_future().wait_for(std::chrono::seconds(30)) == std::future_status::ready);
    CHECK(client->counts().requests == 50);
}

TEST_CASE("client: what is urgent waits neither for the pace nor for what others wait for") {
    test::ApiServer server;
    const auto client = client_of(access_to(server.url()), {.in_flight = 1, .per_second = 0.001, .burst = 1});
    std::atomic<int> others{0};
    for (int i = 0; i < 10; ++i) {
        client->send({.path = "/api/v1/services"}, [&](const Result<Answer>&) { ++others; });
    }
    const auto answer = client->call({.path = "/api/v1/services", .urgent = true});
    REQUIRE(answer.ok());
    CHECK(answer->status == 200);
    CHECK(others <= 1);
}

TEST_CASE("pace: a bucket gives its burst at once, then its rate; a back-off doubles and is never twice the same for all") {
    Time now{std::chrono::hours(1)};
    TokenBucket bucket(10, 3, now);
    int taken = 0;
    for (int i = 0; i < 1000; ++i) {
        const milliseconds wait = bucket.take(now);
        taken += wait.count() == 0 ? 1 : 0;
        CHECK(wait <= milliseconds(101));
        now += milliseconds(1);
    }
    CHECK(taken >= 12);
    CHECK(taken <= 13);
    Backoff backoff(milliseconds(100), milliseconds(1000), 1);
    for (const int whole : {100, 200, 400, 800, 1000, 1000}) {
        const milliseconds wait = backoff.next();
        CHECK(wait >= milliseconds(whole / 2));
        CHECK(wait <= milliseconds(whole));
    }
    backoff.succeeded();
    CHECK(backoff.next() <= milliseconds(100));
}

TEST_CASE("client: a stream gives whole lines, and the end says how it was") {
    test::ApiServer server;
    const auto client = client_of(access_to(server.url()));
    std::promise<std::string> names;
    std::promise<Result<Answer>> end;
    for (const char* name : {"a", "b", "c"}) {
        server.put(service(name));
    }
    client->stream({.path = "/api/v1/services?watch=1&resourceVersion=100", .patience = milliseconds(60'000)},
                   [&, told = std::string()](std::string_view text, bool last) mutable {
                       told += nlohmann::json::parse(text)["object"]["metadata"]["name"];
                       if (last && told.size() >= 3) {  // they may come apart
                           names.set_value(std::exchange(told, {}));
                       }
                   },
                   [&](Result<Answer> answer) { end.set_value(std::move(answer)); });
    CHECK(names.get_future().get() == "abc");
    server.cut_watches(true);
    const auto ended = end.get_future().get();
    REQUIRE(ended.ok());
    CHECK(ended->status == 200);
}

TEST_CASE("client: a stream that is ended gives nothing more and keeps nothing") {
    test::ApiServer server;
    const auto client = client_of(access_to(server.url()));
    std::promise<void> line;
    auto kept = std::make_shared<int>(0);
    const std::uint64_t number = client->stream({.path = "/api/v1/services?watch=1&resourceVersion=100"},
                                                [&line, kept](std::string_view, bool) {
                                                    if (++*kept == 1) {
                                                        line.set_value();
                                                    }
                                                },
                                                [](const Result<Answer>&) { FAIL_CHECK("it was ended by us"); });
    server.put(service("a"));
    line.get_future().get();
    const std::weak_ptr<int> left = kept;
    kept.reset();
    client->end_stream(number);
    client->end_stream(number + 1);  // there is none
    std::promise<void> after;
    client->after(milliseconds(0), [&] { after.set_value(); });
    after.get_future().get();
    CHECK(left.expired());
    CHECK(client->call({.path = "/api/v1/services"}).ok());
}

TEST_CASE("client: a connection of HTTP/2 that falls silent is given up with all that is on it") {
    test::MuteServer server;
    Access access;
    access.server = server.url();
    access.skip_verify = true;
    const auto client = client_of(access);
    std::promise<void> line;
    std::promise<Result<Answer>> end;
    server.go_on(true);
    client->stream({.path = "/watch", .patience = milliseconds(600'000)}, [&](std::string_view, bool) { line.set_value(); }, [&](Result<Answer> answer) { end.set_value(std::move(answer)); });
    line.get_future().get();
    server.go_on(false);
    REQUIRE(client->call({.path = "/lease"}).ok());
    CHECK(server.connections() == 1);
    server.make_mute();
    const auto lost = client->call({.path = "/lease", .patience = milliseconds(100)});
    REQUIRE_FALSE(lost.ok());
    CHECK(lost.error().code == Errc::timeout);
    const auto ended = end.get_future().get();
    REQUIRE_FALSE(ended.ok());
    CHECK(ended.error().message() == "GET /watch: the connection fell silent");
    CHECK(client->call({.path = "/lease"}).ok());
    CHECK(server.connections() == 2);
    // A server that is mute on every connection is not connected to at each time-out.
    server.make_mute(true);
    for (int i = 0; i < 6; ++i) {
        CHECK_FALSE(client->call({.path = "/lease", .patience = milliseconds(100)}).ok());
    }
    CHECK(server.connections() <= 3);
}

// Of 6,000 rounds some 30 hung before the client always looked once more before it sleeps: see CurlClient::run.
TEST_CASE("client: what comes on one of many streams is handed on though nothing comes after it") {
    constexpr unsigned kStreams = 14;
    constexpr unsigned kRounds = 2'000;
    constexpr unsigned kLinesOfRound = 8;
    const auto spin = [](unsigned us) {
        for (const auto end = Clock::now() + std::chrono::microseconds(us); Clock::now() < end;) {
        }
    };
    test::MuteServer server;
    server.go_on(true);
    Access access;
    access.server = server.url();
    access.skip_verify = true;
    std::atomic<unsigned> lines{0};
    const auto client = client_of(access);
    const auto have_come = [&](unsigned count) {
        for (const auto end = Clock::now() + std::chrono::seconds(10); lines < count && Clock::now() < end;) {
            std::this_thread::sleep_for(std::chrono::microseconds(50));
        }
        return lines == count;
    };
    const auto on_line = [&](std::string_view, bool) {
        ++lines;
        spin(150);  // more comes meanwhile
    };
    for (unsigned i = 0; i < kStreams; ++i) {
        client->stream({.path = "/watch", .patience = milliseconds(600'000)}, on_line, [](const Result<Answer>&) {});
        REQUIRE(have_come(i + 1));
    }
    CHECK(server.connections() == 1);
    std::mt19937 random(1);  // NOLINT(cert-msc51-cpp)
    for (unsigned round = 1; round <= kRounds; ++round) {
        for (unsigned i = 0; i < kLinesOfRound; ++i) {
            server.say(1 + 2 * static_cast<unsigned>(random() % 4));
            spin(static_cast<unsigned>(random() % 200));
        }
        REQUIRE(have_come(kStreams + round * kLinesOfRound));
    }
}

TEST_CASE("client: the server's certificate may be that of another name, which is then given") {
    const test::Pair certificate = test::issue({.name = "api", .names = "DNS:api.example"});
    test::MuteServer server(certificate);
    Access access;
    access.server = server.url();
    access.ca.bytes = certificate.chain;
    CHECK_FALSE(client_of(access)->call({.path = "/version"}).ok());
    access.tls_server_name = "api.example";
    const auto answer = client_of(access)->call({.path = "/version"});
    CHECK(answer.ok());
    access.tls_server_name = "other.example";
    CHECK_FALSE(client_of(access)->call({.path = "/version"}).ok());
}

TEST_CASE("client: what Retry-After asks is counted by the clock of who asks") {
    struct Row {
        const char* retry_after;
        const char* date;
        std::int64_t seconds;  // 0: nothing
    };
    constexpr std::int64_t kNow = 1'000'000'000;  // Sun, 09 Sep 2001 01:46:40 GMT
    for (const Row& row : {Row{"7", "", 7}, Row{"0", "", 0}, Row{"-3", "", 0}, Row{"", "", 0}, Row{"soon", "", 0}, Row{"99999999999", "", 600}, Row{"99999999999999999999999", "", 0},
                           Row{"Wed, 01 Jul 2026 10:00:05 GMT", "Wed, 01 Jul 2026 10:00:00 GMT", 5}, Row{"Wed, 01 Jul 2026 10:00:00 GMT", "Wed, 01 Jul 2026 10:00:05 GMT", 0},
                           Row{"Sun, 09 Sep 2001 01:46:45 GMT", "", 5}, Row{"Sun, 09 Sep 2001 01:46:45 GMT", "junk", 5}}) {
        INFO(row.retry_after << " at " << row.date);
        const auto wait = wait_asked(row.retry_after, row.date, kNow);
        CHECK(wait.value_or(milliseconds(0)) == std::chrono::seconds(row.seconds));
    }
}

TEST_CASE("client: it ends with requests on their way") {
    test::ApiServer server;
    auto client = client_of(access_to(server.url()));
    std::atomic<bool> over{false};
    for (int i = 0; i < 10; ++i) {
        client->stream({.path = "/api/v1/services?watch=1&resourceVersion=100"}, [](std::string_view, bool) {}, [&](const Result<Answer>&) { CHECK_FALSE(over); });
    }
    client->after(milliseconds(60'000), [&] { over = true; });
    client.reset();
    over = true;
}
