// SPDX-License-Identifier: Apache-2.0
#include "ctl/status/writer.hpp"

#include <algorithm>
#include <utility>

#include "ctl/status/merged.hpp"

namespace penstock::status {

namespace {

using model::Kind;
using nlohmann::json;

constexpr std::size_t kInFlightMax = 32;
constexpr unsigned kTokens = 3;                               // a change that comes alone is told at once
constexpr auto kRefill = std::chrono::milliseconds(700);      // a Gateway whose routes come by the thousand is told this often
constexpr auto kFirstRetry = std::chrono::milliseconds(250);
constexpr unsigned kRetryShiftMax = 8;                        // a minute

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
    entry.wanted = std::move(published);
    dirty_.insert(key);
    forget_gone(key);
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

// Tokens come back one by one; a failure's pause comes on top.
Writer::Time Writer::ready_at(Entry& entry, Time now) const {
    while (entry.tokens < kTokens && now - entry.refilled >= kRefill) {
        entry.tokens += 1;
        entry.refilled = entry.tokens == kTokens ? now : entry.refilled + kRefill;
    }
    return std::max(entry.not_before, entry.tokens > 0 ? now : entry.refilled + kRefill);
}

bool Writer::send_one(const model::ObjectKey& key, Entry& entry, Time now) {
    const auto target = find_(key);
    if (!target) {
        troubles_.erase(key);
        if (entry.wanted == nullptr) {
            entries_.erase(key);
        }
        return false;
    }
    std::optional<json> said = entry.wanted != nullptr ? std::optional(json::parse(*entry.wanted, nullptr, false)) : std::nullopt;
    if (said && say_ && (key.kind == Kind::gateway || key.kind == Kind::listener_set)) {
        said = say_(key, *said, target->status);
        if (!said) {
            return false;
        }
    }
    const json next = said ? merged(target->status, *said, controller_) : without_ours(target->status, controller_);
    const bool settled = entry.settled_version == target->version && entry.settled == std::hash<json>()(next);
    if (settled || next == target->status || (next.empty() && target->status.is_null())) {
        troubles_.erase(key);
        return false;
    }
    json patch = {{"metadata", {{"resourceVersion", target->version}}}, {"status", next}};
    // A merge patch leaves alone what it does not name.
    for (const auto& [name, value] : target->status.items()) {
        if (!next.contains(name)) {
            patch["status"][name] = nullptr;
        }
    }
    entry.tokens -= entry.tokens > 0 ? 1 : 0;
    if (entry.tokens + 1 == kTokens) {
        entry.refilled = now;
    }
    entry.in_flight = true;
    in_flight_ += 1;
    sets_in_flight_ += key.kind == Kind::listener_set ? 1 : 0;
    send_({.method = "PATCH", .path = target->path, .body = patch.dump(-1, ' ', false, json::error_handler_t::replace), .content_type = "application/merge-patch+json"},
          [this, key, next](const Result<kubeapi::Answer>& answer) { answered(key, next, answer); });
    return true;
}

std::optional<Writer::Time> Writer::pump(Time now) {
    now_ = now;
    if (!enabled_) {
        return std::nullopt;
    }
    std::optional<Time> again;
    for (auto it = dirty_.begin(); it != dirty_.end() && in_flight_ < kInFlightMax;) {
        const model::ObjectKey key = *it;
        // Kinds are sorted: classes, Gateways, sets. A Gateway whose ListenerSets are not written yet is held back.
        const auto first_set = dirty_.lower_bound({Kind::listener_set, "", ""});
        const bool sets_wait = first_set != dirty_.end() && first_set->kind == Kind::listener_set;
        if (key.kind == Kind::gateway && (sets_wait || sets_in_flight_ > 0)) {
            it = first_set;
            continue;
        }
        Entry& entry = entries_.try_emplace(key, Entry{.wanted = {}, .tokens = kTokens, .refilled = now}).first->second;
        if (entry.in_flight) {
            ++it;
            continue;
        }
        if (const Time when = ready_at(entry, now); when > now) {
            again = std::min(again.value_or(when), when);
            ++it;
            continue;
        }
        it = dirty_.erase(it);
        send_one(key, entry, now);
        if (key.kind == Kind::listener_set && sets_in_flight_ == 0) {
            // Nothing was to be written: Gateways that stand before it may go now.
            const auto next_set = dirty_.lower_bound({Kind::listener_set, "", ""});
            if (next_set == dirty_.end() || next_set->kind != Kind::listener_set) {
                it = dirty_.begin();
            }
        }
    }
    return again;
}

void Writer::hold_back(Entry& entry, std::optional<Milliseconds> retry_after) {
    const auto pause = kFirstRetry * (1U << std::min(entry.failures, kRetryShiftMax));
    entry.failures += 1;
    entry.not_before = now_ + std::max<Milliseconds>(pause, retry_after.value_or(Milliseconds(0)));
}

void Writer::failed(const model::ObjectKey& key, Entry& entry, Error error, std::optional<Milliseconds> retry_after) {
    hold_back(entry, retry_after);
    troubles_.insert_or_assign(key, std::move(error));
    dirty_.insert(key);
}

void Writer::answered(const model::ObjectKey& key, const json& status, const Result<kubeapi::Answer>& answer) {
    in_flight_ -= 1;
    sets_in_flight_ -= key.kind == Kind::listener_set ? 1 : 0;
    const auto found = entries_.find(key);
    if (found == entries_.end()) {
        return;
    }
    Entry& entry = found->second;
    entry.in_flight = false;
    if (!answer.ok()) {
        failed(key, entry, answer.error(), {});
        return;
    }
    if (!answer->good() && answer->status != 404 && answer->status != 409) {
        failed(key, entry, answer->failure("write the status of " + key.text()), answer->retry_after);
        return;
    }
    troubles_.erase(key);
    if (answer->status == 404) {
        return;  // it was deleted: the watch says so
    }
    if (answer->status == 409) {
        // Somebody was faster: the watch brings the newer version, and seen() follows. Should it not, look again.
        conflicts_ += 1;
        hold_back(entry, {});
        dirty_.insert(key);
        return;
    }
    written_ += 1;
    entry.failures = 0;
    entry.not_before = {};
    json whole = json::parse(answer->body, nullptr, false);
    if (whole.is_object() && whole.contains("metadata") && whole["metadata"].contains("resourceVersion")) {
        entry.settled = std::hash<json>()(status);
        entry.settled_version = whole["metadata"]["resourceVersion"].get<std::string>();
        wrote_(key, entry.settled_version, whole.value("status", json::object()));
    }
}

}  // namespace penstock::status
