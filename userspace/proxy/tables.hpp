// SPDX-License-Identifier: Apache-2.0
// What a worker serves, built from a snapshot and immutable from then on. Threads hold it by shared_ptr: a request in flight keeps the
// tables that it began with. Parts that did not change are the same objects in the next tables, and what is kept by part or by host is in
// maps that share their pieces: a build costs what changed, not what there is.
// Everything is verified before it is read. A part that cannot be used keeps its last good version under the same key and is named in
// `failed`; a root or a list that cannot be used is an error and changes nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "schema/views.hpp"
#include "userspace/base/ip.hpp"
#include "userspace/base/piece_map.hpp"
#include "userspace/base/result.hpp"
#include "userspace/match/host_index.hpp"
#include "userspace/match/route_table.hpp"
#include "userspace/proxy/backend_set.hpp"
#include "userspace/proxy/cors.hpp"
#include "userspace/proxy/counted.hpp"
#include "userspace/proxy/persistence.hpp"
#include "userspace/tls/certificates.hpp"

namespace penstock::proxy {

namespace fb = penstock::snapshot;

inline constexpr std::size_t kPartBytesMax = 256U << 20;

struct WeightedBackend {
    std::shared_ptr<const BackendSet> set;  // null: unresolved
    const fb::WeightedBackend* spec = nullptr;
};

struct RuleMirror {
    std::shared_ptr<const BackendSet> set;
    std::uint32_t numerator = 1, denominator = 1;  // not 0
};

struct Rule {
    const fb::Rule* spec = nullptr;
    std::vector<WeightedBackend> backends;  // without those of weight 0
    std::vector<std::uint16_t> cycle;  // indices into backends; empty: there are not two
    std::unique_ptr<const Cors> cors;  // null: none
    std::vector<RuleMirror> mirrors;
    std::unique_ptr<const Persistence> persistence;  // null: none
};

// The routes of one host on one listener, bound to backends.
struct Host {
    std::shared_ptr<const match::RouteTable> table;  // owns what rules point to
    std::vector<Rule> rules;
};

struct Listener {
    std::string name;
    std::uint32_t id = 0;
    fb::ListenerMode mode = fb::ListenerMode::Http;
    std::string hostname;
    fb::ProxyProtocol proxy_protocol = fb::ProxyProtocol::None;
    std::uint32_t trusted_hops = 0;
    std::string via;                   // our name in Via; "": we add none
    fb::LimitsT limits;                // its own, or the root's
    std::shared_ptr<const tls::CertificateSet> certificates;  // null where the mode needs none, or there is none to use
    match::HostIndex<std::shared_ptr<const Host>> hosts;
};

// One listening address.
struct Port {
    std::string socket;
    fb::PortMode mode = fb::PortMode::Http;
    std::uint16_t number = 0;
    fb::ProxyProtocol proxy_protocol = fb::ProxyProtocol::None;  // what connections begin with, if a listener wants that
    fb::LimitsT limits;     // of what comes before a listener is known: the first listener's
    match::HostIndex<const Listener*> listeners;  // by hostname; Tcp and Udp: one under ""
    bool passes_through = false;                  // one of them is TlsPassthrough
};

// Where spans go.
struct Tracing {
    std::shared_ptr<const BackendSet> set;  // never null
    std::string path;
    std::string service_name;
    std::uint32_t sample_per_million = 0;
};

// What a part became.
struct Made {
    fb::Digest digest;    // of the part that its list has
    bool failed = false;  // the object is its last good version, or null; it is tried again by each build
    std::shared_ptr<const void> object;  // of a Host part a Host
};
using MadeParts = PieceMap<std::string, Made>;  // by "kind/key"

// A list of parts, as the root names it.
struct ListName {
    std::string key;
    std::string digest;
    auto operator<=>(const ListName&) const = default;
};

struct Tables {
    std::uint64_t generation = 0;
    fb::LimitsT limits;
    std::optional<fb::AccessLogT> access_log;
    std::shared_ptr<const Tracing> tracing;  // null: none
    std::vector<std::unique_ptr<Listener>> listeners;
    Counted counted;
    std::unordered_map<std::string, Port> ports;  // by socket
    std::shared_ptr<tls::TicketKeys> tickets;  // one object over all tables
    std::shared_ptr<const Seals> seals;        // of sessions' tokens

    // For the next build.
    std::vector<std::string> seal_keys;  // names of the keys that `seals` has; a name stands for its key
    std::vector<ListName> lists;         // sorted
    MadeParts made;
    PieceMap<std::string, std::string> around;  // of what else objects were made of, by path; without those that are made of nothing else
    std::set<std::string> open;   // paths of parts that failed, or whose hosts lack a backend set: looked at by each build
};

struct FailedPart {
    std::string part;    // "kind/key/digest"
    std::string reason;
};

struct Built {
    std::shared_ptr<const Tables> tables;
    std::vector<FailedPart> failed;
};

// Where the bytes of lists and keys are; the span is valid until the build is over.
struct Storage {
    std::function<Result<std::span<const std::uint8_t>>(const std::string& name)> list;  // "list/KEY/DIGEST"
    std::function<Result<std::span<const std::uint8_t>>(const std::string& key_id)> key;
};

// `previous` may be null.
Result<Built> build_tables(std::span<const std::uint8_t> root, const Storage& storage, const Tables* previous);

}  // namespace penstock::proxy
