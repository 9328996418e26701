// SPDX-License-Identifier: Apache-2.0
#include "ctl/daemon/cluster_link.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "ctl/daemon/follow_troubles.hpp"
#include "ctl/daemon/send_from.hpp"
#include "ctl/model/value_text.hpp"
#include "ctl/status/merged.hpp"
#include "userspace/base/log.hpp"
#include "userspace/base/time.hpp"

namespace penstock::daemon {

using nlohmann::json;

namespace {

// The Lease is asked for every few seconds, collections every half minute when the server is away for long.
constexpr auto kLongAway = std::chrono::seconds(10);
constexpr auto kReleasePatience = std::chrono::milliseconds(1000);
constexpr auto kLooks = std::chrono::seconds(5);  // after that a list tells of too long a time
constexpr const char* kLease = "penstock-status";

}  // namespace

ClusterLink::ClusterLink(Loop& loop, const kubeapi::Access& access, std::string controller, const std::string& node, Events events)
    : loop_(loop), server_(access.server), events_(std::move(events)), cluster_(access.server),
      nodes_(loop, node, {.changed = [this](const auto& objects) { say_again(objects); }, .trouble = [this] { tell_troubles(); }, .own = [this] { events_.own(); }}),
      writer_(
          controller, [this](const model::ObjectKey& key) { return find(key); },
          [this](kubeapi::Request request, status::Writer::Done done) {
              send_from(loop_, *client_, std::move(request), [this, done = std::move(done)](const Result<kubeapi::Answer>& answer) {
                  done(answer);
                  pump();
              });
          },
          [this](const model::ObjectKey& key, std::string version, const json& status) {
              cluster_.wrote(key, std::move(version), status.dump(-1, ' ', false, json::error_handler_t::replace));
          },
          [this](const model::ObjectKey& key, const json& published, const json& server) { return nodes_.say(source::name_of(key), published, server); }),
      election_(access.ns, kLease, kubeapi::identity_of(node)),
      generated_(loop, cluster_, [this] { return ready() && election_.leads(Loop::Clock::now()); }, [this] { tell_troubles(); }),
      leftovers_(loop, cluster_, std::move(controller),
                 {.may = [this] { return told_ && ready() && election_.leads(Loop::Clock::now()); },
                  .in_care = [this](const model::ObjectKey& gateway) { return generated_.has(gateway); },
                  .changed = [this] { tell_troubles(); }}) {
    writer_.enable(false);
}

ClusterLink::~ClusterLink() {
    if (client_ != nullptr) {
        give_up();
    }
}

// So that another node writes at once. A renewal that was on its way when the loop ended has made another version of the Lease.
void ClusterLink::give_up() {
    const auto until = Loop::Clock::now() + kReleasePatience;
    const auto ask = [&](kubeapi::Request request) {
        // Never 0, which would be for ever.
        request.patience = std::max(std::chrono::ceil<std::chrono::milliseconds>(until - Loop::Clock::now()), std::chrono::milliseconds(1));
        return client_->call(std::move(request));
    };
    for (auto release = election_.release(unix_us_now()); release && Loop::Clock::now() < until; release = election_.release(unix_us_now())) {
        const auto answer = ask(std::move(*release));
        if (!answer.ok() || answer->status != 409) {
            return;
        }
        election_.answered(ask(election_.next(Loop::Clock::now(), unix_us_now())), Loop::Clock::now());
        if (election_.trouble()) {
            return;
        }
    }
}

Result<std::unique_ptr<ClusterLink>> ClusterLink::open(Loop& loop, kubeapi::Access access, std::string controller, const std::string& node, Events events) {
    std::unique_ptr<ClusterLink> link(new ClusterLink(loop, access, std::move(controller), node, std::move(events)));
    PST_TRY_ASSIGN(link->client_, kubeapi::Client::start(std::move(access)));
    link->follower_ = kubeapi::Follower::start(*link->client_, [&loop, raw = link.get()](kubeapi::News news) {
        // Shared: a posted task is copied.
        auto read = std::make_shared<source::ClusterNews>(source::read_news(std::move(news)));
        loop.post([raw, read] { raw->on_news(std::move(*read)); });
    });
    link->nodes_.start(*link->client_);
    link->generated_.start(*link->client_);
    link->leftovers_.start(*link->client_);
    loop.post([raw = link.get()] { raw->elect(); });
    return link;
}

// ---- who writes -------------------------------------------------------------------------------------------------------
void ClusterLink::elect() {
    send_from(loop_, *client_, election_.next(Loop::Clock::now(), unix_us_now()), [this](const Result<kubeapi::Answer>& answer) { elected(answer); });
}

void ClusterLink::elected(const Result<kubeapi::Answer>& answer) {
    const auto now = Loop::Clock::now();
    election_.answered(answer, now);
    if (election_.trouble()) {
        away_since_ = away_since_.value_or(now);
    } else if (const auto since = std::exchange(away_since_, std::nullopt); since && now - *since >= kLongAway) {
        follower_->hurry();
    }
    loop_.at("lease", now + election_.pause(), [this] { elect(); });
    if (const bool leads = election_.leads(now); leads != led_) {
        led_ = leads;
        log::info("statuses are written by {}", leads ? "this node" : kubeapi::node_of_identity(election_.holder()));
        generated_.forget_made();
        swept_ = false;
    }
    pump();
    generated_.make();
    if (led_ && told_ && ready() && !std::exchange(swept_, true)) {
        leftovers_.sweep();
    }
    tell_troubles();
}

// ---- what comes -------------------------------------------------------------------------------------------------------
void ClusterLink::on_news(source::ClusterNews news) {
    const model::Kind kind = news.kind;
    bool looked = false;
    if (const auto since = looking_again_.find(kind); news.all && since != looking_again_.end()) {
        looked = Loop::Clock::now() - since->second < kLooks;
        looking_again_.erase(since);
    }
    const source::Cluster::Changed changed = cluster_.apply(std::move(news));
    std::set<model::ObjectKey> seen(changed.gone.begin(), changed.gone.end());  // one that came and went at once is among both
    for (const model::ObjectKey& key : changed.statuses) {
        writer_.seen(key);
        seen.insert(key);
    }
    std::for_each(seen.begin(), seen.end(), [this](const model::ObjectKey& key) {
        generated_.seen(key);
        leftovers_.seen(key);
    });
    if (changed.content) {
        events_.content();
        if (changed.missed || (looked && changed.vanished)) {
            events_.missed(kind);
        }
    }
    // Clients wait for what the news makes of the configuration, which this turn of the loop compiles; nobody for this.
    seen_ = seen_ || !changed.statuses.empty();
    if (!std::exchange(news_noted_, true)) {
        loop_.post([this] { after_news(); });
    }
}

void ClusterLink::after_news() {
    news_noted_ = false;
    if (ready() && std::exchange(seen_, false)) {
        pump();
    } else {
        tell_troubles();
    }
}

// ---- what goes ----------------------------------------------------------------------------------------------------------
std::optional<status::Target> ClusterLink::find(const model::ObjectKey& key) const {
    const source::Cluster::Stored* stored = cluster_.find(key);
    const kubeapi::Resource* resource = cluster_.resource(key.kind);
    if (stored == nullptr || resource == nullptr) {
        return std::nullopt;
    }
    return status::Target{.path = resource->path(key.ns, key.name, "status"), .version = stored->version, .status = stored->status.empty() ? json() : json::parse(stored->status, nullptr, false), .generation = stored->object != nullptr ? stored->object->meta.generation : 0};
}

void ClusterLink::publish(const status::Book::Published& published) {
    status::Book::Published::diff(published_, published, [this](const auto* before, const auto* after) {
        if (const auto key = source::key_of_name((before != nullptr ? before : after)->first)) {
            want(*key, after != nullptr ? after->second : nullptr);
        }
    });
    published_ = published;
    told_ = true;
    pump();
    generated_.make();
}

// Of an object that the server does not have the writer remembers it: it may come.
void ClusterLink::want(const model::ObjectKey& key, const std::shared_ptr<const std::string>& status) {
    if (status == nullptr && is_orphan(key)) {
        writer_.part(key, status::waiting_status(cluster_.find(key)->object->meta.generation, unix_us_now() / 1'000'000));
    } else {
        writer_.want(key, status);
    }
    if (key.kind == model::Kind::gateway) {
        generated_.want(key, status);
        leftovers_.seen(key);
    }
}

// A Gateway whose class is not there: no controller will say that it is not served any more.
bool ClusterLink::is_orphan(const model::ObjectKey& key) const {
    const source::Cluster::Stored* stored = key.kind == model::Kind::gateway ? cluster_.find(key) : nullptr;
    const auto* gateway = stored != nullptr && stored->object != nullptr ? model::body_of<model::Gateway>(*stored->object) : nullptr;
    return gateway != nullptr && cluster_.find({model::Kind::gateway_class, "", gateway->gateway_class_name}) == nullptr;
}

// Only of what the cluster has: other nodes know nothing of this one's folder.
void ClusterLink::took(std::map<std::string, status::TakenObject> objects) {
    std::erase_if(objects, [this](const auto& entry) {
        const auto key = source::key_of_name(entry.first);
        const source::Cluster::Stored* stored = key ? cluster_.find(*key) : nullptr;
        return stored == nullptr || stored->object == nullptr || stored->object->meta.uid != entry.second.uid;
    });
    nodes_.report(status::make_report(std::move(objects)));
}

void ClusterLink::say_again(const status::Agreement::Objects& objects) {
    for (const std::string& object : objects) {
        if (const auto key = source::key_of_name(object)) {
            writer_.seen(*key);
        }
    }
    pump();
}

void ClusterLink::look_again() {
    generated_.forget_made();
    for (const model::Kind kind : cluster_.synced()) {
        looking_again_[kind] = Loop::Clock::now();
    }
    follower_->relist();
    writer_.look_again();
    pump();
    generated_.make();
    leftovers_.sweep();
}

void ClusterLink::pump() {
    // A leader that cannot renew its Lease stops by the clock.
    writer_.enable(told_ && ready() && election_.leads(Loop::Clock::now()));
    if (const auto again = writer_.pump(Loop::Clock::now(), unix_us_now() / 1'000'000)) {
        loop_.at("statuses", *again, [this] { pump(); });
    }
    tell_troubles();
}

// Only when there are others: most events change none, and telling walks all that is known.
void ClusterLink::tell_troubles() {
    std::vector<std::string> now;
    for (const Trouble& trouble : troubles()) {
        now.push_back(trouble.what + ": " + trouble.error.message());
    }
    if (now != troubles_told_) {
        troubles_told_ = std::move(now);
        events_.trouble();
    }
}

std::vector<Trouble> ClusterLink::troubles() const {
    std::vector<Trouble> out = follow_troubles(cluster_.states(), server_);
    for (const auto& [object, error] : writer_.troubles()) {
        out.push_back({.what = "status of " + object.text(), .error = error, .failure = {}});
    }
    if (election_.trouble()) {
        out.push_back({.what = "be or find the writer of statuses", .error = *election_.trouble(), .failure = {}});
    }
    const std::vector<Trouble> nodes = nodes_.troubles();
    out.insert(out.end(), nodes.begin(), nodes.end());
    generated_.add_troubles(out);
    leftovers_.add_troubles(out);
    return out;
}

json ClusterLink::facts() const {
    json kinds = json::array();
    for (const auto& [kind, state] : cluster_.states()) {
        kinds.push_back({{"kind", model::kind_name(kind)}, {"version", state.api_version}, {"synced", state.synced}, {"missing", state.missing}, {"trouble", state.trouble}});
    }
    kinds.push_back(nodes_.kind_facts());
    const kubeapi::ClientCounts& counts = client_->counts();
    return {{"server", server_},
            {"ready", ready()},
            {"kinds", std::move(kinds)},
            {"events", cluster_.events()},
            {"events_that_mattered", cluster_.events_that_mattered()},
            {"statuses_written", writer_.written()},
            {"statuses_waiting", writer_.waiting()},
            {"conflicts", writer_.conflicts()},
            {"objects_applied", generated_.applied()},
            {"objects_deleted", leftovers_.deleted()},
            {"writer", kubeapi::node_of_identity(election_.holder())},
            {"is_writer", writes()},
            {"nodes", nodes_.facts()},
            {"requests", counts.requests.load()},
            {"requests_failed", counts.failed.load()},
            {"requests_throttled", counts.throttled.load()}};
}

}  // namespace penstock::daemon
