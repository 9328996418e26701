// SPDX-License-Identifier: Apache-2.0
#include "ctl/status/writer.hpp"

#include <algorithm>
#include <utility>

#include "ctl/status/conditions_json.hpp"
#include "ctl/status/merged.hpp"
#include "userspace/base/time.hpp"

namespace penstock::status {

namespace {

using model::Kind;
using nlohmann::json;

constexpr std::size_t kInFlightMax = 32;
constexpr unsigned kTokens = 5;                               // a change that comes alone is told at once
constexpr unsigned kReserve = 2;                              // of them, for what has been quiet: its last word
constexpr auto kFirstRetry = std::chrono::milliseconds(250);
constexpr unsigned kRetryShiftMax = 8;                        // a minute
// A server that refuses some of what it is asked, or is away for a while: each object is tried again so often at least, unless they are many.
constexpr auto kPassesWithin = std::chrono::milliseconds(8'000);
constexpr auto kPassesEach = std::chrono::milliseconds(50);   // and they share that

// A Gateway whose routes come by the thousand: the longer it goes on, the less a step of it is worth a write, and a pause.
struct Pace {
    Writer::Milliseconds refill;  // it is told this often
    Writer::Milliseconds quiet;   // and when nothing has changed for so long: its last word
};
constexpr Pace pace_after(Writer::Time::duration busy) {
    using std::chrono::milliseconds;
    using std::chrono::seconds;
    if (busy < seconds(4)) {
        return {.refill = seconds(1), .quiet = milliseconds(150)};
    }
    return {.refill = busy < seconds(10) ? seconds(2) : seconds(4), .quiet = milliseconds(500)};
}
// A Gateway that is new: what is applied with it, its ListenerSets and routes, is there a moment later, and its first word counts that, too. Who reads
// that it is programmed, then, as a rule finds the statuses of its ListenerSets (conformance 1.5.1 looks for them once).
constexpr auto kTogether = std::chrono::milliseconds(30);
constexpr std::chrono::seconds kLastWord{1};  // it waits no longer, whatever was written
constexpr std::chrono::seconds kCalm{5};      // without a change or a write: all is as at first

// Whether it speaks of a generation that the object has not reached: one of that name was deleted, and this is another.
bool is_of_another(const json& status, std::int64_t generation) {
    bool later = false;
    for_each_conditions(status, "", [&](const std::string&, const json& conditions) {
        later |= std::any_of(conditions.begin(), conditions.end(), [&](const json& one) { return generation_of(one) > generation; });
    });
    return generation != 0 && later;
}

}  // namespace

bool has_status(Kind kind) {
    switch (kind) {
        case Kind::gateway_class:
        case Kind::gateway:
        case Kind::listener_set:
        case Kind::http_route:
        case Kind::grpc_route:
        case Kind::tls_route:
        case Kind::tcp_route:
        case Kind::udp_route:
        case Kind::backend_tls_policy: return true;
        default: return false;
    }
}

void Writer::want(const model::ObjectKey& key, std::shared_ptr<const std::string> published) {
    Entry& entry = entries_[key];
    if (entry.wanted != published) {
        entry.failures = 0;
        entry.not_before = {};
    }
    entry.stirred = entry.stirred || entry.wanted != published;
    entry.wanted = std::move(published);
    entry.once = false;
    dirty_.insert(key);
    forget_gone(key);
}

void Writer::part(const model::ObjectKey& key, std::string last) {
    const auto target = enabled_ ? find_(key) : std::nullopt;
    want(key, target ? std::make_shared<const std::string>(std::move(last)) : nullptr);
    if (target) {
        Entry& entry = entries_.at(key);
        entry.once = true;
        entry.parted_from = std::hash<json>()(target->status);
    }
}

void Writer::enable(bool on) {
    if (enabled_ && !on) {
        for (auto& [key, entry] : entries_) {
            forget_last_word(entry);  // who writes now knows what is to be said
        }
    }
    enabled_ = on;
}

void Writer::forget_last_word(Entry& entry) {
    if (std::exchange(entry.once, false)) {
        entry.wanted = nullptr;
    }
}

// Sending forgets what nobody wants and the server does not have; while others write, nothing is sent.
void Writer::forget_gone(const model::ObjectKey& key) {
    const auto entry = entries_.find(key);
    const bool wanted = entry != entries_.end() && (entry->second.wanted != nullptr || entry->second.in_flight);
    if (!enabled_ && !wanted && !find_(key)) {
        entries_.erase(key);
        dirty_.erase(key);
        troubles_.erase(key);
    }
}

void Writer::look_again() {
    for (const auto& [key, entry] : entries_) {
        dirty_.insert(key);
    }
}

void Writer::seen(const model::ObjectKey& key) {
    if (has_status(key.kind)) {
        dirty_.insert(key);
        forget_gone(key);
    }
}

// Tokens come back one by one; a failure's pause comes on top. What changes on and on waits for more than the reserve, or for its pace.
Writer::Time Writer::ready_at(Entry& entry, Time now) const {
    if (now - std::max(entry.changed, entry.sent) >= kCalm) {
        entry.tokens = kTokens;
        entry.refilled = now;
    }
    const Pace pace = pace_after(now - entry.busy_since);
    while (entry.tokens < kTokens && now - entry.refilled >= pace.refill) {
        entry.tokens += 1;
        entry.refilled = entry.tokens == kTokens ? now : entry.refilled + pace.refill;
    }
    if (std::exchange(entry.stirred, false)) {
        entry.changed = now;
    }
    const auto when_it_has = [&](unsigned tokens) { return entry.tokens >= tokens ? now : entry.refilled + (tokens - entry.tokens) * pace.refill; };
    const Time last_word = std::max(std::min(when_it_has(1), entry.refilled + kLastWord), entry.changed + pace.quiet);
    const Time next_word = std::min(when_it_has(kReserve + 1), entry.sent + pace.refill);
    return std::max(entry.not_before, std::min(next_word, last_word));
}

Writer::Time Writer::first_word_at(Entry& entry, Time now) {
    if (entry.sent != Time() || entry.wanted == nullptr || entry.once) {
        return now;
    }
    entry.begun = entry.begun.value_or(now);
    return *entry.begun + kTogether;
}

void Writer::send_one(const model::ObjectKey& key, Entry& entry) {
    const auto target = find_(key);
    if (!target) {
        troubles_.erase(key);
        if (entry.wanted == nullptr) {
            entries_.erase(key);
        }
        return;
    }
    if (entry.once && entry.parted_from != std::hash<json>()(target->status)) {
        forget_last_word(entry);  // somebody else has spoken
    }
    std::optional<json> said = entry.wanted != nullptr ? std::optional(json::parse(*entry.wanted, nullptr, false)) : std::nullopt;
    if (said && is_of_another(*said, target->generation)) {
        return;  // the words for this one are on the way
    }
    if (said && say_ && !entry.once && (key.kind == Kind::gateway || key.kind == Kind::listener_set)) {
        said = say_(key, *said, target->status);
        if (!said) {
            return;
        }
    }
    const json next = said ? merged(target->status, *said, controller_, rfc3339(now_s_)) : without_ours(target->status, controller_);
    const bool settled = entry.settled_version == target->version && entry.settled == std::hash<json>()(next);
    if (settled || next == target->status || (next.empty() && target->status.is_null())) {
        troubles_.erase(key);
        return;
    }
    json patch = {{"metadata", {{"resourceVersion", target->version}}}, {"status", next}};
    // A merge patch leaves alone what it does not name. An update without the spec does, too, and would cost the server a ninth less; but one older than
    // 1.35 takes what is not there from those who applied it in another version of the API (kubernetes/kubernetes#133704).
    for (const auto& [name, value] : target->status.items()) {
        if (!next.contains(name)) {
            patch["status"][name] = nullptr;
        }
    }
    if (entry.tokens == kTokens) {
        entry.busy_since = now_;
    }
    if (entry.tokens == kTokens || entry.tokens == 0) {
        entry.refilled = now_;
    }
    entry.tokens -= entry.tokens > 0 ? 1 : 0;
    entry.sent = now_;
    entry.in_flight = true;
    entry.sends_once = entry.once;
    entry.holds_gateways = key.kind == Kind::listener_set && entry.failures == 0;
    in_flight_ += 1;
    holding_ += entry.holds_gateways ? 1 : 0;
    send_({.method = "PATCH", .path = target->path, .body = patch.dump(-1, ' ', false, json::error_handler_t::replace), .content_type = "application/merge-patch+json"},
          [this, key, next](const Result<kubeapi::Answer>& answer) { answered(key, next, answer); });
}

std::optional<Writer::Time> Writer::pump(Time now, std::int64_t now_s) {
    now_ = now;
    now_s_ = now_s;
    if (!enabled_) {
        return std::nullopt;
    }
    // A Gateway that says how many sets it has comes after them; but one set that is refused, or changes all the time, holds up nobody.
    std::optional<Time> again;
    pump_kinds(Kind::gateway_class, Kind::gateway_class, again);
    pump_kinds(Kind::listener_set, Kind::listener_set, again);
    if (holding_ == 0) {
        pump_kinds(Kind::gateway, Kind::gateway, again);
    }
    pump_kinds(Kind::http_route, Kind::namespace_, again);
    return again;
}

void Writer::pump_kinds(Kind first, Kind last, std::optional<Time>& again) {
    for (auto it = dirty_.lower_bound({first, "", ""}); it != dirty_.end() && it->kind <= last && in_flight_ < kInFlightMax;) {
        const model::ObjectKey key = *it;
        Entry& entry = entries_.try_emplace(key, Entry{.wanted = {}, .tokens = kTokens, .refilled = now_}).first->second;
        if (entry.in_flight) {
            ++it;
            continue;
        }
        const Time word = key.kind == Kind::gateway ? first_word_at(entry, now_) : now_;
        if (const Time when = std::max(word, ready_at(entry, now_)); when > now_) {
            again = std::min(again.value_or(when), when);
            ++it;
            continue;
        }
        it = dirty_.erase(it);
        send_one(key, entry);
    }
}

void Writer::hold_back(Entry& entry, std::optional<Milliseconds> retry_after, bool passes) {
    Milliseconds pause = kFirstRetry * (1U << std::min(entry.failures, kRetryShiftMax));
    if (passes) {
        pause = std::min<Milliseconds>(pause, std::max<Milliseconds>(kPassesWithin, kPassesEach * troubles_.size()));
    }
    entry.failures += 1;
    entry.not_before = now_ + std::max<Milliseconds>(pause, retry_after.value_or(Milliseconds(0)));
}

void Writer::failed(const model::ObjectKey& key, Entry& entry, Error error, std::optional<Milliseconds> retry_after, bool passes) {
    troubles_.insert_or_assign(key, std::move(error));
    hold_back(entry, retry_after, passes);
    dirty_.insert(key);
}

void Writer::answered(const model::ObjectKey& key, const json& status, const Result<kubeapi::Answer>& answer) {
    in_flight_ -= 1;
    Entry& entry = entries_.at(key);  // what is in flight is not forgotten
    entry.in_flight = false;
    const bool last_word = std::exchange(entry.sends_once, false);
    holding_ -= std::exchange(entry.holds_gateways, false) ? 1 : 0;
    if (!answer.ok()) {
        failed(key, entry, answer.error(), {}, true);
        return;
    }
    if (!answer->good() && answer->status != 404 && answer->status != 409) {
        failed(key, entry, answer->failure("write the status of " + key.text()), answer->retry_after, answer->status == 429 || answer->status >= 500);
        return;
    }
    troubles_.erase(key);
    if (answer->status == 404 || answer->status == 409) {
        // It was deleted, or somebody was faster: the watch says so, and seen() follows. Should it not (a server that begins knows nothing
        // of its CRDs for a moment), look again.
        conflicts_ += answer->status == 409 ? 1 : 0;
        hold_back(entry, {});
        dirty_.insert(key);
        return;
    }
    written_ += 1;
    entry.failures = 0;
    entry.not_before = {};
    const json whole = json::parse(answer->body, nullptr, false);
    const std::string version = whole.is_object() && whole.contains("metadata") ? text_at(whole["metadata"], "resourceVersion") : "";
    if (!version.empty()) {
        entry.settled = std::hash<json>()(status);
        entry.settled_version = version;
        wrote_(key, version, whole.contains("status") ? whole["status"] : json::object());
    }
    if (last_word) {
        forget_last_word(entry);
    } else if (const auto target = entry.once ? find_(key) : std::nullopt) {
        entry.parted_from = std::hash<json>()(target->status);  // that was ours
    }
}

}  // namespace penstock::status
