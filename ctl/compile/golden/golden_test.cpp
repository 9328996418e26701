// SPDX-License-Identifier: Apache-2.0
// Every cases/<case>.in.yaml compiles to its cases/<case>.want. PST_UPDATE_GOLDEN=1 rewrites the .want files: read what it wrote.
#include <filesystem>
#include <fstream>
#include <set>

#include "ctl/compile/golden/case.hpp"
#include "ctl/compile/golden/invariants.hpp"
#include "tools/test/catch.hpp"

namespace penstock::compile::golden {
namespace {

constexpr const char* kFolder = "cases";
constexpr std::ptrdiff_t kLinesMax = 40;

// Names of the files in the folder that end in `suffix`, without it.
std::set<std::string> names_with(const std::string& suffix) {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
        const std::string file = entry.path().filename().string();
        if (file.ends_with(suffix)) {
            names.insert(file.substr(0, file.size() - suffix.size()));
        }
    }
    return names;
}

Case the_case(const std::string& name) {
    auto read = read_case(kFolder, name);
    INFO((read.ok() ? name : read.error().report()));
    REQUIRE(read.ok());
    return std::move(*read);
}

std::string want_of(const std::string& name) {
    auto text = read_text(std::string(kFolder) + "/" + name + ".want");
    return text.ok() ? *text : "";
}

template <class Visit>
void for_conditions(const ObjectStatus& status, Visit visit) {
    visit_conditions(status, [&](const Conditions& conditions) { std::for_each(conditions.begin(), conditions.end(), visit); });
}

}  // namespace

TEST_CASE("golden: each case compiles to what it says") {
    const bool update = std::getenv("PST_UPDATE_GOLDEN") != nullptr;
    for (const std::string& name : names_with(".in.yaml")) {
        DYNAMIC_SECTION(name) {
            const Case entry = the_case(name);
            const std::string text = shown(entry, compile(entry.store, entry.options));
            CHECK(std::count(text.begin(), text.end(), '\n') <= kLinesMax);
            if (update) {
                std::ofstream(std::string(kFolder) + "/" + name + ".want", std::ios::binary) << text;
            }
            CHECK(text == want_of(name));
        }
    }
}

TEST_CASE("golden: no .want is without its .in.yaml") {
    const auto cases = names_with(".in.yaml");
    for (const std::string& name : names_with(".want")) {
        INFO(name);
        CHECK(cases.contains(name));
    }
}

TEST_CASE("golden: every reason is produced by some case") {
    std::set<ConditionReason> produced;
    for (const std::string& name : names_with(".in.yaml")) {
        const Case entry = the_case(name);
        for (const auto& [key, status] : compile(entry.store, entry.options).statuses) {
            for_conditions(*status, [&](const Condition& condition) { produced.insert(condition.reason); });
        }
    }
    for (std::size_t i = 0; i < kConditionRows.size(); ++i) {
        INFO(kConditionTypeNames[static_cast<std::size_t>(kConditionRows[i].type)] << " " << kConditionRows[i].reason << ", row " << i);
        CHECK(produced.contains(static_cast<ConditionReason>(i)));
    }
}

TEST_CASE("golden: the invariants hold in each case") {
    for (const std::string& name : names_with(".in.yaml")) {
        DYNAMIC_SECTION(name) {
            const Case entry = the_case(name);
            const Compiled compiled = compile(entry.store, entry.options);
            CHECK(faults_of(compiled) == Faults{});
            CHECK(faults_of_repetition(entry, compiled) == Faults{});
            CHECK(faults_of_edits(entry, compiled) == Faults{});
        }
    }
}

}  // namespace penstock::compile::golden
