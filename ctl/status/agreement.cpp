// SPDX-License-Identifier: Apache-2.0
#include "ctl/status/agreement.hpp"

#include <algorithm>
#include <utility>

#include "ctl/status/conditions_json.hpp"
#include "userspace/base/time.hpp"

namespace penstock::status {

namespace {

using nlohmann::json;

// Whether patience is not over yet.
template <class Waits>
bool waits(Waits& all, const std::string& object, const TakenObject& taken, Agreement::Time now, std::chrono::milliseconds patience) {
    const auto [wait, begun] = all.try_emplace(object);
    if (begun || wait->second.uid != taken.uid || wait->second.generation != taken.generation) {
        wait->second = {.uid = taken.uid, .generation = taken.generation, .since = now};
    }
    wait->second.over = now - wait->second.since >= patience;
    return !wait->second.over;
}

template <class Waits, class Visit>
void for_each_open(Waits& all, std::chrono::milliseconds patience, const Visit& visit) {
    for (auto& [object, wait] : all) {
        if (!wait.over) {
            visit(object, wait, wait.since + patience);
        }
    }
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

// Those that have an address which is on other interfaces now.
Agreement::Objects Agreement::of_addresses(const NodeReport& before, const NodeReport& after) const {
    if (before.here == after.here) {
        return {};
    }
    if (before.here.has_value() != after.here.has_value()) {
        return all();
    }
    Objects out;
    for (const auto& [object, taken] : mine_.objects) {
        if (std::any_of(taken.shared.begin(), taken.shared.end(), [&](const IpAddress& one) { return before.here->contains(one) != after.here->contains(one); })) {
            out.insert(object);
        }
    }
    return out;
}

Agreement::Objects Agreement::took(NodeReport mine) {
    open_.reset();
    Objects changed = differing(mine_, mine);
    const NodeReport before = std::exchange(mine_, std::move(mine));
    changed.merge(of_addresses(before, mine_));
    for (Waits* all : {&waits_, &moves_}) {
        std::erase_if(*all, [this](const auto& entry) { return !mine_.objects.contains(entry.first); });
    }
    return changed;
}

Agreement::Objects Agreement::heard(const std::string& node, NodeReport report) {
    open_.reset();
    const auto before = reports_.find(node);
    const bool other = before == reports_.end() || (before->second.omitted == 0) != (report.omitted == 0);
    Objects changed = !others_.contains(node) ? Objects() : other ? all() : differing(before->second, report);
    if (others_.contains(node) && !other) {
        changed.merge(of_addresses(before->second, report));
    }
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
    const bool first = !std::exchange(lives_known_, true);
    return std::exchange(others_, std::move(others)) == others_ && !first ? Objects() : all();
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
    place(mine->second, at);
    return at;
}

// Who has its addresses. One that two say they have is on its way: it is enough that one of them serves.
void Agreement::place(const TakenObject& taken, Stand& at) const {
    for (const IpAddress& address : taken.shared) {
        if (!mine_.here || mine_.here->contains(address)) {
            continue;
        }
        std::vector<std::string> holders;
        for (const std::string& node : others_) {
            const NodeReport* theirs = report_of(node);
            if (theirs != nullptr && ((theirs->here && theirs->here->contains(address)) || theirs->own.contains(address))) {
                holders.push_back(node);
            }
        }
        if (holders.empty() && all_tell_addresses()) {
            at.nowhere.push_back(address);
        }
        if (!holders.empty() && std::all_of(holders.begin(), holders.end(), [&](const std::string& node) { return std::find(at.behind.begin(), at.behind.end(), node) != at.behind.end(); })) {
            at.needed.emplace(holders.front(), address);
        }
    }
}

// An older version of us, and a CRD of it, has no word for them; who has told nothing at all, or may not, may have any.
bool Agreement::all_tell_addresses() const {
    return lives_known_ && (others_.empty() || (known_ && std::all_of(others_.begin(), others_.end(), [this](const std::string& node) {
        const NodeReport* theirs = report_of(node);
        return theirs != nullptr && theirs->here.has_value();
    })));
}

std::optional<json> Agreement::say(const std::string& object, const json& wanted, const json& server, Time now, std::int64_t now_s) {
    const auto mine = mine_.objects.find(object);
    const json* told = programmed_of(wanted);
    if (mine == mine_.objects.end()) {
        return wanted;
    }
    const bool alone = !known_ || others_.empty();
    if (!alone && told != nullptr && generation_of(*told) < mine->second.generation && programmed_of(server) != nullptr) {
        return std::nullopt;  // made before this node took the newer one: its words are on the way
    }
    if (told == nullptr || generation_of(*told) != mine->second.generation || (!says_programmed(wanted) && (alone || mine->second.refusals.empty()))) {
        waits_.erase(object);
        moves_.erase(object);
        return wanted;
    }
    const auto timed = [&](json next) {
        keep_times(next, server, rfc3339(now_s));
        return next;
    };
    const std::int64_t generation = mine->second.generation;
    Stand at = stand(object);
    if (alone) {
        at = {.nodes = 1, .behind = {}, .refused = {}, .needed = {}, .nowhere = std::move(at.nowhere)};
    }
    const bool late = !at.behind.empty() && waits(waits_, object, mine->second, now, kPatience);
    const bool moves = !at.nowhere.empty() && waits(moves_, object, mine->second, now, kMove);
    if (at.behind.empty()) {
        waits_.erase(object);
    }
    if (at.nowhere.empty()) {
        moves_.erase(object);
    }
    const bool told_all = was_told(server, generation);
    const bool unassigned = told_all && is_unassigned(server);  // as another writer has found
    if ((late && !told_all) || (moves && !unassigned && !(told_all && stands(server)))) {
        return stands(server) ? std::nullopt : std::optional(timed(pending(object, wanted, server, generation)));
    }
    if (late) {  // not worth a word yet
        at.behind.clear();
        at.needed.clear();
    }
    if (moves && !unassigned) {
        at.nowhere.clear();
    }
    return at.behind.empty() && at.refused.empty() && at.nowhere.empty() ? wanted : timed(edited(object, wanted, generation, at));
}

std::optional<Agreement::Time> Agreement::again() const {
    std::optional<Time> out;
    const auto sooner = [&out](const std::string& /*object*/, const Wait& /*wait*/, Time end) { out = std::min(out.value_or(end), end); };
    for_each_open(waits_, kPatience, sooner);
    for_each_open(moves_, kMove, sooner);
    return out;
}

Agreement::Objects Agreement::due(Time now) {
    Objects out;
    const auto end = [&](const std::string& object, Wait& wait, Time when) {
        if (now >= when) {
            wait.over = true;
            out.insert(object);
        }
    };
    for_each_open(waits_, kPatience, end);
    for_each_open(moves_, kMove, end);
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
            if (!at.nowhere.empty() || (known_ && (!at.behind.empty() || !at.refused.empty()))) {
                open_->insert(object);
            }
        }
    }
    return *open_;
}

std::set<IpAddress> Agreement::own_of_others() const {
    std::set<IpAddress> out;
    for (const std::string& node : others_) {
        if (const NodeReport* theirs = known_ ? report_of(node) : nullptr) {
            out.insert(theirs->own.begin(), theirs->own.end());
        }
    }
    return out;
}

std::size_t Agreement::reporting() const {
    return static_cast<std::size_t>(std::count_if(others_.begin(), others_.end(), [this](const std::string& node) { return reports_.contains(node); })) + 1;
}

}  // namespace penstock::status
