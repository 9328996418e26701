// SPDX-License-Identifier: Apache-2.0
#include "ctl/daemon/change_log.hpp"

#include <utility>

#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::daemon;
using std::chrono::milliseconds;

namespace {

// A log whose lines are kept, and a clock that stands unless it is moved.
struct Told {
    std::vector<std::string> lines;  // since the last look
    ChangeLog::Time now{std::chrono::hours(1)};
    ChangeLog log{[this](log::Level level, std::string_view text) {
        constexpr const char* kNames[] = {"debug ", "info ", "warn ", "error "};
        lines.push_back(kNames[static_cast<std::size_t>(level)] + std::string(text));
    }};

    void generation(std::uint64_t number) { log.generation(number, "2 listeners", now); }
    void served(std::uint64_t number) { log.served(number, now); }
    // The daemon's timer, at or after its time.
    void wait(milliseconds time) {
        now += time;
        if (const auto later = log.later(); later && *later <= now) {
            log.due(now);
        }
    }
    std::vector<std::string> news() { return std::exchange(lines, {}); }
    std::vector<std::string> infos() {
        std::vector<std::string> all = news();
        std::erase_if(all, [](const std::string& line) { return !line.starts_with("info "); });
        return all;
    }
};

using Lines = std::vector<std::string>;

model::Diagnostic fault(const std::string& message, model::Severity severity = model::Severity::error) {
    return {.severity = severity, .file = "a.yaml", .line = 3, .kind = {}, .ns = {}, .name = {}, .path = {}, .message = message};
}

}  // namespace

TEST_CASE("change log: a source is told when its line changes, and each of its diagnostics once") {
    Told told;
    const auto source = [&](const std::string& line, const std::vector<model::Diagnostic>& diagnostics) {
        told.log.source("folder /etc", log::Level::info, line, diagnostics);
        return told.news();
    };
    CHECK(source("1 objects, 0 errors", {}) == Lines{"info folder /etc: 1 objects, 0 errors"});
    CHECK(source("1 objects, 0 errors", {}).empty());
    CHECK(source("1 objects, 1 errors", {fault("odd"), fault("odd"), fault("well", model::Severity::warning)}) ==
          Lines{"info folder /etc: 1 objects, 1 errors", "error folder /etc: a.yaml:3: odd", "debug folder /etc: a.yaml:3: well"});
    CHECK(source("1 objects, 1 errors", {fault("odd"), fault("other")}) == Lines{"error folder /etc: a.yaml:3: other"});
    CHECK(source("1 objects, 1 errors", {fault("other")}).empty());
    CHECK(source("1 objects, 1 errors", {fault("odd")}) == Lines{"error folder /etc: a.yaml:3: odd"});  // it was well meanwhile
    told.log.source("cluster", log::Level::debug, "1 objects, 1 errors", {fault("odd")});
    CHECK(told.news() == Lines{"debug cluster: 1 objects, 1 errors", "error cluster: a.yaml:3: odd"});
}

TEST_CASE("change log: a generation that comes alone is told at once, and that it is served when it is") {
    Told told;
    told.generation(1);
    CHECK(told.news() == Lines{"info generation 1: 2 listeners"});
    CHECK_FALSE(told.log.later().has_value());
    told.wait(milliseconds(400));
    told.served(1);
    CHECK(told.news() == Lines{"info generation 1 is served"});
    told.wait(milliseconds(600));
    told.generation(2);
    told.served(2);
    CHECK(told.news() == Lines{"info generation 2: 2 listeners", "info generation 2 is served"});
}

TEST_CASE("change log: the last generation of a burst is told, within a second") {
    Told told;
    for (std::uint64_t number = 1; number <= 5; ++number) {
        told.generation(number);
        told.served(number);
        told.wait(milliseconds(10));
    }
    CHECK(told.news() == Lines{"info generation 1: 2 listeners", "info generation 1 is served",
                               "debug generation 2: 2 listeners", "debug generation 2 is served",
                               "debug generation 3: 2 listeners", "debug generation 3 is served",
                               "debug generation 4: 2 listeners", "debug generation 4 is served"});
    REQUIRE(told.log.later().has_value());
    CHECK(*told.log.later() - told.now == milliseconds(950));
    told.wait(milliseconds(950));
    CHECK(told.news() == Lines{"info generation 5: 2 listeners", "info generation 5 is served"});
    CHECK_FALSE(told.log.later().has_value());
    told.wait(std::chrono::hours(1));
    CHECK(told.news().empty());
}

TEST_CASE("change log: the last generation of a burst is told before it is said to be served") {
    Told told;
    told.generation(1);
    told.generation(2);
    told.generation(3);
    told.served(1);
    told.served(2);  // nobody has heard of it
    CHECK(told.infos() == Lines{"info generation 1: 2 listeners", "info generation 1 is served"});
    told.wait(milliseconds(1000));
    told.served(3);
    CHECK(told.news() == Lines{"info generation 3: 2 listeners", "info generation 3 is served"});
}

TEST_CASE("change log: of a stream one generation a second is told, each before it is served, and the last") {
    Told told;
    std::uint64_t number = 0;
    for (int i = 0; i < 50; ++i) {
        told.generation(++number);
        told.wait(milliseconds(30));
        told.served(number);
        told.wait(milliseconds(70));
    }
    told.wait(milliseconds(1000));
    const Lines infos = told.infos();
    CHECK(infos.size() >= 10);
    CHECK(infos.size() <= 14);  // in six seconds
    CHECK(infos.at(infos.size() - 2) == "info generation 50: 2 listeners");
    CHECK(infos.back() == "info generation 50 is served");
    for (std::size_t i = 0; i + 1 < infos.size(); i += 2) {
        CHECK(infos[i + 1] == infos[i].substr(0, infos[i].find(':')) + " is served");
    }
}

TEST_CASE("change log: what an earlier daemon left is told when it is served") {
    Told told;
    told.served(7);
    CHECK(told.news() == Lines{"info generation 7 is served"});
    told.generation(8);
    told.generation(9);
    told.served(7);
    CHECK(told.infos() == Lines{"info generation 8: 2 listeners"});
}
