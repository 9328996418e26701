// SPDX-License-Identifier: Apache-2.0
#include "ctl/kubeapi/election.hpp"

#include <functional>
#include <utility>

#include "ctl/model/value_text.hpp"
#include "userspace/base/files.hpp"

namespace penstock::kubeapi {

namespace {

constexpr std::size_t kBootIdMax = 64;

}  // namespace

Election::Election(std::string ns, std::string name, std::string identity, Terms terms) : ns_(std::move(ns)), identity_(std::move(identity)), terms_(terms), again_(terms.again, terms.again_max, std::hash<std::string>()(identity_)) {
    lease_.name = std::move(name);
}

void Election::carry(std::map<std::string, std::string> labels, std::map<std::string, std::string> annotations) {
    labels_ = std::move(labels);
    annotations_ = std::move(annotations);
}

Request Election::write(const std::string& holder, std::int64_t unix_us) const {
    Lease lease = lease_;
    lease.labels = labels_;
    lease.annotations = annotations_;
    Request request = hold_lease(ns_, lease, holder, {.duration = terms_.duration, .patience = terms_.patience}, unix_us);
    request.urgent = true;
    return request;
}

Request Election::next(Time now, std::int64_t unix_us) {
    sent_ = now;
    if (step_ == Step::look) {
        return {.path = lease_path(ns_, lease_.name), .patience = terms_.patience, .urgent = true};
    }
    return write(identity_, unix_us);
}

void Election::seen(const Answer& answer, Time now) {
    const auto parsed = model::parse_json(answer.body, {.bytes_max = 1U << 20});
    Lease lease = parsed.ok() ? read_lease(*parsed) : Lease();
    if (lease.version != lease_.version || !changed_) {
        changed_ = now;
    }
    lease.name = lease_.name;
    lease_ = std::move(lease);
}

// While the Lease that we hold is good in others' eyes there is a reason to hurry.
milliseconds Election::again(Time now) {
    return renewed_ && now - *renewed_ < terms_.duration ? terms_.again : again_.next();
}

void Election::answered(const Result<Answer>& answer, Time now) {
    const Step asked = std::exchange(step_, Step::look);
    pause_ = terms_.pause;
    trouble_.reset();
    if (!answer.ok()) {
        trouble_ = answer.error();
        pause_ = again(now);
        return;
    }
    if (asked == Step::look && answer->status == 404) {
        lease_ = {.name = lease_.name};
        step_ = Step::create;
        pause_ = milliseconds(0);
        return;
    }
    if (!answer->good()) {
        pause_ = std::max(again(now), answer->retry_after.value_or(milliseconds(0)));
        if (answer->status != 409) {  // somebody was faster: look
            trouble_ = answer->failure("hold the Lease " + ns_ + "/" + lease_.name);
        }
        return;
    }
    seen(*answer, now);
    if (asked != Step::look) {
        again_.succeeded();
        renewed_ = lease_.holder == identity_ ? std::optional(sent_) : std::nullopt;
        steps_down_ = false;
        step_ = renewed_ ? Step::take : Step::look;
        return;
    }
    const bool free = lease_.holder.empty() || lease_.holder == identity_ || now - *changed_ > terms_.duration;
    if (!free) {
        again_.succeeded();
        renewed_.reset();
        return;
    }
    step_ = Step::take;
    pause_ = milliseconds(0);
}

std::optional<Request> Election::release(std::int64_t unix_us) {
    if (!renewed_ || lease_.holder != identity_) {
        return std::nullopt;
    }
    steps_down_ = true;
    step_ = Step::look;  // only that tells whether it was heard
    return write("", unix_us);
}

std::string identity_of(const std::string& node) {
    const auto boot = read_file("/proc/sys/kernel/random/boot_id", kBootIdMax);
    return boot.ok() && !boot->empty() ? node + "_" + boot->substr(0, boot->find('\n')) : node;
}

std::string node_of_identity(const std::string& identity) {
    return identity.substr(0, identity.find('_'));  // a node's name has none
}

}  // namespace penstock::kubeapi
