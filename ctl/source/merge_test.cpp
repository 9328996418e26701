// SPDX-License-Identifier: Apache-2.0
#include "ctl/source/merge.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <random>

#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::source;

namespace {

std::string service(const std::string& name, int port = 80, const std::string& extra = "") {
    return fmt::format("apiVersion: v1\nkind: Service\nmetadata: {{name: {}{}}}\nspec:\n  ports:\n  - {{name: http, port: {}}}\n---\n", name, extra, port);
}

Given given(const std::string& name, const std::string& file, const std::string& text) {
    const auto parsed = model::parse_manifests(text, file);
    REQUIRE_FALSE(parsed.has_errors());
    Given out{.name = name, .kind = name, .state = State::ok, .objects = {}, .diagnostics = {}};
    for (const model::ObjectPtr& object : parsed.objects) {
        out.objects.set(object->key, object);
    }
    return out;
}

model::ObjectKey key(const char* name) { return {model::Kind::service, "default", name}; }

}  // namespace

TEST_CASE("merge: the first source wins and the loser is told") {
    const Given folder = given("folder /m", "a.yaml", service("one", 80));
    const Given loaded = given("loaded", "x.yaml", service("one", 81) + service("two"));
    Merger merger{IdentityBook()};
    const Merged merged = merger.merge({&folder, &loaded}, 100);
    CHECK(merged.store.size() == 2);
    CHECK(std::get<model::Service>(merged.store.get(key("one"))->body).ports.at(0).port == 80);
    CHECK(merged.origin(key("one")) == "folder /m: a.yaml");
    REQUIRE(merged.duplicates.size() == 2);
    CHECK(merged.duplicates[0].empty());
    REQUIRE(merged.duplicates[1].size() == 1);
    CHECK(merged.duplicates[1][0].file == "x.yaml");
    CHECK(merged.duplicates[1][0].severity == model::Severity::warning);
}

TEST_CASE("merge: objects get uid, generation and age, those that they have stay") {
    const Given source = given("loaded", "x.yaml",
                               service("plain") + service("whole", 80, ", uid: abc, generation: 7, creationTimestamp: \"2020-01-01T00:00:00Z\""));
    Merger merger{IdentityBook()};
    const Merged merged = merger.merge({&source}, 100);
    const model::Metadata& plain = merged.store.get(key("plain"))->meta;
    CHECK(plain.uid.size() == 36);
    CHECK(plain.generation == 1);
    CHECK(plain.creation_s == 100);
    const model::Metadata& whole = merged.store.get(key("whole"))->meta;
    CHECK(whole.uid == "abc");
    CHECK(whole.generation == 7);
    CHECK(whole.creation_s == 1577836800);
}

TEST_CASE("merge: an object that did not change stays the same object, an edited one gets the next generation") {
    Merger merger{IdentityBook()};
    const Given before = given("loaded", "x.yaml", service("one") + service("two"));
    const auto first = merger.merge({&before}, 100);
    const Given after = given("loaded", "x.yaml", "# a comment\n" + service("one") + service("two", 81));
    const auto second = merger.merge({&after}, 200);
    CHECK(second.store.get(key("one")) == first.store.get(key("one")));
    CHECK(second.store.get(key("two"))->meta.generation == 2);
    CHECK(second.store.get(key("two"))->meta.creation_s == 100);

    const Given labelled = given("loaded", "x.yaml", service("one", 80, ", labels: {a: b}") + service("two", 81));
    const auto third = merger.merge({&labelled}, 300);
    CHECK(third.store.get(key("one")) != first.store.get(key("one")));
    CHECK(third.store.get(key("one"))->meta.generation == 1);  // labels do not count
}

TEST_CASE("merge: a Secret whose content changed is another object although it prints the same") {
    Merger merger{IdentityBook()};
    const auto secret = [](const char* value) {
        return given("loaded", "s.yaml", fmt::format("apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\nstringData: {{key: {}}}\n", value));
    };
    const model::ObjectKey name{model::Kind::secret, "default", "s"};
    const Given before = secret("one");
    const Given after = secret("two");
    const auto first = merger.merge({&before}, 100);
    const auto second = merger.merge({&after}, 100);
    CHECK(std::get<model::Secret>(second.store.get(name)->body).data.at("key") == "two");
    CHECK(second.store.get(name)->meta.generation == 2);
    CHECK(merger.book().encode().find("two") == std::string::npos);
}

TEST_CASE("merge: many random edits give what a merge from nothing gives") {
    const auto seed = std::random_device()();
    CAPTURE(seed);
    std::mt19937 random(seed);
    std::vector<Given> sources = {given("folder /m", "", ""), given("loaded", "", "")};
    const auto merged_by = [&](Merger& merger, std::int64_t now_s) { return merger.merge({&sources[0], &sources[1]}, now_s); };
    Merger merger{IdentityBook()};
    for (int round = 0; round < 300; ++round) {
        auto& objects = sources[random() % 2].objects;
        for (auto i = random() % 3; i != 0 && !objects.empty(); --i) {
            auto at = objects.begin();
            std::advance(at, random() % objects.size());
            objects.erase(model::ObjectKey(at->first));
        }
        for (auto i = random() % 3; i != 0; --i) {
            const Given one = given("", fmt::format("{}.yaml", random() % 3), service(fmt::format("s{}", random() % 60), static_cast<int>(random() % 3) + 1));
            objects.set(one.objects.begin()->first, one.objects.begin()->second);
        }
        const Merged edited = merged_by(merger, round);
        Merger anew{IdentityBook()};
        const Merged fresh = merged_by(anew, round);
        CAPTURE(round);
        for (const auto& [key, object] : fresh.store) {
            REQUIRE(edited.origin(key) == fresh.origin(key));
        }
        REQUIRE(std::equal(edited.store.begin(), edited.store.end(), fresh.store.begin(), fresh.store.end(),
                           [](const auto& one, const auto& other) { return one.first == other.first && one.second->raw == other.second->raw; }));
        for (std::size_t i = 0; i < 2; ++i) {
            REQUIRE(std::equal(edited.duplicates[i].begin(), edited.duplicates[i].end(), fresh.duplicates[i].begin(), fresh.duplicates[i].end(),
                               [](const auto& one, const auto& other) { return one.text() == other.text(); }));
        }
    }
}
