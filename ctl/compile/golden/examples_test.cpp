// SPDX-License-Identifier: Apache-2.0
// What configs/ shows to users is sound: each file compiles alone, without a diagnostic and without a bad condition.
#include <algorithm>
#include <filesystem>

#include "ctl/compile/golden/case.hpp"
#include "ctl/compile/golden/invariants.hpp"
#include "tools/test/catch.hpp"

namespace penstock::compile::golden {
namespace {

constexpr const char* kFolder = "../../../configs";

void check_conditions(const std::string& whose, const Conditions& conditions) {
    for (const Condition& condition : conditions) {
        INFO(whose << ": " << condition.type_name() << "/" << condition.reason_name() << ": " << condition.message);
        CHECK(condition.holds());
        CHECK(condition.reason_name() == condition.type_name());  // neither partly so nor a warning
    }
}

}  // namespace

TEST_CASE("examples: each file of configs compiles without a fault") {
    std::vector<std::filesystem::path> files(std::filesystem::directory_iterator(kFolder), {});
    std::erase_if(files, [](const auto& file) { return file.extension() != ".yaml"; });
    REQUIRE(!files.empty());
    std::sort(files.begin(), files.end());
    for (const auto& file : files) {
        DYNAMIC_SECTION(file.filename().string()) {
            const auto text = read_text(file);
            REQUIRE(text.ok());
            model::Store store;
            std::vector<model::Diagnostic> diagnostics;
            load(store, *text, file.filename(), diagnostics);
            for (const model::Diagnostic& diagnostic : diagnostics) {
                INFO(diagnostic.text());
                CHECK(false);
            }
            Options options;
            options.node_addresses = {IpAddress::v4(0xC0000201)};
            const Compiled compiled = compile(store, options);
            CHECK(faults_of(compiled) == Faults{});
            CHECK_FALSE(compiled.statuses.empty());
            for (const auto& [key, status] : compiled.statuses) {
                visit_conditions(*status, [&](const Conditions& conditions) { check_conditions(key.text(), conditions); });
            }
        }
    }
}

}  // namespace penstock::compile::golden
