// SPDX-License-Identifier: Apache-2.0
#include "userspace/tls/seal.hpp"

#include "tools/test/catch.hpp"

using namespace penstock::tls;

TEST_CASE("seal: a value comes back where it counts and nowhere else") {
    const Seal seal("secret", "test");
    for (const std::string& value : {std::string("a"), std::string("\0\xff\x80", 3), std::string(200, 'x')}) {
        const std::string text = seal.seal(value, "here");
        CHECK(text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == std::string::npos);
        CHECK((value.size() == 1 || text.find(value) == std::string::npos));
        CHECK(seal.seal(value, "here") == text);
        CHECK(seal.open(text, "here") == value);
        CHECK(Seal("secret", "test").open(text, "here") == value);
        CHECK_FALSE(seal.open(text, "there"));
        CHECK_FALSE(Seal("another", "test").open(text, "here"));
        CHECK_FALSE(Seal("secret", "another").open(text, "here"));
    }
}

TEST_CASE("seal: any change shows, and what is no sealed value is none") {
    const Seal seal("secret", "test");
    const std::string text = seal.seal("a value of some length", "here");
    for (std::size_t i = 0; i < text.size(); ++i) {
        std::string changed = text;
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        INFO(i);
        CHECK_FALSE(seal.open(changed, "here"));
        CHECK_FALSE(seal.open(text.substr(0, i), "here"));
    }
    for (const std::string& junk : {std::string(), std::string("A"), std::string(22, 'A'), std::string(100, '='), std::string(1025, 'A'), text + "A", text + "AAAA", " " + text}) {
        CHECK_FALSE(seal.open(junk, "here"));
    }
}
