// SPDX-License-Identifier: Apache-2.0
#include "ctl/source/identity.hpp"

#include "tools/test/catch.hpp"

using namespace penstock::source;

TEST_CASE("identity: the generation rises with the content only, age and uid stay") {
    IdentityBook book;
    const Identity first = book.observe("Gateway/default/edge", "one", 100);
    CHECK(first.generation == 1);
    CHECK(first.created_s == 100);
    CHECK(first.uid.size() == 36);
    CHECK(book.observe("Gateway/default/edge", "one", 200) == first);
    const Identity second = book.observe("Gateway/default/edge", "two", 300);
    CHECK(second.generation == 2);
    CHECK(second.uid == first.uid);
    CHECK(second.created_s == 100);
    CHECK(book.observe("Gateway/default/other", "one", 100).uid != first.uid);
}

TEST_CASE("identity: an object that was gone is another one when it comes back") {
    IdentityBook book;
    const Identity first = book.observe("Gateway/default/edge", "one", 100);
    book.keep_only({});
    const Identity second = book.observe("Gateway/default/edge", "one", 200);
    CHECK(second.uid != first.uid);
    CHECK(second.created_s == 200);
    CHECK(second.generation == 1);
}

TEST_CASE("identity: the book survives a restart as text") {
    IdentityBook book;
    (void)book.observe("Gateway/default/edge", "one", 100);
    (void)book.observe("Gateway/default/edge", "two", 100);
    (void)book.observe("Namespace//shop", "", 101);
    CHECK(book.changed());
    const std::string text = book.encode();
    CHECK_FALSE(book.changed());
    auto again = IdentityBook::decode(text);
    REQUIRE(again.ok());
    CHECK(again->encode() == text);
    CHECK(again->observe("Gateway/default/edge", "two", 500).generation == 2);
    CHECK_FALSE(again->changed());
}

TEST_CASE("identity: a damaged book is refused with its line") {
    for (const char* text : {"", "something else\n", "penstock objects 1\nu x 1 d name\n", "penstock objects 1\nu 0 1 d name\n", "penstock objects 1\nu 1 1 d\n"}) {
        INFO(text);
        CHECK_FALSE(IdentityBook::decode(text).ok());
    }
}
