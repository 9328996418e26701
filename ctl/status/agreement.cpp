// SPDX-License-Identifier: Apache-2.0
#include "ctl/status/agreement.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "ctl/status/book.hpp"
#include "ctl/status/conditions_json.hpp"
#include "userspace/base/time.hpp"

namespace penstock::status {

namespace {

using nlohmann::json;

constexpr const char* kPending = "not every node has taken this configuration yet";
constexpr std::size_t kNamesMax = 3;  // in one message

const json* programmed_of(const json& status) {
    if (!status.is_object() || !status.contains("conditions") || !status["conditions"].is_array()) {
        return nullptr;
    }
    for (const json& condition : status["conditions"]) {
        if (text_at(condition, "type") == "Programmed") {
            return &condition;
        }
    }
    return nullptr;
}

bool stands(const json& status) {
    const json* whole = programmed_of(status);
    return whole != nullptr && text_at(*whole, "status") == "True";
}

// Whether it says that something is programmed: else there is nothing to agree on.
bool says_programmed(const json& status) {
    const json& listeners = status.value("listeners", json::array());
    return stands(status) || std::any_of(listeners.begin(), listeners.end(), [](const json& listener) {
               const json* condition = programmed_of(listener);
               return condition != nullptr && text_at(*condition, "status") == "True";
           });
}

// Whether the server has the outcome of this generation.
bool was_told(const json& server, std::int64_t generation) {
    const json* whole = programmed_of(server);
    return whole != nullptr && generation_of(*whole) >= generation && text_at(*whole, "reason") != "Pending";
}

// "a, b, c and 2 others"
std::string listed(const std::vector<std::string>& names, const char* by) {
    std::string out = fmt::format("{}", fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(std::min(names.size(), kNamesMax)), by));
    if (names.size() > kNamesMax) {
        out += fmt::format(" and {} others", names.size() - kNamesMax);
    }
    return out;
}

std::string counted(const Stand& at) {
    std::string out = fmt::format("programmed on {} of {} nodes", at.nodes - at.behind.size() - at.refused.size(), at.nodes);
    return at.behind.empty() ? out : out + "; waiting for " + listed(at.behind, ", ");
}

// What nodes refused, each thing once with all who did.
std::vector<Failure> failures_of(const std::string& object, const Stand& at) {
    std::map<std::pair<Failure::Kind, std::string>, std::vector<std::string>> texts;
    for (const auto& [node, refusals] : at.refused) {
        for (const Refusal& refusal : refusals) {
            texts[{refusal.kind, refusal.listener}].push_back(node + ": " + refusal.message);
        }
    }
    std::vector<Failure> out;
    for (const auto& [what, told] : texts) {
        const auto& [kind, listener] = what;
        out.push_back({.kind = kind, .object = object, .listener = listener, .message = (listener.empty() ? counted(at) + "; " : "") + listed(told, "; ")});
    }
    return out;
}

// `wanted` with what the other nodes have to say.
json edited(const std::string& object, const json& wanted, std::int64_t generation, const Stand& at) {
    json next = corrected({.object = object, .generation = generation, .status = [&wanted] { return wanted; }}, Phase::taken, failures_of(object, at));
    if (const json* whole = programmed_of(next); !at.behind.empty() && whole != nullptr && text_at(*whole, "status") == "True") {
        set_condition(next["conditions"], "Programmed", "True", text_at(*whole, "reason"), counted(at), generation);
    }
    return next;
}

json pending(const std::string& object, const json& wanted, std::int64_t generation) {
    json next = corrected({.object = object, .generation = generation, .status = [&wanted] { return wanted; }}, Phase::waiting, {});
    set_condition(next["conditions"], "Programmed", "False", "Pending", kPending, generation);
    return next;
}

bool is_behind(const TakenObject& mine, const NodeReport* theirs, const std::string& object) {
    if (theirs == nullptr) {
        return true;
    }
    const auto row = theirs->objects.find(object);
    return row == theirs->objects.end() ? theirs->omitted == 0 : row->second.uid != mine.uid || row->second.generation < mine.generation;
}

Agreement::Objects differing(const NodeReport& a, const NodeReport& b) {
    Agreement::Objects out;
    const auto add_missing = [&out](const NodeReport& of, const NodeReport& in) {
        for (const auto& [object, taken] : of.objects) {
            if (const auto found = in.objects.find(object); found == in.objects.end() || found->second != taken) {
                out.insert(object);
            }
        }
    };
    add_missing(a, b);
    add_missing(b, a);
    return out;
}

}  // namespace

// ---- facts --------------------------------------------------------------------------------------------------------------
Agreement::Objects Agreement::all() const {
    Objects out;
    for (const auto& [object, taken] : mine_.objects) {
        out.insert(object);
    }
    return out;
}

Agreement::Objects Agreement::took(NodeReport mine) {
    open_.reset();
    const Objects changed = differing(mine_, mine);
    mine_ = std::move(mine);
    std::erase_if(waits_, [this](const auto& entry) { return !mine_.objects.contains(entry.first); });
    return changed;
}

