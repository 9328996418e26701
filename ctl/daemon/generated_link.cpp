// SPDX-License-Identifier: Apache-2.0
#include "ctl/daemon/generated_link.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "ctl/daemon/send_from.hpp"

namespace penstock::daemon {

using nlohmann::json;

namespace {

constexpr auto kFirstRetry = std::chrono::seconds(1);
constexpr unsigned kRetryShiftMax = 6;  // a minute

}  // namespace

void GeneratedLink::want(const model::ObjectKey& gateway, const std::shared_ptr<const std::string>& status) {
    if (status != nullptr) {
        gateways_[gateway].status = status;
    } else if (gateways_.erase(gateway) != 0) {
        std::erase_if(owners_, [&](const auto& entry) { return entry.second == gateway; });
        changed_();
    }
}

void GeneratedLink::seen(const model::ObjectKey& key) {
    const auto owner = owners_.find(key);
    if (owner == owners_.end()) {
        return;
    }
    // Deleted, or what was somebody else's is not any more: a change of ours by others waits for the resync.
    Gateway& gateway = gateways_.at(owner->second);
    const kubeapi::Resource* at = cluster_.resource(key.kind);
    const bool not_made = at != nullptr && gateway.not_made.contains(at->path(key.ns, key.name));
    if (cluster_.find(key) == nullptr || (not_made && !is_foreign(key))) {
        gateway.made = nullptr;
        make();
    }
}

void GeneratedLink::forget_made() {
    for (auto& [key, gateway] : gateways_) {
        gateway.made = nullptr;
        gateway.not_made.clear();
        gateway.failures = 0;
        gateway.not_before = {};
    }
}

bool GeneratedLink::is_foreign(const model::ObjectKey& key) const {
    const source::Cluster::Stored* stored = cluster_.find(key);
    if (stored == nullptr) {
        return false;
    }
    if (stored->object == nullptr) {
        return true;
    }
    const auto label = stored->object->meta.labels.find(status::kManagedBy);
    return label == stored->object->meta.labels.end() || label->second != status::kManager;
}

void GeneratedLink::make() {
    if (!may_()) {
        return;
    }
    const auto now = Loop::Clock::now();
    std::optional<Loop::Clock::time_point> again;
    for (auto& [key, gateway] : gateways_) {
        const source::Cluster::Stored* stored = cluster_.find(key);
        if (stored == nullptr || stored->object == nullptr || stored->object->meta.deletion_s) {
            continue;
        }
        if (gateway.made == stored->object && gateway.made_status == gateway.status) {
            continue;
        }
        if (gateway.not_before > now) {
            again = std::min(again.value_or(gateway.not_before), gateway.not_before);
            continue;
        }
        json addresses = json::parse(*gateway.status, nullptr, false).value("addresses", json::array());
        const bool changed = gateway.made != stored->object || gateway.made_addresses != addresses;
        gateway.made = stored->object;
        gateway.made_status = gateway.status;
        if (!changed) {
            continue;  // a route came or went
        }
        gateway.made_addresses = std::move(addresses);
        gateway.not_made.clear();
        for (const status::Generated& thing : status::generated_of(*stored->object, gateway.made_addresses)) {
            apply(key, thing);
        }
    }
    if (again) {
        loop_.at("generated", *again, [this] { make(); });
    }
}

void GeneratedLink::apply(const model::ObjectKey& gateway, const status::Generated& thing) {
    owners_.insert_or_assign(thing.key, gateway);
    if (is_foreign(thing.key)) {
        gateways_.at(gateway).not_made.insert_or_assign(
            thing.path, Error{.code = Errc::exists, .what = thing.key.text() + " is somebody else's: " + gateway.text() + " gets none", .hint = "delete or rename it"});
        return;
    }
    kubeapi::Request request{.method = "PATCH", .path = thing.path + "?fieldManager=penstock&force=true", .body = thing.content.dump(-1, ' ', false, json::error_handler_t::replace),
                             .content_type = "application/apply-patch+yaml"};
    gateways_.at(gateway).in_flight += 1;
    send_from(loop_, *client_, std::move(request), [this, gateway, thing](const Result<kubeapi::Answer>& answer) { applied(gateway, thing, answer); });
}

void GeneratedLink::applied(const model::ObjectKey& key, const status::Generated& thing, const Result<kubeapi::Answer>& answer) {
    const auto found = gateways_.find(key);
    if (found == gateways_.end()) {
        return;
    }
    Gateway& gateway = found->second;
    gateway.in_flight -= gateway.in_flight > 0 ? 1 : 0;  // it may have gone and come meanwhile
    if (answer.ok() && answer->good()) {
        applied_ += 1;
        if (gateway.in_flight == 0 && gateway.not_made.empty()) {
            gateway.failures = 0;
        }
        return;
    }
    const auto retry_after = answer.ok() ? answer->retry_after : std::nullopt;
    if (gateway.made != nullptr) {  // of the things that were applied together, the first to fail counts
        const auto pause = kFirstRetry * (1U << std::min(gateway.failures, kRetryShiftMax));
        gateway.failures += 1;
        gateway.made = nullptr;
        gateway.not_before = Loop::Clock::now() + std::max<std::chrono::milliseconds>(pause, retry_after.value_or(std::chrono::milliseconds(0)));
    }
    gateway.not_made.insert_or_assign(thing.path, answer.ok() ? answer->failure("apply " + thing.path) : answer.error());
    make();
    changed_();
}

void GeneratedLink::add_troubles(std::vector<Trouble>& out) const {
    for (const auto& [key, gateway] : gateways_) {
        for (const auto& [path, error] : gateway.not_made) {
            out.push_back({.what = "apply " + path, .error = error, .failure = {}});
        }
    }
}

}  // namespace penstock::daemon
