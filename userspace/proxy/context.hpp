// SPDX-License-Identifier: Apache-2.0
// What the connections of one worker thread share: its loop, the tables it serves now, its pool, its counters. One thread only, but
// for the shared page.
#pragma once

#include <sys/random.h>

#include <array>
#include <chrono>
#include <memory>
#include <string>

#include "schema/stats_page.hpp"
#include "userspace/proxy/access_log.hpp"
#include "userspace/proxy/h2_pool.hpp"
#include "userspace/proxy/newest_tables.hpp"
#include "userspace/proxy/pool.hpp"
#include "userspace/proxy/retry_budget.hpp"
#include "userspace/proxy/shared_page.hpp"
#include "userspace/proxy/sources.hpp"
#include "userspace/proxy/span_export.hpp"
#include "userspace/proxy/tables.hpp"
#include "userspace/proxy/tls_ladder.hpp"
#include "userspace/ring/sync.hpp"

namespace penstock::proxy {

// A connection that is told when the thread drains: one that waits for its next request ends, one of HTTP/2 takes no more.
class Drainable : public ring::ListNode {
public:
    virtual void drain() = 0;

protected:
    ~Drainable() = default;
};

// What looks at the tables again each time that they change. Does not join or leave the list meanwhile.
class TablesWatcher : public ring::ListNode {
public:
    virtual void tables_changed() = 0;

protected:
    ~TablesWatcher() = default;
};

// How long connections of HTTP/1.x that wait for a request may still get one when the thread drains, if it has so much time. Their protocol has no word for an end
// but with an answer, so to close one at once loses the request that is on its way.
inline constexpr std::chrono::milliseconds kDrainWait{2000};

// Copies of requests that are on their way to mirrors.
struct MirrorLoad {
    std::size_t copies = 0, bytes = 0;
    std::uint64_t copy_ms = 15'000;  // of each, its answer included
};

struct Context {
    Context(ring::Loop& on, SlotStats& counters, SharedPage& page) : loop(on), stats(counters), shared(page), ladder{counters}, pool(on), access_log(on, counters), spans(*this) {
        // Not a secret: only different from thread to thread and from start to start.
        static_cast<void>(::getrandom(&request_id_seed, sizeof request_id_seed, 0));
        random_state = request_id_seed;
    }

    ring::Loop& loop;
    SlotStats& stats;
    const StatsPage* stats_page = nullptr;  // of all threads; null: nobody may see it
    SharedPage& shared;
    TlsLadder ladder;
    Pool pool;
    H2Pool h2_pool;
    std::unordered_map<std::uint32_t, RetryBudget> retry_budgets;  // by id of a backend set
    std::shared_ptr<const Tables> tables;  // never null once the first snapshot was taken
    const NewestTables* newest = nullptr;  // of all threads; null: take() alone tells
    ring::Broadcast tables_changed;
    ring::Duration change_wait = std::chrono::milliseconds(1000);  // for tables without an endpoint that began to fail (endpoint_change.hpp)
    ring::List<TablesWatcher> dialling;                            // connections to backends on their way (endpoint_change.hpp)
    std::unordered_map<std::uint32_t, std::uint32_t> busy;         // connections in use, by id of an endpoint whose set limits them
    MirrorLoad mirrors;
    bool draining = false;                 // answers end with Connection: close
    ring::Duration drain_wait = kDrainWait;  // of connections that come to wait then
    ring::List<Drainable> drainable;       // told at once
    ring::List<Drainable> waiting;         // for a request of HTTP/1.x: told after drain_wait
    std::uint64_t connections = 0;         // of clients, open now
    Sources sources;
    std::size_t udp_flows_max = 32768;     // of one port; each has a socket
    std::uint64_t request_id_seed = 0;
    std::uint32_t request_ids = 0;
    std::uint64_t random_state = 0;
    AccessLog access_log;
    SpanExport spans;

    // The next tables; connections to backends that are not in them are let go.
    void take(std::shared_ptr<const Tables> next) {
        tables = std::move(next);
        const auto wanted = [this](const BackendPlace& place) { return tables->counted.has_place(place.endpoint, place.tls.get()); };
        pool.keep_only(wanted);
        h2_pool.keep_only(wanted);
        dialling.for_each([](TablesWatcher& one) { one.tables_changed(); });
        tables_changed.signal();
    }
    // Of what begins now: the newest there are. What else follows from them waits for take(), as who begins may stand in the middle of anything.
    const std::shared_ptr<const Tables>& tables_now() {
        if (auto next = newest != nullptr ? newest->other_than(tables.get()) : nullptr) {
            tables = std::move(next);
        }
        return tables;
    }
    // Takes no more than what is there, and says so where a protocol has a word for it.
    void drain(ring::Duration wait = kDrainWait) {
        draining = true;
        drain_wait = wait;
        tell(drainable);
    }
    // Ends the connections that still wait for a request.
    void end_waiting() { tell(waiting); }
    [[nodiscard]] ring::Time in_ms(std::uint64_t ms) const { return ms == 0 ? ring::kNever : loop.now() + std::chrono::milliseconds(ms); }
    void count_reason(Reason reason) { count(stats.reasons[static_cast<std::size_t>(reason)]); }
    // The page outlives processes: it is told the number, not the change.
    void count_connections(int change) {
        connections += static_cast<std::uint64_t>(static_cast<std::int64_t>(change));
        stats.connections_open.store(connections, std::memory_order_relaxed);
    }
    void count_status(int status) { count(stats.status_class[static_cast<std::size_t>(status / 100) % stats.status_class.size()]); }
    // Splitmix64: to choose by, nothing to keep secret.
    std::uint64_t next_random() {
        std::uint64_t x = random_state += 0x9e3779b97f4a7c15ULL;
        x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
        x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
        return x ^ x >> 31;
    }
    // Replaces `out` by an id that no other request has: 16 hexadecimal digits of this thread, 8 that count.
    void next_request_id(std::string& out) {
        static constexpr char kDigits[] = "0123456789abcdef";
        out.resize(24);
        for (std::size_t i = 0; i < 16; ++i) {
            out[i] = kDigits[request_id_seed >> (60 - 4 * i) & 15];
        }
        ++request_ids;
        for (std::size_t i = 0; i < 8; ++i) {
            out[16 + i] = kDigits[request_ids >> (28 - 4 * i) & 15];
        }
    }
    [[nodiscard]] ListenerStats& listener(std::uint32_t id) { return stats.listeners[id % kStatsListenersMax]; }
    [[nodiscard]] RuleStats& rule(std::uint32_t id) { return stats.rules[id % kStatsRulesMax]; }
    [[nodiscard]] SetStats& set(std::uint32_t id) { return stats.sets[id % kStatsSetsMax]; }

private:
    static void tell(ring::List<Drainable>& connections) {
        while (!connections.empty()) {
            connections.pop_front().drain();
        }
    }
};

}  // namespace penstock::proxy
