// SPDX-License-Identifier: Apache-2.0
// Brings the statuses that Book publishes onto the API server: a merge patch of the status subresource with the version that it was made
// from, so that nobody's newer words are overwritten; only where something differs; few at once and one per object. GatewayClasses go
// first, then ListenerSets, and Gateways wait for those that are being written; an object that changes all the time is written at a pace. No thread, clock or
// I/O of its own: time and sending are parameters. An object without a published status loses what of ours it has.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>

#include "ctl/kubeapi/client.hpp"
#include "ctl/model/object.hpp"
#include "ctl/status/book.hpp"

namespace penstock::status {

// An object as the server has it.
struct Target {
    std::string path;     // of its status subresource
    std::string version;  // metadata.resourceVersion
    nlohmann::json status;
    std::int64_t generation = 0;  // metadata.generation; 0: not known
};

// Whether objects of this kind have a status that a Gateway API controller writes.
bool has_status(model::Kind kind);

class Writer {
public:
    using Time = kubeapi::Time;
    using Milliseconds = std::chrono::milliseconds;
    // Nothing: the server does not have it (any more).
    using Find = std::function<std::optional<Target>(const model::ObjectKey&)>;
    using Done = std::function<void(Result<kubeapi::Answer>)>;
    using Send = std::function<void(kubeapi::Request, Done)>;
    // The server took it: its new version and status.
    using Wrote = std::function<void(const model::ObjectKey&, std::string version, nlohmann::json status)>;

    // What may be said of a Gateway or ListenerSet now, given what is published and what the server has. Nothing yet: seen() follows when there is
    // something.
    using Say = std::function<std::optional<nlohmann::json>(const model::ObjectKey&, const nlohmann::json& published, const nlohmann::json& server)>;

    // Without `say` what is published is said.
    Writer(std::string controller, Find find, Send send, Wrote wrote, Say say = {})
        : controller_(std::move(controller)), find_(std::move(find)), send_(std::move(send)), wrote_(std::move(wrote)), say_(std::move(say)) {}

    // What is published of an object now; null: nothing, it is not ours (any more). The next pump() looks at it.
    void want(const model::ObjectKey& key, std::shared_ptr<const std::string> published);
    // It is nobody's from now on, as far as is known: `last` is said of it once, unless somebody else says something meanwhile, or others write.
    void part(const model::ObjectKey& key, std::string last);
    // All of them, as if the server had others.
    void look_again();
    // The server has another status or version of it, or has it anew.
    void seen(const model::ObjectKey& key);
    // Off: others write. What is to be done is kept, of objects that the server has or that are published.
    void enable(bool on);

    // Sends what may go now. When to call it again; nothing: when something happened. Answers come by the `done` of Send, on the same
    // thread, never from within: the caller pumps again after each.
    // `now_s`: of the Unix clock, for lastTransitionTime.
    std::optional<Time> pump(Time now, std::int64_t now_s);

    // What could not be written, and why; by object.
    [[nodiscard]] const std::map<model::ObjectKey, Error>& troubles() const { return troubles_; }
    [[nodiscard]] std::uint64_t written() const { return written_; }
    [[nodiscard]] std::uint64_t conflicts() const { return conflicts_; }
    [[nodiscard]] std::size_t waiting() const { return dirty_.size() + in_flight_; }

private:
    struct Entry {
        std::shared_ptr<const std::string> wanted;  // as JSON
        bool once = false;            // `wanted` is said once, while the server's status is the one of this hash
        std::size_t parted_from = 0;
        bool sends_once = false;      // that is in flight
        bool in_flight = false;
        bool holds_gateways = false;  // a ListenerSet on its way that was not refused before
        unsigned tokens = 0;        // writes that may go without a pause
        Time refilled{};
        Time busy_since{};          // when the first of them went
        Time sent{};                // when the last of them went
        std::optional<Time> begun;  // of its first word: when it was there to be said
        bool stirred = false;       // another status is wanted since the last pump()
        Time changed{};             // when that was
        Time not_before{};
        unsigned failures = 0;
        std::size_t settled = 0;    // hash of what we wrote last, and the version that it became: the server's form of it may differ
        std::string settled_version;
    };

    void forget_gone(const model::ObjectKey& key);
    static void forget_last_word(Entry& entry);
    [[nodiscard]] Time ready_at(Entry& entry, Time now) const;
    static Time first_word_at(Entry& entry, Time now);
    void pump_kinds(model::Kind first, model::Kind last, std::optional<Time>& again);
    void send_one(const model::ObjectKey& key, Entry& entry);
    void answered(const model::ObjectKey& key, const nlohmann::json& status, const Result<kubeapi::Answer>& answer);
    void hold_back(Entry& entry, std::optional<Milliseconds> retry_after, bool passes = false);
    void failed(const model::ObjectKey& key, Entry& entry, Error error, std::optional<Milliseconds> retry_after, bool passes);

    const std::string controller_;
    Find find_;
    Send send_;
    Wrote wrote_;
    Say say_;
    std::map<model::ObjectKey, Entry> entries_;
    std::set<model::ObjectKey> dirty_;
    std::map<model::ObjectKey, Error> troubles_;
    std::size_t in_flight_ = 0;
    std::size_t holding_ = 0;  // of those in flight, ListenerSets that Gateways wait for
    bool enabled_ = true;
    Time now_{};  // of the last pump
    std::int64_t now_s_ = 0;
    std::uint64_t written_ = 0;
    std::uint64_t conflicts_ = 0;
};

}  // namespace penstock::status
