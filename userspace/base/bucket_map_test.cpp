// SPDX-License-Identifier: Apache-2.0
#include "userspace/base/bucket_map.hpp"

#include <map>
#include <random>
#include <string>

#include "tools/test/catch.hpp"

using namespace penstock;

namespace {

using Map = BucketMap<int>;
using Plain = std::map<std::string, int>;

void check_same(const Map& map, const Plain& plain, int keys) {
    REQUIRE(map.size() == plain.size());
    for (int i = 0; i < keys; ++i) {
        const std::string key = "key" + std::to_string(i);
        const auto wanted = plain.find(key);
        const int* found = map.find(key);
        REQUIRE((found != nullptr) == (wanted != plain.end()));
        REQUIRE((found == nullptr || *found == wanted->second));
    }
}

}  // namespace

TEST_CASE("bucket_map: an empty one has nothing") {
    Map map;
    CHECK(map.empty());
    CHECK(map.find("") == nullptr);
    CHECK_FALSE(map.erase("a"));
    CHECK(map.add("", 1));
    CHECK(*map.find("") == 1);
}

TEST_CASE("bucket_map: the first of a key stays when added, the last when set") {
    Map map;
    CHECK(map.add("a", 1));
    CHECK_FALSE(map.add("a", 2));
    CHECK(*map.find("a") == 1);
    map.set("a", 3);
    map.set("b", 4);
    CHECK(*map.find("a") == 3);
    CHECK(map.size() == 2);
}

TEST_CASE("bucket_map: random writes give what a plain map has, and copies stay as they were") {
    const auto seed = std::random_device()();
    INFO("seed " << seed);
    std::mt19937 random(seed);
    constexpr int kKeys = 3000;
    Map map;
    Plain plain;
    for (int round = 0; round < 12; ++round) {
        const Map copy = map;
        const Plain copied = plain;
        const bool shrinking = round % 4 == 3;
        for (int i = 0; i < 2000; ++i) {
            const std::string key = "key" + std::to_string(random() % kKeys);
            if (random() % 10 < (shrinking ? 9U : 2U)) {
                CHECK(map.erase(key) == (plain.erase(key) != 0));
            } else {
                map.set(key, i);
                plain[key] = i;
            }
        }
        check_same(map, plain, kKeys);
        check_same(copy, copied, kKeys);
    }
    for (int i = 0; i < kKeys; ++i) {
        map.erase("key" + std::to_string(i));
    }
    CHECK(map.empty());
}
