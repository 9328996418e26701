// SPDX-License-Identifier: Apache-2.0
// Connections of HTTP/2 to backends, of one thread: each carries many exchanges. Where none has room, one is made, and those who want one
// meanwhile wait for it instead of making their own. Connections that were made for one client leave when nobody holds it any more.
#pragma once

#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "userspace/proxy/pool.hpp"
#include "userspace/ring/sync.hpp"

namespace penstock::proxy {

struct Context;
class H2Upstream;

class H2Pool {
public:
    H2Pool() = default;
    H2Pool(const H2Pool&) = delete;

    // One with room, or null.
    std::shared_ptr<H2Upstream> find(const BackendPlace& place);
    [[nodiscard]] std::size_t size(const BackendPlace& place) const;
    // Runs it until it ends, and has it until then.
    std::shared_ptr<H2Upstream> add(Context& context, const BackendPlace& place, Stream stream);

    // The first to call it at a place makes a connection, and says when that is done, well or not; others are told to wait for that.
    bool begin_connect(const BackendPlace& place) { return !std::exchange(places_[place].connecting, true); }
    void end_connect(const BackendPlace& place);
    ring::Task<int> wait_for_connect(ring::Loop& loop, const BackendPlace& place, ring::Time deadline) { return places_[place].connected.wait(loop, deadline); }

    // See ClientHold.
    void hold_client(const Endpoint& client) { ++clients_[client].holds; }
    void let_client_go(const Endpoint& client);

    template <class Wanted>
    void keep_only(Wanted wanted) {
        for (auto& [place, here] : places_) {
            if (!wanted(place)) {
                leave(here.open);
            }
        }
    }

private:
    struct Place {
        std::vector<std::shared_ptr<H2Upstream>> open;
        bool connecting = false;
        ring::Broadcast connected;
    };
    struct Client {
        std::size_t holds = 0;
        std::vector<std::shared_ptr<H2Upstream>> open;
    };
    ring::Task<> keep(BackendPlace place, std::shared_ptr<H2Upstream> upstream);
    static void leave(const std::vector<std::shared_ptr<H2Upstream>>& open);

    std::unordered_map<BackendPlace, Place, BackendPlaceHash> places_;
    std::unordered_map<Endpoint, Client> clients_;
};

// While one lives, the connections that were made for that client stay: its own connection has one, and each copy of a request of its.
// Without a client it holds nothing.
class ClientHold {
public:
    ClientHold(H2Pool& pool, const std::optional<Endpoint>& client) : pool_(pool), client_(client) {
        if (client_) {
            pool_.hold_client(*client_);
        }
    }
    ClientHold(const ClientHold&) = delete;
    ~ClientHold() {
        if (client_) {
            pool_.let_client_go(*client_);
        }
    }

private:
    H2Pool& pool_;
    std::optional<Endpoint> client_;
};

}  // namespace penstock::proxy
