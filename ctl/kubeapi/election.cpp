// SPDX-License-Identifier: Apache-2.0
#include "ctl/kubeapi/election.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "ctl/kubeapi/url.hpp"
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

std::string text_at(const json& of, const char* name) { return of.is_object() && of.contains(name) && of[name].is_string() ? of[name].get<std::string>() : std::string(); }

}  // namespace

Election::Election(std::string ns, std::string name, std::string identity) : ns_(std::move(ns)), name_(std::move(name)), identity_(std::move(identity)) {}

std::string Election::path() const { return "/apis/coordination.k8s.io/v1/namespaces/" + url_encoded(ns_) + "/leases"; }

Request Election::write(const char* method, const std::string& path, const std::string& holder, std::int64_t unix_us) const {
    const bool ours_before = holder_ == identity_;
    json body = {{"apiVersion", "coordination.k8s.io/v1"},
                 {"kind", "Lease"},
                 {"metadata", {{"name", name_}, {"namespace", ns_}}},
                 {"spec", {{"holderIdentity", holder},
                           {"leaseDurationSeconds", kDuration.count() / 1000},
                           {"renewTime", micro_time(unix_us)},
                           {"acquireTime", ours_before && !acquired_.empty() ? acquired_ : micro_time(unix_us)},
                           {"leaseTransitions", transitions_ + (ours_before ? 0 : 1)}}}};
    if (!version_.empty()) {
        body["metadata"]["resourceVersion"] = version_;
    }
    return {.method = method, .path = path, .body = body.dump(), .content_type = "application/json", .patience = milliseconds(5'000)};
}

Request Election::next(std::int64_t unix_us) {
    switch (step_) {
        case Step::create: return write("POST", path(), identity_, unix_us);
        case Step::take: return write("PUT", path() + "/" + url_encoded(name_), identity_, unix_us);
        case Step::look: break;
    }
    return {.path = path() + "/" + url_encoded(name_), .patience = milliseconds(5'000)};
}

void Election::seen(const Answer& answer, Time now) {
    const json lease = json::parse(answer.body, nullptr, false);
    const json spec = lease.is_object() ? lease.value("spec", json::object()) : json::object();
    const std::string version = lease.is_object() && lease.contains("metadata") ? text_at(lease["metadata"], "resourceVersion") : "";
    if (version != version_ || !changed_) {
        changed_ = now;
    }
    version_ = version;
    holder_ = text_at(spec, "holderIdentity");
    acquired_ = text_at(spec, "acquireTime");
    transitions_ = spec.contains("leaseTransitions") && spec["leaseTransitions"].is_number_integer() ? spec["leaseTransitions"].get<std::int64_t>() : 0;
}

void Election::answered(const Result<Answer>& answer, Time now) {
    const Step asked = std::exchange(step_, Step::look);
    pause_ = kPause;
    trouble_.reset();
    if (!answer.ok()) {
        trouble_ = answer.error();
        return;
    }
    if (asked == Step::look && answer->status == 404) {
        version_.clear();
        holder_.clear();
        step_ = Step::create;
        pause_ = milliseconds(0);
        return;
    }
    if (!answer->good()) {
        pause_ = std::max(kPause, answer->retry_after.value_or(milliseconds(0)));
        if (answer->status != 409) {  // somebody was faster: look
            trouble_ = answer->failure("hold the Lease " + ns_ + "/" + name_);
        }
        return;
    }
    seen(*answer, now);
    if (asked != Step::look) {
        renewed_ = holder_ == identity_ ? std::optional(now) : std::nullopt;
        step_ = renewed_ ? Step::take : Step::look;
        return;
    }
    const bool free = holder_.empty() || holder_ == identity_ || now - *changed_ > kDuration;
    if (!free) {
        renewed_.reset();
        return;
    }
    step_ = Step::take;
    pause_ = milliseconds(0);
}

std::optional<Request> Election::release(std::int64_t unix_us) {
    if (!renewed_) {
        return std::nullopt;
    }
    renewed_.reset();
    return write("PUT", path() + "/" + url_encoded(name_), "", unix_us);
}

}  // namespace penstock::kubeapi
