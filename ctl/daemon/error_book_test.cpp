// SPDX-License-Identifier: Apache-2.0
#include "ctl/daemon/error_book.hpp"

#include <cerrno>

#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::daemon;

namespace {

Trouble trouble(const std::string& what) {
    return {.what = what,
            .error = sys_error_of(EADDRINUSE, "bind", "another process listens there"),
            .failure = status::Failure{.kind = status::Failure::Kind::socket, .object = "Gateway/default/edge", .listener = "http", .message = "x"}};
}

}  // namespace

TEST_CASE("errors: one entry from the first failure until ten minutes after the solution") {
    ErrorBook book;
    CHECK(book.set({trouble("socket a")}, 7, 1000, 100).begun == std::vector<std::string>{"socket a: bind: Address already in use"});
    CHECK(book.set({trouble("socket a")}, 8, 2000, 101).begun.empty());
    auto list = book.to_json(2000);
    REQUIRE(list.size() == 1);
    CHECK(list[0]["generation"] == 7);
    CHECK(list[0]["time"] == "1970-01-01T00:01:40Z");
    CHECK(list[0]["message"] == "socket a: bind");
    CHECK(list[0]["caused_by"] == "Address already in use");
    CHECK(list[0]["object"] == nlohmann::json{{"kind", "Gateway"}, {"namespace", "default"}, {"name", "edge"}});
    CHECK(list[0]["solved"] == false);

    CHECK(book.set({}, 9, 3000, 102).solved == std::vector<std::string>{"socket a"});
    CHECK(book.unsolved() == 0);
    CHECK(book.to_json(3000)[0]["solved"] == true);
    book.set({}, 9, 3000 + ErrorBook::kKeepSolvedMs, 103);
    CHECK(book.to_json(0).empty());
}

TEST_CASE("errors: tries come after 1, 2, 4 ... 30 s and soon again after a change") {
    ErrorBook book;
    std::vector<ErrorBook::Ms> waits;
    for (int i = 0; i < 7; ++i) {
        book.set({trouble("socket a")}, 1, 0, 0);
        waits.push_back(*book.retry_at());
    }
    CHECK(waits == std::vector<ErrorBook::Ms>{1000, 2000, 4000, 8000, 16000, 30000, 30000});
    book.restart_backoff();
    book.set({trouble("socket a")}, 1, 0, 0);
    CHECK(book.retry_at() == 1000);
    CHECK(book.to_json(400)[0]["retry_in_ms"] == 600);
    book.set({}, 1, 0, 0);
    CHECK_FALSE(book.retry_at());
}

TEST_CASE("errors: memory is bounded, solved ones go first, the newest stand first") {
    ErrorBook book;
    book.set({trouble("old and solved")}, 1, 0, 0);
    book.set({}, 1, 1, 0);
    std::vector<Trouble> many;
    for (int i = 0; i < 100; ++i) {
        many.push_back(trouble("socket " + std::to_string(i)));
    }
    book.set(many, 2, 2, 0);
    const auto list = book.to_json(3);
    REQUIRE(list.size() == ErrorBook::kMax);
    CHECK(list[0]["message"] == "socket 63: bind");
    for (const auto& entry : list) {
        CHECK(entry["solved"] == false);
    }
}

TEST_CASE("errors: references of objects") {
    CHECK(object_reference("GatewayClass//penstock")["namespace"] == "");
    CHECK(object_reference("").is_null());
}
