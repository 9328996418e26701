// SPDX-License-Identifier: Apache-2.0
#include "userspace/base/piece_map.hpp"

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "tools/test/catch.hpp"

using namespace penstock;

namespace {

using Map = PieceMap<std::string, int>;
using Plain = std::map<std::string, int>;

Plain plain(const Map& map) { return {map.begin(), map.end()}; }

Map filled(int count) {
    Map map;
    for (int i = 0; i < count; ++i) {
        map.set("key" + std::to_string(i), i);
    }
    return map;
}

std::vector<Map::Piece> pieces_of(const Map& map) {
    std::vector<Map::Piece> pieces;
    for (std::size_t i = 0; i < map.pieces(); ++i) {
        pieces.push_back(*map.piece(i));
    }
    return pieces;
}

// What diff() tells, done by hand: +key, -key or ~key.
std::vector<std::string> told(const Map& old, const Map& now) {
    std::vector<std::string> out;
    Map::diff(old, now, [&](const auto* before, const auto* after) {
        out.push_back(before == nullptr ? "+" + after->first : after == nullptr ? "-" + before->first : "~" + after->first);
    });
    return out;
}

std::vector<std::string> expected(const Plain& old, const Plain& now) {
    std::map<std::string, std::string> out;
    for (const auto& [key, value] : old) {
        const auto found = now.find(key);
        if (found == now.end() || found->second != value) {
            out[key] = (found == now.end() ? "-" : "~") + key;
        }
    }
    for (const auto& [key, value] : now) {
        if (!old.contains(key)) {
            out[key] = "+" + key;
        }
    }
    std::vector<std::string> list;
    for (const auto& [key, text] : out) {
        list.push_back(text);
    }
    return list;
}

}  // namespace

TEST_CASE("piece map: it is a sorted map, and its copies stay as they are") {
    const auto seed = std::random_device()();
    CAPTURE(seed);
    std::mt19937 random(seed);
    Map map;
    Plain model;
    for (int round = 0; round < 60; ++round) {
        const Map before = map;
        const Plain model_before = model;
        for (int i = 0; i < 40; ++i) {
            const std::string key = "k" + std::to_string(random() % 1500);
            if (random() % 3 == 0) {
                CHECK(map.erase(key) == (model.erase(key) == 1));
            } else {
                map.set(key, round);
                model[key] = round;
            }
        }
        REQUIRE(plain(map) == model);
        REQUIRE(plain(before) == model_before);
        REQUIRE(map.size() == model.size());
        REQUIRE(told(before, map) == expected(model_before, model));
        CHECK((map == before) == (model == model_before));
        const std::string wanted = "k" + std::to_string(random() % 1500);
        const auto bound = model.lower_bound(wanted);
        CHECK((map.lower_bound(wanted) == map.end() ? "" : map.lower_bound(wanted)->first) == (bound == model.end() ? "" : bound->first));
        CHECK(map.contains(wanted) == model.contains(wanted));
    }
}

TEST_CASE("piece map: where pieces end does not depend on the order of writes") {
    const auto seed = std::random_device()();
    CAPTURE(seed);
    std::mt19937 random(seed);
    const Map straight = filled(2000);
    CHECK(straight.pieces() > 10);
    std::vector<int> order(2500);
    for (int i = 0; i < 2500; ++i) {
        order[static_cast<std::size_t>(i)] = i;
    }
    std::shuffle(order.begin(), order.end(), random);
    Map other;
    for (const int i : order) {
        other.set("key" + std::to_string(i), i);
    }
    std::shuffle(order.begin(), order.end(), random);
    for (const int i : order) {
        if (i >= 2000) {
            other.erase("key" + std::to_string(i));
        }
    }
    CHECK(pieces_of(other) == pieces_of(straight));
    for (int i = 0; i < 2000; ++i) {
        other.erase("key" + std::to_string(i));
    }
    CHECK(other.empty());
    CHECK(other.pieces() == 0);
}

TEST_CASE("piece map: a write copies one piece and no other") {
    const Map old = filled(2000);
    Map now = old;
    now.set("key7", -1);
    REQUIRE(now.pieces() == old.pieces());
    std::size_t other = 0;
    for (std::size_t i = 0; i < now.pieces(); ++i) {
        other += now.piece(i) == old.piece(i) ? 0 : 1;
    }
    CHECK(other == 1);
    CHECK(*old.get("key7") == 7);
}
