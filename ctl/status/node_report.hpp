// SPDX-License-Identifier: Apache-2.0
// What one node has taken into its data path, as it tells the others: a PenstockNode (configs/deploy/base/penstocknodes.yaml) of its name. Pure.
// Others may write into such an object what they like: what cannot be read is left out, and all of it is bounded.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "ctl/model/value.hpp"
#include "ctl/status/book.hpp"
#include "userspace/base/ip.hpp"

namespace penstock::status {

// Something of an object that this node could not put into its data path. Failure, without whose.
struct Refusal {
    Failure::Kind kind = Failure::Kind::part;
    std::string listener;  // "": the whole object
    std::string message;
    auto operator<=>(const Refusal&) const = default;
};

struct TakenObject {
    std::string uid;
    std::int64_t generation = 0;  // metadata.generation that is served, but for what was refused
    std::vector<Refusal> refusals;
    std::vector<IpAddress> shared = {};  // its addresses that nodes share out; what this node knows itself, and no report says
    bool operator==(const TakenObject&) const = default;
};

struct NodeReport {
    static constexpr std::size_t kObjectsMax = 1000;  // about 200 KiB; with the longest of names and messages 1.2 MiB, which etcd takes
    static constexpr std::size_t kRefusalsMax = 8;    // of one object; one if there are more than kObjectsMax in all
    static constexpr std::size_t kMessageMax = 256;   // bytes
    static constexpr std::size_t kAddressesMax = 4096;
    static constexpr std::size_t kOwnMax = 16;        // as many as a Gateway's status has room for

    std::map<std::string, TakenObject> objects;  // "Gateway/shop/edge", "ListenerSet/shop/more"
    std::uint64_t omitted = 0;                   // objects beyond kObjectsMax: nobody is to wait for these
    std::optional<std::set<IpAddress>> here;     // addresses of Gateways that are on its interfaces; nothing: it does not tell, or has more than kAddressesMax
    std::set<IpAddress> own;                     // the node's, on which Gateways of classes without a pool listen

    [[nodiscard]] std::uint64_t refused() const;
    bool operator==(const NodeReport&) const = default;
};

// What goes into a report: within its bounds, the first objects by name.
[[nodiscard]] NodeReport make_report(std::map<std::string, TakenObject> objects);
void set_addresses(NodeReport& report, const std::set<IpAddress>& here, const std::vector<IpAddress>& own);

// "/apis/penstock.dev/v1alpha1/penstocknodes"
[[nodiscard]] std::string node_reports_path();
inline constexpr const char* kNodeReportVersion = "penstock.dev/v1alpha1";
inline constexpr const char* kNodeReportKind = "PenstockNode";

// The object to apply. `owner_uid`: of the Node that it goes with; "": of none.
[[nodiscard]] nlohmann::json node_object(const std::string& node, const std::string& owner_uid, const NodeReport& report);
[[nodiscard]] NodeReport read_report(const model::Value& object);

// At most `most` bytes, cut between characters.
[[nodiscard]] std::string shortened(const std::string& text, std::size_t most);

}  // namespace penstock::status
