// SPDX-License-Identifier: Apache-2.0
#include "ctl/daemon/leftovers.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "ctl/daemon/send_from.hpp"
#include "ctl/status/conditions_json.hpp"
#include "ctl/status/generated.hpp"

namespace penstock::daemon {

using model::Kind;
using nlohmann::json;
using status::text_at;

namespace {

constexpr auto kFirstRetry = std::chrono::seconds(1);
constexpr unsigned kRetryShiftMax = 6;  // a minute
constexpr auto kTimer = "leftovers";

bool has_our_label(const model::Object& object) {
    const auto label = object.meta.labels.find(status::kManagedBy);
    return label != object.meta.labels.end() && label->second == status::kManager;
}

// The Gateway that is its one owner.
struct Owner {
    std::string name;
    std::string uid;
};
std::optional<Owner> owner_of(const model::Object& object) {
    const json metadata = json::parse(object.raw.metadata, nullptr, false);
    const json owners = metadata.is_object() ? metadata.value("ownerReferences", json()) : json();
    if (!owners.is_array() || owners.size() != 1 || !owners[0].is_object() || text_at(owners[0], "kind") != "Gateway" ||
        !text_at(owners[0], "apiVersion").starts_with(std::string(model::kGatewayGroup) + "/")) {
        return std::nullopt;
    }
    return Owner{.name = text_at(owners[0], "name"), .uid = text_at(owners[0], "uid")};
}

std::string path_of(const model::ObjectKey& key) {
    return (key.kind == Kind::service ? "/api/v1/namespaces/" + key.ns + "/services/" : "/apis/discovery.k8s.io/v1/namespaces/" + key.ns + "/endpointslices/") + key.name;
}

}  // namespace

// Of an accepted class of ours, as far as the API server has told.
bool Leftovers::is_served(const model::Object& gateway) const {
    const auto* spec = model::body_of<model::Gateway>(gateway);
    const auto* stored = cluster_.find({Kind::gateway_class, "", spec->gateway_class_name});
    if (stored == nullptr) {
        return false;
    }
    const auto* of_class = stored->object != nullptr ? model::body_of<model::GatewayClass>(*stored->object) : nullptr;
    return of_class == nullptr || of_class->controller_name == controller_;
}

bool Leftovers::is_left_over(const model::Object& object) const {
    const auto owner = has_our_label(object) ? owner_of(object) : std::nullopt;
    if (!owner) {
        return false;
    }
    const std::string name = status::generated_name(owner->name);
    if (object.key.name != name && (object.key.kind == Kind::service || !object.key.name.starts_with(name + "-ipv"))) {
        return false;
    }
    const model::ObjectKey key{Kind::gateway, object.key.ns, owner->name};
    const auto* gateway = cluster_.find(key);
    return gateway != nullptr && gateway->object != nullptr && gateway->object->meta.uid == owner->uid && !is_served(*gateway->object) && !asks_.in_care(key);
}

void Leftovers::seen(const model::ObjectKey& key) {
    if (key.kind == Kind::service || key.kind == Kind::endpoint_slice) {
        look(key);
    } else if (key.kind == Kind::gateway) {
        const auto* stored = cluster_.find(key);
        if (attempts_.empty() && stored != nullptr && stored->object != nullptr && is_served(*stored->object)) {
            return;  // each change of its status comes by here
        }
        const std::string name = status::generated_name(key.name);
        look({Kind::service, key.ns, name});
        look({Kind::endpoint_slice, key.ns, name + "-ipv4"});
        look({Kind::endpoint_slice, key.ns, name + "-ipv6"});
    } else if (key.kind == Kind::gateway_class) {
        sweep();
    }
}

void Leftovers::sweep() {
    for (const Kind kind : {Kind::service, Kind::endpoint_slice}) {
        std::vector<model::ObjectKey> ours;
        for (auto it = cluster_.objects().lower_bound(model::ObjectKey{kind, "", ""}); it != cluster_.objects().end() && it->first.kind == kind; ++it) {
            if (has_our_label(*it->second)) {
                ours.push_back(it->first);
            }
        }
        std::for_each(ours.begin(), ours.end(), [this](const model::ObjectKey& key) { look(key); });
    }
}

void Leftovers::look(const model::ObjectKey& key) {
    const auto* stored = cluster_.find(key);
    if (stored == nullptr || stored->object == nullptr || !is_left_over(*stored->object)) {
        const auto known = attempts_.find(key);
        if (known != attempts_.end() && !known->second.in_flight) {
            attempts_.erase(known);
            asks_.changed();
        }
        return;
    }
    const auto known = attempts_.find(key);
    const bool waits = known != attempts_.end() && (known->second.in_flight || known->second.not_before > Loop::Clock::now());
    if (!waits && asks_.may()) {
        remove(key, *stored);
    }
}

void Leftovers::remove(const model::ObjectKey& key, const source::Cluster::Stored& stored) {
    attempts_[key].in_flight = true;
    const json options = {{"apiVersion", "v1"}, {"kind", "DeleteOptions"}, {"preconditions", {{"uid", stored.object->meta.uid}, {"resourceVersion", stored.version}}}};
    kubeapi::Request request{.method = "DELETE", .path = path_of(key), .body = options.dump(), .content_type = "application/json"};
    send_from(loop_, *client_, std::move(request), [this, key](const Result<kubeapi::Answer>& answer) { answered(key, answer); });
}

void Leftovers::answered(const model::ObjectKey& key, const Result<kubeapi::Answer>& answer) {
    Attempt& attempt = attempts_[key];
    attempt.in_flight = false;
    if (answer.ok() && (answer->good() || answer->status == 404)) {
        deleted_ += answer->good() ? 1 : 0;
        attempts_.erase(key);
        asks_.changed();
        return;
    }
    const bool other = answer.ok() && answer->status == 409;  // it is another one than we saw: the watch tells, or has told
    const std::string what = "delete " + key.text() + ", which is of a Gateway that is not ours any more";
    attempt.error = other ? std::nullopt : std::optional(answer.ok() ? answer->failure(what) : Error(answer.error()).in(what));
    const auto asked = answer.ok() ? answer->retry_after.value_or(std::chrono::milliseconds(0)) : std::chrono::milliseconds(0);
    attempt.not_before = Loop::Clock::now() + std::max<std::chrono::milliseconds>(kFirstRetry * (1U << std::min(attempt.failures, kRetryShiftMax)), asked);
    attempt.failures += 1;
    try_again();
    asks_.changed();
}

void Leftovers::try_again() {
    std::optional<Loop::Clock::time_point> next;
    for (const auto& [key, attempt] : attempts_) {
        if (!attempt.in_flight) {
            next = std::min(next.value_or(attempt.not_before), attempt.not_before);
        }
    }
    if (!next) {
        return;
    }
    loop_.at(kTimer, *next, [this] {
        std::vector<model::ObjectKey> keys;
        for (const auto& [key, attempt] : attempts_) {
            keys.push_back(key);
        }
        std::for_each(keys.begin(), keys.end(), [this](const model::ObjectKey& key) { look(key); });
        if (asks_.may()) {
            try_again();
        }
    });
}

void Leftovers::add_troubles(std::vector<Trouble>& out) const {
    for (const auto& [key, attempt] : attempts_) {
        if (attempt.error) {
            out.push_back({.what = "delete " + key.text(), .error = *attempt.error, .failure = {}});
        }
    }
}

}  // namespace penstock::daemon
