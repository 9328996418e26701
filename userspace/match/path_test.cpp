// SPDX-License-Identifier: Apache-2.0
#include "userspace/match/path.hpp"

#include "tools/test/catch.hpp"

using namespace penstock::match;

namespace {

struct Row {
    const char* in;
    const char* out;  // null: refused
};

void check(std::initializer_list<Row> rows) {
    for (const Row& row : rows) {
        INFO(row.in);
        std::string room;
        const auto normal = normal_path(row.in, room);
        CHECK(normal.has_value() == (row.out != nullptr));
        CHECK(normal.value_or("-") == (row.out != nullptr ? row.out : "-"));
        if (normal) {
            std::string again;
            CHECK(normal_path(*normal, again) == normal);
        }
    }
}

}  // namespace

TEST_CASE("path: dot segments are resolved in every spelling") {
    check({{"/", "/"}, {"/a/b", "/a/b"}, {"/a/./b", "/a/b"}, {"/a/../b", "/b"}, {"/a/..", "/"}, {"/a/.", "/a/"}, {"/./", "/"}, {"/a/b/../../c/", "/c/"},
           {"/a/%2e%2E/b", "/b"}, {"/a/%2E/b", "/a/b"}, {"/a/.%2e/b", "/b"}, {"/a/%2e.", "/"}, {"/a//..", "/a/"}, {"/a//../b", "/a/b"}});
}

TEST_CASE("path: what climbs above the root is refused") {
    check({{"/..", nullptr}, {"/../a", nullptr}, {"/a/../../b", nullptr}, {"/.%2e/b", nullptr}, {"/a/../..", nullptr}});
}

TEST_CASE("path: a step upwards that only some servers see is refused") {
    check({{"/a/..;/b", nullptr}, {"/a/..;x=1/b", nullptr}, {"/a/%2e%2e;x", nullptr},                                        // before parameters
           {"/a%2f..%2fb", nullptr}, {"/a/..%2Fb", nullptr}, {"/a/b%2F..", nullptr}, {"/a/b%2F%2e.%2Fc", nullptr},          // between encoded slashes
           {"/a%5c..%5Cb", nullptr}, {"/..%5cb", nullptr}, {"/a%2f..;x%5cb", nullptr}, {"/a/x;y%2f..", nullptr}});           // or backslashes
}

TEST_CASE("path: all else stays as it is") {
    check({{"/a//b", "/a//b"}, {"//a", "//a"}, {"//", "//"}, {"/a%2Fb", "/a%2Fb"}, {"/a%5Cb", "/a%5Cb"}, {"/a;x=1/b;y", "/a;x=1/b;y"}, {"/...", "/..."},
           {"/.a", "/.a"}, {"/a..", "/a.."}, {"/a..b/c", "/a..b/c"}, {"/%2e%2e%2e", "/%2e%2e%2e"}, {"/.well-known/x", "/.well-known/x"},
           {"/a%252e%252e/b", "/a%252e%252e/b"}, {"/%2", "/%2"}, {"/%", "/%"}, {"/a/.;x/b", "/a/.;x/b"}, {"/a%2f.%2fb", "/a%2f.%2fb"}, {"/a;..", "/a;.."},
           {"/A", "/A"}, {"/%41", "/%41"}, {"*", "*"}, {"", ""}});
}

TEST_CASE("path: a malformed escape is no escape, and hides none") {
    check({{"/%zz", "/%zz"}, {"/a%2", "/a%2"}, {"/a/%2g./b", "/a/%2g./b"}, {"/%2%65", "/%2%65"}, {"/%%2e", "/%%2e"}, {"/a/%2/../b", "/a/b"}, {"/a/%/%2e%2e", "/a/"},
           {"/a%/..;/b", nullptr}, {"/a%2%2f..%2fb", nullptr}});
}

TEST_CASE("path: a path that needs no change is not copied") {
    std::string room;
    for (const std::string path : {"/a/b/index.html", "/a..b", "/.x/%2f"}) {
        CHECK(normal_path(path, room)->data() == path.data());
    }
    CHECK(room.empty());
}
