// SPDX-License-Identifier: Apache-2.0
#include "userspace/base/base64.hpp"

#include "tools/test/catch.hpp"

using namespace penstock;

TEST_CASE("base64: the vectors of RFC 4648, both ways") {
    const std::pair<const char*, const char*> rows[] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}, {"\xff\xfe\xfd", "//79"}};
    for (const auto& [bytes, text] : rows) {
        CHECK(base64_of(bytes) == text);
        CHECK(base64_decoded(text) == std::string(bytes));
    }
    CHECK(base64_decoded(" Zm9v\r\n\tYg== ") == "foob");
}

TEST_CASE("base64: what is none is nothing") {
    for (const char* text : {"Z", "Zg", "Zg=", "Z===", "====", "Zg==Zg==", "Zm=v", "Zm9v!", "Zm9v-_==", "Zg===="}) {
        INFO(text);
        CHECK_FALSE(base64_decoded(text).has_value());
    }
}