Agreement::Objects Agreement::heard(const std::string& node, NodeReport report) {
    open_.reset();
    const auto before = reports_.find(node);
    const bool other = before == reports_.end() || (before->second.omitted == 0) != (report.omitted == 0);
    const Objects changed = !others_.contains(node) ? Objects() : other ? all() : differing(before->second, report);
    reports_.insert_or_assign(node, std::move(report));
    return changed;
}

Agreement::Objects Agreement::lost(const std::string& node) {
    open_.reset();
    return reports_.erase(node) != 0 && others_.contains(node) ? all() : Objects();
}

Agreement::Objects Agreement::live(std::set<std::string> others) {
    open_.reset();
    others.erase(self_);
    return std::exchange(others_, std::move(others)) == others_ ? Objects() : all();
}

Agreement::Objects Agreement::known(bool yes) {
    open_.reset();
    return std::exchange(known_, yes) == yes ? Objects() : all();
}

// ---- what follows -------------------------------------------------------------------------------------------------------
Stand Agreement::stand(const std::string& object) const {
    Stand at{.nodes = 1 + others_.size(), .behind = {}, .refused = {}};
    const auto mine = mine_.objects.find(object);
    if (mine == mine_.objects.end()) {
        return at;
    }
    if (!mine->second.refusals.empty()) {
        at.refused.emplace(self_, mine->second.refusals);
    }
    for (const std::string& node : others_) {
        const NodeReport* theirs = report_of(node);
        if (is_behind(mine->second, theirs, object)) {
            at.behind.push_back(node);
        } else if (const auto row = theirs->objects.find(object); row != theirs->objects.end() && !row->second.refusals.empty()) {
            at.refused.emplace(node, row->second.refusals);
        }
    }
    return at;
}

// Whether patience is not over yet with those who are behind.
bool Agreement::waits(const std::string& object, const TakenObject& taken, Time now) {
    const auto [wait, begun] = waits_.try_emplace(object, Wait{.uid = taken.uid, .generation = taken.generation, .since = now});
    if (!begun && (wait->second.uid != taken.uid || wait->second.generation != taken.generation)) {
        wait->second = {.uid = taken.uid, .generation = taken.generation, .since = now};
    }
    wait->second.over = now - wait->second.since >= kPatience;
    return !wait->second.over;
}

std::optional<json> Agreement::say(const std::string& object, const json& wanted, const json& server, Time now, std::int64_t now_s) {
    const auto mine = mine_.objects.find(object);
    const json* told = programmed_of(wanted);
    const bool alone = !known_ || others_.empty() || mine == mine_.objects.end();
    if (!alone && told != nullptr && generation_of(*told) < mine->second.generation && programmed_of(server) != nullptr) {
        return std::nullopt;  // made before this node took the newer one: its words are on the way
    }
    if (alone || told == nullptr || generation_of(*told) != mine->second.generation || (!says_programmed(wanted) && mine->second.refusals.empty())) {
        waits_.erase(object);
        return wanted;
    }
    const auto timed = [&](json next) {
        keep_times(next, server, rfc3339(now_s));
        return next;
    };
    const std::int64_t generation = mine->second.generation;
    Stand at = stand(object);
    if (at.behind.empty()) {
        waits_.erase(object);
    } else if (waits(object, mine->second, now)) {
        if (!was_told(server, generation)) {
            return stands(server) ? std::nullopt : std::optional(timed(pending(object, wanted, generation)));
        }
        at.behind.clear();  // not worth a word yet
    }
    return at.behind.empty() && at.refused.empty() ? wanted : timed(edited(object, wanted, generation, at));
}

std::optional<Agreement::Time> Agreement::again() const {
    std::optional<Time> out;
    for (const auto& [object, wait] : waits_) {
        if (!wait.over) {
            out = std::min(out.value_or(wait.since + kPatience), wait.since + kPatience);
        }
    }
    return out;
}

Agreement::Objects Agreement::due(Time now) {
    Objects out;
    for (auto& [object, wait] : waits_) {
        if (!wait.over && now - wait.since >= kPatience) {
            wait.over = true;
            out.insert(object);
        }
    }
    return out;
}

// ---- what is shown ------------------------------------------------------------------------------------------------------
const NodeReport* Agreement::report_of(const std::string& node) const {
    const auto found = reports_.find(node);
    return found != reports_.end() ? &found->second : nullptr;
}

const Agreement::Objects& Agreement::open() const {
    if (!open_) {
        open_.emplace();
        for (const auto& [object, taken] : mine_.objects) {
            const Stand at = stand(object);
            if (known_ && (!at.behind.empty() || !at.refused.empty())) {
                open_->insert(object);
            }
        }
    }
    return *open_;
}

std::size_t Agreement::reporting() const {
    return static_cast<std::size_t>(std::count_if(others_.begin(), others_.end(), [this](const std::string& node) { return reports_.contains(node); })) + 1;
}

}  // namespace penstock::status
