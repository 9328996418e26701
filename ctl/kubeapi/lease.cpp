// SPDX-License-Identifier: Apache-2.0
#include "ctl/kubeapi/lease.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <limits>
#include <nlohmann/json.hpp>
#include <string_view>

#include "ctl/kubeapi/url.hpp"
#include "ctl/model/text_at.hpp"
#include "userspace/base/time.hpp"

namespace penstock::kubeapi {

namespace {

using nlohmann::json;

// MicroTime: "2026-01-02T03:04:05.000006Z".
std::string micro_time(std::int64_t unix_us) {
    std::string text = rfc3339(unix_us / 1'000'000);
    text.pop_back();
    return fmt::format("{}.{:06}Z", text, unix_us % 1'000'000);
}

std::map<std::string, std::string> texts_at(const model::Value& object, std::string_view name) {
    std::map<std::string, std::string> out;
    if (const model::Value* found = object.find_path({"metadata", name})) {
        for (const auto& [key, value] : found->members()) {
            if (value.as_string() != nullptr) {
                out.emplace(key, *value.as_string());
            }
        }
    }
    return out;
}

}  // namespace

Lease read_lease(const model::Value& object) {
    const model::Value* transitions = object.find_path({"spec", "leaseTransitions"});
    return {.name = text_at(object, {"metadata", "name"}),
            .version = text_at(object, {"metadata", "resourceVersion"}),
            .holder = text_at(object, {"spec", "holderIdentity"}),
            .acquired = text_at(object, {"spec", "acquireTime"}),
            .transitions = transitions != nullptr && transitions->as_integer() != nullptr ? *transitions->as_integer() : 0,
            .labels = texts_at(object, "labels"),
            .annotations = texts_at(object, "annotations")};
}

std::string leases_path(const std::string& ns) { return "/apis/coordination.k8s.io/v1/namespaces/" + url_encoded(ns) + "/leases"; }

std::string lease_path(const std::string& ns, const std::string& name) { return leases_path(ns) + "/" + url_encoded(name); }

Request hold_lease(const std::string& ns, const Lease& lease, const std::string& holder, LeaseTerms terms, std::int64_t unix_us) {
    const bool same = lease.holder == holder && !lease.acquired.empty();
    // Of an int32 that anybody may have written.
    const std::int64_t before = std::clamp<std::int64_t>(lease.transitions, 0, std::numeric_limits<std::int32_t>::max() - 1);
    const std::int64_t seconds = std::max<std::int64_t>(1, std::chrono::ceil<std::chrono::seconds>(terms.duration).count());
    json body = {{"apiVersion", "coordination.k8s.io/v1"},
                 {"kind", "Lease"},
                 {"metadata", {{"name", lease.name}, {"namespace", ns}}},
                 {"spec", {{"holderIdentity", holder},
                           {"leaseDurationSeconds", seconds},
                           {"renewTime", micro_time(unix_us)},
                           {"acquireTime", same ? lease.acquired : micro_time(unix_us)},
                           {"leaseTransitions", before + (holder.empty() || lease.holder == holder ? 0 : 1)}}}};
    for (const auto& [name, texts] : {std::pair{"labels", &lease.labels}, {"annotations", &lease.annotations}}) {
        if (!texts->empty()) {
            body["metadata"][name] = *texts;
        }
    }
    if (!lease.version.empty()) {
        body["metadata"]["resourceVersion"] = lease.version;
    }
    return {.method = lease.version.empty() ? "POST" : "PUT", .path = lease.version.empty() ? leases_path(ns) : lease_path(ns, lease.name), .body = body.dump(),
            .content_type = "application/json", .patience = terms.patience};
}

Request delete_lease(const std::string& ns, const std::string& name, const std::string& version, LeaseTerms terms) {
    const json body = {{"apiVersion", "v1"}, {"kind", "DeleteOptions"}, {"preconditions", {{"resourceVersion", version}}}};
    return {.method = "DELETE", .path = lease_path(ns, name), .body = body.dump(), .content_type = "application/json", .patience = terms.patience};
}

}  // namespace penstock::kubeapi
