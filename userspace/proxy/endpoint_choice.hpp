// SPDX-License-Identifier: Apache-2.0
// Which endpoint of a set is next: the one that the client's session has, else in turn, the less busy of two, or by what requests have in common. Endpoints that failed this request,
// that are ejected, or that have as many connections as they may, are passed over; their share is spread evenly over the others. Where
// that would leave nobody, the ejected are asked, then those that failed before; nobody ever gets more connections than its limit.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "userspace/http/headers.hpp"
#include "userspace/proxy/tables.hpp"

namespace penstock::proxy {

struct Context;

// What one request, or connection, asks of its endpoint over all its attempts.
struct Wish {
    std::uint32_t slot = 0;        // of the set's Maglev table
    bool fresh = false;            // no kept connection: its predecessor was closed under us
    const BackendEndpoint* pinned = nullptr;  // of the set: who is asked first, if that is usable
    std::vector<Endpoint> failed;  // who had it before
    std::optional<Endpoint> source, destination;  // of the client's connection, for backends that are told

    // From now on it is about that version of the set.
    void move_to(const BackendSet& set) {
        slot = set.hash == nullptr ? 0 : slot % static_cast<std::uint32_t>(set.hash->maglev.size());
        pinned = nullptr;
    }
};
// `client`: its address. `headers`: of the request, where there are any. A request without the header that is hashed goes by its client.
Wish wish_of(const BackendSet& set, std::string_view client, const http::Headers* headers = nullptr);

// Null: there is none, or all are full.
const BackendEndpoint* choose_endpoint(Context& context, const BackendSet& set, const Wish& wish);

// An endpoint's part in a request or connection: one in flight as long as this lives. `set` and `context` outlive it.
class Claim {
public:
    Claim() = default;
    Claim(Context& context, const BackendSet& set, const BackendEndpoint& endpoint);
    Claim(Claim&& other) noexcept { *this = std::move(other); }
    Claim& operator=(Claim&& other) noexcept;
    ~Claim() { release(); }

    // Null: nobody's.
    [[nodiscard]] const BackendEndpoint* endpoint() const { return endpoint_; }
    // How it went, for its health.
    void succeeded() const;
    void failed() const;

private:
    void release();

    Context* context_ = nullptr;
    const BackendSet* set_ = nullptr;
    const BackendEndpoint* endpoint_ = nullptr;
};

}  // namespace penstock::proxy
