// SPDX-License-Identifier: Apache-2.0
// What the log is told of changes, so that a stream of them does not flood it and nothing that stays is missing from it. A source is told
// when its line is another one, and each of its diagnostics once. Of a stream of generations one a second is told at info, by what it is and
// by its being served; the last one always, a moment later if need be; the others at debug. Pure but for its memory: the clock is a
// parameter, and so is where lines go.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ctl/model/decode.hpp"
#include "userspace/base/log.hpp"

namespace penstock::daemon {

class ChangeLog {
public:
    using Time = std::chrono::steady_clock::time_point;
    using Sink = std::function<void(log::Level, std::string_view)>;
    static constexpr std::chrono::seconds kPause{1};  // between two generations at info

    explicit ChangeLog(Sink sink) : sink_(std::move(sink)) {}

    // What there is of a source now: `line` at `level`, diagnostics by their severity.
    void source(const std::string& name, log::Level level, std::string line, const std::vector<model::Diagnostic>& diagnostics);

    // There is a newer one, `what` in short: "2 listeners".
    void generation(std::uint64_t number, const std::string& what, Time now);
    // The workers have taken it.
    void served(std::uint64_t number, Time now);
    // When what is held back is to be told: call due() then. Nothing: nothing is held back.
    [[nodiscard]] std::optional<Time> later() const;
    void due(Time now);

private:
    struct Source {
        std::string line;
        std::set<std::string> diagnostics;
    };
    struct Held {
        std::uint64_t number = 0;
        std::string line;
        bool served = false;
    };
    void tell_held(log::Level level);

    Sink sink_;
    std::map<std::string, Source> sources_;  // as told
    std::uint64_t told_ = 0;                 // the newest generation that was told at info
    std::optional<Time> told_at_;
    std::optional<Held> held_;               // the newest of all, if it came too soon
};

}  // namespace penstock::daemon
