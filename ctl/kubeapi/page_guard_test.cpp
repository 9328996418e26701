// SPDX-License-Identifier: Apache-2.0
#include "ctl/kubeapi/page_guard.hpp"

#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::kubeapi;

TEST_CASE("page guard: pages follow one another to the last") {
    PageGuard guard;
    CHECK(guard.next().empty());
    CHECK(guard.page(100, "two").ok());
    CHECK(guard.next() == "two");
    CHECK(guard.page(100, "three").ok());
    CHECK(guard.next() == "three");
    CHECK(guard.page(100, "").ok());
    CHECK(guard.next().empty());
}

TEST_CASE("page guard: a page that follows itself is told") {
    PageGuard guard;
    REQUIRE(guard.page(100, "two").ok());
    const Status again = guard.page(100, "two");
    REQUIRE_FALSE(again.ok());
    CHECK(again.error().code == Errc::invalid);
    CHECK(again.error().message() == "a page says that it follows itself");
    PageGuard alone;
    CHECK(alone.page(100, "").ok());  // a first page that is the last
}

TEST_CASE("page guard: a list without an end ends by its pages or by its bytes, also where two pages lead to each other") {
    struct Row {
        std::size_t bytes;
        std::size_t pages;  // that are good
    };
    for (const Row& row : {Row{0, PageGuard::kPagesMax}, Row{PageGuard::kBytesMax / 8, 8}, Row{PageGuard::kBytesMax + 1, 0}}) {
        INFO("pages of " << row.bytes << " bytes");
        PageGuard guard;
        std::size_t good = 0;
        Status status = guard.page(row.bytes, "a");
        while (status.ok()) {
            good += 1;
            status = guard.page(row.bytes, good % 2 == 0 ? "a" : "b");
        }
        CHECK(good == row.pages);
        CHECK(status.error().code == Errc::limit);
    }
}
