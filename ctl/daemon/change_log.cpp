// SPDX-License-Identifier: Apache-2.0
#include "ctl/daemon/change_log.hpp"

#include <fmt/format.h>

#include <utility>

namespace penstock::daemon {

namespace {

std::string served_line(std::uint64_t number) { return fmt::format("generation {} is served", number); }

}  // namespace

void ChangeLog::source(const std::string& name, log::Level level, std::string line, const std::vector<model::Diagnostic>& diagnostics) {
    Source now{.line = std::move(line), .diagnostics = {}};
    Source& before = sources_[name];
    if (now.line != before.line) {
        sink_(level, fmt::format("{}: {}", name, now.line));
    }
    for (const model::Diagnostic& diagnostic : diagnostics) {
        std::string text = fmt::format("{}: {}", name, diagnostic.text());
        if (!before.diagnostics.contains(text) && !now.diagnostics.contains(text)) {
            sink_(diagnostic.severity == model::Severity::error ? log::Level::error : log::Level::debug, text);
        }
        now.diagnostics.insert(std::move(text));
    }
    before = std::move(now);
}

void ChangeLog::generation(std::uint64_t number, const std::string& what, Time now) {
    tell_held(log::Level::debug);  // it did not stay for long enough
    held_ = Held{.number = number, .line = fmt::format("generation {}: {}", number, what), .served = false};
    due(now);
}

void ChangeLog::served(std::uint64_t number, Time now) {
    if (held_ && held_->number == number) {
        held_->served = true;
        due(now);
        return;
    }
    // Of one between what was told and what is held back nobody has heard.
    const bool heard_of = number == told_ || !held_;
    sink_(heard_of && number >= told_ ? log::Level::info : log::Level::debug, served_line(number));
}

std::optional<ChangeLog::Time> ChangeLog::later() const {
    return held_ ? std::optional(told_at_.value_or(Time()) + kPause) : std::nullopt;
}

void ChangeLog::due(Time now) {
    if (held_ && (!told_at_ || now - *told_at_ >= kPause)) {
        told_ = held_->number;
        told_at_ = now;
        tell_held(log::Level::info);
    }
}

void ChangeLog::tell_held(log::Level level) {
    if (const auto held = std::exchange(held_, std::nullopt)) {
        sink_(level, held->line);
        if (held->served) {
            sink_(level, served_line(held->number));
        }
    }
}

}  // namespace penstock::daemon
