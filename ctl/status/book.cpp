// SPDX-License-Identifier: Apache-2.0
#include "ctl/status/book.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include "ctl/status/conditions_json.hpp"
#include "userspace/base/assert.hpp"
#include "userspace/base/time.hpp"

namespace penstock::status {

namespace {

using nlohmann::json;

constexpr const char* kPending = "the data path has not taken this configuration yet";
constexpr const char* kRouteType = "penstock.dev/Programmed";  // the Gateway API has no such condition for routes

bool holds(const json& conditions, const char* type) {
    return std::any_of(conditions.begin(), conditions.end(), [&](const json& c) { return c["type"] == type && c["status"] == "True"; });
}

// Calls `visit` for the status itself and for each of its listeners.
template <class Visit>
void for_status_and_listeners(json& status, const Visit& visit) {
    visit(status);
    if (status.contains("listeners")) {
        for (json& listener : status["listeners"]) {
            visit(listener);
        }
    }
}

void mark_pending(json& status, std::int64_t generation) {
    for_status_and_listeners(status, [&](json& item) {
        if (item.contains("conditions") && holds(item["conditions"], "Programmed")) {
            set_condition(item["conditions"], "Programmed", "False", "Pending", kPending, generation);
        }
    });
}

json* listener_of(json& status, const std::string& name) {
    if (name.empty() || !status.contains("listeners")) {
        return nullptr;
    }
    for (json& listener : status["listeners"]) {
        if (listener["name"] == name) {
            return &listener;
        }
    }
    return nullptr;
}

// A Gateway none of whose listeners is programmed is not programmed either.
void follow_listeners(json& status, const std::string& message, std::int64_t generation) {
    const json& listeners = status["listeners"];
    const bool any = std::any_of(listeners.begin(), listeners.end(), [](const json& item) { return holds(item["conditions"], "Programmed"); });
    if (!any && status.contains("conditions")) {
        set_condition(status["conditions"], "Programmed", "False", "Invalid", message, generation);
    }
}

const char* gateway_reason(Failure::Kind kind) {
    switch (kind) {
        case Failure::Kind::address: return "AddressNotUsable";
        case Failure::Kind::map: return "NoResources";
        case Failure::Kind::socket:
        case Failure::Kind::part: break;
    }
    return "Invalid";
}

void apply_failure(json& status, const Failure& failure, std::int64_t generation) {
    if (status.contains("parents")) {
        for (json& parent : status["parents"]) {
            set_condition(parent["conditions"], kRouteType, "False", "DataPathRefused", failure.message, generation);
        }
        return;
    }
    if (json* listener = listener_of(status, failure.listener)) {
        if (failure.kind == Failure::Kind::socket) {
            set_condition((*listener)["conditions"], "Accepted", "False", "PortUnavailable", failure.message, generation);
        }
        set_condition((*listener)["conditions"], "Programmed", "False", "Invalid", failure.message, generation);
        follow_listeners(status, failure.message, generation);
        return;
    }
    if (status.contains("conditions") && status.contains("listeners")) {
        set_condition(status["conditions"], "Programmed", "False", gateway_reason(failure.kind), failure.message, generation);
    }
}

}  // namespace

json corrected(const Wanted& wanted, Phase phase, const std::vector<Failure>& failures) {
    json status = wanted.status();
    if (phase != Phase::taken) {
        mark_pending(status, wanted.generation);
    }
    for (const Failure& failure : failures) {
        if (failure.object == wanted.object) {
            apply_failure(status, failure, wanted.generation);
        }
    }
    return status;
}

void Book::want(std::vector<Wanted> changed, const std::vector<std::string>& gone) {
    for (const std::string& object : gone) {
        wanted_.erase(object);
        open_.insert(object);
    }
    for (Wanted& one : changed) {
        PST_ASSERT(one.status != nullptr);
        std::string object = one.object;
        open_.insert(object);
        wanted_.insert_or_assign(std::move(object), std::move(one));
    }
}

bool Book::forget(const std::string& object) {
    not_good_.erase(object);
    return published_.erase(object);
}

bool Book::publish(const Wanted& wanted, Phase phase, const std::vector<Failure>& failures, const std::string& now) {
    const auto* before = published_.get(wanted.object);
    if (phase == Phase::waiting && before != nullptr) {
        return false;
    }
    const json old = before != nullptr ? json::parse(**before, nullptr, false) : json();
    json next = corrected(wanted, phase, failures);
    keep_times(next, old, now);
    if (next == old) {
        return false;
    }
    put(wanted.object, next);
    return true;
}

void Book::put(const std::string& object, const json& status) {
    if (const std::size_t bad = count_not_good(status); bad != 0) {
        not_good_[object] = bad;
    } else {
        not_good_.erase(object);
    }
    published_.set(object, std::make_shared<const std::string>(status.dump(-1, ' ', false, json::error_handler_t::replace)));
}

bool Book::update(Phase phase, const std::vector<Failure>& failures, std::int64_t now_s) {
    bool changed = false;
    if (std::exchange(restored_, false)) {
        for (const auto& [object, status] : published_) {
            open_.insert(object);
        }
    }
    std::set<std::string> failed;
    for (const Failure& failure : failures) {
        if (wanted_.contains(failure.object)) {
            failed.insert(failure.object);
        }
    }
    std::set<std::string> look = std::exchange(open_, {});
    look.insert(failed.begin(), failed.end());
    const std::string now = rfc3339(now_s);
    for (const std::string& object : look) {
        const auto wanted = wanted_.find(object);
        if (wanted == wanted_.end()) {
            changed = forget(object) || changed;
            continue;
        }
        changed = publish(wanted->second, phase, failures, now) || changed;
        if (phase != Phase::taken || failed.contains(object)) {
            open_.insert(object);
        }
    }
    return changed;
}

std::size_t Book::not_good() const {
    return std::accumulate(not_good_.begin(), not_good_.end(), std::size_t(0), [](std::size_t sum, const auto& one) { return sum + one.second; });
}

std::string Book::encode(const Published& published) {
    std::string text = "{";
    for (const auto& [object, status] : published) {
        text += (text.size() == 1 ? "" : ",") + json(object).dump(-1, ' ', false, json::error_handler_t::replace) + ":";
        text += *status;
    }
    return text + "}";
}

Status Book::restore(std::string_view text) {
    json parsed = json::parse(text, nullptr, false);
    if (!parsed.is_object()) {
        return Error{.code = Errc::invalid, .what = "read the kept statuses: not a JSON object"};
    }
    published_ = {};
    not_good_.clear();
    for (auto& [object, status] : parsed.items()) {
        put(object, status);
    }
    restored_ = true;
    return success();
}

}  // namespace penstock::status
