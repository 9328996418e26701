// SPDX-License-Identifier: Apache-2.0
// A compilation that goes on from the one before gives, byte for byte, what one from nothing gives with the same numbers and pairs. The edits are
// random: objects of all cases come, replace each other (many have the same name) and go, one or a few at a time.
#include <algorithm>
#include <filesystem>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "ctl/compile/dump.hpp"
#include "ctl/compile/golden/case.hpp"
#include "schema/part_name.hpp"
#include "tools/test/catch.hpp"

namespace penstock::compile::golden {
namespace {

constexpr int kRounds = 150;

std::vector<model::ObjectPtr> objects_of_all_cases() {
    std::vector<model::ObjectPtr> objects;
    for (const auto& entry : std::filesystem::directory_iterator("cases")) {
        const std::string file = entry.path().filename().string();
        const std::string suffix = ".in.yaml";
        if (file.ends_with(suffix)) {
            const auto read = read_case("cases", file.substr(0, file.size() - suffix.size()));
            REQUIRE(read.ok());
            for (const auto& [key, object] : read->store) {
                objects.push_back(object);
            }
        }
    }
    std::sort(objects.begin(), objects.end(), [](const auto& one, const auto& other) {
        return std::tie(one->key, one->meta.creation_s, one->origin.file) < std::tie(other->key, other->meta.creation_s, other->origin.file);
    });
    return objects;
}

std::string text_of(const Snapshot& snapshot) {
    std::string text = *snapshot.root;
    for (const auto& [path, part] : snapshot.parts) {
        text += "\n" + path + " " + snapshot::hex(part->digest) + " " + part->object.kind + "/" + part->object.namespace_ + "/" + part->object.name;
    }
    for (const auto& [path, list] : snapshot.lists) {
        text += "\n" + list->name();
    }
    for (const auto& [name, key] : snapshot.keys) {
        text += "\nkey " + name;
    }
    return text;
}

void check_same(const Compiled& edited, const Compiled& fresh) {
    CHECK(dump(edited) == dump(fresh));
    CHECK((text_of(edited.snapshot) == text_of(fresh.snapshot)));
    CHECK((edited.steering == fresh.steering));
    CHECK((edited.addresses == fresh.addresses));
    CHECK(encode(edited.ids) == encode(fresh.ids));
    REQUIRE(std::equal(edited.statuses.begin(), edited.statuses.end(), fresh.statuses.begin(), fresh.statuses.end(),
                       [](const auto& one, const auto& other) { return one.first == other.first && *one.second == *other.second; }));
}

// What changed must be another object, what did not the same one: others go by that.
void check_shared(const Compiled& before, const Compiled& now) {
    CHECK((*before.snapshot.root == *now.snapshot.root) == (before.snapshot.root == now.snapshot.root));
    Lists::diff(before.snapshot.lists, now.snapshot.lists, [&](const auto* old, const auto* list) {
        CHECK(!(old != nullptr && list != nullptr && old->second->digest == list->second->digest));
    });
    Parts::diff(before.snapshot.parts, now.snapshot.parts, [&](const auto* old, const auto* part) {
        const bool replaced = old != nullptr && part != nullptr;
        const auto same_owner = [](const snapshot::ObjectRefT& one, const snapshot::ObjectRefT& other) {
            return one.kind == other.kind && one.namespace_ == other.namespace_ && one.name == other.name;
        };
        CHECK(!(replaced && old->second->digest == part->second->digest && same_owner(old->second->object, part->second->object)));
    });
    Statuses::diff(before.statuses, now.statuses, [&](const auto* old, const auto* status) { CHECK(!(old != nullptr && status != nullptr && *old->second == *status->second)); });
}

}  // namespace

TEST_CASE("edits: many random ones give what a compilation from nothing gives") {
    const auto seed = std::random_device()();
    CAPTURE(seed);
    std::mt19937 random(seed);
    const std::vector<model::ObjectPtr> pool = objects_of_all_cases();
    Options options;
    options.node_addresses = {IpAddress::v4(0xC0000201)};
    std::optional<AddressBook> told;
    std::set<IpAddress> others;
    model::Store store;
    Compiled now;
    for (int round = 0; round < kRounds; ++round) {
        CAPTURE(round);
        // The first round fills the store; some change much, most one object.
        const unsigned edits = round == 0 ? 400 : random() % 10 == 0 ? 20 : 1;
        for (unsigned i = 0; i < edits; ++i) {
            const model::ObjectPtr& object = pool[random() % pool.size()];
            if (random() % 3 == 0 && round != 0) {
                store.erase(object->key);
            } else {
                store.put(object);
            }
        }
        if (random() % 30 == 0) {
            options.xdp = !options.xdp;
        }
        // What those say who speak for all nodes, and what other nodes have.
        if (random() % 20 == 0) {
            told = told ? std::nullopt : now.ids.addresses != nullptr ? std::optional(*now.ids.addresses) : std::nullopt;
        }
        if (random() % 20 == 0) {
            others = others.empty() ? std::set{IpAddress::v4(0xC0000202)} : std::set<IpAddress>();
        }
        Compiled numbers;
        numbers.ids = now.ids;
        numbers.pairs = now.pairs;
        const AddressBook* book = told ? &*told : nullptr;
        const Compiled fresh = compile(store, options, &numbers, book, others);
        Compiled next = compile(store, options, &now, book, others);
        check_same(next, fresh);
        if (round != 0) {
            check_shared(now, next);
        }
        now = std::move(next);
    }
}

}  // namespace penstock::compile::golden
