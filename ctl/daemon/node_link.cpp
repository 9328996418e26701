// SPDX-License-Identifier: Apache-2.0
#include "ctl/daemon/node_link.hpp"

#include <algorithm>
#include <random>
#include <utility>

#include "ctl/daemon/send_from.hpp"
#include "ctl/kubeapi/url.hpp"
#include "ctl/kubeapi/version.hpp"
#include "ctl/model/text_at.hpp"
#include "ctl/model/value_text.hpp"
#include "userspace/base/log.hpp"
#include "userspace/base/time.hpp"

namespace penstock::daemon {

using kubeapi::milliseconds;
using nlohmann::json;
using status::Agreement;

namespace {

constexpr auto kLookAgainMax = milliseconds(5'000);  // for a CRD that is missing
constexpr auto kFirstRetry = milliseconds(500);
constexpr auto kRetryMax = milliseconds(30'000);
constexpr auto kOwnerAgain = milliseconds(1'000);  // the first time, for a Node that is not there
constexpr unsigned kOwnerShiftMax = 6;             // a minute
constexpr std::size_t kShownMax = 50;   // objects that nodes do not agree on

// Uids of its owners: others may have added some.
std::set<std::string> owners_of(const model::Value& object) {
    std::set<std::string> out;
    if (const model::Value* owners = object.find_path({"metadata", "ownerReferences"})) {
        for (const model::Value& one : owners->items()) {
            out.insert(text_at(one, {"uid"}));
        }
    }
    return out;
}

json as_json(const model::Value* value) { return value != nullptr ? json(model::to_json(*value)) : json(); }

}  // namespace

NodeLink::NodeLink(Loop& loop, std::string node, Events events)
    : loop_(loop), node_(std::move(node)), events_(std::move(events)), agreement_(node_), again_(kFirstRetry, kRetryMax, std::random_device()()) {}

void NodeLink::start(kubeapi::Client& client) {
    client_ = &client;
    auto tell = [this](const kubeapi::Batch& batch, const kubeapi::Reflection& reflection) {
        loop_.post([this, news = read(batch, reflection, node_)] { on_news(news); });
    };
    client.after(milliseconds(0), [&client, tell = std::move(tell)] {
        kubeapi::Reflection reflection(status::kNodeReportVersion, status::kNodeReportKind, "", std::random_device()(), kLookAgainMax);
        kubeapi::CollectionWatch::start(client, status::node_reports_path(), std::move(reflection), tell);
    });
}

// ---- what comes ---------------------------------------------------------------------------------------------------------
NodeLink::News NodeLink::read(const kubeapi::Batch& batch, const kubeapi::Reflection& reflection, const std::string& node) {
    News news{.seen = {}, .all = batch.all, .known = reflection.synced() && !reflection.missing(), .missing = reflection.missing(), .trouble = reflection.trouble()};
    for (const auto& [object, gone] : batch.changes) {
        Seen one{.node = text_at(object, {"metadata", "name"}), .version = text_at(object, {"metadata", "resourceVersion"}), .report = {}, .own = {}, .owners = {}, .gone = gone};
        if (!gone) {
            one.report = status::read_report(object);
        }
        if (one.node == node) {
            one.own = as_json(object.find("status"));
            one.owners = owners_of(object);
        }
        news.seen.push_back(std::move(one));
    }
    return news;
}

void NodeLink::on_news(const News& news) {
    if (watch_trouble_ && !news.trouble) {  // the server is back: a write that waits need not wait on
        again_.succeeded();
        not_before_ = asked_until_;
    }
    missing_ = news.missing;
    known_ = news.known;
    watch_trouble_ = news.missing ? std::nullopt : news.trouble;  // not everybody has the CRD, and one node needs none
    if (missing_ && !std::exchange(told_missing_, true)) {
        log::warn("the API server has no {}: statuses do not wait for what other nodes serve until configs/deploy/base/penstocknodes.yaml is applied", status::kNodeReportKind);
    }
    if (known_ && std::exchange(told_missing_, false)) {
        log::info("the API server has {} now", status::kNodeReportKind);
    }
    if (news.all) {
        std::set<std::string> gone = heard_;
        for (const Seen& one : news.seen) {
            gone.erase(one.node);
        }
        std::for_each(gone.begin(), gone.end(), [this](const std::string& node) { lost(node, ""); });
    }
    for (const Seen& one : news.seen) {
        one.gone ? lost(one.node, one.version) : saw(one);
    }
    changed(agreement_.known(known_));
    push();
    events_.trouble();
}

void NodeLink::saw(const Seen& one) {
    heard_.insert(one.node);
    if (one.node != node_) {
        changed(agreement_.heard(one.node, one.report));
    } else if (!kubeapi::older_version(one.version, version_)) {  // else the answer to our write was faster
        there_ = one.own;
        owners_there_ = one.owners;
        version_ = one.version;
    }
}

// `version`: of its end; "" where that is not known.
void NodeLink::lost(const std::string& node, const std::string& version) {
    heard_.erase(node);
    if (node == node_ && kubeapi::older_version(version, version_)) {
        return;  // what we wrote since made it anew
    }
    if (node == node_) {
        there_.reset();
        owners_there_.clear();
        version_ = version;  // the answer to a write before that may come yet
        owner_.reset();  // it may have gone with its Node, which is another one now
    } else {
        changed(agreement_.lost(node));
    }
}

void NodeLink::live(std::set<std::string> others) { changed(agreement_.live(std::move(others))); }

void NodeLink::has(const std::set<IpAddress>& here, const std::vector<IpAddress>& own) {
    if (here_ == here && own_ == own) {
        return;
    }
    here_ = here;
    own_ = own;
    if (wanted_) {
        report(agreement_.mine());
    }
}

void NodeLink::report(status::NodeReport mine) {
    if (here_) {
        status::set_addresses(mine, *here_, own_);
    }
    wanted_ = status::node_object(node_, "", mine)["status"];
    changed(agreement_.took(std::move(mine)));
    push();
}

void NodeLink::changed(const Agreement::Objects& objects) {
    if (!objects.empty()) {
        events_.changed(objects);
    }
    if (auto own = agreement_.own_of_others(); own != own_of_others_) {
        own_of_others_ = std::move(own);
        events_.own();
    }
}

std::optional<json> NodeLink::say(const std::string& object, const json& wanted, const json& server) {
    auto said = agreement_.say(object, wanted, server, Loop::Clock::now(), unix_us_now() / 1'000'000);
    wait_for_patience();
    return said;
}

void NodeLink::wait_for_patience() {
    if (const auto again = agreement_.again()) {
        loop_.at("agreement", *again, [this] {
            changed(agreement_.due(Loop::Clock::now()));
            wait_for_patience();
        });
    } else {
        loop_.cancel("agreement");
    }
}

// ---- what goes ----------------------------------------------------------------------------------------------------------
// Writes if there is something to write and nothing to wait for.
void NodeLink::push() {
    if (asking_ || !known_ || !wanted_ || settled()) {
        return;
    }
    if (Loop::Clock::now() < not_before_) {
        loop_.at("node report", not_before_, [this] { push(); });
    } else if (!owner_) {
        ask_owner();
    } else {
        write();
    }
}

// Whether the server has what it is to have, or what it made of that.
bool NodeLink::settled() const {
    const bool written = there_ && version_ == settled_version_ && wanted_ == settled_ && owner_ == settled_owner_;
    return written || (there_ == wanted_ && owner_ && (owner_->empty() || owners_there_.contains(*owner_)));
}

void NodeLink::push_later(milliseconds asked) {
    asked_until_ = Loop::Clock::now() + asked;
    not_before_ = Loop::Clock::now() + std::max(asked, again_.next());
}

// Without the right to see the Node the object stays when the node goes: nobody waits for it then.
void NodeLink::ask_owner() {
    asking_ = true;
    send_from(loop_, *client_, {.path = "/api/v1/nodes/" + kubeapi::url_encoded(node_)}, [this](const Result<kubeapi::Answer>& answer) {
        asking_ = false;
        const bool told = answer.ok() && (answer->good() || answer->status == 404 || answer->status == 403);
        const auto node = told && answer->good() ? model::parse_json(answer->body, {.bytes_max = 4U << 20}) : Result<model::Value>(model::Value());
        if (told) {
            owner_is(node.ok() ? text_at(*node, {"metadata", "uid"}) : "", answer->status == 404);
        } else {
            push_later(answer.ok() ? answer->retry_after.value_or(milliseconds(0)) : milliseconds(0));
        }
        push();
    });
}

// A Node that is not there may be about to be made anew: what was written without one gets it then.
void NodeLink::owner_is(std::string uid, bool may_come) {
    owner_ = std::move(uid);
    absences_ = may_come ? absences_ + 1 : 0;
    if (may_come) {
        loop_.at("owner", Loop::Clock::now() + kOwnerAgain * (1U << std::min(absences_ - 1, kOwnerShiftMax)), [this] {
            owner_.reset();
            push();
        });
    }
}

// Applied: made if it is not there, and the whole of it is ours.
void NodeLink::write() {
    asking_ = true;
    not_before_ = Loop::Clock::now() + kPause;
    json object = status::node_object(node_, *owner_, agreement_.mine());
    kubeapi::Request request{.method = "PATCH", .path = status::node_reports_path() + "/" + kubeapi::url_encoded(node_) + "?fieldManager=penstock&force=true",
                             .body = object.dump(-1, ' ', false, json::error_handler_t::replace), .content_type = "application/apply-patch+yaml"};
    send_from(loop_, *client_, std::move(request), [this, written = std::move(object["status"]), owner = *owner_](const Result<kubeapi::Answer>& answer) { wrote(written, owner, answer); });
}

void NodeLink::wrote(const json& status, const std::string& owner, const Result<kubeapi::Answer>& answer) {
    asking_ = false;
    const auto whole = answer.ok() && answer->good() ? model::parse_json(answer->body) : Result<model::Value>(model::Value());
    const std::string version = whole.ok() ? text_at(*whole, {"metadata", "resourceVersion"}) : "";
    if (!version.empty()) {
        written_ += 1;
        again_.succeeded();
        write_trouble_.reset();
        settled_ = status;
        settled_owner_ = owner;
        settled_version_ = version;
        if (!kubeapi::older_version(version, version_)) {
            there_ = as_json(whole->find("status"));
            owners_there_ = owners_of(*whole);
            version_ = version;
        }
    } else {
        const bool gone = answer.ok() && answer->status == 404;  // the CRD: the watch tells
        const std::string what = "write the PenstockNode of this node";
        write_trouble_ = gone ? std::nullopt : std::optional(answer.ok() ? answer->failure(what) : Error(answer.error()).in(what));
        push_later(answer.ok() ? answer->retry_after.value_or(milliseconds(0)) : milliseconds(0));
    }
    push();
    events_.trouble();
}

// ---- what is shown ------------------------------------------------------------------------------------------------------
std::vector<Trouble> NodeLink::troubles() const {
    std::vector<Trouble> out;
    if (watch_trouble_) {
        out.push_back({.what = "follow what other nodes have taken", .error = *watch_trouble_, .failure = {}});
    }
    if (write_trouble_) {
        out.push_back({.what = "tell other nodes what this one has taken", .error = *write_trouble_, .failure = {}});
    }
    return out;
}

json NodeLink::kind_facts() const {
    return {{"kind", status::kNodeReportKind}, {"version", missing_ ? "" : status::kNodeReportVersion}, {"synced", known_ || missing_}, {"missing", missing_},
            {"trouble", watch_trouble_ ? watch_trouble_->message() : ""}};
}

json NodeLink::facts() const {
    std::map<std::string, std::size_t> behind;
    json open = json::array();
    for (const std::string& object : agreement_.open()) {
        const status::Stand at = agreement_.stand(object);
        for (const std::string& node : at.behind) {
            behind[node] += 1;
        }
        if (open.size() < kShownMax) {
            json refused = json::array();
            for (const auto& [node, refusals] : at.refused) {
                refused.push_back({{"node", node}, {"message", refusals.front().message}});
            }
            json nowhere = json::array();
            for (const IpAddress& address : at.nowhere) {
                nowhere.push_back(address.text());
            }
            open.push_back({{"object", object}, {"generation", agreement_.mine().objects.at(object).generation}, {"nodes", at.nodes}, {"behind", at.behind}, {"refused", std::move(refused)}, {"nowhere", std::move(nowhere)}});
        }
    }
    json nodes = json::array();
    const auto add = [&](const std::string& name, const status::NodeReport* report) {
        const std::uint64_t refused = report != nullptr ? report->refused() : 0;
        nodes.push_back({{"name", name}, {"reports", report != nullptr}, {"taken", report != nullptr ? report->objects.size() - refused : 0}, {"refused", refused}, {"behind", behind[name]}});
    };
    add(node_, &agreement_.mine());
    for (const std::string& node : agreement_.others()) {
        add(node, agreement_.report_of(node));
    }
    return {{"followed", known_}, {"written", written_}, {"nodes", std::move(nodes)}, {"open", std::move(open)}};
}

}  // namespace penstock::daemon
