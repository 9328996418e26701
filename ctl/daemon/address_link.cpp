// SPDX-License-Identifier: Apache-2.0
#include "ctl/daemon/address_link.hpp"

#include <algorithm>
#include <random>
#include <utility>

#include "ctl/daemon/address_leases.hpp"
#include "ctl/daemon/send_from.hpp"
#include "ctl/kubeapi/collection_watch.hpp"
#include "ctl/kubeapi/forgotten.hpp"
#include "ctl/kubeapi/url.hpp"
#include "ctl/kubeapi/version.hpp"
#include "ctl/model/value_text.hpp"
#include "ctl/status/node_report.hpp"
#include "userspace/base/log.hpp"
#include "userspace/base/time.hpp"

namespace penstock::daemon {

using kubeapi::milliseconds;
using nlohmann::json;
using plan::Holdings;
using plan::LeaseWrite;

namespace {

constexpr auto kLeavePatience = milliseconds(1'500);
constexpr auto kWatchAgainMax = milliseconds(1'000);

constexpr kubeapi::LeaseTerms kAddressTerms{.duration = Holdings::kStale, .patience = milliseconds(2'000)};
constexpr kubeapi::Election::Terms kNodeTerms{
    .duration = Holdings::kStale, .renew_deadline = Holdings::kStale, .pause = Holdings::kRenew, .again = milliseconds(100), .again_max = Holdings::kRenew, .patience = milliseconds(700)};
// Few requests, and a server that is gone must be noticed before the others think that we are.
constexpr kubeapi::ClientLimits kLimits{.per_second = 200, .burst = 400, .connect = milliseconds(1'000), .silence = milliseconds(3'000)};

}  // namespace

AddressLink::AddressLink(Loop& loop, std::string ns, std::string node, Events events)
    : loop_(loop), ns_(std::move(ns)), node_(std::move(node)), events_(std::move(events)), holdings_(node_) {}

AddressLink::~AddressLink() = default;

Result<std::unique_ptr<AddressLink>> AddressLink::open(Loop& loop, kubeapi::Access access, std::string node, std::optional<std::vector<plan::Network>> networks, Events events) {
    std::unique_ptr<AddressLink> link(new AddressLink(loop, access.ns, std::move(node), std::move(events)));
    PST_TRY_ASSIGN(link->client_, kubeapi::Client::start(std::move(access), kLimits));
    kubeapi::Client& client = *link->client_;
    auto tell = [&loop, raw = link.get()](const kubeapi::Batch& batch, const kubeapi::Reflection& reflection) {
        News news{.seen = {}, .all = batch.all, .trouble = reflection.trouble(), .at = Loop::Clock::now()};
        for (const auto& [object, gone] : batch.changes) {
            news.seen.push_back({kubeapi::read_lease(object), gone});
        }
        loop.post([raw, news = std::move(news)] { raw->on_news(news); });
    };
    client.after(milliseconds(0), [&client, ns = link->ns_, tell = std::move(tell)] {
        kubeapi::Reflection reflection("coordination.k8s.io/v1", "Lease", "labelSelector=penstock.dev%2Flease", std::random_device()(), kWatchAgainMax);
        kubeapi::CollectionWatch::start(client, kubeapi::leases_path(ns), std::move(reflection), tell);
    });
    kubeapi::Election lease(link->ns_, node_lease_name(link->node_), link->node_, kNodeTerms);
    lease.carry({{kLeaseLabel, "node"}}, node_annotations(link->node_, networks));
    if (networks) {
        link->networks_ = std::move(*networks);
        link->holdings_.here(link->networks_);
    } else {
        link->holdings_.want({});
    }
    link->heartbeat_ = kubeapi::Heartbeat::start(client, std::move(lease), [&loop, raw = link.get()](const std::optional<Error>& trouble) {
        loop.post([raw, trouble] {
            raw->beat_trouble_ = trouble;
            raw->events_.trouble();
        });
    });
    return link;
}

// ---- what comes ---------------------------------------------------------------------------------------------------------
void AddressLink::here(std::vector<plan::Network> networks) {
    if (networks != networks_) {
        networks_ = std::move(networks);
        holdings_.here(networks_);
        heartbeat_->carry({{kLeaseLabel, "node"}}, node_annotations(node_, networks_));
    }
}

void AddressLink::want(std::set<IpAddress> addresses) {
    holdings_.want(std::move(addresses));
    wanted_ = true;
    decide();
}

void AddressLink::claimed(const IpAddress& address) {
    holdings_.claimed(address, Loop::Clock::now());
    if (held_.contains(address)) {  // else it is an answer, from which nothing follows but that there is no silence
        log::debug("somebody on the link claims {}", address.text());
        decide();
    }
}

void AddressLink::refused(const IpAddress& address) {
    holdings_.refused(address, Loop::Clock::now());
    decide();
}

void AddressLink::on_news(const News& news) {
    if (news.all) {
        std::set<std::string> listed;
        for (const Seen& one : news.seen) {
            listed.insert(one.lease.name);
        }
        std::vector<std::string> gone;
        for (const auto& [name, lease] : leases_) {
            if (!listed.contains(name)) {
                gone.push_back(name);
            }
        }
        std::for_each(gone.begin(), gone.end(), [this](const std::string& name) { lost(name); });
    }
    for (const Seen& one : news.seen) {
        if (!one.gone) {
            saw(one.lease, news.at);
        } else if (const auto known = leases_.find(one.lease.name); known == leases_.end() || !kubeapi::older_version(one.lease.version, known->second.version)) {
            lost(one.lease.name);  // and not made anew since, as an answer may have told before the watch
        }
    }
    const bool other_trouble = watch_trouble_.has_value() != news.trouble.has_value();
    watch_trouble_ = news.trouble;
    decide();
    if (other_trouble) {
        events_.trouble();
    }
}

// Nothing follows from a version that was seen already: neither that a node lives.
void AddressLink::saw(const kubeapi::Lease& lease, Loop::Time at) {
    kubeapi::Lease& known = leases_[lease.name];
    if (known.version == lease.version || kubeapi::older_version(lease.version, known.version)) {
        return;
    }
    const auto node = node_of_lease(lease);
    if (const auto before = node_of_lease(known); before && before != node) {
        holdings_.lost_node(*before);  // somebody has changed whose it is
    }
    known = lease;
    if (node) {
        holdings_.saw_node(*node, node_seen(lease), at);
    } else if (const auto address = address_of_lease(lease.name)) {
        holdings_.saw_lease(*address, {.holder = lease.holder, .version = lease.version});
    }
}

void AddressLink::lost(const std::string& name) {
    const auto known = leases_.extract(name);
    if (known.empty()) {
        return;
    }
    if (const auto node = node_of_lease(known.mapped())) {
        holdings_.lost_node(*node);
    } else if (const auto address = address_of_lease(name)) {
        holdings_.lost_lease(*address);
    }
}

// ---- what follows -------------------------------------------------------------------------------------------------------
void AddressLink::decide() {
    const auto now = Loop::Clock::now();
    const Holdings::Decision decision = holdings_.decide(now);
    for (const LeaseWrite& one : decision.writes) {
        write(one);
    }
    share(decision);
    if (!decision.ask.empty()) {
        events_.ask(decision.ask, holdings_.peers());
    }
    tell_live(now);
    if (decision.again) {
        loop_.at("addresses", *decision.again, [this] { decide(); });
    } else {
        loop_.cancel("addresses");
    }
    if (leaving_ && handing_over_ && held_.empty()) {
        left();
    }
}

void AddressLink::share(const Holdings::Decision& decision) {
    const auto now = Loop::Clock::now();
    const bool others = !holdings_.others_alive(now).empty();
    // Once also if this node has nothing: an earlier daemon's addresses may be another node's now.
    const bool first = !told_ && wanted_ && holdings_.in_contact(now);
    const bool same = decision.held == held_ && decision.defend.empty();
    if (same && !first && (others == others_ || !told_)) {
        return;
    }
    told_ = true;
    for (const IpAddress& address : decision.yielded) {
        log::warn("{} is left to somebody who claims it on the link: the API server cannot be asked whose it is", address.text());
    }
    for (const IpAddress& address : decision.defend) {
        log::warn("somebody on the link claims {}, which this node holds by its Lease: it is announced again", address.text());
    }
    for (const IpAddress& address : decision.stands_in) {
        log::warn("nobody on the link answers for {}, and the API server is away: this node stands in", address.text());
    }
    stood_in_ += decision.stands_in.size();
    yielded_ += decision.yielded.size();
    defended_ += decision.defend.size();
    const std::set<IpAddress> before = std::exchange(held_, decision.held);
    others_ = others;
    tell_changes(before);
    taken_ += static_cast<std::uint64_t>(std::count_if(held_.begin(), held_.end(), [&](const IpAddress& one) { return !before.contains(one); }));
    events_.share({.held = held_, .defend = decision.defend, .expires = others_});
}

void AddressLink::tell_live(Loop::Time now) {
    auto live = holdings_.others_renewing(live_, now);
    const bool first = !live_told_ && holdings_.in_contact(now);
    if (live != live_ || first) {
        live_told_ = true;
        live_ = std::move(live);
        events_.live(live_);
    }
}

void AddressLink::tell_changes(const std::set<IpAddress>& before) const {
    for (const IpAddress& address : held_) {
        if (!before.contains(address)) {
            log::info("this node has {} now", address.text());
        }
    }
    for (const IpAddress& address : before) {
        const auto lease = holdings_.leases().find(address);
        const std::string holder = lease != holdings_.leases().end() ? lease->second.holder : "";
        if (!held_.contains(address)) {
            log::info("this node has {} no more{}", address.text(), holder.empty() || holder == node_ ? "" : ": " + holder + " has");
        }
    }
}

void AddressLink::write(const LeaseWrite& write) {
    const std::string name = lease_name(write.address);
    kubeapi::Request request;
    if (write.what == LeaseWrite::What::remove) {
        request = kubeapi::delete_lease(ns_, name, write.version, kAddressTerms);
    } else {
        const auto known = leases_.find(name);
        kubeapi::Lease lease = known != leases_.end() ? known->second : kubeapi::Lease();
        lease.name = name;
        lease.version = write.version;
        lease.labels[kLeaseLabel] = "address";
        if (write.what == LeaseWrite::What::take && !lease.holder.empty()) {
            log::info("{} is taken over from {}", write.address.text(), lease.holder);
        }
        request = kubeapi::hold_lease(ns_, lease, write.holder, kAddressTerms, unix_us_now());
    }
    send_from(loop_, *client_, std::move(request), [this, write](const Result<kubeapi::Answer>& answer) { wrote(write, answer); });
}

void AddressLink::wrote(const LeaseWrite& write, const Result<kubeapi::Answer>& answer) {
    const auto now = Loop::Clock::now();
    const bool accepted = answer.ok() && answer->good();
    const bool late = answer.ok() && (answer->status == 409 || answer->status == 404);  // somebody was faster: the watch tells
    const bool had_trouble = write_troubles_.erase(write.address) != 0;
    if (accepted && write.what == LeaseWrite::What::remove) {
        lost(lease_name(write.address));
    } else if (accepted) {
        if (const auto parsed = model::parse_json(answer->body, {.bytes_max = 1U << 20}); parsed.ok()) {
            saw(kubeapi::read_lease(*parsed), now);
        }
    } else if (!late) {
        const std::string what = "write the Lease of " + write.address.text();
        write_troubles_.insert_or_assign(write.address, answer.ok() ? answer->failure(what) : Error(answer.error()).in(what));
    }
    const auto asked = answer.ok() ? answer->retry_after.value_or(milliseconds(0)) : milliseconds(0);
    holdings_.wrote(write.address, accepted, now, asked);
    decide();
    if (had_trouble || write_troubles_.contains(write.address)) {
        events_.trouble();
    }
}

void AddressLink::sweep(milliseconds silent) {
    for (const std::string& node : holdings_.others_silent(silent, Loop::Clock::now())) {
        const auto known = leases_.find(node_lease_name(node));
        if (known != leases_.end() && node_of_lease(known->second) == node) {
            kubeapi::delete_forgotten(*client_, node, {kubeapi::delete_lease(ns_, known->second.name, known->second.version, kAddressTerms),
                                                       {.method = "DELETE", .path = status::node_reports_path() + "/" + kubeapi::url_encoded(node)}});
        }
    }
}

void AddressLink::leave(std::function<void()> done) {
    if (leaving_) {
        return;  // told twice
    }
    if (left_) {
        done();
        return;
    }
    leaving_ = std::move(done);
    const auto now = Loop::Clock::now();
    if (!holdings_.in_contact(now) || holdings_.others_renewing({}, now).empty()) {
        heartbeat_->release([](bool) {});  // it is not waited for, as nobody would hear
        left();
        return;
    }
    if (!held_.empty() && !holdings_.others_alive(now).empty()) {
        log::info("handing {} addresses over", held_.size());
        handing_over_ = true;
    }
    loop_.at("leave", now + kLeavePatience, [this] { left(); });
    heartbeat_->release([this](bool given_up) {
        loop_.post([this, given_up] {
            released_ = given_up;
            if (!handing_over_ || !given_up) {
                left();
            }
        });
    });
}

void AddressLink::left() {
    loop_.cancel("leave");
    left_ = true;
    if (released_ && handing_over_ && !held_.empty()) {
        events_.share({.held = {}, .defend = {}, .expires = true});  // the others are about to take them
    }
    if (const auto done = std::exchange(leaving_, nullptr)) {
        done();
    }
}

// ---- what is shown ------------------------------------------------------------------------------------------------------
std::vector<Trouble> AddressLink::troubles() const {
    std::vector<Trouble> out;
    if (watch_trouble_) {
        out.push_back({.what = "follow the Leases of addresses", .error = *watch_trouble_, .failure = {}});
    }
    if (beat_trouble_) {
        out.push_back({.what = "renew this node's Lease", .error = *beat_trouble_, .failure = {}});
    }
    for (const auto& [address, error] : write_troubles_) {
        out.push_back({.what = "hold " + address.text(), .error = error, .failure = {}});
    }
    return out;
}

json AddressLink::facts() const {
    const auto now = Loop::Clock::now();
    std::map<std::string, std::size_t> held;
    for (const auto& [address, lease] : holdings_.leases()) {
        held[lease.holder] += 1;
    }
    json nodes = json::array();
    for (const auto& [name, lease] : leases_) {
        if (const auto node = node_of_lease(lease)) {
            const char* state = lease.holder.empty() ? "left" : holdings_.alive(*node, now) ? "alive" : "gone";
            nodes.push_back({{"name", *node}, {"state", state}, {"addresses", held.contains(*node) ? held[*node] : 0}});
        }
    }
    return {{"node", node_}, {"in_contact", holdings_.in_contact(now)}, {"nodes", std::move(nodes)}, {"held", held_.size()},
            {"taken", taken_}, {"yielded", yielded_}, {"defended", defended_}, {"stood_in", stood_in_}};
}

json AddressLink::facts_of(const IpAddress& address) const {
    const auto lease = leases_.find(lease_name(address));
    return lease == leases_.end() ? json{{"holder", ""}, {"since", ""}} : json{{"holder", lease->second.holder}, {"since", lease->second.acquired}};
}

}  // namespace penstock::daemon
